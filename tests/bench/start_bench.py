"""How long a daemon that was killed takes to serve again, beside the time in which the disk reads its log.

    start_bench.py [--gib N] [--rounds N] [--directory DIR]

The log is filled through the mount and nothing of it is offloaded, so that all of it is read at the start. The target:
at most 1 s and the log's bytes at 80% of the rate at which dd reads the same files, past the page cache as the daemon.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from daemon import Daemon, binary, scratch  # noqa: E402

MIB = 1 << 20


def fill(path, size):
    text = (b"x" * 1023 + b"\n") * 1024
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    for _ in range(size // len(text)):
        os.write(fd, text)
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
    began = time.monotonic()
    daemon.start(timeout=600)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", default=tempfile.gettempdir())
    options = parser.parse_args()
    tempfile.tempdir = options.directory
    with scratch("topicfs-start-") as directory:
        # Neither size nor age nor the pool's pressure, at three quarters of it, starts an offload.
        extra = ["--wal-max-size", f"{int(options.gib * 2048)}MiB", "--object-size", "1GiB", "--offload-interval", "1h",
                 "--pool-size", f"{int(options.gib * 1536)}MiB"]
        daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", extra=extra, deadline=3600)
        with daemon:
            (daemon.mountpoint / "orders").mkdir()
            (daemon.mountpoint / "orders" / "0").touch()
            fill(daemon.mountpoint / "orders" / "0", int(options.gib * 1024) * MIB)
            daemon.kill9()
            reads, starts = [], []
            for _ in range(options.rounds):
                files = segments(daemon.data_dir)
                reads.append(read_with_dd(files))
                starts.append(start(daemon))
                daemon.kill9()
            size = sum(file.stat().st_size for file in files)
        read, took = statistics.median(reads), statistics.median(starts)
        limit = 1 + read / 0.8
        print(f"{size / MIB:.0f} MiB of log; dd reads them in {read:.2f} s ({size / MIB / read:.0f} MiB/s); the daemon "
              f"serves after {took:.2f} s; the target is {limit:.2f} s: {'met' if took <= limit else 'missed'}")
        return 0 if took <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
