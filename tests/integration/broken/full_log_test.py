"""What appends are told by a real daemon whose store is gone, or whose log has failed, to the letter: nobody waits before
the log is full, each gets the code that is documented, and producers that run all the while go on by themselves."""

import contextlib
import errno
import pathlib
import queue
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
sys.path.insert(0, str(HERE.parent / "end_to_end"))
import broken_case  # noqa: E402
import kafka_clients  # noqa: E402
import raw_kafka  # noqa: E402
import requirements  # noqa: E402
from broken_case import SEGMENT, WAL, Writer, block  # noqa: E402
from daemon import binary, wait_until  # noqa: E402
from faults import ONLY_FDATASYNC, STORE_WRITES, SYNCS, WRITES  # noqa: E402

REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR = 7, 56
LIMIT_S = 30
USUAL_WAIT_S = 0.1  # for which nobody is throttled
ID = 10**9  # of a producer
KEPT_SEGMENTS = 1  # of the log, for its own records


class Producer:
    """steady_producer.py, and what it has said so far."""

    def __init__(self, library, broker, topic):
        self.process = subprocess.Popen(["/usr/bin/python3", HERE / "steady_producer.py", library, broker, topic],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        self.said, self.delivered, self.made = set(), 0, None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode().split())
        self.lines.put(None)

    def wait(self, holds, what):
        """Until `holds(self)`, which what it says makes true."""
        while not holds(self):
            self._hear(what)

    def _hear(self, what):
        try:
            words = self.lines.get(timeout=LIMIT_S)
        except queue.Empty:
            words = None
        if words is None:
            self.process.kill()
            raise AssertionError(f"{what}: {self.delivered} delivered, {self.said}: "
                                 f"{self.process.stderr.read().decode()[-1500:]}")
        self.said.add(words[0])
        if words[0] in ("delivered", "made"):
            setattr(self, words[0], int(words[1]))

    def goes_on(self):
        """More is delivered than was until now."""
        while not self.lines.empty():
            self._hear("lines")
        before = self.delivered
        self.wait(lambda p: p.delivered > before, "nothing more is delivered")

    def finish(self):
        """How many values it made, each of which was reported delivered."""
        self.process.stdin.close()
        self.wait(lambda p: p.made is not None, "no good end")
        if self.process.wait(LIMIT_S) != 0:
            raise AssertionError(self.process.stderr.read().decode()[-1500:])
        return self.made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


