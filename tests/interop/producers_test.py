#!/usr/bin/python3
"""Idempotent producers against the real daemon, with what they talk to killed under them.

    producers_test.py [CASE ...]      all cases by default

Cases are run as kafka_test.py runs its own.
"""

import contextlib
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kafka_clients  # noqa: E402
from daemon import wait_until  # noqa: E402
from groups_test import gateway_of  # noqa: E402
from kafka_test import check, main, text_of  # noqa: E402


def kill_gateway(daemon):
    """As soon as there is one."""
    def kill():
        with contextlib.suppress(AssertionError, ProcessLookupError):
            os.kill(gateway_of(daemon), signal.SIGKILL)
            return True
        return False
    wait_until(kill, 30, "a gateway to kill")


def loses_and_doubles_nothing_over_crashes(place, make, count, step):
    """`make(broker, topic, count)` is the producer, which is hit each time that `step` more values were delivered."""
    kafka_clients.need_kcat()
    place.need_mount()
    (place.mount / "once").mkdir()
    for partition in range(3):
        (place.mount / "once" / str(partition)).touch()
    with make(place.broker, "once", count) as producer:
        for crash, delivered in enumerate(range(step, count, step)):
            producer.wait_for(delivered)
            if crash % 2 == 0:
                kill_gateway(place.daemon)
            else:
                place.daemon.kill9()
                place.daemon.start()
        producer.finish()
    for partition in range(3):
        expected = [str(i) for i in range(partition, count, 3)]
        check(kafka_clients.kcat_consume(place.broker, "once", partition), expected, f"partition {partition}")
        place.check_file("once", partition, text_of(expected))


def case_an_idempotent_producer_loses_and_doubles_nothing_over_crashes(place):
    loses_and_doubles_nothing_over_crashes(place, kafka_clients.confluent_idempotent_producer, 30000, 2500)


if __name__ == "__main__":
    main({name[5:]: f for name, f in globals().items() if name.startswith("case_")})
