#!/usr/bin/python3
"""Kafka clients of many languages, unmodified, against the real daemon: each makes topics, reads settings, produces
with every codec that it has, consumes, shares a group's partitions with another member, and removes topics.

    clients_test.py [CASE ...]          all cases by default

See kafka_test.py, whose machinery this is. Each client is a program with two uses:

    check BROKER TOPIC CODEC...    what interop/go/main.go says
    member BROKER TOPIC GROUP      a member of a group, as group_client.py
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import sysconfig

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fetched_clients  # noqa: E402
import kafka_clients  # noqa: E402
from daemon import binary, wait_until  # noqa: E402
from groups_test import Member, two_members_share_and_take_over  # noqa: E402
from kafka_test import CODECS, check, lines, main, text_of  # noqa: E402

VALUES_PER_CODEC = 500


def values(codec):
    return [f"a value that compresses well, in {codec}: {i}" for i in range(VALUES_PER_CODEC)]


def batches_of_clients(place):
    """As the log has them: Kafka's batches stay as they came."""
    segments = sorted((place.daemon.data_dir / "wal").glob("segment-*"))
    out = kafka_clients.run([str(binary("topicfs-dump")), "--json", *map(str, segments)])
    things = [json.loads(line) for line in out.decode().splitlines()]
    return [t for t in things if t["type"] == "batch" and t["from"] == "kafka"]


def produces_and_administers(place, name, command, codecs, idempotent, env=None):
    topic = f"check-{name}"
    kafka_clients.run([*command, "check", place.broker, topic, *codecs], env={**os.environ, **(env or {})})
    place.check_file(topic, 0, text_of(v for codec in codecs for v in values(codec)))
    check((place.mount / f"{topic}-gone").exists(), False, "a topic that was deleted is there")
    batches = batches_of_clients(place)
    for i, codec in enumerate(codecs):
        # A client may send what does not shrink, such as a first batch of one record, as it is.
        used = {b["codec"] for b in batches if i * VALUES_PER_CODEC <= b["offset"] < (i + 1) * VALUES_PER_CODEC}
        check(codec in used, True, f"{codec} among {used}, the codecs of its batches")
    check({"producer" in b for b in batches}, {idempotent}, "whether batches name an idempotent producer")


def does_it_all(place, name, command, codecs, idempotent, env=None):
    """`command` is the client's program; `env` is added to the environment."""
    produces_and_administers(place, name, command, codecs, idempotent, env)
    two_members_share_and_take_over(
        place, name, lambda _, broker, topic, group: Member([*command, "member", broker, topic, group], env))


def case_go_franz(place):
    does_it_all(place, "franz-go", [fetched_clients.go_client(), "franz-go"], CODECS, idempotent=True)


def case_go_sarama(place):
    does_it_all(place, "sarama", [fetched_clients.go_client(), "sarama"], CODECS, idempotent=True)


def case_go_kafka_go(place):
    does_it_all(place, "kafka-go", [fetched_clients.go_client(), "kafka-go"], CODECS, idempotent=False)


def python(library):
    return ["/usr/bin/python3", str(kafka_clients.CLIENTS / "python_client.py"), library]


def case_python_kafka_python(place):
    does_it_all(place, "kafka-python", python("kafka"), CODECS, idempotent=True, env=newest_python())


def case_python_confluent_kafka(place):
    does_it_all(place, "confluent-kafka", python("confluent_kafka"), CODECS, idempotent=True, env=newest_python())


def case_python_aiokafka(place):
    does_it_all(place, "aiokafka", python("aiokafka"), CODECS, idempotent=True, env=newest_python())


def newest_python():
    return {"PYTHONPATH": fetched_clients.python_modules()}


# What Debian's modules do in groups is in groups_test.py.
def case_python_debians_kafka_python(place):
    for module in ("kafka", "snappy", "lz4", "zstandard"):
        kafka_clients.need_python(module)
    produces_and_administers(place, "debians-kafka-python", python("kafka"), CODECS, idempotent=False)


def case_python_debians_confluent_kafka(place):
    kafka_clients.need_python("confluent_kafka")
    produces_and_administers(place, "debians-confluent-kafka", python("confluent_kafka"), CODECS, idempotent=True)


def javascript(place, library, codecs):
    does_it_all(place, library, ["node", str(kafka_clients.CLIENTS / "js" / "client.js"), library], codecs, idempotent=True,
                env={"NODE_PATH": fetched_clients.node_modules()})


# zstd takes a newer node than Debian's, and no plugin of kafkajs has it without building native code.
def case_javascript_kafkajs(place):
    javascript(place, "kafkajs", ["none", "gzip", "snappy", "lz4"])


def case_javascript_platformatic(place):
    javascript(place, "platformatic", ["none", "gzip", "snappy", "lz4"])


def case_c_librdkafka(place):
    program = fetched_clients.compiled("gcc", ["-std=gnu11"], "rdkafka.c", "rdkafka", place.daemon.data_dir.parent)
    does_it_all(place, "c", [program], CODECS, idempotent=True)


def case_cpp_librdkafka(place):
    program = fetched_clients.compiled("g++", ["-std=c++20"], "rdkafkacpp.cc", "rdkafka++", place.daemon.data_dir.parent)
    does_it_all(place, "cpp", [program], CODECS, idempotent=True)


def case_rust_rdkafka(place):
    does_it_all(place, "rust", [fetched_clients.rust_client()], CODECS, idempotent=True)


RSYSLOG = """
global(workDirectory="{directory}")
module(load="imfile")
module(load="omkafka")
template(name="line" type="string" string="%msg%")
input(type="imfile" File="{directory}/in.log" Tag="test:")
action(type="omkafka" broker=["{broker}"] topic="rsyslog" partitions.usefixed="0" template="line"
       confParam=["compression.codec=lz4", "enable.idempotence=true", "queue.buffering.max.ms=20"])
"""


@contextlib.contextmanager
def rsyslog(directory, broker):
    """A daemon of its own, which sends the lines of in.log."""
    for package, path in (("rsyslog", "/usr/sbin/rsyslogd"), ("rsyslog-kafka", omkafka())):
        if not os.path.exists(path):
            kafka_clients.missing(package)
    directory.mkdir()
    (directory / "conf").write_text(RSYSLOG.format(directory=directory, broker=broker))
    with open(directory / "said", "wb") as said:
        process = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", directory / "conf", "-i", directory / "pid"],
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield
        process.terminate()
        check(process.wait(kafka_clients.LIMIT_S), 0, f"rsyslogd's end ({(directory / 'said').read_text()})")
    finally:
        process.kill()
        process.wait()


def omkafka():
    return f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/rsyslog/omkafka.so"


def case_rsyslog_omkafka(place):
    directory = place.daemon.data_dir.parent / "rsyslog"
    path = place.mount / "rsyslog" / "0"

    def arrives(expected):
        wait_until(lambda: path.exists() and path.stat().st_size >= len(expected), kafka_clients.LIMIT_S, "the lines")
        check(path.read_bytes(), expected, str(path))

    with rsyslog(directory, place.broker):
        first, second = (text_of(lines(word, 500)) for word in ("first", "second"))
        (directory / "in.log").write_bytes(first)
        arrives(first)
        with open(directory / "in.log", "ab") as log:
            log.write(second)
        arrives(first + second)
    batches = batches_of_clients(place)
    check("lz4" in {b["codec"] for b in batches}, True, "lz4 among the codecs of the batches")
    check({"producer" in b for b in batches}, {True}, "whether batches name an idempotent producer")


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")})
