"""group_client.py LIBRARY BROKER TOPIC GROUP [INSTANCE]: a member of a consumer group, of confluent_kafka, kafka or
aiokafka.

Prints a line for what happens to it: "assigned 0 1", "value V", "committed", "error E". Reads words from its standard
input: "commit" commits what it has printed, "close" leaves the group and ends.
"""

import asyncio
import queue
import sys
import threading

words = queue.Queue()


def say(*what):
    print(*what, flush=True)


def read_words():
    for line in sys.stdin:
        words.put(line.strip())
    words.put("close")


class Confluent:
    def __init__(self, broker, topic, group, instance):
        from confluent_kafka import Consumer
        settings = {"bootstrap.servers": broker, "group.id": group, "enable.auto.commit": False,
                    "auto.offset.reset": "earliest", "session.timeout.ms": 10000, "heartbeat.interval.ms": 500,
                    "reconnect.backoff.max.ms": 500, "partition.assignment.strategy": "cooperative-sticky"}
        if instance:
            settings["group.instance.id"] = instance
        self.partitions = set()  # while it closes, the consumer may not be asked for them any more
        self.consumer = Consumer(settings)
        self.consumer.subscribe([topic], on_assign=self.changed, on_revoke=self.revoked)

    def changed(self, consumer, partitions):
        consumer.incremental_assign(partitions)
        self.partitions |= {p.partition for p in partitions}
        self.tell()

    def revoked(self, consumer, partitions):
        consumer.incremental_unassign(partitions)
        self.partitions -= {p.partition for p in partitions}
        self.tell()

    def tell(self):
        say("assigned", *sorted(self.partitions))

    def poll(self):
        for message in self.consumer.consume(100, 0.2):
            if message.error():
                say("error", message.error().code(), message.error().str().replace("\n", " "))
            else:
                say("value", message.value().decode())

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


def listener_of(base):
    """Says what is assigned; `base` is the class that the client's module wants of a listener."""
    class Listener(base):
        def on_partitions_revoked(self, revoked):
            pass

        def on_partitions_assigned(self, assigned):
            say("assigned", *sorted(p.partition for p in assigned))

    return Listener()


class Pure:
    def __init__(self, broker, topic, group, instance):
        from kafka import ConsumerRebalanceListener, KafkaConsumer

        self.consumer = KafkaConsumer(bootstrap_servers=broker, group_id=group, enable_auto_commit=False,
                                      auto_offset_reset="earliest", session_timeout_ms=10000,
                                      heartbeat_interval_ms=500)
        self.consumer.subscribe([topic], listener=listener_of(ConsumerRebalanceListener))

    def poll(self):
        for messages in self.consumer.poll(200).values():
            for message in messages:
                say("value", message.value.decode())

    def commit(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close()


class Aio:
    def __init__(self, broker, topic, group, instance):
        from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener

        async def start():
            self.consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=group, enable_auto_commit=False,
                                             auto_offset_reset="earliest", session_timeout_ms=10000,
                                             heartbeat_interval_ms=500)
            self.consumer.subscribe([topic], listener=listener_of(ConsumerRebalanceListener))
            await self.consumer.start()

        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(start())

    def poll(self):
        for messages in self.loop.run_until_complete(self.consumer.getmany(timeout_ms=200)).values():
            for message in messages:
                say("value", message.value.decode())

    def commit(self):
        self.loop.run_until_complete(self.consumer.commit())

    def close(self):
        self.loop.run_until_complete(self.consumer.stop())


def serve(library, broker, topic, group, instance=None):
    member = {"confluent_kafka": Confluent, "kafka": Pure, "aiokafka": Aio}[library](broker, topic, group, instance)
    threading.Thread(target=read_words, daemon=True).start()
    while True:
        member.poll()
        word = words.get_nowait() if not words.empty() else None
        if word == "commit":
            member.commit()
            say("committed")
        elif word == "close":
            member.close()
            say("closed")
            return


if __name__ == "__main__":
    serve(*sys.argv[1:])
