"""The whole product over a real S3 server: real files and Kafka records in through both doors, kill -9,
a lost data directory, and the same bytes and records out again."""

import hashlib
import os
import pathlib
import re
import shutil
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
from daemon import Daemon, DaemonError, binary, free_address, is_mounted  # noqa: E402
from daemon import port_is_open, scratch, wait_until  # noqa: E402

DEADLINE_S = 240
LINE_WRITERS, LINES_EACH = 8, 1000
KILL_ROUNDS, KILL_LOAD_S = 5, 2.0
SMALL = ["--wal-segment-size", "32MiB", "--object-size", "4MiB", "--offload-interval", "2s",
         "--wal-max-size", "1GiB"]


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.swift = cls.enterClassContext(swift_server.SwiftServer(bucket="e2e"))

    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-e2e-"))
        self.daemon = self.make_daemon("data")
        self.addCleanup(lambda: self.daemon.close(quiet=True))

    def make_daemon(self, data, **more):
        more.setdefault("kafka_addr", free_address())
        environment = {"AWS_ACCESS_KEY_ID": self.swift.access_key, "AWS_SECRET_ACCESS_KEY": self.swift.secret_key}
        return Daemon(binary("topicfs"), self.directory / data, f"s3://e2e/{self._testMethodName}",
                      extra=[*SMALL, "--s3-endpoint", self.swift.endpoint, "--s3-region", self.swift.region],
                      env=environment, deadline=DEADLINE_S, **more)

    def partition(self, topic, n):
        path = self.daemon.mountpoint / topic / str(n)
        load.run(["mkdir", "-p", path.parent])
        load.run(["touch", path])
        return path

    def records(self, topic, n):
        return load.consume(self.daemon.kafka_addr, topic, n)

    def produce(self, topic, n, *words, **more):
        load.run(load.kcat(self.daemon.kafka_addr, "-P", "-t", topic, "-p", n, "-X", "acks=all", *words), **more)

    def start_writer(self, path, prefix, acknowledged):
        with open(acknowledged, "ab") as out:
            return subprocess.Popen([sys.executable, HERE / "fsync_writer.py", path, prefix, "1000000"],
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)

    # --- what was appended is there, before and after everything local is lost

    def test_real_files_survive_the_loss_of_the_data_directory(self):
        (inputs := self.directory / "inputs").mkdir()
        files = load.real_files(inputs)
        self.assertGreater(len(files), 50)
        print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes", flush=True)
        with self.daemon:
            expected = self.append_everything(files)
            wait_until(lambda: self.objects() > 0, 60, "an offload while the daemon runs")
            before = self.check(expected, None)
            print(f"{sum(map(len, before.values()))} records, {self.objects()} large objects", flush=True)
            self.daemon.stop()
            shutil.rmtree(self.daemon.data_dir)
            self.daemon.start()
            self.check(expected, before)
            with self.subTest("goes on after it"):
                self.produce("docs", 0, input=b"one more\n")
                self.assertEqual(self.records("docs", 0)[-1][2], b"one more")

    def append_everything(self, files):
        """Answers {(topic, partition): sha256}, without the partition of many line writers."""
        shares = {("docs", 0): "tee", ("docs", 1): "shell", ("logs", 0): "shell", ("logs", 1): "tee"}
        processes, expected = [], {}
        for i, ((topic, n), how) in enumerate(shares.items()):
            mine = [f for f in files if int(f.name) % len(shares) == i]
            processes.append(load.append_files(self.partition(topic, n), mine, how))
            expected[topic, n] = hashlib.sha256(b"".join(f.read_bytes() for f in mine)).hexdigest()
        expected["kafka", 0] = self.produce_lines(files)
        self.append_many_lines()
        load.finish(processes)
        return expected

    def produce_lines(self, files):
        """Every non-empty line of a few files by kcat; they are files and records of the same values."""
        text = b"".join(f.read_bytes() for f in files[:8])
        lines = [line for line in text.split(b"\n") if line]
        source = self.directory / "lines"
        source.write_bytes(b"".join(line + b"\n" for line in lines))
        self.partition("kafka", 0)
        self.produce("kafka", 0, "-l", source)
        self.assertEqual([value for _, _, value in self.records("kafka", 0)], lines)
        return hashlib.sha256(source.read_bytes()).hexdigest()

    def append_many_lines(self):
        path = self.partition("lines", 0)
        writers = [load.append_lines(path, w, LINES_EACH) for w in range(LINE_WRITERS)]
        feeders = [threading.Thread(target=p.communicate, args=(text,), daemon=True) for p, text in writers]
        for thread in feeders:
            thread.start()
        for thread in feeders:
            thread.join(load.LIMIT_S)
        self.assertEqual([p.returncode for p, _ in writers], [0] * LINE_WRITERS)

    def objects(self):
        """Large ones: data, not claims or catalogs."""
        status, body = self.swift.request("GET", "/e2e")
        self.assertEqual(status, 200)
        return sum(int(size) > 1 << 20 for size in re.findall(rb"<Size>([0-9]+)</Size>", body))

    def check(self, expected, before):
        """Bytes by the mount, records by Kafka, both against each other; answers the records."""
        found = {}
        for topic, n in [*expected, ("lines", 0)]:
            with self.subTest(topic=topic, partition=n, after="the loss" if before else "the appends"):
                path = self.daemon.mountpoint / topic / str(n)
                records = found[topic, n] = self.records(topic, n)
                digest = load.sha256(path)
                self.assertEqual(digest, hashlib.sha256(load.text_of(records)).hexdigest(), "the doors differ")
                self.assertEqual([o for o, _, _ in records], list(range(len(records))), "gaps in the offsets")
                if (topic, n) in expected:
                    self.assertEqual(digest, expected[topic, n])
                else:
                    self.check_lines([value.decode() for _, _, value in records])
                if before:
                    self.assertTrue(records == before.get((topic, n)), "records changed")
        return found

    def check_lines(self, lines):
        of_writer = {w: [line for line in lines if line.startswith(f"writer {w} ")] for w in range(LINE_WRITERS)}
        for w, mine in of_writer.items():
            self.assertEqual(mine, [load.numbered(w, n) for n in range(LINES_EACH)])
        self.assertEqual(len(lines), LINE_WRITERS * LINES_EACH, "torn lines")

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
