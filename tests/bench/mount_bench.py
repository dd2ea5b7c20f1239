#!/usr/bin/python3
"""mount_bench [--seconds S] [--rounds N] [--beside NAME=DIRECTORY]...: the mount's figures, as a table.

Starts the daemon of this build (BUILD_ROOT) and runs topicfs-bench on its mount, on a directory of the disk below the
temporary directory, and on what --beside names (say, the mount of a file system that does nothing), by turns in one
run. Reads are measured three times: of data in the pool, of data that only the log's segments have, and of data that
only the store has. Each row says what was measured and how it compares with the first target beside it. Appends that
last are compared with what the disk takes when a log and objects are written raw.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.daemon import Daemon, binary, scratch, wait_until  # noqa: E402

READ_BYTES = 256 << 20
BESIDE_FILE = "9"  # which those that do nothing have, too

# name: (files, threads, bytes of a line, durability)
APPENDS = {
    "append 100 B": (1, 1, 100, "none"),
    "append 4 KiB": (1, 1, 4096, "none"),
    "append 128 KiB": (1, 1, 128 << 10, "none"),
    "append 1 MiB": (1, 1, 1 << 20, "none"),
    "append 100 B, 4 partitions, 4 threads": (4, 4, 100, "none"),
    "durable 1 KB, 1 partition, 1 thread": (1, 1, 1000, "dsync"),
    "durable 1 KB, 100 partitions, 16 threads": (100, 16, 1000, "dsync"),
    "durable 1 KB, 1,000 partitions, 16 threads": (1000, 16, 1000, "dsync"),
    "durable 1 KB, 1,000 partitions, 1 thread": (1000, 1, 1000, "dsync"),
}
# name: bytes of a line. A burst fits the pool, and the disk has time to do its part before the next one.
BURSTS = {"append 128 KiB, a tenth of a second": 128 << 10, "append 1 MiB, a tenth of a second": 1 << 20}
SUSTAINED_SECONDS = 8
BURST_SECONDS, BURST_PAUSE, BURST_ROUNDS = 0.1, 1, 15


def bench(verb, *words):
    """[(target, appends or reads a second, MB/s, p50 us, p99 us, CPU s/GB)]"""
    done = subprocess.run([str(binary("topicfs-bench")), verb, *map(str, words)], capture_output=True, text=True,
                          timeout=900, check=False)
    if done.returncode != 0:
        raise SystemExit(f"mount_bench: {done.stderr.strip()}")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return [(row[0], *map(float, row[1:6])) for row in rows]


def show(name, targets, measured, per_operation):
    cells = [name]
    for (target, _), row in zip(targets, measured):
        _, operations, megabytes, p50, p99, cpu = row
        speed = f"{operations:,.0f}/s" if per_operation else f"{megabytes:,.0f} MB/s"
        cells.append(f"{speed} (p50 {p50:,.0f} us, p99 {p99:,.0f} us, {cpu:.2f} CPU s/GB)")
    own = measured[0][2]
    cells += [f"{own / row[2]:.2f}" for row in measured[1:]]
    print("| " + " | ".join(cells) + " |", flush=True)


def head(targets):
    titles = ["case"] + [name for name, _ in targets] + [f"topicfs / {name}" for name, _ in targets[1:]]
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles), flush=True)


@contextlib.contextmanager
def warm_daemon(data_dir, store, *words):
    """A daemon that has all memory of its pool: to get that takes a virtual machine seconds of a processor."""
    with Daemon(binary("topicfs"), data_dir, f"file:{store}", extra=words, deadline=3600) as daemon:
        wait_until(lambda: is_warm(daemon.process.pid), 120, "the pool's memory")
        yield daemon


def is_warm(pid):
    try:
        return all(comm.read_text() != "topicfs-warmer\n" for comm in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"))
    except OSError:  # a thread has ended meanwhile
        return False


def appends(options, top):
    (top / "plain").mkdir()
    with warm_daemon(top / "data", top / "store") as daemon:
        targets = [("topicfs", daemon.mountpoint), ("the disk", top / "plain")] + options.beside
        head(targets)
        for name, (files, threads, size, durability) in APPENDS.items():
            # A directory of its own for each case: partitions cannot be emptied. A file system with fixed names has one.
            places = []
            for target, place in targets:
                own = place if target in dict(options.beside) else place / f"case-{len(name)}-{files}-{size}"
                if target == "topicfs":
                    make_partitions(own, files)
                places.append(own)
            rows = bench("append", "--files", files, "--threads", threads, "--size", size, "--seconds", options.seconds,
                         "--rounds", options.rounds, "--durability", durability, *places)
            show(name, targets, rows, per_operation=size < 64 << 10)
            shutil.rmtree(places[1])
        for name, size in BURSTS.items():
            bursts(name, targets, size)


def bursts(name, targets, size):
    """The median of each target, of runs by turns."""
    places = []
    for target, place in targets:
        own = place if target not in ("topicfs", "the disk") else place / f"burst-{size}"
        if target == "topicfs":
            make_partitions(own, 1)
        places.append(own)
    rounds = []
    for _ in range(BURST_ROUNDS):
        os.sync()  # what the plain directory has left in the page cache
        time.sleep(BURST_PAUSE)
        rounds.append(bench("append", "--files", 1, "--threads", 1, "--size", size, "--seconds", BURST_SECONDS,
                            "--rounds", 1, "--durability", "none", *places))
        shutil.rmtree(places[1])
    middle = [sorted(rows, key=lambda row: row[2])[BURST_ROUNDS // 2] for rows in zip(*rounds)]
    show(name, targets, middle, per_operation=False)


def sustained(options, top):
    """Appends for so long that memory is of no help, beside what the disk takes when a log and objects are written at once."""
    ours, limits = [], []
    for i in range(options.rounds):
        here = top / f"sustained-{i}"
        here.mkdir()
        with warm_daemon(here / "data", here / "store") as daemon:
            make_partitions(daemon.mountpoint / "t", 1)
            ours += bench("append", "--files", 1, "--threads", 1, "--size", 1 << 20, "--seconds", SUSTAINED_SECONDS,
                          "--rounds", 1, "--durability", "none", daemon.mountpoint / "t")
        shutil.rmtree(here)
        limits.append(log_and_objects(top / "raw"))
    _, _, speed, p50, p99, cpu = sorted(ours, key=lambda row: row[2])[len(ours) // 2]
    limit = sorted(limits)[len(limits) // 2]
    print("| case | topicfs | a log and objects, raw | topicfs / raw |\n|---|---|---|---|")
    print(f"| append 1 MiB for {SUSTAINED_SECONDS} s | {speed:,.0f} MB/s (p50 {p50:,.0f} us, p99 {p99:,.0f} us, {cpu:.2f} CPU s/GB) "
          f"| {limit:,.0f} MB/s of each | {speed / limit:.2f} |", flush=True)


def log_and_objects(directory):
    """MB/s of each of two writers, one that writes over a file, in synced blocks, and one that writes a new file."""
    directory.mkdir()
    log, new = directory / "log", directory / "new"
    size = 2 << 30
    subprocess.run(dd(log, size, "oflag=direct"), check=True)
    began = time.monotonic()
    writers = [subprocess.Popen(words) for words in (dd(log, size, "oflag=direct,dsync", "conv=notrunc"), dd(new, size, "oflag=direct"))]
    for w in writers:
        if w.wait() != 0:
            raise SystemExit("mount_bench: dd failed")
    took = time.monotonic() - began
    shutil.rmtree(directory)
    return size / took / 1e6


def dd(path, size, *words):
    return ["dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={size >> 22}", "status=none", *words]


def make_partitions(topic, count):
    topic.mkdir()
    for i in range(count):
        (topic / str(i)).open("ab").close()


def write_whole(path, size):
    line = b"x" * 999 + b"\n"
    block = line * 1000
    with open(path, "ab", buffering=0) as f:
        for _ in range(size // len(block)):
            f.write(block)
        os.fsync(f.fileno())


def reads(options, top):
    plain = top / "plain-read"
    write_whole(plain, READ_BYTES)
    targets = [("topicfs", None), ("the disk's page cache", plain)]
    for name, place in options.beside:
        targets.append((name, place / BESIDE_FILE))
        write_whole(targets[-1][1], READ_BYTES)
    head(targets)

    def measure(name, partition, rounds, size=1 << 20):
        files = [partition] + [file for _, file in targets[1:]]
        show(name, targets, bench("read", "--rounds", rounds, "--size", size, *files), per_operation=False)

    with warm_daemon(top / "hot", top / "hot-store", "--object-size=1GiB", "--pool-size=1GiB") as daemon:
        make_partitions(daemon.mountpoint / "t", 1)
        write_whole(daemon.mountpoint / "t" / "0", READ_BYTES)
        measure("read recent data, 128 KiB at a time", daemon.mountpoint / "t" / "0", options.rounds, 128 << 10)
        measure("read recent data, 1 MiB at a time", daemon.mountpoint / "t" / "0", options.rounds)
        daemon.restart()  # a clean stop moves all to the store, a start has nothing in memory
        measure("read from the store, nothing cached", daemon.mountpoint / "t" / "0", 1)

    store = top / "cold-store"
    with warm_daemon(top / "cold", store, "--pool-size=16MiB", "--shutdown-timeout=1s") as daemon:
        # A store that takes nothing: what the pool has no room for is in the segments alone.
        frozen = [str(store), *map(str, store.iterdir())]
        frozen = [d for d in frozen if os.path.isdir(d)]
        if subprocess.run(["chattr", "+i", *frozen], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            print("(no figure for reads from segments: chattr +i does not work here)", flush=True)
            return
        try:
            make_partitions(daemon.mountpoint / "t", 1)
            write_whole(daemon.mountpoint / "t" / "0", READ_BYTES)
            measure("read from the log's segments", daemon.mountpoint / "t" / "0", options.rounds)
        finally:
            subprocess.run(["chattr", "-i", *frozen], check=True)


def named_directory(text):
    name, _, directory = text.partition("=")
    if not directory or not os.path.isdir(directory):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=DIRECTORY, of a directory that exists")
    return name, pathlib.Path(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=named_directory, action="append", default=[])
    options = parser.parse_args()
    started = time.monotonic()
    with scratch("topicfs-bench-") as top:
        appends(options, top)
        print()
        sustained(options, top)
        print()
        reads(options, top)
    print(f"\nmount_bench took {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
