"""Runs fsdiff, which compares the mount with append-only files (chattr +a) on ext4, case by case. What
tests/fsdiff_expected.txt lists is expected besides the list that comes with fsdiff. Where there is kcat, the cases in
which something is appended elsewhere are run once more, and then it is appended by Kafka.

fsdiff is looked for in FSDIFF, or as shared/conformance/fsdiff in a directory above the repository."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import candidate

LIMIT_S = 900
# Not position-after-foreign-append and splice-out-of-a-growing-file: until the touch that wakes watchers, a few
# milliseconds later, the kernel does not know of the new end, and asks only where a program asks.
ELSEWHERE = ("^(events/inotify-through-the-other-door|positional/overtaken-writer|reads/long-lived-reader|seeking/end-is-fresh|"
             "tools-follow/tail-f-through-the-other-door|visibility/other-process-appends|visibility/stat-on-a-closed-file)$")


def cannot(reason):
    print(reason)
    sys.exit(1 if os.environ.get("CI") == "true" else candidate.SKIP)


def find_fsdiff():
    if "FSDIFF" in os.environ:
        return pathlib.Path(os.environ["FSDIFF"])
    for directory in candidate.ROOT.parents:
        if (path := directory / "shared" / "conformance" / "fsdiff").exists():
            return path
    return cannot("fsdiff is not here: set FSDIFF to its path")


def check_reference(directory):
    """fsdiff needs root and a file system that has the append-only flag."""
    if os.geteuid() != 0:
        cannot("needs root, for chattr +a and to become other users")
    probe = directory / "probe"
    probe.touch()
    done = subprocess.run(["chattr", "+a", probe], capture_output=True, check=False)
    if done.returncode != 0:
        cannot(f"needs chattr +a below {directory}: {done.stderr.decode().strip()}")
    subprocess.run(["chattr", "-a", probe], check=True)


def expected_list(fsdiff, directory):
    own = candidate.ROOT / "tests" / "fsdiff_expected.txt"
    path = directory / "expected.txt"
    path.write_text((fsdiff.parent / "fsdiff_lib" / "expected.txt").read_text() + own.read_text())
    return path


def open_to_others(mountpoint):
    """Cases that run as another user must reach the mount."""
    for directory in (mountpoint.parent, pathlib.Path(tempfile.gettempdir())):
        directory.chmod(directory.stat().st_mode | 0o011)


def producer(kafka_addr, directory):
    """A program that appends its input by Kafka, as `--producer` of fsdiff wants it."""
    path = directory / "producer"
    path.write_text(f'#!/bin/sh\nexec kcat -P -q -b {kafka_addr} -X acks=all -t "$1" -p "$2"\n')
    path.chmod(0o755)
    return path


def compare(command):
    """The exit status; prints what differs."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
    print("\n".join(line for line in done.stdout.splitlines() if not line.startswith(("same ", "expected "))))
    return done.returncode


def main():
    candidate.DEADLINE_S = LIMIT_S + 60
    rest = candidate.choose(sys.argv)[1:]
    fsdiff = find_fsdiff()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        check_reference(scratch)
        by_kafka = shutil.which("kcat") is not None
        with candidate.mounted(kafka=by_kafka) as mount:
            open_to_others(mount.mountpoint)
            command = [fsdiff, "--candidate", mount.mountpoint, "--expected", expected_list(fsdiff, scratch)]
            status = compare([*command, *rest])
            if by_kafka and not rest:
                status |= compare([*command, "--producer", producer(mount.kafka_addr, scratch), "--run", ELSEWHERE])
    sys.exit(status)


if __name__ == "__main__":
    main()
