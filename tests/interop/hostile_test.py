#!/usr/bin/python3
"""Hostile and unlucky Kafka clients against the real daemon: each abuse ends, leaves a line in the log and takes no
more than its share of memory, while another client produces and consumes.

    hostile_test.py [CASE ...]        all cases by default
    hostile_test.py --bystander HOST:PORT TOPIC     that other client
"""

import contextlib
import json
import os
import pathlib
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import raw_kafka as raw  # noqa: E402
from daemon import Daemon, binary, free_address, scratch, wait_until  # noqa: E402
from groups_test import gateway_of  # noqa: E402
from requirements import need_fuse  # noqa: E402

MiB = 1 << 20
MAX_REQUEST = 32 * MiB
LARGE_TEXT = 31 * MiB  # less than --max-batch-text, and than one block of snappy may hold
SMALL = ["--pool-size=64MiB", "--wal-segment-size=16MiB", "--wal-max-size=256MiB", f"--max-request-size={MAX_REQUEST}"]
# Shared memory counts in halves for who have both touched it: a pool of 64 MiB, an arena of 32, a bounce of 32. To the
# daemon all of it may count, and what it needs besides for its work; to the gateway all of the arena and half of the
# rest, two and a half of the longest requests that are slow, 128 MiB of answers that are taken slowly, and itself.
DAEMON_MAX = (64 + 32 + 32 + 96) * MiB
GATEWAY_MAX = (32 + 32 + 16) * MiB + MAX_REQUEST * 5 // 2 + (128 + 16) * MiB
PATIENCE_S = 10  # of the bystander, for each answer
STALL_S = 30     # kStallTimeout of the gateway
SLOW_S = 2       # kSlowPatience of the gateway
PIN_AGE_S = 60   # pin_age_max of the daemon
BEYOND_LIMIT, OTHER_FILES = 2000, 1000  # connections that are refused; all else that a process has open


# ---- the client that must not notice

def bystander(address, topic):
    """Produces and consumes one record after another until its input ends; tells how many and the slowest."""
    client = raw.Connection(address, timeout=PATIENCE_S)
    client.send(raw.metadata([topic]))
    client.receive()
    count, slowest = 0, 0.0
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        value, began = f"record {count}".encode() * 100, time.monotonic()
        client.send(raw.produce(topic, 0, raw.batch([value])))
        error, offset, _ = raw.read_produced(client.receive())
        assert (error, offset) == (0, count) or count == 0 and error == 3, f"record {count}: error {error}, offset {offset}"
        if error == 3:  # the topic is being made
            continue
        client.send(raw.fetch(topic, 0, offset))
        error, _, batches = raw.read_fetched(client.receive())
        assert error == 0 and raw.values_of(batches) == [(offset, value)], f"record {count} was not read back: {error}"
        slowest = max(slowest, time.monotonic() - began)
        if count == 0:
            print("ready", flush=True)
        count += 1
    print(json.dumps({"count": count, "slowest_ms": round(slowest * 1000)}))


