"""Kills the real daemon again and again while both doors append, and finds everything that was acknowledged.

    kill_loop_test.py [--rounds N] [--seed N] [--keep DIRECTORY]      50 rounds take about two minutes; 1,000 are the long form
"""

import argparse
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE / "end_to_end"))
import load  # noqa: E402
import requirements  # noqa: E402
from daemon import Daemon, DaemonError, binary, free_address, group_exists, scratch, unmount, wait_until  # noqa: E402

SETTINGS = ["--wal-segment-size", "1MiB", "--wal-max-size", "16MiB", "--pool-size", "16MiB", "--object-size", "1MiB",
            "--offload-interval", "1s", "--append-timeout", "10s"]
FILE_WRITERS, SHORTEST_LOAD_S, LONGEST_LOAD_S = 3, 0.2, 1.2
KILL_WHILE_STARTING = 0.25  # of the rounds begin with a kill in the middle of a recovery
FULL_CHECK_EVERY = 25


class Fault(Exception):
    """What the daemon must not do."""


def check(condition, what):
    if not condition:
        raise Fault(what)


class Loop:
    def __init__(self, directory, seed):
        self.directory = directory
        self.dice = random.Random(seed)
        self.daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", kafka_addr=free_address(),
                             extra=SETTINGS, deadline=300)
        self.acknowledged = [0] * FILE_WRITERS        # lines of the last round, by partition
        # Of what the file held after the last restart, which never changes again.
        self.lengths, self.digests = [0] * FILE_WRITERS, [hashlib.sha256() for _ in range(FILE_WRITERS)]
        self.lines = 0
        self.produced = []
        self.crashed_starts = 0

    def run(self, rounds):
        self.start()
        for n in range(FILE_WRITERS + 1):
            (self.daemon.mountpoint / "killed").mkdir(exist_ok=True)
            (self.daemon.mountpoint / "killed" / str(n)).touch()
        for turn in range(rounds):
            self.load_until_kill(turn)
            self.start()
            self.check_files(turn)
            if (turn + 1) % FULL_CHECK_EVERY == 0:
                self.check_both_doors(turn)
        self.check_both_doors(rounds)
        self.daemon.stop()
        self.verify()

    # --- starting, now and then with a kill on the way

    def start(self):
        while self.dice.random() < KILL_WHILE_STARTING:
            self.kill_while_starting()
        self.daemon.start()

    def kill_while_starting(self):
        daemon = self.daemon
        if not daemon.mountpoint_exists():
            daemon.mountpoint.mkdir(parents=True)
        with open(daemon.log_path, "ab") as log:
            process = subprocess.Popen(daemon.arguments(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        time.sleep(self.dice.uniform(0, 0.3))  # the crash comes whenever it comes
        ended = process.poll() is not None
        process.kill()
        process.wait()
        check(not ended, f"the daemon ended by itself while starting, with status {process.returncode}")
        wait_until(lambda: not group_exists(process.pid), 10, "end of the gateway")
        unmount(daemon.mountpoint)
        self.crashed_starts += 1

    # --- load

    def load_until_kill(self, turn):
        logs = [self.directory / f"acknowledged-{n}" for n in range(FILE_WRITERS)]
        writers = [self.start_writer(turn, n, logs[n]) for n in range(FILE_WRITERS)]
        stopped = threading.Event()
        producer = threading.Thread(target=self.produce_until, args=(stopped, turn))
        bulk = threading.Thread(target=self.append_unsynced, args=(stopped,))
        producer.start()
        bulk.start()
        try:
            wait_until(lambda: all(log.stat().st_size > 0 for log in logs), 60, "acknowledged lines")
            time.sleep(self.dice.uniform(SHORTEST_LOAD_S, LONGEST_LOAD_S))  # the crash comes whenever it comes
        finally:
            self.daemon.kill9()  # also when something is wrong: it ends whoever waits in the mount
            stopped.set()
            for writer in writers:
                writer.wait(load.LIMIT_S)
            producer.join(load.LIMIT_S)
            bulk.join(load.LIMIT_S)
        for n, log in enumerate(logs):
            self.acknowledged[n] = len(log.read_text().split())
            self.lines += self.acknowledged[n]

    def start_writer(self, turn, n, log):
        path = self.daemon.mountpoint / "killed" / str(n)
        with open(log, "wb") as out:
            return subprocess.Popen([sys.executable, HERE / "end_to_end" / "fsync_writer.py", path, f"round {turn} line",
                                     "1000000"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)

    def produce_until(self, stopped, turn):
        """kcat's status 0 means that every one of its messages was acknowledged."""
        n = 0
        while not stopped.is_set():
            batch = [b"round %d produced %d" % (turn, n + i) for i in range(20)]
            words = load.kcat(self.daemon.kafka_addr, "-P", "-t", "killed", "-p", FILE_WRITERS, "-X", "acks=all", "-X",
                              "message.timeout.ms=1000", "-X", "retries=0")
            if subprocess.run(words, input=b"\n".join(batch) + b"\n", capture_output=True, check=False,
                              timeout=load.LIMIT_S).returncode == 0:
                self.produced += batch
            n += len(batch)

    def append_unsynced(self, stopped):
        """Fills segments, so that offloads and recycling go on while the daemon is killed; loses what it may lose."""
        try:
            fd = os.open(self.daemon.mountpoint / "bulk" / "0", os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            (self.daemon.mountpoint / "bulk").mkdir()
            (self.daemon.mountpoint / "bulk" / "0").touch()
            return
        except OSError:
            return
        text = b"bulk " * 6553 + b"\n"
        try:
            while not stopped.wait(0.01):
                os.write(fd, text)
        except OSError:
            pass
        finally:
            try:
                os.close(fd)
            except OSError:
                pass

    # --- checks

    def path(self, n):
        return self.daemon.mountpoint / "killed" / str(n)

    def check_files(self, turn):
        """What is new in each file: the lines of this round, in order, without a hole, all that were acknowledged."""
        for n in range(FILE_WRITERS):
            new = load.run(["tail", "-c", f"+{self.lengths[n] + 1}", self.path(n)])
            lines = new.decode().splitlines()
            expected = [f"round {turn} line {i}" for i in range(len(lines))]
            check(lines == expected, f"killed/{n}: the lines of round {turn} have a hole, or others among them")
            check(len(lines) >= self.acknowledged[n],
                  f"killed/{n}: {self.acknowledged[n]} lines of round {turn} were acknowledged, {len(lines)} are there")
            self.lengths[n] += len(new)
            self.digests[n].update(new)

    def check_both_doors(self, turn):
        for n in range(FILE_WRITERS):
            text = load.text_of(load.consume(self.daemon.kafka_addr, "killed", n))
            check(hashlib.sha256(text).digest() == self.digests[n].digest(), f"killed/{n} changed, by Kafka, after round {turn}")
            check(load.sha256(self.path(n)) == self.digests[n].hexdigest(), f"killed/{n} changed after round {turn}")
        records = load.consume(self.daemon.kafka_addr, "killed", FILE_WRITERS)
        check([o for o, _, _ in records] == list(range(len(records))), "gaps in the offsets of killed/3")
        values = {value for _, _, value in records}
        missing = [p for p in self.produced if p not in values]
        check(not missing, f"{len(missing)} acknowledged records are lost, the first is {missing[:1]}")

    def verify(self):
        done = subprocess.run([binary("topicfsctl"), "verify", "--data-dir", self.daemon.data_dir, "--store",
                               self.daemon.store_url], capture_output=True, check=False, timeout=300, text=True)
        print(done.stdout, flush=True)
        check(done.returncode == 0, f"topicfsctl verify: {done.stdout}{done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", help="where to copy data directory and store if something is wrong")
    options = parser.parse_args()
    requirements.need_fuse()
    requirements.need_programs("kcat")
    began = time.monotonic()
    with scratch("topicfs-kill-") as directory:
        loop = Loop(directory, options.seed)
        try:
            loop.run(options.rounds)
        except (Fault, DaemonError, TimeoutError) as fault:
            print(f"FAILED with --seed {options.seed}: {fault}\n{loop.daemon._log_tail()}", flush=True)
            if options.keep:
                shutil.copytree(directory, options.keep, ignore=shutil.ignore_patterns("mnt", "*.sock"),
                                dirs_exist_ok=True)
            return 1
        finally:
            loop.daemon.close(quiet=True)
        print(f"{options.rounds} rounds and {loop.crashed_starts} kills while starting in {time.monotonic() - began:.0f} s: "
              f"{loop.lines} acknowledged lines and {len(loop.produced)} acknowledged records, none lost; seed {options.seed}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
