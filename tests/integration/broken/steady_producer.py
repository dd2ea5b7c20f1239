"""steady_producer.py LIBRARY BROKER TOPIC: a real producer of LIBRARY, confluent_kafka (idempotent) or kafka, that
appends 0, 1, 2, ... to partition 0, a few hundred in a second, until its input ends. It ends with 0 if each value was
reported delivered. What it says, a line each:

    delivered N    so many were
    refused-N      the broker has answered with code N, which confluent_kafka retries: 7 or 56
    retried        kafka has sent something again
    throttled      the broker has asked for a pause
    made N         the last line
"""

import logging
import select
import sys

PAUSE_S = 0.004
PATIENCE_S = 120


class Events:
    def __init__(self):
        self.delivered, self.errors, self.said = 0, [], set()

    def deliver(self):
        self.delivered += 1
        if self.delivered % 20 == 0:
            print("delivered", self.delivered, flush=True)

    def say_once(self, word):
        if word not in self.said:
            self.said.add(word)
            print(word, flush=True)


class Confluent(logging.Handler):
    REFUSALS = {"Broker: Request timed out": "refused-7", "Broker: Disk error when trying to access log file on disk": "refused-56"}

    def __init__(self, broker, topic, events):
        from confluent_kafka import Producer
        super().__init__()
        self.topic, self.events = topic, events
        logger = logging.Logger("librdkafka", logging.DEBUG)
        logger.addHandler(self)
        self.producer = Producer({
            "bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 1, "message.timeout.ms": PATIENCE_S * 1000,
            "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50, "debug": "msg", "logger": logger,
            "throttle_cb": lambda _: events.say_once("throttled"),
            "error_cb": lambda error: error.fatal() and events.errors.append(error)})

    def emit(self, record):
        """What the library says of a batch that was refused."""
        said = record.getMessage()
        if "encountered error" in said:
            for error, word in self.REFUSALS.items():
                if error in said:
                    self.events.say_once(word)

    def on_delivery(self, error, _message):
        if error:
            self.events.errors.append(error)
        else:
            self.events.deliver()

    def append(self, value):
        self.producer.produce(self.topic, value=value, partition=0, on_delivery=self.on_delivery)
        self.producer.poll(0)

    def finish(self):
        assert self.producer.flush(PATIENCE_S) == 0, "not everything was delivered"


class Python:
    def __init__(self, broker, topic, events):
        from kafka import KafkaProducer
        self.topic, self.events, self.count = topic, events, 0
        self.producer = KafkaProducer(
            bootstrap_servers=broker, acks="all", retries=10000, max_in_flight_requests_per_connection=1,
            request_timeout_ms=PATIENCE_S * 1000, retry_backoff_ms=50, reconnect_backoff_max_ms=200)

    def append(self, value):
        self.producer.send(self.topic, value, partition=0).add_callback(lambda _: self.events.deliver()).add_errback(
            self.events.errors.append)
        self.count += 1
        if self.count % 50 == 0 and self.producer.metrics()["producer-metrics"]["record-retry-rate"] > 0:
            self.events.say_once("retried")

    def finish(self):
        self.producer.flush(PATIENCE_S)


def main(library, broker, topic):
    events = Events()
    client = {"confluent_kafka": Confluent, "kafka": Python}[library](broker, topic, events)
    made = 0
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        try:
            client.append(b"%d" % made)
        finally:
            assert not events.errors, events.errors[0]  # why nothing more can be appended, if so
        made += 1
    client.finish()
    assert not events.errors, events.errors[0]
    assert events.delivered == made, (events.delivered, made)
    print("made", made, flush=True)


main(*sys.argv[1:])
