"""How long a daemon that was killed takes until its mount and its gateway answer again, with a full log, beside the time in which the disk reads it.

    start_bench.py [--gib N] [--rounds N] [--directory DIR]

The log, of N GiB (the default of --wal-max-size), is filled through the mount while its store takes nothing, until a
write fails for lack of room; so all of it is read at the start. The target: at most 1 s and the log's bytes at 80% of
the rate at which dd reads the same files, past the page cache as the daemon. Needs root and chattr +i.
"""

import argparse
import errno
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from daemon import Daemon, binary, free_address, scratch  # noqa: E402

MIB = 1 << 20
SKIP = 77


def fill(path):
    text = (b"x" * 1023 + b"\n") * 1024
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        while True:
            os.write(fd, text)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    os.fsync(fd)
    os.close(fd)


def segments(data_dir):
    return sorted((data_dir / "wal").glob("segment-*"))


def read_with_dd(files):
    began = time.monotonic()
    for file in files:
        subprocess.run(["dd", f"if={file}", "of=/dev/null", "bs=1M", "iflag=direct", "status=none"], check=True)
    return time.monotonic() - began


def start(daemon):
    """The time that it took, and what it recovered."""
    began = time.monotonic()
    daemon.start(timeout=600)
    took = time.monotonic() - began
    log = json.loads((daemon.mountpoint / ".topicfs" / "status.json").read_bytes())["log"]
    daemon.kill9()
    return took, log["recovered_bytes"]


def freeze(directory, flag):
    return subprocess.run(["chattr", flag, directory], stderr=subprocess.DEVNULL, check=False).returncode == 0


def measure(options, daemon):
    with daemon:
        (daemon.mountpoint / "orders").mkdir()
        (daemon.mountpoint / "orders" / "0").touch()
        fill(daemon.mountpoint / "orders" / "0")
        daemon.kill9()
        reads, starts = [], []
        for _ in range(options.rounds):
            files = segments(daemon.data_dir)
            reads.append(read_with_dd(files))
            took, recovered = start(daemon)
            starts.append(took)
        size = sum(file.stat().st_size for file in files)
    read, took = statistics.median(reads), statistics.median(starts)
    limit = 1 + read / 0.8
    print(f"{size / MIB:.0f} MiB of log, {recovered / MIB:.0f} recovered; dd reads them in {read:.2f} s "
          f"({size / MIB / read:.0f} MiB/s); the daemon serves after {took:.2f} s; the target is {limit:.2f} s: "
          f"{'met' if took <= limit else 'missed'}")
    return 0 if took <= limit else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", default=tempfile.gettempdir())
    options = parser.parse_args()
    tempfile.tempdir = options.directory
    with scratch("topicfs-start-") as directory:
        objects = directory / "store" / "objects"
        objects.mkdir(parents=True)
        if not freeze(objects, "+i"):
            print(f"chattr +i does not work below {directory}")
            return SKIP
        try:
            return measure(options, Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store",
                                           kafka_addr=free_address(), deadline=3600,
                                           extra=["--wal-max-size", f"{int(options.gib * 1024)}MiB"]))
        finally:
            freeze(objects, "-i")


if __name__ == "__main__":
    sys.exit(main())
