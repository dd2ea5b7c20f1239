"""confluent_admin.py BROKER TOPIC: librdkafka's AdminClient makes, shows, changes, grows and removes topics."""

import sys
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

broker, topic = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": broker})


def done(futures):
    """The results; raises what went wrong."""
    return {key: future.result(20) for key, future in futures.items()}


def refused(futures):
    try:
        done(futures)
    except KafkaException as error:
        return error.args[0].name()
    return None


def settings():
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return done(admin.describe_configs([resource]))[resource]


def partitions():
    return len(admin.list_topics(topic, timeout=20).topics[topic].partitions)


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)  # librdkafka's view of the cluster has no event to wait on


# validate_only says what would happen, and makes nothing.
wanted = NewTopic(topic, num_partitions=2, replication_factor=3, config={"retention.ms": "86400000"})
done(admin.create_topics([wanted], validate_only=True))
assert topic not in admin.list_topics(timeout=20).topics
done(admin.create_topics([wanted]))
assert refused(admin.create_topics([wanted])) == "TOPIC_ALREADY_EXISTS"
assert refused(admin.create_topics([NewTopic(topic + "x", 1, 1, config={"no.such": "1"})])) == "INVALID_CONFIG"
assert partitions() == 2

assert settings()["retention.ms"].value == "86400000"
assert settings()["cleanup.policy"].value == "delete"

change = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"max.message.bytes": "2000"})
done(admin.alter_configs([change]))
assert settings()["max.message.bytes"].value == "2000"
assert settings()["retention.ms"].value == "-1", "what is not named goes back to its default"
bad = ConfigResource(ConfigResource.Type.TOPIC, topic, set_config={"retention.ms": "soon"})
assert refused(admin.alter_configs([bad])) == "INVALID_CONFIG"

broker_settings = ConfigResource(ConfigResource.Type.BROKER, "0")
assert done(admin.describe_configs([broker_settings]))[broker_settings]["num.partitions"].value == "1"

done(admin.create_partitions([NewPartitions(topic, 5)]))
assert refused(admin.create_partitions([NewPartitions(topic, 4)])) == "INVALID_PARTITIONS"
wait_for(lambda: partitions() == 5, "five partitions")

done(admin.delete_topics([topic]))
assert refused(admin.delete_topics([topic])) == "UNKNOWN_TOPIC_OR_PART"
wait_for(lambda: topic not in admin.list_topics(timeout=20).topics, "the topic to be gone")