class KcatProducer:
    """An idempotent one, which gets 0, 1, 2, ... as it is told to, each on a long line: it reads ahead."""

    def __init__(self, broker, topic):
        self.process = subprocess.Popen(["kcat", "-P", "-E", "-b", broker, "-t", topic, "-p", "0", "-X", "enable.idempotence=true",
                                         "-X", "reconnect.backoff.max.ms=200"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.made = 0

    @staticmethod
    def value(number):
        return f"{number:01000}"

    def append(self, count):
        self.process.stdin.write("".join(f"{self.value(i)}\n" for i in range(self.made, self.made + count)).encode())
        self.process.stdin.flush()
        self.made += count

    def finish(self):
        _, errors = self.process.communicate(timeout=LIMIT_S)
        if self.process.returncode != 0:
            raise AssertionError(f"kcat ended with status {self.process.returncode}: {errors.decode()[-1500:]}")
        return self.made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


class FullLogCase(broken_case.BrokenCase):
    def appends(self):
        return self.status()["appends"]

    def connection(self):
        made = raw_kafka.Connection(self.daemon.kafka_addr, timeout=LIMIT_S)
        self.addCleanup(made.close)
        return made

    def partition(self, topic, n=0):
        """One that the gateway has heard of, too: a client would ask again."""
        path = super().partition(topic, n)
        connection = self.connection()

        def is_known():
            connection.send(raw_kafka.fetch(topic, n, 0, max_wait_ms=0))
            return raw_kafka.read_fetched(connection.receive())[0] == 0

        wait_until(is_known, LIMIT_S, "the gateway's catalog")
        return path

    def log_bytes(self, status):
        """Between what is offloaded and what is durable."""
        log = status["log"]
        return (log["durable_segment"] - log["offloaded_segment"]) * SEGMENT + log["durable_byte"] - log["offloaded_byte"]

    def status_with_a_segment_ready(self):
        """A writer faster than the disk waits for it, store or no store: here none is. The next segment is there, or none
        may come."""
        wait_until(lambda: self.status()["log"]["segments_ready"] > 0 or self.is_last_segment(self.status()), LIMIT_S,
                   "the next segment")
        return self.status()

    @staticmethod
    def is_last_segment(status):
        return status["log"]["segments_live"] == status["log"]["segments_max"] - KEPT_SEGMENTS

    def produce(self, connection, value, producer=raw_kafka.NO_PRODUCER, **options):
        connection.send(raw_kafka.produce("produced", 0, raw_kafka.batch([value], producer), **options))
        return connection.receive()

    def refused(self, connection, value=b"refused", **options):
        return raw_kafka.read_refused(self.produce(connection, value, version=8, **options))

    def values(self, topic="produced"):
        return [v for v in kafka_clients.kcat_consume(self.daemon.kafka_addr, topic, 0)]


class StoreGone(FullLogCase):
    def fill_the_log(self, path):
        """Through both doors, until one append has waited. Answers what was taken, and the status before that append."""
        writer, connection, blocks, produced = Writer(path), self.connection(), [], []
        while True:
            before = self.status_with_a_segment_ready()
            self.assertEqual(before["appends"]["waited"], 0)
            value = b"%d " % len(blocks) + b"x" * 60_000
            error, _, throttle_ms = raw_kafka.read_produced(self.produce(connection, value))
            if self.appends()["waited"]:
                self.assertEqual(error, REQUEST_TIMED_OUT)
                return b"".join(blocks), produced, before
            self.assertEqual((error, throttle_ms), (0, 0))
            produced.append(value.decode())
            before = self.status_with_a_segment_ready()
            try:
                writer.append(block(len(blocks)))
            except OSError as refusal:
                self.assertEqual(refusal.errno, errno.ENOSPC)
                return b"".join(blocks), produced, before
            self.assertEqual(self.appends()["waited"], 0)
            blocks.append(block(len(blocks)))

    def test_no_append_waits_until_the_log_is_full_then_each_is_told_why_and_goes_on_when_the_store_is_back(self):
        with self.daemon:
            path = self.partition("orders")
            self.partition("produced")
            self.faults.set(STORE_WRITES, errno.EIO)
            text, produced, before = self.fill_the_log(path)
            print(f"the first append waited with {self.log_bytes(before) / 2**20:.1f} of {WAL >> 20} MiB in the log", flush=True)
            self.assertTrue(self.is_last_segment(before))
            self.assertGreater(self.log_bytes(before), WAL - (KEPT_SEGMENTS + 1) * SEGMENT)
            self.assertEqual({k: v for k, v in self.appends().items() if k != "placed"},
                             {"waiting": 0, "waiting_bytes": 0, "waited": 1, "timed_out": 1, "cancelled": 0})
            with self.subTest("through both doors"):
                writer = Writer(path)
                with self.assertRaises(OSError) as caught:
                    writer.append(block(0))
                self.assertEqual(caught.exception.errno, errno.ENOSPC)
                error, why = self.refused(self.connection(), b"x" * 300_000)
                self.assertEqual(error, REQUEST_TIMED_OUT)
                self.assertRegex(why, "the log is full .*is the object store reachable.*topicfsctl status")
                self.assertEqual((self.appends()["waited"], self.appends()["timed_out"]), (3, 3))
            with self.subTest("topicfsctl says so"):
                said = subprocess.run([binary("topicfsctl"), "status", self.daemon.mountpoint], capture_output=True, check=True,
                                      timeout=LIMIT_S, text=True).stdout
                self.assertRegex(said, r"\nappends\n(  .*\n)*  waited +3\n  timed out +3\n")
                self.assertRegex(said, r"\n  offload last +.*Input/output error")
            self.faults.set(STORE_WRITES, 0)
            blocks = []
            self.goes_on_by_itself(writer, blocks)
            error, _, _ = raw_kafka.read_produced(self.produce(self.connection(), b"after"))
            self.assertEqual(error, 0)
            self.assertEqual(path.read_bytes(), text + b"".join(blocks))
            self.assertEqual(self.values(), [*produced, "after"])
            writer.close()

    def test_an_append_that_waits_is_let_in_when_the_store_is_back(self):
        self.daemon.extra[self.daemon.extra.index("--append-timeout") + 1] = "50s"
        with self.daemon:
            path = self.partition("orders")
            self.partition("produced")
            self.faults.set(STORE_WRITES, errno.EIO)
            taken, waits = [], []

            def fill():
                writer = Writer(path)
                for n in range(2 * WAL // len(block(0))):
                    writer.append(block(n))
                    taken.append(n)
                    if waits:
                        return writer.close()

            filler = threading.Thread(target=fill)
            filler.start()
            wait_until(lambda: self.is_last_segment(self.status()) and self.appends()["waiting"] > 0, LIMIT_S, "a full log")
            waits.append(True)
            connection = self.connection()
            connection.send(raw_kafka.produce("produced", 0, raw_kafka.batch([b"waited"])))
            wait_until(lambda: self.appends()["waiting"] == 2, LIMIT_S, "two appends that wait")
            time.sleep(2 * USUAL_WAIT_S)
            self.faults.set(STORE_WRITES, 0)
            error, offset, throttle_ms = raw_kafka.read_produced(connection.receive())
            self.assertEqual((error, offset), (0, 0))
            self.assertGreater(throttle_ms, 0)
            filler.join(LIMIT_S)
            self.assertFalse(filler.is_alive())
            self.assertEqual((self.appends()["timed_out"], self.appends()["waiting"]), (0, 0))
            self.assertEqual(path.read_bytes(), b"".join(block(n) for n in taken))
            self.assertEqual(self.values(), ["waited"])

    def test_producers_that_run_all_the_while_go_on_when_the_store_is_back(self):
        with self.daemon:
            path = self.partition("orders")
            self.partition("confluent")
            self.partition("python")
            with Producer("confluent_kafka", self.daemon.kafka_addr, "confluent") as confluent, \
                    Producer("kafka", self.daemon.kafka_addr, "python") as python:
                for producer in (confluent, python):
                    producer.wait(lambda p: p.delivered >= 100, "no start")
                self.faults.set(STORE_WRITES, errno.EIO)
                writer, blocks = Writer(path), []
                with self.assertRaises(OSError) as caught:
                    while len(blocks) < 2 * WAL // len(block(0)):
                        blocks.append(block(len(blocks)))
                        writer.append(blocks[-1])
                self.assertEqual(caught.exception.errno, errno.ENOSPC)
                blocks.pop()
                # What is left of the last segment takes small batches for a while.
                confluent.wait(lambda p: {"refused-7", "throttled"} <= p.said, "not refused, or not throttled")
                python.wait(lambda p: "retried" in p.said, "not refused")
                self.assertGreater(self.appends()["timed_out"], 1)
                self.faults.set(STORE_WRITES, 0)
                made = {}
                for topic, producer in (("confluent", confluent), ("python", python)):
                    producer.goes_on()
                    made[topic] = producer.finish()
                self.goes_on_by_itself(writer, blocks)
                writer.close()
            for topic, count in made.items():  # what was refused is not there: once, also without idempotence
                self.assertEqual(self.values(topic), [str(i) for i in range(count)])
            self.assertEqual(path.read_bytes(), b"".join(blocks))


class LogFailed(FullLogCase):
    def check(self, fault, restart):
        """`fault` breaks the log; `restart` ends the daemon in some way."""
        self.partition("produced")
        self.partition("confluent")
        kcat_file = self.partition("kcat")
        before = self.connection()
        self.assertEqual(raw_kafka.read_produced(self.produce(before, b"before", (ID, 0, 0)))[:2], (0, 0))
        with Producer("confluent_kafka", self.daemon.kafka_addr, "confluent") as confluent, \
                KcatProducer(self.daemon.kafka_addr, "kcat") as kcat:
            confluent.wait(lambda p: p.delivered >= 100, "no start")
            kcat.append(100)
            wait_until(lambda: kcat_file.stat().st_size > 0, LIMIT_S, "kcat's first values")
            self.faults.set(fault, errno.EIO)
            kcat.append(100)
            wait_until(lambda: self.status()["errors"]["log"] != "", LIMIT_S, "the fault")
            confluent.wait(lambda p: "refused-56" in p.said, "not refused")
            self.check_codes(before)
            self.faults.set(fault, 0)
            self.check_codes(before)  # until a restart
            kcat.append(100)
            restart()
            self.daemon.start()
            confluent.goes_on()
            kcat.append(100)
            made = confluent.finish(), kcat.finish()
        self.assertEqual(self.values(), ["before"])
        self.assertEqual(self.values("confluent"), [str(i) for i in range(made[0])])
        self.assertEqual(self.values("kcat"), [KcatProducer.value(i) for i in range(made[1])])

    def check_codes(self, before):
        for connection in (before, self.connection()):
            for acks in (-1, 1):
                error, why = self.refused(connection, acks=acks)
                self.assertEqual(error, KAFKA_STORAGE_ERROR)
                self.assertRegex(why, "the log takes no more since a write to it failed; .*restart topicfs .cannot (write|sync) .*segment-")
            # Of an idempotent producer, whether it is the next, the last again, or has a gap before it.
            for sequence in (1, 0, 5):
                self.assertEqual(self.refused(connection, producer=(ID, 0, sequence))[0], KAFKA_STORAGE_ERROR)
            connection.send(raw_kafka.fetch("produced", 0, 0))
            error, end, batches = raw_kafka.read_fetched(connection.receive())
            self.assertEqual((error, end, raw_kafka.values_of(batches)), (0, 1, [(0, b"before")]))
        silent = self.connection()
        with self.assertRaises(raw_kafka.Closed):  # with acks=0 there is no other answer
            self.produce(silent, b"refused", acks=0)

    def test_after_a_failed_write_producers_get_the_storage_error_and_go_on_after_a_restart(self):
        with self.daemon:
            self.check(WRITES, self.daemon.stop)

    def test_after_a_failed_sync_producers_get_the_storage_error_and_go_on_after_a_crash(self):
        self.faults.set(ONLY_FDATASYNC, 1)
        with self.daemon:
            self.check(SYNCS, self.daemon.kill9)


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("kcat")
    requirements.need_modules("confluent_kafka", "kafka")
    unittest.main(verbosity=2)
