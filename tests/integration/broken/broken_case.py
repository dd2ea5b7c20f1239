"""What the tests of a broken daemon share: a small daemon whose system calls can be made to fail, and a writer that knows
what was acknowledged."""

import errno
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
sys.path.insert(0, str(HERE.parent / "end_to_end"))
import faults as faults_module  # noqa: E402
from daemon import Daemon, binary, free_address, scratch  # noqa: E402

MIB = 1 << 20
DEADLINE_S = 240
APPEND_TIMEOUT_S = 2
POOL, WAL, SEGMENT = 16 * MIB, 64 * MIB, 4 * MIB
SMALL = ["--pool-size", "16MiB", "--wal-max-size", "64MiB", "--wal-segment-size", "4MiB", "--object-size", "4MiB",
         "--offload-interval", "1s", "--append-timeout", f"{APPEND_TIMEOUT_S}s", "--shutdown-timeout", "3s"]


def block(n, size=256 << 10):
    """Lines, different ones for each n."""
    line = hashlib.sha256(b"%d" % n).hexdigest().encode() * 4 + b"\n"
    return (line * (size // len(line) + 1))[:size - 1] + b"\n"


class Writer:
    """Appends blocks to a partition, each with an fsync unless it writes with O_DSYNC or O_SYNC; knows what was
    acknowledged."""

    def __init__(self, path, flags=0):
        self.syncs = not flags & (os.O_DSYNC | os.O_SYNC)
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | flags)
        self.acknowledged = 0

    def append(self, data):
        written = os.write(self.fd, data)
        if written != len(data):
            raise OSError(errno.EIO, f"{written} of {len(data)} bytes")
        if self.syncs:
            os.fsync(self.fd)
        self.acknowledged += len(data)

    def close(self):
        try:
            os.close(self.fd)
        except OSError as error:  # of a daemon that is gone
            if error.errno != errno.ENOTCONN:
                raise


class BrokenCase(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-broken-"))
        self.faults = self.enterContext(faults_module.Faults(self.directory))
        self.daemon = self.make_daemon()
        self.addCleanup(lambda: self.daemon.close(quiet=True))

    def make_daemon(self, data="data", extra=(), **more):
        return Daemon(binary("topicfs"), self.directory / data, f"file:{self.directory}/store",
                      kafka_addr=free_address(), extra=[*SMALL, *extra], env=self.faults.environment(),
                      deadline=DEADLINE_S, **more)

    def partition(self, topic, n=0):
        path = self.daemon.mountpoint / topic / str(n)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    def status(self):
        return json.loads((self.daemon.mountpoint / ".topicfs" / "status.json").read_bytes())

    def verify(self):
        done = subprocess.run([binary("topicfsctl"), "verify", "--data-dir", self.daemon.data_dir, "--store",
                               f"file:{self.directory}/store"], capture_output=True, check=False, timeout=120, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def goes_on_by_itself(self, writer, blocks):
        """Within the longest pause between two tries of an offload."""
        end = time.monotonic() + 45
        while True:
            blocks.append(block(len(blocks)))
            try:
                return writer.append(blocks[-1])
            except OSError as error:
                blocks.pop()
                self.assertEqual(error.errno, errno.ENOSPC)
                self.assertLess(time.monotonic(), end, "the log stays full")
