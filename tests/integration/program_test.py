"""topicfs as a program: how it is told its settings, how it goes into the background and how it ends."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import requirements  # noqa: E402
from daemon import Daemon, DaemonError, binary, free_address, is_mounted, port_is_open, scratch, wait_until  # noqa: E402

SMALL = {"wal-segment-size": "1MiB", "wal-max-size": "16MiB", "pool-size": "16MiB"}


class Program(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-program-"))
        self.mountpoint, self.data = self.directory / "mnt", self.directory / "data"
        self.mountpoint.mkdir()

    def run_it(self, *words, program=None, **environment):
        """In the background it keeps standard error, which must be no pipe of ours."""
        with open(self.directory / "log", "w+", encoding="utf-8") as log:
            done = subprocess.run([program or binary("topicfs"), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=log, text=True, timeout=120, check=False, env={**os.environ, **environment})
            log.seek(0)
            done.stderr = log.read()
        return done

    def unmount(self):
        subprocess.run(["umount" if os.geteuid() == 0 else "fusermount3", *([] if os.geteuid() == 0 else ["-u"]), self.mountpoint],
                       check=True, timeout=60)
        # Its lock is free when it has ended.
        held = f"{self.data}/lock"
        wait_until(lambda: subprocess.run(["flock", "-n", held, "true"], check=False).returncode == 0, 60, "the end of topicfs")

    def daemon(self, data="data", store="store", **more):
        return Daemon(binary("topicfs"), self.directory / data, f"file:{self.directory}/{store}",
                      extra=[f"--{name}={value}" for name, value in SMALL.items()], deadline=120, **more)

    # --- in the background

    def test_without_foreground_it_returns_when_the_mount_answers_and_goes_on(self):
        address = free_address()
        environment = {"TOPICFS_" + name.upper().replace("-", "_"): value for name, value in SMALL.items()}
        done = self.run_it(f"--data-dir={self.data}", f"--kafka={address}", self.mountpoint, **environment)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        (self.mountpoint / "orders").mkdir()
        with open(self.mountpoint / "orders" / "0", "ab") as file:
            file.write(b"a line\n")
        wait_until(lambda: port_is_open(address), 30, "the gateway")
        self.unmount()
        with self.daemon(store="data/store") as again:
            self.assertEqual((again.mountpoint / "orders" / "0").read_bytes(), b"a line\n")

    def test_it_serves_as_a_mount_helper(self):
        """mount(8) calls mount.fuse3, which calls this; root alone may ask it to."""
        options = ",".join([f"{name}={value}" for name, value in SMALL.items()])
        done = self.run_it("topicfs", self.mountpoint, "-o", f"rw,noexec,nofail,x-some.thing,{options},data-dir={self.data}")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            mine = [line.split() for line in mounts if f" {self.mountpoint} " in line]
        self.assertEqual([words[2] for words in mine], ["fuse.topicfs"])
        self.assertIn("noexec", mine[0][3].split(","))
        self.unmount()
        if os.geteuid() != 0:
            return
        done = self.run_it("-t", f"fuse.{binary('topicfs')}", self.data, self.mountpoint, "-o", f"ro,{options}", program="mount")
        self.assertEqual(done.returncode, 0, done.stderr)
        with self.assertRaisesRegex(OSError, "Read-only"):
            (self.mountpoint / "orders").mkdir()
        self.unmount()

    def test_a_start_that_fails_in_the_background_is_told(self):
        self.mountpoint.joinpath("file").touch()
        done = self.run_it(f"--data-dir={self.data}", self.mountpoint)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not empty", done.stderr)
        self.assertFalse(self.data.exists())

    # --- settings

    def test_settings_come_from_everywhere_and_a_wrong_one_touches_nothing(self):
        config = self.directory / "topicfs.conf"
        config.write_text("".join(f"{name} = {value}\n" for name, value in SMALL.items()) + "default-partitions = 3\n")
        self.assertEqual(self.run_it(f"--data-dir={self.data}", "--config", config, self.mountpoint,
                                     TOPICFS_DEFAULT_PARTITIONS="2").returncode, 0)
        (self.mountpoint / "orders").mkdir()
        self.assertEqual(len(list((self.mountpoint / "orders").iterdir())), 2)
        self.unmount()
        config.write_text("pool-size = 1KiB\n")
        other = self.directory / "other"
        for words, environment, why in ((["--config", config], {}, f"{config}:1: pool-size"),
                                        ([], {"TOPICFS_POOL_SIZE": "much"}, "TOPICFS_POOL_SIZE in the environment"),
                                        (["--wal-segment-size=3MiB"], {}, "power of two"),
                                        (["--pool-sise=1GiB"], {}, "did you mean --pool-size"),
                                        (["--store=ftp://x"], {}, "--store"),
                                        (["-o", "nonsense"], {}, "nonsense")):
            done = self.run_it(f"--data-dir={other}", *words, self.mountpoint, **environment)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(why, done.stderr)
            self.assertFalse(other.exists())
            self.assertFalse(is_mounted(self.mountpoint))

    def test_help_and_version_go_to_standard_output(self):
        for program in ("topicfs", "topicfs-kafka", "topicfsctl", "topicfs-dump", "topicfs-bench"):
            done = self.run_it("--version", program=binary(program))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, rf"^{program} [0-9]+\.[0-9]+\.[0-9]+\n$")
            done = self.run_it("--help", program=binary(program))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("Usage: ", done.stdout)

    # --- the end, and a second one

    def test_signals_end_it_with_status_0_also_while_the_mount_is_in_use(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.daemon(kafka_addr=free_address()) as daemon:
                (daemon.mountpoint / f"topic-{number}").mkdir()
                file = os.open(daemon.mountpoint / f"topic-{number}" / "0", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(file, b"a line\nand a half")
                daemon.process.send_signal(number)
                daemon.wait()
                with contextlib.suppress(OSError):  # there is nobody left to close it with
                    os.close(file)
        with self.daemon() as daemon:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self.assertTrue((daemon.mountpoint / f"topic-{number}" / "0").read_bytes().startswith(b"a line\n"))

    def test_a_second_daemon_on_the_same_store_is_refused(self):
        with self.daemon() as first:
            with self.assertRaisesRegex(DaemonError, f"status 1(.|\n)*process {first.pid}"):
                self.daemon(data="other", mountpoint=self.directory / "other-mnt").start(timeout=30)
            self.assertFalse(is_mounted(self.directory / "other-mnt"))
            (first.mountpoint / "still-here").mkdir()


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("flock")
    unittest.main(verbosity=2)
