#!/usr/bin/python3
"""Apache Kafka's own clients and tools, unmodified, against the real daemon.

    java_test.py [CASE ...]          all cases by default
    java_test.py --broker HOST:PORT  clients only, against a broker that runs already; no mount

Cases are run as kafka_test.py runs its own.
"""

import json
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kafka_java  # noqa: E402
from daemon import Daemon, binary, free_address, scratch, wait_until  # noqa: E402
from groups_test import (Member, stable_group_does_not_notice_a_killed_gateway,  # noqa: E402
                         stable_group_goes_on_after_a_crash, static_member_comes_back)
from kafka_clients import idempotent_producer  # noqa: E402
from kafka_java import LATEST  # noqa: E402
from kafka_test import CODECS, Place, check, lines, main, text_of  # noqa: E402
from producers_test import loses_and_doubles_nothing_over_crashes  # noqa: E402

KAFKA = f"kafka-{LATEST}"
# Data leaves for the store while it is asked for, so that answers come from there as well.
OPTIONS = ["--group-initial-rebalance-delay=0", "--offload-interval=20ms", "--object-size=64KiB"]
LIMIT_S = 60


def tour(place, jars):
    print(kafka_java.run(jars, kafka_java.source("ClientTour.java"), place.broker, "tour"), end="", flush=True)
    for codec in CODECS:
        place.check_file(f"tour-codec-{codec}", 0, text_of(lines(codec, 2000)))
    for partition in range(3):
        place.check_file("tour-once", partition, text_of(str(i) for i in range(partition, 1500, 3)))


def case_the_java_client_2_8(place):
    tour(place, "kafka-clients-2.8.2")


def case_the_java_client_3_9(place):
    tour(place, "kafka-clients-3.9.1")


def case_the_java_client_4(place):
    tour(place, KAFKA)


def member(jars, *words):
    return Member(kafka_java.command(jars, kafka_java.source("LongLived.java"), "member", *words))


def producer(broker, topic, count):
    source = kafka_java.source("LongLived.java")
    return idempotent_producer(kafka_java.command(KAFKA, source, "produce", broker, topic, count))


def case_a_static_member_comes_back_without_a_rebalance(place):
    static_member_comes_back(place, KAFKA, member)


def case_a_stable_group_does_not_notice_that_the_gateway_is_killed(place):
    # The client of 4.0 does, by itself: when its only broker is away it forgets the metadata, and its leader joins again.
    stable_group_does_not_notice_a_killed_gateway(place, "kafka-clients-3.9.1", member)


def case_a_stable_group_goes_on_after_a_crash_of_the_daemon(place):
    stable_group_goes_on_after_a_crash(place, "kafka-clients-2.8.2", member)


def case_an_idempotent_producer_loses_and_doubles_nothing_over_crashes(place):
    loses_and_doubles_nothing_over_crashes(place, producer, 12000, 2400)


# ---- the tools: each in a process of its own, as people run them

TOOLS = "org.apache.kafka.tools."
TOPICS, CONSOLE_PRODUCER = TOOLS + "TopicCommand", TOOLS + "ConsoleProducer"
CONSOLE_CONSUMER, GROUPS = TOOLS + "consumer.ConsoleConsumer", TOOLS + "consumer.group.ConsumerGroupCommand"
CONFIGS, OFFSETS = "kafka.admin.ConfigCommand", TOOLS + "GetOffsetShell"


def tool(place, name, *words, **options):
    return kafka_java.run(KAFKA, name, "--bootstrap-server", place.broker, *words, **options)


def need(pattern, text):
    if not re.search(pattern, text, re.M):
        raise AssertionError(f"no {pattern!r} in:\n{text[-2000:]}")


def table(text):
    """The rows below the line that begins with GROUP, in words."""
    rows = [line.split() for line in text.splitlines()]
    head = next(i for i, row in enumerate(rows) if row[:1] == ["GROUP"])
    return sorted(row for row in rows[head + 1:] if row)