@contextlib.contextmanager
def unharmed(place, topic="bystander"):
    """Another client goes on through whatever is done here."""
    process = subprocess.Popen([sys.executable, __file__, "--bystander", place.broker, topic], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if not select.select([process.stdout], [], [], 2 * PATIENCE_S)[0]:
            raise AssertionError("the bystander does not begin")
        process.stdout.readline()
        yield
        out, errors = process.communicate(b"end\n", timeout=2 * PATIENCE_S)
        if process.returncode != 0:
            raise AssertionError(f"the bystander was harmed: {errors.decode()[-800:]}")
        done = json.loads(out)
        print(f"        bystander: {done['count']} records, the slowest took {done['slowest_ms']} ms", flush=True)
    finally:
        process.kill()
        process.wait()


# ---- looking at the processes

def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Memory(threading.Thread):
    """The most that daemon and gateway took at any look."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.pids = {"daemon": place.daemon.pid, "gateway": gateway_of(place.daemon)}
        self.most = dict.fromkeys(self.pids, 0)
        self.done = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.done.set()
        self.join()
        if kind is None:
            self.check()

    def run(self):
        while True:
            last = self.done.wait(0.2)
            for name, pid in self.pids.items():
                self.most[name] = max(self.most[name], pss(pid))
            if last:
                return

    def check(self):
        print(f"        memory: daemon {self.most['daemon'] >> 20} MiB, gateway {self.most['gateway'] >> 20} MiB", flush=True)
        for name, limit in (("daemon", DAEMON_MAX), ("gateway", GATEWAY_MAX)):
            if self.most[name] > limit:
                raise AssertionError(f"the {name} took {self.most[name] >> 20} MiB, more than {limit >> 20}")


class Place:
    def __init__(self, broker, daemon):
        self.broker = broker
        self.daemon = daemon
        self.mount = daemon.mountpoint

    def lines(self, text):
        return sum(text in line for line in self.daemon.log_text().splitlines())

    def make_topic(self, name, **settings):
        (self.mount / name).mkdir()
        for setting, value in settings.items():
            os.setxattr(self.mount / name, "user.kafka." + setting.replace("_", "."), str(value).encode())
        client = raw.Connection(self.broker)

        def is_known():
            client.send(raw.metadata([name]))
            answer = client.receive()
            return name.encode() in answer and struct.pack(">h", 3) + raw.text(name) not in answer
        wait_until(is_known, 10, f"the topic {name} in Kafka")
        client.close()


class Skipped(Exception):
    """This machine cannot run a case."""


def check(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: {got!r:.300} is not {expected!r:.300}")


def must_be_closed(place, client, line, what):
    """The gateway ends the connection, and its log says why."""
    try:
        client.receive()
        raise AssertionError(f"{what} was answered")
    except raw.Closed:
        pass
    except TimeoutError:
        raise AssertionError(f"{what} was neither answered nor ended") from None
    address = "{}:{}".format(*client.socket.getsockname())
    wait_until(lambda: any(address in entry and line in entry for entry in place.daemon.log_text().splitlines()), 10,
               f"a line of the log about {what}")
    client.close()


# ---- cases

HEADER = struct.pack(">hhih", raw.METADATA, 4, 1, -1)
NONSENSE = {
    "a negative size": struct.pack(">ihh", -16, raw.METADATA, 4),
    "a huge size": struct.pack(">ihh", 0x7fffffff, raw.PRODUCE, 7),
    "a size above the limit": struct.pack(">ihh", MAX_REQUEST + 1, raw.PRODUCE, 7),
    "a size of zero": bytes(4),
    "another protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "a large request for an API of small ones": struct.pack(">ihh", 9 * MiB, raw.METADATA, 4),
    "an unknown API": struct.pack(">ihhih", 10, 999, 0, 1, -1),
    "a version from the future": struct.pack(">ihhih", 10, raw.METADATA, 99, 1, -1),
    "a request without a body": struct.pack(">i", len(HEADER)) + HEADER,
    "more topics than bytes": struct.pack(">i", len(HEADER) + 5) + HEADER + struct.pack(">ib", 0x7fffffff, 0),
    "a negative number of partitions": raw.frame(raw.FETCH, 4, struct.pack(">iiiibi", -1, 0, 0, 0, 0, 1) + raw.text("t") +
                                                 struct.pack(">i", -7)),
    "a string beyond the end": raw.frame(raw.METADATA, 1, struct.pack(">ih", 1, 30000)),
    "more elements than fit in memory": raw.frame(raw.METADATA, 1, struct.pack(">i", 3 * MiB) + bytes(6 * MiB)),
    "a varint without an end": struct.pack(">ihhih", 16, raw.METADATA, 9, 1, -1) + b"\xff" * 6,
}


def case_nonsense_ends_its_connection_and_nothing_else(place):
    place.make_topic("bystander")
    with unharmed(place), Memory(place):
        for what, data in NONSENSE.items():
            client = raw.Connection(place.broker)
            client.send(data)
            must_be_closed(place, client, "closing:", what)
        seeded = random.Random(1)
        for _ in range(200):
            client = raw.Connection(place.broker)
            with contextlib.suppress(raw.Closed):
                client.send(seeded.randbytes(seeded.randrange(1, 3000)))
            client.close()
        whole = raw.produce("bystander", 0, raw.batch([b"x" * 3000]))
        for _ in range(200):  # cut off anywhere, and gone
            client = raw.Connection(place.broker)
            client.send(whole[:seeded.randrange(1, len(whole))])
            client.close()


def case_half_frames_held_open_and_answers_never_read_end_after_their_time(place):
    """Whoever stalls holds no memory that others wait for, and loses its connection in the end."""
    place.make_topic("bystander")
    place.make_topic("big", max_message_bytes=2 * MiB)
    fill = raw.Connection(place.broker)
    for i in range(120):
        fill.send(raw.produce("big", 0, raw.batch([random.Random(i).randbytes(1 << 20)])))
        check(raw.read_produced(fill.receive())[0], 0, "filling")
    fill.close()
    stalled = {"half a large request": [], "most of a request": [], "a trickle": [], "unread answers": [],
               "unread records": []}
    with unharmed(place), Memory(place):
        many_names = raw.metadata([f"!{i}" + "x" * 200 for i in range(5000)]) * 10  # that no topic can have
        large, usual = raw.produce("big", 0, bytes(MAX_REQUEST - 100)), raw.produce("big", 0, bytes(1 << 20))
        for _ in range(40):
            stalled["half a large request"].append((raw.Connection(place.broker), large[:20 << 10]))
        for _ in range(80):
            stalled["most of a request"].append((raw.Connection(place.broker), usual[:-1]))
        for _ in range(20):
            stalled["a trickle"].append((raw.Connection(place.broker), large[:9]))
        for _ in range(10):
            stalled["unread answers"].append((raw.Connection(place.broker, receive_buffer=4096), many_names))
        for _ in range(40):
            stalled["unread records"].append((raw.Connection(place.broker, receive_buffer=4096),
                                              raw.fetch("big", 0, 0, max_bytes=100 * MiB) * 3))
        clients = [c for group in stalled.values() for c, _ in group]
        for group in stalled.values():
            for client, data in group:
                client.socket.settimeout(0.1)
                with contextlib.suppress(TimeoutError, raw.Closed):
                    client.send(data)
        deadline = time.monotonic() + 2 * STALL_S
        open_clients = list(clients)
        readers = [c for c, _ in stalled["unread records"]]
        # Of those that read no records, whom little was lent to has got it all by now, and may stay.
        while time.monotonic() < deadline and (any(c not in readers for c in open_clients) or all(c in open_clients for c in readers)):
            for client, _ in stalled["a trickle"]:
                with contextlib.suppress(OSError):
                    client.socket.send(b"\0")
            time.sleep(0.5)
            open_clients = [c for c in open_clients if not has_ended(c)]
        check(all(c in open_clients for c in readers), False, "one that reads no records has ended")
        open_clients = [c for c in open_clients if c not in readers]
        left = {what: sum(c in open_clients for c, _ in group) for what, group in stalled.items()}
        check(sum(left.values()), 0, f"connections that are still open: {left}")
        for client in clients:
            client.close()
    check(place.lines("closing:") > len(clients) - len(stalled["unread records"]), True, "each has left a line in the log")


def has_ended(client):
    """The peer's end of the connection is gone; reads nothing."""
    state = client.socket.getsockopt(6, 11, 1)[0]  # IPPROTO_TCP, TCP_INFO: tcpi_state
    return state not in (1, 4, 5)                  # ESTABLISHED, FIN_WAIT1, FIN_WAIT2


def case_a_bomb_is_refused_and_what_is_large_but_allowed_is_kept(place):
    place.make_topic("bystander")
    place.make_topic("bombs", max_message_bytes=16 * MiB)
    with unharmed(place), Memory(place):
        client = raw.Connection(place.broker, timeout=30)
        size = 0
        for codec, zeros in ((raw.GZIP, 1 << 30), (raw.SNAPPY, 200 * MiB), (raw.LZ4, 1 << 30), (raw.ZSTD, 1 << 30)):
            name = raw.CODEC_NAMES[codec]
            client.send(raw.produce("bombs", 0, raw.bomb(codec, zeros)))
            check(raw.read_produced(client.receive())[0], 10, f"the error for {zeros} zeros in {name}")
            client.send(raw.produce("bombs", 0, raw.bomb(codec, LARGE_TEXT)))
            check(raw.read_produced(client.receive())[0], 0, f"the error for an allowed size in {name}")
            size += LARGE_TEXT + 1
            wait_until(lambda: (place.mount / "bombs" / "0").stat().st_size == size, 10, f"the text of {name} in the file")
        client.close()
        with open(place.mount / "bombs" / "0", "rb") as f:
            for at in range(0, size, MiB):
                check(f.read(MiB).strip(b"\0\n"), b"", f"the text at {at}")


def case_a_fetch_of_one_partition_a_hundred_thousand_times_waits_for_nobody(place):
    place.make_topic("bystander")
    place.make_topic("empty")
    entry = struct.pack(">iqi", 0, 0, 1 << 20)
    body = struct.pack(">iiiibi", -1, 120_000, 1, MiB, 0, 1) + raw.text("empty") + struct.pack(">i", 100_000) + entry * 100_000
    with unharmed(place), Memory(place):
        clients = [raw.Connection(place.broker, timeout=30) for _ in range(8)]
        for client in clients:
            client.send(raw.frame(raw.FETCH, 4, body))
        for client in clients:
            check(raw.read_fetched(client.receive())[0], 0, "error")
            client.close()


def case_ten_thousand_idle_connections_cost_little_and_more_are_refused(place):
    gateway, wanted = gateway_of(place.daemon), idle_connections()
    if not wanted:
        raise Skipped("the limit of open files (ulimit -Hn) is too low")
    place.make_topic("bystander")
    with unharmed(place):
        before, clients = pss(gateway), []
        for i in range(wanted):
            clients.append(raw.Connection(place.broker))
            clients[-1].send(raw.metadata([]))
            if i % 100 == 99:
                for client in clients[-100:]:
                    client.receive()
        per_connection = (pss(gateway) - before) / wanted
        print(f"        {wanted} idle connections, {per_connection / 1024:.1f} KiB each", flush=True)
        check(per_connection < 24 << 10, True, "memory for each connection")
    before = cpu_seconds(gateway)
    time.sleep(2)
    used = cpu_seconds(gateway) - before
    print(f"        {used:.2f} s of CPU in 2 s of idling", flush=True)
    check(used < 0.2, True, f"{used} s of CPU while idle")
    with unharmed(place, "second"):
        for _ in range(BEYOND_LIMIT):
            client = raw.Connection(place.broker)
            clients.append(client)
        wait_until(lambda: place.lines("refusing") > 0, 10, "a line of the log about refused connections")
        wait_until(lambda: sum(has_ended(c) for c in clients[wanted:]) >= BEYOND_LIMIT * 0.95, 10, "end of connections beyond the limit")
        check(place.lines("refusing") < 100, True, "refusals do not fill the log")
        for client in clients:
            client.close()
    wait_until(lambda: answers(place), 10, "an answer after the flood")


def answers(place):
    try:
        with contextlib.closing(raw.Connection(place.broker)) as client:
            client.send(raw.metadata([]))
            client.receive()
            return True
    except (raw.Closed, ConnectionRefusedError):
        return False


def idle_connections():
    """Ten thousand, or as many as the system lets us open; 0 if too few to mean something."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = hard - BEYOND_LIMIT - OTHER_FILES
    return min(10_000, most) if most >= 500 else 0


def case_a_gateway_that_stood_still_sends_what_is_right(place):
    """What it has borrowed of the pool stays as it is, whatever is written meanwhile, and nobody waits for it."""
    with gateway_stopped(place, 10) as (gateway, readers, expected):
        pass
    for reader in readers:
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MiB)  # the rest may come faster
        error, _, batches = raw.read_fetched(reader.receive())
        got = raw.values_of(batches)
        check(error, 0, "error")
        check(len(got) > 0 and got == expected[:len(got)], True, "what was fetched before is what was produced")
        reader.close()
    check(gateway_of(place.daemon), gateway, "the gateway's process")
    all_is_right(place, expected)


def case_a_gateway_that_stood_still_for_too_long_is_replaced(place):
    """It keeps what it has borrowed until it is dead: its last words are right too."""
    with gateway_stopped(place, PIN_AGE_S + 5) as (gateway, readers, expected):
        check(place.lines("cutting it off"), 1, "lines of the log about the cut")
    wait_until(lambda: has_died(gateway), 10, "end of the gateway that was cut off")
    for reader in readers:
        _, _, batches = raw.read_fetched(reader.receive_rest()[4:])  # or what there is of them
        got = raw.values_of(batches)
        check(got == expected[:len(got)], True, "what was sent before the end")
        cut = batches[sum(len(raw.batch([value])) for _, value in got):]
        check(len(batches) > 1000 and cut[61:] == raw.batch([expected[len(got)][1]])[61:len(cut)], True, "the last bytes")
        reader.close()
    wait_until(lambda: answers(place), 30, "an answer of the next gateway")
    all_is_right(place, expected)


def has_died(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@contextlib.contextmanager
def gateway_stopped(place, seconds):
    """While it lends to readers that take little, and three times the pool is written. Answers its pid, the readers and
    what they must get."""
    place.make_topic("before")
    (place.mount / "meanwhile").mkdir()
    client = raw.Connection(place.broker, timeout=30)
    expected = [(i, random.Random(i).randbytes(500_000)) for i in range(32)]
    for offset, value in expected:
        client.send(raw.produce("before", 0, raw.batch([value])))
        check(raw.read_produced(client.receive())[:2], (0, offset), "error and offset")
    gateway = gateway_of(place.daemon)
    for _ in range(10):
        began = time.monotonic()
        readers = [raw.Connection(place.broker, timeout=30, receive_buffer=4096) for _ in range(4)]
        for reader in readers:
            reader.send(raw.fetch("before", 0, 0, max_bytes=32 * MiB))
            reader.socket.recv(1, 2)  # MSG_PEEK: the answer has begun to come
        os.kill(gateway, signal.SIGSTOP)
        if time.monotonic() - began < SLOW_S:
            break
        os.kill(gateway, signal.SIGCONT)  # this machine stood still too: it may have copied what it had borrowed
        for reader in readers:
            reader.close()
    try:
        stopped = time.monotonic()
        with open(place.mount / "meanwhile" / "0", "ab", buffering=0) as f:
            for i in range(192):  # three times the pool
                f.write(random.Random(i).randbytes(MiB // 2).hex().encode()[:-1] + b"\n")
                if i % 16 == 15:
                    os.fsync(f.fileno())
        took = time.monotonic() - stopped
        print(f"        192 MiB written in {took:.1f} s while the gateway stood still", flush=True)
        time.sleep(max(0.0, seconds - took))
        yield gateway, readers, expected
    finally:
        os.kill(gateway, signal.SIGCONT)
    client.close()


def all_is_right(place, before):
    """Kafka shows what was there before the gateway stood still, and what was written meanwhile."""
    with open(place.mount / "meanwhile" / "0", "rb") as f:
        written = f.read().splitlines()
    check(len(written), 192, "lines that were written meanwhile")
    for topic, values in (("before", [v for _, v in before]), ("meanwhile", written)):
        client, got, deadline = raw.Connection(place.broker, timeout=30), [], time.monotonic() + 30
        while len(got) < len(values) and time.monotonic() < deadline:
            client.send(raw.fetch(topic, 0, len(got), max_bytes=8 * MiB))
            got += [v for o, v in raw.values_of(raw.read_fetched(client.receive())[2]) if o >= len(got)]
        check(got == values, True, f"Kafka shows what is in {topic}")
        client.close()


OPTIONS = {case_ten_thousand_idle_connections_cost_little_and_more_are_refused:
           [f"--max-connections={idle_connections() + 10}"]}


def main(all_cases):
    need_fuse()
    failed = False
    for name in sys.argv[1:] or all_cases:
        case, began = all_cases[name], time.monotonic()
        try:
            with scratch() as directory:
                address = free_address()
                daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", kafka_addr=address,
                                extra=SMALL + OPTIONS.get(case, []))
                with daemon:
                    case(Place(address, daemon))
            print(f"passed  {name}  {time.monotonic() - began:.1f} s", flush=True)
        except Skipped as why:
            print(f"skipped {name}: {why}", flush=True)
        except Exception as error:  # the other cases still run
            failed = True
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bystander"]:
        bystander(*sys.argv[2:])
    else:
        main({name[5:]: f for name, f in list(globals().items()) if name.startswith("case_")})
