#!/usr/bin/python3
"""Consumer groups of real clients against the real daemon: members share partitions, come, go, and are killed; the
gateway is killed under them, and so is the daemon.

    groups_test.py [CASE ...]          all cases by default
    groups_test.py --broker HOST:PORT  clients only, against a broker that runs already; no mount

See kafka_test.py, whose machinery this is.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kafka_clients  # noqa: E402
from daemon import wait_until  # noqa: E402
from kafka_test import check, main  # noqa: E402

PARTITIONS = 4
LIMIT_S = 60


class Member:
    """A client process that is a member of a group, and what it says, a line each."""

    def __init__(self, command, env=None):
        self.lines = []
        self.spoke_at = time.monotonic()
        self.changed = threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.spoke_at = time.monotonic()
                self.changed.notify_all()

    def say(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, holds, what):
        """Until `holds(self)`; what the process has said explains why not."""
        end = time.monotonic() + LIMIT_S
        with self.changed:
            while not holds(self):
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise AssertionError(f"{what}: not within {LIMIT_S} s; the member said: {self.lines[-12:]}")

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        status = self.process.wait(LIMIT_S)
        self.reader.join(LIMIT_S)
        return status

    def leave(self):
        """It ends by itself, with status 0."""
        if self.is_kcat:
            self.process.send_signal(signal.SIGTERM)
        else:
            self.say("close")
        if status := self.end():
            raise AssertionError(f"a member that left ended with status {status}; it said: {self.lines[-12:]}")

    is_kcat = False

    def assigned(self):
        """The partitions it has, as it said last; None before it has said anything."""
        said = [line for line in self.lines if line.startswith("assigned")]
        return [int(p) for p in said[-1].split()[1:]] if said else None

    def changes(self):
        return sum(line.startswith("assigned") for line in self.lines)

    def values(self):
        return [line[6:] for line in self.lines if line.startswith("value ")]


class KcatMember(Member):
    is_kcat = True

    def __init__(self, broker, topic, group):
        super().__init__(["kcat", "-b", broker, "-G", group, "-u", "-f", "value %s\n", "-X", "auto.offset.reset=earliest",
                          "-X", "session.timeout.ms=10000", "-X", "heartbeat.interval.ms=500", topic])

    def assigned(self):
        said = [line for line in self.lines if "rebalanced" in line]
        if not said:
            return None
        return [int(p) for p in re.findall(r"\[(\d+)\]", said[-1])] if ": assigned: " in said[-1] else []


def member(library, broker, topic, group, instance=None):
    if library == "kcat":
        kafka_clients.need_kcat()
        return KcatMember(broker, topic, group)
    kafka_clients.need_python(library)
    command = ["/usr/bin/python3", str(kafka_clients.CLIENTS / "group_client.py"), library, broker, topic, group]
    return Member(command + ([instance] if instance else []))


def make_topic(place, name):
    place.need_mount()
    (place.mount / name).mkdir()
    for p in range(1, PARTITIONS):
        path = place.mount / name / str(p)
        wait_until((place.mount / name / str(p - 1)).exists, 10, f"partition {p - 1}")
        path.touch()


def append(place, topic, text):
    """One record in each partition, from the shell's side."""
    for p in range(PARTITIONS):
        with open(place.mount / topic / str(p), "ab") as f:
            f.write(f"{text} {p}\n".encode())


def expected(*texts):
    return sorted(f"{text} {p}" for text in texts for p in range(PARTITIONS))


def wait_shared(members):
    """All partitions are with these members, each with one."""
    def shared(_):
        return sorted(p for m in members for p in m.assigned() or []) == list(range(PARTITIONS)) and \
            all(m.assigned() for m in members)
    end = time.monotonic() + LIMIT_S
    while not shared(None):
        if time.monotonic() > end:
            raise AssertionError(f"not shared: {[m.assigned() for m in members]}; said: {[m.lines[-8:] for m in members]}")
        time.sleep(0.05)


def wait_quiet(members, seconds):
    """Until none of them has said anything for so long."""
    wait_until(lambda: time.monotonic() - max(m.spoke_at for m in members) > seconds, LIMIT_S, "members with nothing to say")


def wait_values(members, values):
    def got():
        return sorted(v for m in members for v in m.values())
    try:
        wait_until(lambda: len(got()) >= len(values), LIMIT_S, "all values")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {got()}; said: {[m.lines[-8:] for m in members]}") from None
    check(got(), values, "what the members of the group read together")


def two_members_share_and_take_over(place, library, member=member):
    topic = f"shared-{library}"
    make_topic(place, topic)
    append(place, topic, "first")
    with member(library, place.broker, topic, "group") as a:
        wait_shared([a])
        wait_values([a], expected("first"))
        if not a.is_kcat:
            a.say("commit")
            a.wait(lambda m: "committed" in m.lines, "its commit")
        with member(library, place.broker, topic, "group") as b:
            wait_shared([a, b])
            append(place, topic, "second")
            if a.is_kcat:  # it commits by itself, at each rebalance
                wait_values([a, b], expected("first", "second"))
            else:
                wait_until(lambda: set(expected("second")) <= set(a.values() + b.values()), LIMIT_S, "the second values")
            b.leave()
        wait_shared([a])
        append(place, topic, "third")
        wait_until(lambda: set(expected("third")) <= set(a.values()), LIMIT_S, "the third values at the member that is left")
        a.leave()