def case_the_tools_for_topics_and_settings(place):
    tool(place, TOPICS, "--create", "--topic", "t", "--partitions", 2, "--config", "retention.ms=86400000")
    tool(place, TOPICS, "--alter", "--topic", "t", "--partitions", 3)
    shown = tool(place, TOPICS, "--describe", "--topic", "t")
    need(r"^Topic: t\s.*PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: retention.ms=86400000$", shown)
    check(len(re.findall(r"Partition: \d\s+Leader: 0\s+Replicas: 0\s+Isr: 0", shown)), 3, "partitions with a leader")
    tool(place, CONFIGS, "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
         "max.message.bytes=2000000,cleanup.policy=[compact,delete]", "--delete-config", "retention.ms")
    shown = tool(place, CONFIGS, "--describe", "--entity-type", "topics", "--entity-name", "t")
    need(r"^  cleanup.policy=compact,delete ", shown)
    need(r"^  max.message.bytes=2000000 .*DEFAULT_CONFIG:message.max.bytes=1048588", shown)
    check("retention.ms" in shown, False, "a setting that was removed is shown")
    need(r'"partition":"t-2"', tool(place, TOOLS + "LogDirsCommand", "--describe", "--topic-list", "t"))
    tool(place, TOPICS, "--delete", "--topic", "t")
    check(tool(place, TOPICS, "--list").split(), [], "topics that are left")
    shown = tool(place, TOOLS + "BrokerApiVersionsCommand")
    need(r"^\s+Fetch\(1\): 4 to \d+ \[usable: \d+\],$", shown)
    need(r"^\s+DescribeTopicPartitions\(75\): 0 \[usable: 0\],$", shown)


def case_the_tools_for_records_offsets_and_groups(place):
    records = [f"key {i}:value {i}" for i in range(100)]
    tool(place, CONSOLE_PRODUCER, "--topic", "records", "--reader-property", "parse.key=true", "--reader-property",
         "key.separator=:", "--compression-codec", "zstd", input=text_of(records))
    place.check_file("records", 0, text_of(f"value {i}" for i in range(100)))
    read = tool(place, CONSOLE_CONSUMER, "--topic", "records", "--from-beginning", "--max-messages", 100, "--group",
                "readers", "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:")
    check([line for line in read.splitlines() if line.startswith("key")], records, "what the console consumer printed")
    check(tool(place, GROUPS, "--list").split(), ["readers"], "groups")
    shown = table(tool(place, GROUPS, "--describe", "--group", "readers"))
    check(shown, [["readers", "records", "0", "100", "100", "0", "-", "-", "-"]], "the group")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"version": 1, "partitions": [{"topic": "records", "partition": 0, "offset": 40}]}, file)
        file.flush()
        need(r"^partition: records-0\s+low_watermark: 40$",
             tool(place, TOOLS + "DeleteRecordsCommand", "--offset-json-file", file.name))
    check(tool(place, OFFSETS, "--topic", "records", "--time", "earliest"), "records:0:40\n", "the earliest offset")
    check(tool(place, OFFSETS, "--topic", "records", "--time", "latest"), "records:0:100\n", "the latest offset")
    shown = table(tool(place, GROUPS, "--group", "readers", "--reset-offsets", "--to-earliest", "--topic", "records",
                       "--execute"))
    check(shown, [["readers", "records", "0", "40"]], "the new offsets")
    need(r"^Deletion of requested consumer groups \('readers'\) was successful\.$",
         tool(place, GROUPS, "--delete", "--group", "readers"))


def case_the_verifiable_clients_and_those_that_measure(place):
    told = tool(place, TOOLS + "VerifiableProducer", "--topic", "verified", "--max-messages", 1000)
    need(r'"name":"tool_data","sent":1000,"acked":1000', told)
    place.check_file("verified", 0, text_of(str(i) for i in range(1000)))
    told = tool(place, TOOLS + "VerifiableConsumer", "--topic", "verified", "--group-id", "verifier", "--max-messages", 1000,
                "--reset-policy", "earliest")
    told = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    check(sum(event["count"] for event in told if event["name"] == "records_consumed"), 1000, "records that were consumed")
    check([event["success"] for event in told if event["name"] == "offsets_committed"][-1:], [True], "the last commit")
    need(r"^50000 records sent", tool(place, TOOLS + "ProducerPerformance", "--topic", "measured", "--num-records", 50000,
                                      "--record-size", 100, "--throughput", -1, "--command-property", "compression.type=lz4"))
    need(r", 50000, ", tool(place, TOOLS + "ConsumerPerformance", "--topic", "measured", "--num-records", 50000))


# ---- what is built on the clients

FILES, STRINGS = "org.apache.kafka.connect.file.", "org.apache.kafka.connect.storage.StringConverter"

def properties(path, settings):
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return path


def append(path, text):
    with open(path, "ab") as f:
        f.write(text)


