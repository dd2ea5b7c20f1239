#!/usr/bin/python3
"""Real Kafka clients against the real daemon: what one door takes in, the other shows.

    kafka_test.py [CASE ...]          all cases by default
    kafka_test.py --broker HOST:PORT  clients only, against a broker that runs already; no mount

Each case is a function below, with a daemon of its own. Cases that lack a client are skipped; if all
are, so is the test.
"""

import argparse
import errno
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kafka_clients  # noqa: E402
from daemon import Daemon, binary, free_address, scratch, wait_until  # noqa: E402
from requirements import need_fuse  # noqa: E402

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


class Place:
    """A broker, and the mount where its topics show, if there is one."""

    def __init__(self, broker, mount=None, daemon=None):
        self.broker = broker
        self.mount = mount
        self.daemon = daemon

    def need_mount(self):
        if self.mount is None:
            raise kafka_clients.Missing("a mount")

    def check_file(self, topic, partition, expected):
        if self.mount is None:
            return
        path = self.mount / topic / str(partition)
        # The catalog's change reaches the kernel a moment after the gateway's answer.
        wait_until(path.exists, 10, f"{path} to appear")
        check(path.read_bytes(), expected, str(path))


def check(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: {got!r:.300} is not {expected!r:.300}")


def lines(prefix, count):
    return [f"{prefix} {i} {'x' * (i % 50)}" for i in range(count)]


def text_of(values):
    return "".join(v + "\n" for v in values).encode()


def case_kcat_produces_with_every_codec_and_the_file_shows_it(place):
    kafka_clients.need_kcat()
    for codec in CODECS:
        values = lines(codec, 2000)
        kafka_clients.kcat_produce(place.broker, f"codec-{codec}", 0, values, codec)
        place.check_file(f"codec-{codec}", 0, text_of(values))
        check(kafka_clients.kcat_consume(place.broker, f"codec-{codec}", 0), values, f"consumed {codec}")


def case_kcat_produces_with_every_kind_of_acknowledgement(place):
    kafka_clients.need_kcat()
    expected = []
    for acks in ("0", "1", "all"):
        values = lines(f"acks {acks}", 1000)
        kafka_clients.kcat_produce(place.broker, "acks", 0, values, "none", "-X", f"acks={acks}")
        expected += values
        # Without an acknowledgement kcat ends before the broker has seen everything.
        wait_until(lambda: kafka_clients.kcat_consume(place.broker, "acks", 0) == expected, 30, f"all with acks={acks}")
    place.check_file("acks", 0, text_of(expected))


def case_echo_appends_and_kcat_consumes(place):
    kafka_clients.need_kcat()
    place.need_mount()
    (place.mount / "shell").mkdir()
    path = place.mount / "shell" / "0"
    wait_until(path.exists, 10, f"{path} to appear")
    for i in range(3):
        subprocess.run(["sh", "-c", f"echo 'line {i}' >> '{path}'"], check=True, timeout=30)
    with open(path, "ab") as f:
        f.write(text_of(lines("python", 500)))
    expected = [f"line {i}" for i in range(3)] + lines("python", 500)
    wait_until(lambda: kafka_clients.kcat_consume(place.broker, "shell", 0) == expected, 30, "all lines in Kafka")


def case_both_doors_write_one_log(place):
    kafka_clients.need_kcat()
    place.need_mount()
    kafka_clients.kcat_produce(place.broker, "both", 0, ["from kafka 1"], "none")
    path = place.mount / "both" / "0"
    wait_until(path.exists, 10, f"{path} to appear")
    subprocess.run(["sh", "-c", f"echo 'from the shell' >> '{path}'"], check=True, timeout=30)
    kafka_clients.kcat_produce(place.broker, "both", 0, ["from kafka 2"], "none")
    expected = ["from kafka 1", "from the shell", "from kafka 2"]
    check(path.read_bytes(), text_of(expected), str(path))
    check(kafka_clients.kcat_consume(place.broker, "both", 0), expected, "consumed")


def case_size_and_times_of_a_file_are_right_at_once(place):
    kafka_clients.need_kcat()
    place.need_mount()
    (place.mount / "fresh").mkdir()
    path, size = place.mount / "fresh" / "0", 0
    wait_until(path.exists, 10, f"{path} to appear")
    for i in range(10):
        began = time.time_ns()
        if i % 2:
            with open(path, "ab", buffering=0) as f:
                f.write(b"a line\n")
        else:
            kafka_clients.kcat_produce(place.broker, "fresh", 0, ["a line"], "none", "-X", "acks=all")
        seen, size = os.stat(path), size + 7
        check(seen.st_size, size, "the size")
        check(began // 10**6 <= seen.st_mtime_ns // 10**6 <= time.time_ns() // 10**6, True, "the time, to a millisecond")
        check(seen.st_ctime_ns >= seen.st_mtime_ns and seen.st_blocks > 0, True, "the other time, and the blocks")


def case_a_tail_in_kafka_sees_what_the_shell_appends(place):
    kafka_clients.need_kcat()
    place.need_mount()
    kafka_clients.kcat_produce(place.broker, "tail", 0, ["first"], "none")
    with kafka_clients.kcat_follow(place.broker, "tail", 0) as follow:
        check(follow.next_line(30), "first", "the first record")
        for i in range(5):
            subprocess.run(["sh", "-c", f"echo {i} >> '{place.mount}/tail/0'"], check=True, timeout=30)
            check(follow.next_line(30), str(i), "the next record")


def case_python_confluent_kafka(place):
    kafka_clients.run_python("confluent_kafka", "confluent_client.py", place.broker, "confluent")
    place.check_file("confluent", 0, text_of(f"value {i}" for i in range(2000)))


def case_python_kafka(place):
    kafka_clients.run_python("kafka", "python_kafka_client.py", place.broker, "pykafka")
    place.check_file("pykafka", 0, text_of(f"value {i}" for i in range(500)))


def case_admin_clients_make_show_change_grow_and_remove_topics(place):
    kafka_clients.run_python("confluent_kafka", "confluent_admin.py", place.broker, "admin-confluent")
    kafka_clients.run_python("kafka", "python_kafka_admin.py", place.broker, "admin-pykafka")


def case_a_setting_has_the_same_value_on_both_doors(place):
    place.need_mount()
    topic = place.mount / "settings"
    topic.mkdir()
    os.setxattr(topic, "user.kafka.retention.ms", b" 5000 ")
    check(os.getxattr(topic, "user.kafka.retention.ms"), b"5000", "the attribute, in its plainest form")
    try:
        os.setxattr(topic, "user.kafka.no.such", b"1")
        raise AssertionError("a setting that does not exist was taken")
    except OSError as error:
        check(error.errno, errno.EINVAL, "errno")
    check(kafka_clients.topic_setting(place.broker, "settings", "retention.ms"), "5000", "in Kafka")


def case_acknowledged_records_survive_a_crash_of_the_daemon(place):
    kafka_clients.need_kcat()
    place.need_mount()
    values = lines("crash", 3000)
    kafka_clients.kcat_produce(place.broker, "crash", 0, values, "lz4")
    place.daemon.kill9()
    place.daemon.start()
    check(kafka_clients.kcat_consume(place.broker, "crash", 0), values, "after the crash")
    place.check_file("crash", 0, text_of(values))


def run_case(case, broker, options):
    if broker:
        return case(Place(broker))
    with scratch() as directory:
        address = free_address()
        daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", kafka_addr=address,
                        extra=options)
        with daemon:
            case(Place(address, daemon.mountpoint, daemon))


def main(all_cases, options=()):
    """`options` are the daemon's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=[])
    parser.add_argument("--broker")
    args = parser.parse_args()
    if not args.broker:
        need_fuse()
    skipped = failed = passed = 0
    for name in args.cases or all_cases:
        try:
            run_case(all_cases[name], args.broker, options)
            passed += 1
            print(f"passed  {name}", flush=True)
        except kafka_clients.Missing as missing:
            skipped += 1
            print(f"skipped {name}: {missing}", flush=True)
        except Exception as error:  # the other cases still run
            failed += 1
            print(f"FAILED  {name}: {error}", flush=True)
    if failed:
        sys.exit(1)
    sys.exit(77 if passed == 0 and skipped else 0)


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")})