def case_kcat_members_share_partitions_and_take_over(place):
    two_members_share_and_take_over(place, "kcat")


def case_confluent_kafka_members_share_cooperatively_and_take_over(place):
    two_members_share_and_take_over(place, "confluent_kafka")


def case_python_kafka_members_share_partitions_and_take_over(place):
    two_members_share_and_take_over(place, "kafka")


def case_clients_of_different_libraries_share_one_group(place):
    make_topic(place, "mixed")
    with member("kcat", place.broker, "mixed", "group") as a, member("kafka", place.broker, "mixed", "group") as b:
        wait_shared([a, b])
        append(place, "mixed", "x")
        wait_values([a, b], expected("x"))


def case_a_killed_member_is_replaced_when_its_session_is_over(place):
    make_topic(place, "killed")
    with member("kcat", place.broker, "killed", "group") as a, member("kcat", place.broker, "killed", "group") as b:
        wait_shared([a, b])
        b.kill()
        wait_shared([a])
        append(place, "killed", "x")
        wait_values([a], expected("x"))


def case_a_static_member_comes_back_without_a_rebalance(place):
    static_member_comes_back(place, "confluent_kafka")


def static_member_comes_back(place, library, make=member):
    make_topic(place, "static")
    with make(library, place.broker, "static", "group", "one") as a:
        with make(library, place.broker, "static", "group", "two") as b:
            wait_shared([a, b])
            wait_quiet([a, b], 2)
            had, changes = b.assigned(), a.changes()
            b.kill()
        with make(library, place.broker, "static", "group", "two") as b:
            b.wait(lambda m: m.assigned(), "its partitions")
            check(b.assigned(), had, "the partitions of the one that came back")
            check(a.changes(), changes, "changes at the other")


def case_a_stable_group_does_not_notice_that_the_gateway_is_killed(place):
    stable_group_does_not_notice_a_killed_gateway(place, "confluent_kafka")


def stable_group_does_not_notice_a_killed_gateway(place, library, make=member):
    place.need_mount()
    make_topic(place, "gateway")
    with make(library, place.broker, "gateway", "group") as a, make(library, place.broker, "gateway", "group") as b:
        wait_shared([a, b])
        append(place, "gateway", "first")
        wait_values([a, b], expected("first"))
        wait_quiet([a, b], 2)
        shares, changes = [a.assigned(), b.assigned()], [a.changes(), b.changes()]
        os.kill(gateway_of(place.daemon), signal.SIGKILL)
        append(place, "gateway", "second")
        wait_values([a, b], expected("first", "second"))
        for m in (a, b):
            m.say("commit")
            m.wait(lambda m: "committed" in m.lines, "its commit")
        wait_quiet([a, b], 12)  # longer than a session: whoever had been lost would be out by now
        check([a.assigned(), b.assigned()], shares, "the shares")
        check([a.changes(), b.changes()], changes, "how often they changed")
        a.leave()
        b.leave()
    with make(library, place.broker, "gateway", "group") as c:
        wait_shared([c])
        append(place, "gateway", "third")
        wait_values([c], expected("third"))


def case_a_gateway_that_is_killed_in_the_middle_of_rebalances_delays_them(place):
    place.need_mount()
    make_topic(place, "middle")
    append(place, "middle", "x")

    def rebalances():
        return place.daemon.log_text().count("group middle: rebalances")

    with contextlib.ExitStack() as members:
        joined = []
        for i in range(3):
            seen = rebalances()
            joined.append(members.enter_context(member("confluent_kafka", place.broker, "middle", "middle")))
            wait_until(lambda seen=seen: rebalances() > seen, LIMIT_S, f"rebalance {i}")
            os.kill(gateway_of(place.daemon), signal.SIGKILL)
        wait_shared(joined)
        append(place, "middle", "y")
        wait_until(lambda: set(expected("x", "y")) <= {v for m in joined for v in m.values()}, LIMIT_S, "all values")


def case_a_stable_group_goes_on_after_a_crash_of_the_daemon(place):
    stable_group_goes_on_after_a_crash(place, "confluent_kafka")


def stable_group_goes_on_after_a_crash(place, library, make=member):
    place.need_mount()
    make_topic(place, "daemon")
    with make(library, place.broker, "daemon", "group") as a, make(library, place.broker, "daemon", "group") as b:
        wait_shared([a, b])
        wait_quiet([a, b], 2)
        changes = [a.changes(), b.changes()]
        place.daemon.kill9()
        place.daemon.start()
        append(place, "daemon", "x")
        wait_values([a, b], expected("x"))
        check([a.changes(), b.changes()], changes, "how often the shares changed")


def gateway_of(daemon):
    """The pid of the daemon's child topicfs-kafka."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                head, tail = f.read().rsplit(")", 1)
        except OSError:
            continue
        state, parent = tail.split()[:2]
        if int(parent) == daemon.pid and state != "Z" and "(topicfs-kafka" in head:
            return int(entry)
    raise AssertionError("the daemon has no gateway")


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")})
