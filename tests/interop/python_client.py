"""python_client.py LIBRARY check|member BROKER TOPIC ...: what interop/go/main.go says, with confluent_kafka, kafka
(kafka-python of 2.0.2 and of today) or aiokafka.
"""

import asyncio
import sys
import time

import group_client

VALUES_PER_CODEC = 500
RETENTION = "86400000"
LIMIT_S = 40


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)  # librdkafka's view of the cluster has no event to wait on


class Confluent:
    def __init__(self, broker):
        from confluent_kafka.admin import AdminClient
        self.broker = broker
        self.admin = AdminClient({"bootstrap.servers": broker})

    def create_topic(self, topic, partitions, settings):
        from confluent_kafka.admin import NewTopic
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=settings)
        self.admin.create_topics([wanted])[topic].result(20)

    def setting(self, topic, name):
        from confluent_kafka.admin import ConfigResource
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return self.admin.describe_configs([resource])[resource].result(20)[name].value

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])[topic].result(20)

    def has_topics(self, present, absent):
        def agree():
            topics = self.admin.list_topics(timeout=20).topics
            return present <= set(topics) and not absent & set(topics)
        wait_for(agree, f"topics {present} without {absent}")

    def produce(self, topic, codec, records):
        from confluent_kafka import Producer
        errors = []
        producer = Producer({"bootstrap.servers": self.broker, "enable.idempotence": True, "compression.type": codec,
                             "linger.ms": 20})
        for key, value in records:
            producer.produce(topic, key=key, value=value, partition=0,
                             on_delivery=lambda error, message: error and errors.append(error))
        assert producer.flush(20) == 0, "not everything was delivered"
        assert not errors, errors[0]

    def consume(self, topic, count):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": "none", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, 0, 0)])
        got, end = [], time.monotonic() + LIMIT_S
        while len(got) < count and time.monotonic() < end:
            for message in consumer.consume(500, 1):
                assert not message.error(), message.error()
                got.append((message.key(), message.value()))
        consumer.close()
        return got


class Pure:
    """Its two generations differ in how they answer an administrator."""

    def __init__(self, broker):
        from kafka import KafkaAdminClient
        self.broker = broker
        self.admin = KafkaAdminClient(bootstrap_servers=broker)

    def create_topic(self, topic, partitions, settings):
        from kafka.admin import NewTopic
        self.admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1,
                                           topic_configs=settings)])

    def setting(self, topic, name):
        from kafka.admin import ConfigResource, ConfigResourceType
        found = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: None})])
        if isinstance(found, dict):
            return found["topic"][topic][name]["value"]
        (error, message, _, _, entries), = found[0].resources
        assert error == 0, message
        return {entry[0]: entry[1] for entry in entries}[name]

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])

    def has_topics(self, present, absent):
        topics = set(self.admin.list_topics())
        assert present <= topics and not absent & topics, topics

    def produce(self, topic, codec, records):
        from kafka import KafkaProducer
        producer = KafkaProducer(bootstrap_servers=self.broker, acks="all", linger_ms=20,
                                 compression_type=None if codec == "none" else codec)
        sent = [producer.send(topic, key=key, value=value, partition=0) for key, value in records]
        producer.flush(20)
        for future in sent:
            future.get(5)
        producer.close()

    def consume(self, topic, count):
        from kafka import KafkaConsumer, TopicPartition
        consumer = KafkaConsumer(bootstrap_servers=self.broker, consumer_timeout_ms=LIMIT_S * 1000)
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        got = []
        for message in consumer:
            got.append((message.key, message.value))
            if len(got) == count:
                break
        consumer.close()
        return got


class Aio:
    def __init__(self, broker):
        self.broker = broker

    def run(self, steps):
        return asyncio.run(asyncio.wait_for(steps, LIMIT_S))

    def administer(self, step):
        async def steps():
            from aiokafka.admin import AIOKafkaAdminClient
            admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
            await admin.start()
            try:
                return await step(admin)
            finally:
                await admin.close()
        return self.run(steps())

    def create_topic(self, topic, partitions, settings):
        from aiokafka.admin import NewTopic
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=1, topic_configs=settings)
        made = self.administer(lambda admin: admin.create_topics([wanted]))
        assert [error[:2] for error in made.topic_errors] == [(topic, 0)], made

    def setting(self, topic, name):
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {name: None})
        found = self.administer(lambda admin: admin.describe_configs([resource]))
        (error, message, _, _, entries), = found[0].resources
        assert error == 0, message
        return {entry[0]: entry[1] for entry in entries}[name]

    def delete_topic(self, topic):
        deleted = self.administer(lambda admin: admin.delete_topics([topic]))
        assert deleted.topic_error_codes == [(topic, 0)], deleted

    def has_topics(self, present, absent):
        topics = set(self.administer(lambda admin: admin.list_topics()))
        assert present <= topics and not absent & topics, topics

    def produce(self, topic, codec, records):
        async def steps():
            from aiokafka import AIOKafkaProducer
            async with AIOKafkaProducer(bootstrap_servers=self.broker, enable_idempotence=True, linger_ms=20,
                                        compression_type=None if codec == "none" else codec) as producer:
                for future in [await producer.send(topic, key=key, value=value, partition=0) for key, value in records]:
                    await future
        self.run(steps())

    def consume(self, topic, count):
        async def steps():
            from aiokafka import AIOKafkaConsumer, TopicPartition
            async with AIOKafkaConsumer(bootstrap_servers=self.broker) as consumer:
                consumer.assign([TopicPartition(topic, 0)])
                await consumer.seek_to_beginning()
                got = []
                while len(got) < count:
                    message = await consumer.getone()
                    got.append((message.key, message.value))
                return got
        return self.run(steps())


def check(client, topic, codecs):
    client.create_topic(topic, 2, {"retention.ms": RETENTION})
    assert client.setting(topic, "retention.ms") == RETENTION, client.setting(topic, "retention.ms")
    everything = []
    for codec in codecs:
        records = [(str(i).encode(), f"a value that compresses well, in {codec}: {i}".encode())
                   for i in range(VALUES_PER_CODEC)]
        client.produce(topic, codec, records)
        everything += records
    got = client.consume(topic, len(everything))
    assert got == everything, f"consumed {len(got)} records that are not those that were produced"
    gone = topic + "-gone"
    client.create_topic(gone, 1, {})
    client.has_topics({topic, gone}, set())
    client.delete_topic(gone)
    client.has_topics({topic}, {gone})


def main():
    library, use, broker, topic, *rest = sys.argv[1:]
    if use == "member":
        group_client.serve(library, broker, topic, *rest)
    else:
        check({"confluent_kafka": Confluent, "kafka": Pure, "aiokafka": Aio}[library](broker), topic, rest)


if __name__ == "__main__":
    main()
