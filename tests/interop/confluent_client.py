"""confluent_client.py BROKER TOPIC: produces 2000 values, idempotent and compressed, and reads them back."""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

COUNT = 2000
broker, topic = sys.argv[1:]
errors = []

producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "compression.type": "zstd",
                     "linger.ms": 5})
for i in range(COUNT):
    producer.produce(topic, value=f"value {i}".encode(), key=str(i).encode(), partition=0,
                     on_delivery=lambda error, message: error and errors.append(error))
assert producer.flush(20) == 0, "not everything was delivered"
assert not errors, errors[0]

consumer = Consumer({"bootstrap.servers": broker, "group.id": "none", "enable.auto.commit": False,
                     "auto.offset.reset": "error"})
consumer.assign([TopicPartition(topic, 0, 0)])
values, end = [], time.monotonic() + 30
while len(values) < COUNT:
    assert time.monotonic() < end, f"only {len(values)} values"
    for message in consumer.consume(500, 1):
        assert not message.error(), message.error()
        assert message.offset() == len(values)
        values.append(message.value().decode())
assert values == [f"value {i}" for i in range(COUNT)]
low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
assert (low, high) == (0, COUNT), (low, high)
consumer.close()
