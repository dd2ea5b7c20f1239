"""The real daemon when its store is gone, its disk fails or is full, its directory vanishes, its clock jumps: what
programs are told, what goes on, and that nothing acknowledged is lost."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
sys.path.insert(0, str(HERE.parent / "end_to_end"))
import broken_case  # noqa: E402
import faults as faults_module  # noqa: E402
import load  # noqa: E402
import raw_kafka  # noqa: E402
import requirements  # noqa: E402
import swift_server  # noqa: E402
from broken_case import APPEND_TIMEOUT_S, DEADLINE_S, MIB, POOL, SMALL, WAL, Writer, block  # noqa: E402
from daemon import Daemon, DaemonError, binary, free_address, scratch, wait_until  # noqa: E402
from faults import CLOCK, ONLY_FDATASYNC, STORE_WRITES, SYNCS, WRITES  # noqa: E402


class Broken(broken_case.BrokenCase):
    def produce(self, topic, value, *words):
        """kcat's outcome: (status, what it said)."""
        words = ["kcat", "-b", self.daemon.kafka_addr, "-P", "-t", topic, "-p", "0", "-X", "acks=all", *words]
        done = subprocess.run(words, input=value + b"\n", capture_output=True, check=False, timeout=60)
        return done.returncode, done.stderr.decode(errors="replace")

    def fill(self, writer, blocks, limit=10 * WAL):
        """Appends until one is refused; answers the errno and how long the refused one waited."""
        while writer.acknowledged < limit:
            blocks.append(block(len(blocks)))
            began = time.monotonic()
            try:
                writer.append(blocks[-1])
            except OSError as error:
                blocks.pop()
                return error.errno, time.monotonic() - began
        self.fail(f"{limit} bytes were taken")

    # --- the store is gone

    def test_while_the_store_is_gone_writers_go_on_until_the_log_is_full_and_then_by_themselves(self):
        with self.daemon:
            path, kafka = self.partition("orders"), self.partition("produced")
            writer, blocks = Writer(path), []
            self.faults.set(STORE_WRITES, errno.EIO)
            self.assertEqual(self.produce("produced", b"before")[0], 0)
            number, waited = self.fill(writer, blocks)
            self.assertEqual(number, errno.ENOSPC)
            print(f"{writer.acknowledged // MIB} MiB taken, the last append waited {waited:.1f} s", flush=True)
            self.assertGreater(writer.acknowledged, 2 * POOL)
            self.assertGreater(writer.acknowledged, WAL // 2)
            self.assertGreater(waited, APPEND_TIMEOUT_S * 0.9)
            self.assertLess(waited, APPEND_TIMEOUT_S + 5)
            with self.subTest("reads go on, from segments"):
                self.assertEqual(path.read_bytes()[:writer.acknowledged], b"".join(blocks))
                self.assertGreater(self.status()["reads"]["from_segments"], 0)
                self.assertEqual([v for _, _, v in load.consume(self.daemon.kafka_addr, "produced", 0)], [b"before"])
            with self.subTest("a waiting write is interruptible"):
                self.check_interruptible(path)
            with self.subTest("O_NONBLOCK"):
                nonblocking = Writer(path, os.O_NONBLOCK)
                with self.assertRaises(BlockingIOError):
                    nonblocking.append(block(0))
                nonblocking.close()
            with self.subTest("Kafka clients are throttled"):
                self.check_throttled()
            with self.subTest("Kafka clients get an error that they retry"):
                status, said = self.produce("produced", b"x" * 200_000, "-X", "message.timeout.ms=4000", "-X", "retries=0")
                self.assertNotEqual(status, 0)
                self.assertRegex(said, "[Tt]imed out")
            self.assertIn("offload", self.daemon.log_text())
            self.assertNotEqual(self.status()["errors"]["offload_last"], "")
            self.faults.set(STORE_WRITES, 0)
            self.goes_on_by_itself(writer, blocks)
            size = path.stat().st_size
            self.daemon.restart()
            self.assertEqual(path.stat().st_size, size)
            self.assertEqual(path.read_bytes()[:len(blocks[0]) * 8], b"".join(blocks[:8]))
            self.daemon.stop()
            self.verify()

    def check_interruptible(self, path):
        child = subprocess.Popen([sys.executable, "-c", "import os,sys\nfd=os.open(sys.argv[1],os.O_WRONLY|os.O_APPEND)\n"
                                  "print(1,flush=True)\nos.write(fd,b'x'*300000+b'\\n')", path], stdout=subprocess.PIPE)
        child.stdout.readline()
        before = self.status()["appends"]["cancelled"]
        wait_until(lambda: self.status()["appends"]["waiting"] > 0 or child.poll() is not None, 5, "a waiting write")
        self.assertIsNone(child.poll(), "the write did not wait")
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.wait(10)
        self.assertLess(time.monotonic() - began, APPEND_TIMEOUT_S / 2)
        wait_until(lambda: self.status()["appends"]["cancelled"] > before, 5, "a cancelled append")
        child.stdout.close()

    def check_throttled(self):
        """The answer comes at its time and asks for a pause; the connection is silent for so long, others are not."""
        client, other = (raw_kafka.Connection(self.daemon.kafka_addr, timeout=30) for _ in range(2))
        client.send(raw_kafka.produce("produced", 0, raw_kafka.batch([b"x" * 200_000])) + raw_kafka.metadata([]))
        error, _, throttle_ms = raw_kafka.read_produced(client.receive())
        answered = time.monotonic()
        self.assertEqual((error, throttle_ms), (7, 1000))  # REQUEST_TIMED_OUT
        other.send(raw_kafka.metadata([]))
        other.receive()
        self.assertLess(time.monotonic() - answered, 0.5)
        client.receive()
        self.assertGreater(time.monotonic() - answered, 0.9)
        client.close()
        other.close()

    def test_tiny_synced_appends_go_on_while_the_store_is_gone(self):
        """Each takes a block of the log, so that these are more than the pool."""
        with self.daemon:
            path = self.partition("orders")
            self.faults.set(STORE_WRITES, errno.EIO)
            writer = Writer(path)
            slowest = 0
            for n in range(POOL // 4096 * 5 // 4):
                began = time.monotonic()
                writer.append(b"%d\n" % n)
                slowest = max(slowest, time.monotonic() - began)
            writer.close()
            self.assertLess(slowest, APPEND_TIMEOUT_S)
            self.assertEqual(self.status()["appends"]["waited"], 0)
            self.assertEqual(path.read_bytes(), b"".join(b"%d\n" % n for n in range(POOL // 4096 * 5 // 4)))
            self.faults.set(STORE_WRITES, 0)
            self.daemon.restart()
            # The one that waited for the store, if its time came before the last append, and the rest.
            self.assertIn(self.status()["objects"]["count"], (1, 2))

    def test_a_stop_with_the_store_gone_ends_in_time_and_loses_nothing(self):
        with self.daemon:
            path = self.partition("orders")
            writer, blocks = Writer(path), []
            self.faults.set(STORE_WRITES, errno.EIO)
            for n in range(40):
                blocks.append(block(n))
                writer.append(blocks[-1])
            writer.close()
            began = time.monotonic()
            self.daemon.stop()
            self.assertLess(time.monotonic() - began, 3 + 5)
            self.assertIn("it stays in the log", self.daemon.log_text())
            self.faults.set(STORE_WRITES, 0)
            self.daemon.start()
            self.assertEqual(path.read_bytes(), b"".join(blocks))

    def test_a_full_log_comes_up_again_with_a_small_pool_and_goes_on(self):
        with self.daemon:
            path = self.partition("orders")
            writer, blocks = Writer(path), []
            self.faults.set(STORE_WRITES, errno.EIO)
            self.fill(writer, blocks)
            self.daemon.kill9()
            self.faults.set(STORE_WRITES, 0)
            self.daemon.start()
            self.assertEqual(path.read_bytes()[:writer.acknowledged], b"".join(blocks))
            writer = Writer(path)
            self.goes_on_by_itself(writer, blocks)
            writer.close()

    # --- the disk fails

    def check_poisoned(self, fault, flags=0):
        path = self.partition("orders")
        self.partition("produced")
        status, said = self.produce("produced", b"before")
        self.assertEqual(status, 0, said)
        writer, blocks = Writer(path, flags), [block(n) for n in range(4)]
        for b in blocks:
            writer.append(b)
        fault()
        with self.assertRaises(OSError) as caught:
            writer.append(block(99))
        self.assertEqual(caught.exception.errno, errno.EIO)
        with self.assertRaises(OSError) as caught:
            writer.append(block(100))
        self.assertEqual(caught.exception.errno, errno.EIO)
        status, said = self.produce("produced", b"after", "-X", "message.timeout.ms=3000", "-X", "retries=0")
        self.assertNotEqual(status, 0)
        self.assertRegex(said, "Disk error|timed out")
        with self.subTest("reads go on"):
            self.assertEqual(path.read_bytes()[:writer.acknowledged], b"".join(blocks))
            self.assertEqual([v for _, _, v in load.consume(self.daemon.kafka_addr, "produced", 0)], [b"before"])
        with self.subTest("status and log say what to do"):
            self.assertIn("restart", self.status()["errors"]["log"])
            self.assertIn(self.status()["errors"]["log"], self.daemon.log_text())
        try:
            writer.close()
        except OSError as error:
            self.assertEqual(error.errno, errno.EIO)
        return path, blocks

    def test_a_failed_write_poisons_the_log_and_a_restart_recovers(self):
        with self.daemon:
            path, blocks = self.check_poisoned(lambda: self.faults.set(WRITES, errno.EIO), os.O_DSYNC)
            self.faults.set(WRITES, 0)
            self.daemon.stop()
            self.assertIn("all that was acknowledged before is in", self.daemon.log_text())
            self.daemon.start()
            self.assertEqual(path.read_bytes()[:len(blocks) * len(blocks[0])], b"".join(blocks))
            writer = Writer(path)
            writer.append(b"again\n")
            writer.close()
            self.daemon.stop()
            self.verify()

    def test_a_failed_sync_poisons_the_log_and_a_restart_recovers(self):
        self.faults.set(ONLY_FDATASYNC, 1)
        with self.daemon:
            self.assertEqual(self.status()["log"]["sync_method"], "write, fdatasync")
            path, blocks = self.check_poisoned(lambda: self.faults.set(SYNCS, errno.EIO), os.O_SYNC)
            self.assertGreater(self.faults.failed(), 0)
            self.faults.set(SYNCS, 0)
            self.daemon.kill9()
            self.daemon.start()
            self.assertEqual(path.read_bytes()[:len(blocks) * len(blocks[0])], b"".join(blocks))

    def test_a_disk_that_becomes_read_only_poisons_the_log(self):
        with self.daemon:
            self.check_poisoned(lambda: self.faults.set(WRITES, errno.EROFS))
            self.assertIn("Read-only file system", self.daemon.log_text())

    def test_a_data_directory_that_vanishes_is_noticed_and_what_was_acknowledged_is_in_the_store(self):
        with self.daemon:
            path, blocks = self.check_poisoned(lambda: shutil.rmtree(self.daemon.data_dir / "wal"), os.O_DSYNC)
            wait_until(lambda: "what was durable when the log failed is in" in self.daemon.log_text(), 20, "the rescue")
            self.daemon.kill9()
            with self.assertRaises(DaemonError) as caught:
                self.daemon.start(timeout=20)
            self.assertRegex(str(caught.exception), "log segment .* is missing .* recover from the bucket with an empty data")
            shutil.rmtree(self.daemon.data_dir)
            self.daemon.start()
            self.assertEqual(path.read_bytes(), b"".join(blocks))
            self.assertEqual([v for _, _, v in load.consume(self.daemon.kafka_addr, "produced", 0)], [b"before"])
            writer = Writer(path)
            writer.append(b"again\n")
            writer.close()
            self.daemon.stop()
            self.verify()

    def test_a_data_directory_on_a_read_only_disk_stops_the_start(self):
        requirements_root(self)
        with self.daemon:
            self.partition("orders")
        load.run(["mount", "--bind", self.daemon.data_dir, self.daemon.data_dir])
        load.run(["mount", "-o", "remount,ro,bind", self.daemon.data_dir])
        try:
            with self.assertRaises(DaemonError) as caught:
                self.daemon.start(timeout=20)
            self.assertIn("Read-only file system", str(caught.exception))
        finally:
            load.run(["umount", self.daemon.data_dir])
        self.daemon.start()

    # --- the disk is full

    def test_a_full_disk_stops_writers_with_enospc_and_they_go_on_when_it_has_room(self):
        requirements_root(self)
        disk = self.directory / "disk"
        disk.mkdir()
        load.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk])
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(8 * MIB))
        self.daemon = self.make_daemon(data="disk/data", mountpoint=self.directory / "mnt")
        with self.daemon:
            path = self.partition("orders")
            writer, blocks = Writer(path), []
            self.faults.set(STORE_WRITES, errno.EIO)  # or the log would be emptied
            number, _ = self.fill(writer, blocks)
            self.assertEqual(number, errno.ENOSPC)
            self.assertLess(writer.acknowledged, 40 * MIB)
            self.assertIn("No space left on device", self.daemon.log_text())
            self.assertIn("No space left on device", self.status()["errors"]["segments"])
            self.assertEqual(path.read_bytes()[:writer.acknowledged], b"".join(blocks))
            ballast.unlink()
            self.goes_on_by_itself(writer, blocks)
            writer.close()
            self.daemon.kill9()
            self.faults.set(STORE_WRITES, 0)
            self.daemon.start()
            wait_until(lambda: self.status()["errors"]["segments"] == "", 30, "segments")
            self.daemon.stop()

    # --- the clock jumps

    def test_a_clock_that_jumps_loses_nothing_and_stops_nothing(self):
        with self.daemon:
            path = self.partition("orders")
            writer, expected = Writer(path), b""
            for ahead in (0, 86400, -86400 * 400, 3600 * 24 * 365 * 20, 0):
                self.faults.set(CLOCK, ahead)
                for n in range(5):
                    writer.append(b"%d seconds ahead: %d\n" % (ahead, n))
                    expected += b"%d seconds ahead: %d\n" % (ahead, n)
                status, said = self.produce("orders", b"produced")
                if ahead < 0:  # message.timestamp.after.max.ms: to the broker the client's time is far ahead
                    self.assertIn("Invalid timestamp", said)
                    continue
                self.assertEqual(status, 0, said)
                expected += b"produced\n"
            writer.close()
            self.assertEqual(path.read_bytes(), expected)
            self.daemon.kill9()
            self.faults.set(CLOCK, -86400)
            self.daemon.start()
            self.assertEqual(path.read_bytes(), expected)
            self.assertEqual(load.text_of(load.consume(self.daemon.kafka_addr, "orders", 0)), expected)
            self.faults.set(CLOCK, 0)
            self.daemon.restart()
            self.assertEqual(path.read_bytes(), expected)


class S3Gone(unittest.TestCase):
    def setUp(self):
        if not swift_server.is_installed():
            self.skipTest("missing Swift's servers or memcached")
        self.directory = self.enterContext(scratch("topicfs-broken-"))
        server = self.enterContext(swift_server.SwiftServer(bucket="broken"))
        host, port = server.endpoint.removeprefix("http://").split(":")
        self.cable = self.enterContext(faults_module.Cable(host, int(port)))
        self.store = ["--s3-endpoint", self.cable.endpoint, "--s3-region", server.region]
        self.environment = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        self.daemon = Daemon(binary("topicfs"), self.directory / "data", "s3://broken/prefix", kafka_addr=free_address(),
                             extra=[*SMALL, *self.store], env=self.environment, deadline=DEADLINE_S)
        self.addCleanup(lambda: self.daemon.close(quiet=True))

    def test_an_endpoint_that_is_gone_stops_nobody_but_the_start(self):
        self.stops_nobody_but_the_start(self.cable.cut)

    def test_an_endpoint_that_hangs_stops_nobody_but_the_start(self):
        self.stops_nobody_but_the_start(self.cable.clog)

    def test_a_read_that_waits_for_a_hanging_endpoint_holds_up_no_other(self):
        with self.daemon:
            path = self.daemon.mountpoint / "orders" / "0"
            blocks = self.write_and_spoil(lambda: None)
            self.daemon.restart()  # all that was written is in the store alone
            self.cable.clog()
            with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as reader:
                try:
                    other = self.daemon.mountpoint / "orders" / "1"
                    other.touch()
                    writer = Writer(other)
                    for n in range(8):
                        writer.append(block(n))
                    writer.close()
                    self.assertEqual(other.read_bytes(), b"".join(block(n) for n in range(8)))
                    self.assertIsNone(reader.poll())
                    self.cable.mend()
                    self.assertEqual(reader.communicate(timeout=60)[0], b"".join(blocks))
                finally:
                    reader.kill()

    def stops_nobody_but_the_start(self, spoil):
        with self.daemon:
            blocks = self.write_and_spoil(spoil)
            path = self.daemon.mountpoint / "orders" / "0"
            self.assertEqual(path.read_bytes(), b"".join(blocks))
            began = time.monotonic()
            self.daemon.stop()
            self.assertLess(time.monotonic() - began, 3 + 5)
            with self.assertRaises(DaemonError) as caught:
                self.daemon.start(timeout=60)
            self.assertIn(self.cable.endpoint.removeprefix("http://"), str(caught.exception).splitlines()[-1])
            self.cable.mend()
            self.daemon.start()
            self.assertEqual(path.read_bytes(), b"".join(blocks))
            self.daemon.stop()
        done = subprocess.run([binary("topicfsctl"), "verify", "--data-dir", self.daemon.data_dir, "--store",
                               "s3://broken/prefix", *self.store], env={**os.environ, **self.environment},
                              capture_output=True, check=False, timeout=120, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def write_and_spoil(self, spoil):
        """More than the pool, almost all of it after the store was spoilt, at full speed, through both doors."""
        path = self.daemon.mountpoint / "orders" / "0"
        path.parent.mkdir()
        path.touch()
        writer, blocks = Writer(path), []
        for n in range(8 + 2 * POOL // (256 << 10)):
            if n == 8:
                spoil()
            blocks.append(block(n))
            writer.append(blocks[-1])
        writer.close()
        load.run(load.kcat(self.daemon.kafka_addr, "-P", "-t", "orders", "-p", 0, "-X", "acks=all"), input=b"produced\n")
        return [*blocks, b"produced\n"]


def requirements_root(test):
    if os.geteuid() != 0:
        test.skipTest("this test mounts, and needs root")


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("kcat")
    unittest.main(verbosity=2, warnings="ignore")  # swift_server leaves closing files to the collector
