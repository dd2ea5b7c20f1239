#!/usr/bin/python3
"""The gateway against a real Apache Kafka: kdiff sends both the same requests and compares the answers.

    kdiff_test.py [--run REGEX] [--versions edges|all] [--limit SECONDS]

kdiff stands beside the project's checkout (../shared/conformance/kdiff); it builds itself and starts the reference
with Go, Java and Maven. Without them the test is skipped. What may differ stands in kdiff's own list and in
kdiff_expected.txt. Kafka publishes some state late on a busy machine, so scenarios that differ are run once more
alone; those that differ again fail the test.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from daemon import REPOSITORY, Daemon, binary, free_address, scratch  # noqa: E402
from requirements import need_fuse, need_programs, skip  # noqa: E402

KDIFF = REPOSITORY.parent / "shared" / "conformance" / "kdiff"
OWN_LIST = pathlib.Path(__file__).resolve().parent / "kdiff_expected.txt"
LIMIT_S = {"edges": 240, "all": 1800}
# Data leaves for the store while it is asked for, so that answers come from there as well.
OFFLOADING = ["--offload-interval=20ms", "--object-size=64KiB"]
DIFFERS = re.compile(r"^differs +(\S+) v\d+", re.M)
SCENARIOS = re.compile(r"(\d+) scenarios in")
TOTALS = re.compile(r"^(\d+) same, (\d+) differ", re.M)


def expected_list(directory):
    """kdiff takes one list: its own and ours together."""
    both = directory / "expected.txt"
    both.write_text((KDIFF / "expected.txt").read_text() + "\n" + OWN_LIST.read_text())
    return both


def compare(address, expected, versions, pattern, limit):
    """What kdiff printed. `run` starts the reference and stops it; it is ended whole if it takes too long."""
    command = [str(KDIFF / "run"), address, "--expected", str(expected), "--versions", versions, "--quiet",
               "--max-diffs", "4"]
    if pattern != ".":  # without it kdiff tells, after all versions, what nothing in its lists was needed for
        command += ["--run", pattern]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out = process.communicate(timeout=limit)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            out = process.communicate(timeout=30)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out = process.communicate()[0].decode(errors="replace")
        sys.exit(f"kdiff did not end within {limit} s:\n{out[-3000:]}")
    if process.returncode not in (0, 1) or not TOTALS.search(out):
        sys.exit(f"kdiff could not compare, status {process.returncode}:\n{out[-3000:]}")
    return out


def options_of(program):
    """Settings that only some builds have."""
    help_text = subprocess.run([program, "--help"], capture_output=True, timeout=30, check=True).stdout.decode()
    wanted = {"--group-initial-rebalance-delay": "0"}
    return [f"{name}={value}" for name, value in wanted.items() if name in help_text]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", default=".")
    parser.add_argument("--versions", choices=list(LIMIT_S), default="edges")
    parser.add_argument("--limit", type=float, help="seconds for one run of kdiff")
    args = parser.parse_args()
    limit = args.limit or LIMIT_S[args.versions]
    if not KDIFF.is_dir():
        skip(f"the tool that compares with Apache Kafka is not beside this checkout, at {KDIFF}")
    for program in ("go", "java", "mvn"):
        if not shutil.which(program):
            skip(f"kdiff needs {program}, which is not there")
    need_fuse()
    need_programs("bash")
    with scratch() as directory:
        address = free_address()
        program = binary("topicfs")
        daemon = Daemon(program, directory / "data", f"file:{directory}/store", kafka_addr=address,
                        extra=OFFLOADING + options_of(program), deadline=2 * limit + 120)
        with daemon:
            expected = expected_list(directory)
            out = compare(address, expected, args.versions, args.run, limit)
            if SCENARIOS.search(out).group(1) == "0":
                sys.exit(f"no scenario's name matches {args.run}")
            same = int(TOTALS.search(out).group(1))
            differing = sorted(set(DIFFERS.findall(out)))
            print(out, flush=True)
            if differing:
                print(f"once more: {' '.join(differing)}", flush=True)
                again = "^(" + "|".join(re.escape(name) for name in differing) + ")$"
                out = compare(address, expected, args.versions, again, limit)
                print(out, flush=True)
                differing = sorted(set(DIFFERS.findall(out)))
    if differing:
        sys.exit(f"{len(differing)} scenarios differ from Apache Kafka: {' '.join(differing)}")
    if same < 100 and args.run == ".":
        sys.exit(f"only {same} runs were the same: something was not compared")


if __name__ == "__main__":
    main()
