"""The whole product over a real S3 server when things go wrong: kill -9, a second daemon, a taken port, a dead
gateway."""

import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
import load  # noqa: E402
import requirements  # noqa: E402
import swift_server  # noqa: E402
from daemon import DaemonError, is_mounted, port_is_open, wait_until  # noqa: E402
from s3_case import S3Case  # noqa: E402

KILL_ROUNDS, KILL_LOAD_S = 5, 2.0


class EndToEnd(S3Case):
    def start_writer(self, path, prefix, acknowledged):
        with open(acknowledged, "ab") as out:
            return subprocess.Popen([sys.executable, HERE / "fsync_writer.py", path, prefix, "1000000"],
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)

    # --- crashes

    def test_what_dd_has_synced_survives_kill_9(self):
        with self.daemon:
            path = self.partition("synced", 0)
            for _ in range(5):
                load.run(["dd", "if=/bin/bash", f"of={path}", "bs=256K", "oflag=append", "conv=notrunc,fsync"])
            self.daemon.kill9()
            self.daemon.start()
            expected = pathlib.Path("/bin/bash").read_bytes() * 5
            self.assertEqual(load.sha256(path), hashlib.sha256(expected).hexdigest())
            self.assertTrue(load.text_of(self.records("synced", 0)) == expected, "the doors differ")

    def test_nothing_acknowledged_is_lost_in_rounds_of_kill_9(self):
        acknowledged, produced = self.directory / "acknowledged", []
        with self.daemon:
            self.partition("killed", 0), self.partition("killed", 1)
            for turn in range(KILL_ROUNDS):
                if turn:
                    self.daemon.start()
                self.load_until_kill(turn, acknowledged, produced)
            self.daemon.start()
            self.check_acknowledged(acknowledged, produced)

    def load_until_kill(self, turn, acknowledged, produced):
        path = self.daemon.mountpoint / "killed" / "0"
        log = acknowledged.with_name(f"acknowledged{turn}")
        writer = self.start_writer(path, f"round {turn} line", log)
        stopped = threading.Event()
        producer = threading.Thread(target=self.produce_until, args=(stopped, turn, produced))
        producer.start()
        try:
            stopped.wait(KILL_LOAD_S)
            self.daemon.kill9()
        finally:
            stopped.set()
            producer.join(load.LIMIT_S)
            writer.wait(load.LIMIT_S)
        self.assertGreater(len(log.read_text().split()), 0, "no line was acknowledged before the kill")

    def produce_until(self, stopped, turn, produced):
        """kcat's status 0 means that every one of its messages was acknowledged."""
        n = 0
        while not stopped.is_set():
            batch = [b"round %d produced %d" % (turn, n + i) for i in range(20)]
            words = load.kcat(self.daemon.kafka_addr, "-P", "-t", "killed", "-p", 1, "-X", "acks=all", "-X",
                              "message.timeout.ms=3000")
            if subprocess.run(words, input=b"\n".join(batch) + b"\n", capture_output=True, check=False,
                              timeout=load.LIMIT_S).returncode == 0:
                produced += batch
            n += len(batch)

    def check_acknowledged(self, acknowledged, produced):
        lines = load.run(["cat", self.daemon.mountpoint / "killed" / "0"]).decode().splitlines()
        self.assertEqual([value.decode() for _, _, value in self.records("killed", 0)], lines, "the doors differ")
        for turn in range(KILL_ROUNDS):
            mine = [line for line in lines if line.startswith(f"round {turn} ")]
            self.assertEqual(mine, [f"round {turn} line {n}" for n in range(len(mine))], "a hole, or twice")
            numbers = acknowledged.with_name(f"acknowledged{turn}").read_text().split()
            self.assertGreaterEqual(len(mine), len(numbers), f"round {turn}: acknowledged lines are lost")
        print(f"{len(lines)} lines, {len(produced)} acknowledged produced records", flush=True)
        values = {value for _, _, value in self.records("killed", 1)}
        self.assertGreater(len(produced), 0)
        self.assertEqual([p for p in produced if p not in values], [], "acknowledged records are lost")

    # --- a second daemon, a taken port, a dead gateway

    def refused(self, daemon, why):
        with self.assertRaises(DaemonError) as caught:
            daemon.start(timeout=20)
        self.assertRegex(str(caught.exception), "ended with status [1-9]")
        self.assertRegex(str(caught.exception).splitlines()[-1], why)
        self.assertFalse(is_mounted(daemon.mountpoint))

    def test_a_second_daemon_on_the_same_data_directory_is_refused(self):
        with self.daemon:
            path = self.partition("held", 0)
            self.refused(self.make_daemon("data", mountpoint=self.directory / "second"),
                         "lock is held by process [0-9]+")
            load.run(["bash", "-c", 'echo still here >> "$1"; sync "$1"', "append", path])
            self.assertEqual(load.run(["cat", path]), b"still here\n")

    def test_a_port_in_use_stops_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.refused(self.make_daemon("data", kafka_addr="127.0.0.1:%d" % taken.getsockname()[1]),
                         "in use")

    def test_a_killed_gateway_comes_back_and_the_mount_goes_on(self):
        with self.daemon:
            path = self.partition("steady", 0)
            writer = self.start_writer(path, "line", self.directory / "steady")
            first = load.gateway_pids(self.daemon.pid)
            self.assertEqual(len(first), 1)
            os.kill(first[0], signal.SIGKILL)
            wait_until(lambda: set(load.gateway_pids(self.daemon.pid)) - set(first), 30, "a new gateway")
            wait_until(lambda: port_is_open(self.daemon.kafka_addr), 30, "the new gateway's port")
            so_far = len((self.directory / "steady").read_text().split())
            wait_until(lambda: len((self.directory / "steady").read_text().split()) > so_far,
                       30, "further appends")
            self.assertIsNone(writer.poll(), "the writer through the mount was disturbed")
            os.kill(writer.pid, signal.SIGTERM)
            writer.wait(load.LIMIT_S)
            lines = load.run(["cat", path]).splitlines()
            numbers = (self.directory / "steady").read_text().split()
            self.assertGreaterEqual(len(lines), len(numbers))
            self.assertEqual([value for _, _, value in self.records("steady", 0)], lines)


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("kcat", "tee", "dd")
    if not swift_server.is_installed():
        requirements.skip("missing Swift's servers or memcached")
    unittest.main(verbosity=2, warnings="ignore")  # swift_server leaves closing files to the collector
