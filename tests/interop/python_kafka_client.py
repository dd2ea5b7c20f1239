"""python_kafka_client.py BROKER TOPIC: kafka-python 2.0.2, which speaks old versions of everything."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

COUNT = 500
broker, topic = sys.argv[1:]

producer = KafkaProducer(bootstrap_servers=broker, acks="all", compression_type="gzip")
sent = [producer.send(topic, f"value {i}".encode(), partition=0) for i in range(COUNT)]
producer.flush(20)
assert [f.get(5).offset for f in sent] == list(range(COUNT))
producer.close()

consumer = KafkaConsumer(bootstrap_servers=broker, consumer_timeout_ms=20000)
partition = TopicPartition(topic, 0)
consumer.assign([partition])
consumer.seek_to_beginning()
values = []
for message in consumer:
    values.append(message.value.decode())
    if len(values) == COUNT:
        break
assert values == [f"value {i}" for i in range(COUNT)]
assert consumer.end_offsets([partition]) == {partition: COUNT}
consumer.close()
