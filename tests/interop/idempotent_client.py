"""idempotent_client.py BROKER TOPIC COUNT: produces COUNT values, 0 and on, round robin to three partitions, idempotent,
in many small batches of which five are in flight. Prints how many were delivered, a line for each hundred, so that
whoever runs this knows when to break something. Ends with 0 only if each was reported delivered."""

import sys

from confluent_kafka import Producer

broker, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
IN_QUEUE = 3000
delivered, errors = 0, []


def on_delivery(error, _message):
    global delivered
    if error:
        errors.append(error)
        return
    delivered += 1
    if delivered % 100 == 0:
        print(delivered, flush=True)


def on_error(error):
    if error.fatal():
        errors.append(error)


producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 20,
                     "message.timeout.ms": 120000, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20,
                     "socket.timeout.ms": 5000, "error_cb": on_error})
for i in range(count):
    while len(producer) >= IN_QUEUE and not errors:
        producer.poll(0.1)
    assert not errors, errors[0]
    producer.produce(topic, value=str(i).encode(), partition=i % 3, on_delivery=on_delivery)
    producer.poll(0)
assert producer.flush(120) == 0, "not everything was delivered"
assert not errors, errors[0]
assert delivered == count, delivered
