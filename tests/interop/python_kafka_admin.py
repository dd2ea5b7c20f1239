"""python_kafka_admin.py BROKER TOPIC: kafka-python 2.0.2's KafkaAdminClient makes, shows, changes, grows and removes
topics."""

import sys

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

broker, topic = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=broker)


def settings(kind, name):
    values = {}
    for response in admin.describe_configs([ConfigResource(kind, name)]):
        for error, message, _, _, entries in response.resources:
            assert error == 0, message
            values.update({entry[0]: entry[1] for entry in entries})
    return values


admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1, topic_configs={"retention.ms": "5000"})])
try:
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    raise AssertionError("a topic was made twice")
except TopicAlreadyExistsError:
    pass
assert topic in admin.list_topics()
assert len(admin.describe_topics([topic])[0]["partitions"]) == 2

assert settings(ConfigResourceType.TOPIC, topic)["retention.ms"] == "5000"
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])
changed = settings(ConfigResourceType.TOPIC, topic)
assert changed["cleanup.policy"] == "compact"
assert changed["retention.ms"] == "-1", "what is not named goes back to its default"
assert settings(ConfigResourceType.BROKER, "0")["num.partitions"] == "1"

admin.create_partitions({topic: NewPartitions(total_count=4)})
assert len(admin.describe_topics([topic])[0]["partitions"]) == 4
assert len(admin.describe_cluster()["brokers"]) == 1

admin.delete_topics([topic])
try:
    admin.delete_topics([topic])
    raise AssertionError("a topic was removed twice")
except UnknownTopicOrPartitionError:
    pass
assert topic not in admin.list_topics()
admin.close()