def case_streams_counts_words_and_restores_its_counts(place):
    with scratch() as directory:
        print(kafka_java.run(KAFKA, kafka_java.source("WordCount.java"), place.broker, directory), end="", flush=True)
    place.need_mount()
    text = b"".join((place.mount / "words" / str(partition)).read_bytes() for partition in range(2))
    check(sorted(text.split(b"\n")), [b"", b"a", b"a b a", b"a d", b"c b"], "the lines that were counted")


def case_connect_carries_a_file_into_a_topic_and_a_topic_into_a_file(place):
    place.need_mount()
    with scratch() as directory:
        source, sink = directory / "source.txt", directory / "sink.txt"
        worker = properties(directory / "worker.properties", {
            "bootstrap.servers": place.broker, "listeners": "http://127.0.0.1:0", "plugin.discovery": "service_load",
            "key.converter": STRINGS, "value.converter": STRINGS, "offset.storage.file.filename": directory / "offsets",
            "offset.flush.interval.ms": 500})
        from_file = properties(directory / "from.properties", {
            "name": "from", "connector.class": FILES + "FileStreamSourceConnector", "file": source, "topic": "lines"})
        to_file = properties(directory / "to.properties", {
            "name": "to", "connector.class": FILES + "FileStreamSinkConnector", "file": sink, "topics": "lines"})
        command = [KAFKA, "org.apache.kafka.connect.cli.ConnectStandalone", worker, from_file, to_file]
        words = text_of(lines("connect", 1000))
        source.write_bytes(words)
        with kafka_java.running(*command, log=directory / "log"):
            wait_until(lambda: sink.exists() and sink.read_bytes() == words, LIMIT_S, "all lines in the sink's file")
            append(place.mount / "lines" / "0", b"from the shell\n")
            wait_until(lambda: sink.read_bytes() == words + b"from the shell\n", LIMIT_S, "the shell's line")
        place.check_file("lines", 0, words + b"from the shell\n")
        append(source, b"while Connect was away\n")
        with kafka_java.running(*command, log=directory / "log"):
            wait_until(lambda: sink.read_bytes() == words + b"from the shell\nwhile Connect was away\n", LIMIT_S,
                       "Connect goes on where it was")


def case_mirrormaker_copies_a_topic_and_its_groups_to_another_gateway(place):
    place.need_mount()
    values = lines("mirrored", 500)
    tool(place, TOPICS, "--create", "--topic", "orders", "--partitions", 1, "--config", "max.message.bytes=2000000")
    tool(place, CONSOLE_PRODUCER, "--topic", "orders", input=text_of(values))
    tool(place, CONSOLE_CONSUMER, "--topic", "orders", "--from-beginning", "--max-messages", 500, "--group", "readers")
    with scratch() as directory, Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store",
                                        kafka_addr=free_address(), extra=OPTIONS) as daemon:
        far = Place(daemon.kafka_addr, daemon.mountpoint, daemon)
        settings = {
            "clusters": "near,far", "near.bootstrap.servers": place.broker, "far.bootstrap.servers": far.broker,
            "near->far.enabled": "true", "near->far.topics": "orders", "far->near.enabled": "false",
            "emit.checkpoints.interval.seconds": 1, "sync.group.offsets.enabled": "true",
            "sync.group.offsets.interval.seconds": 1, "refresh.groups.interval.seconds": 1, "offset.lag.max": 0,
            "replication.factor": 1, **{f"{topic}.replication.factor": 1 for topic in (
                "checkpoints.topic", "heartbeats.topic", "offset-syncs.topic", "offset.storage", "status.storage",
                "config.storage")}}
        with kafka_java.running(KAFKA, "org.apache.kafka.connect.mirror.MirrorMaker",
                                properties(directory / "mirror.properties", settings), log=directory / "log"):
            copy = far.mount / "near.orders" / "0"
            wait_until(lambda: copy.exists() and copy.read_bytes() == text_of(values), LIMIT_S, "the copy of all records")
            append(place.mount / "orders" / "0", b"from the shell\n")
            wait_until(lambda: copy.read_bytes() == text_of(values) + b"from the shell\n", LIMIT_S, "the shell's line")
            wait_until(lambda: "readers" in tool(far, GROUPS, "--list").split(), LIMIT_S, "the group")
            expected = [["readers", "near.orders", "0", "500", "501", "1", "-", "-", "-"]]
            wait_until(lambda: table(tool(far, GROUPS, "--describe", "--group", "readers")) == expected, LIMIT_S,
                       "what the group has committed")
        need(r"^  max.message.bytes=2000000 ",
             tool(far, CONFIGS, "--describe", "--entity-type", "topics", "--entity-name", "near.orders"))


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")},
         options=OPTIONS)
