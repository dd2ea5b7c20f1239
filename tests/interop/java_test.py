#!/usr/bin/python3
"""Apache Kafka's own clients and tools, unmodified, against the real daemon.

    java_test.py [CASE ...]          all cases by default
    java_test.py --broker HOST:PORT  clients only, against a broker that runs already; no mount

Cases are run as kafka_test.py runs its own.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kafka_java  # noqa: E402
from kafka_java import LATEST  # noqa: E402
from kafka_test import CODECS, lines, main, text_of  # noqa: E402

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


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")},
         options=["--group-initial-rebalance-delay=0"])
