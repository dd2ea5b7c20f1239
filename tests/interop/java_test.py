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
from kafka_java import LATEST  # noqa: E402
from kafka_test import CODECS, check, lines, main, text_of  # noqa: E402

KAFKA = f"kafka-{LATEST}"


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
    read = tool(place, CONSOLE_CONSUMER, "--topic", "records", "--from-beginning", "--max-messages", 100, "--group", "readers",
                "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:")
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
    shown = table(tool(place, GROUPS, "--group", "readers", "--reset-offsets", "--to-earliest", "--topic", "records", "--execute"))
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


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")},
         options=["--group-initial-rebalance-delay=0"])
