"""Runs real Kafka clients for tests, each with a time limit.

A client that is not here raises Missing: the test skips, or, in CI, where everything has been
installed, fails. fetched_clients.py has those that are no packages of Debian.
"""

import contextlib
import importlib.util
import os
import pathlib
import select
import shutil
import subprocess

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "interop"
LIMIT_S = 60


class Missing(Exception):
    pass


def missing(what):
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{what} is missing, and CI has everything")
    raise Missing(f"{what} is missing")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with status {done.returncode}: "
                             f"{(done.stderr + done.stdout).decode(errors='replace')[-1500:]}")
    return done.stdout


def need_kcat():
    if not shutil.which("kcat"):
        missing("kcat")


def kcat_produce(broker, topic, partition, values, codec, *options):
    run(["kcat", "-P", "-b", broker, "-t", topic, "-p", str(partition), "-z", codec, *options],
        input="".join(v + "\n" for v in values).encode())


def kcat_consume(broker, topic, partition):
    """All values that the partition has now."""
    out = run(["kcat", "-C", "-b", broker, "-t", topic, "-p", str(partition), "-o", "beginning", "-e", "-q"])
    return out.decode().splitlines()


class Follow:
    def __init__(self, process):
        self.process = process

    def next_line(self, timeout):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            raise AssertionError(f"no record within {timeout} s")
        return self.process.stdout.readline().decode().rstrip("\n")


@contextlib.contextmanager
def kcat_follow(broker, topic, partition):
    process = subprocess.Popen(["kcat", "-C", "-u", "-b", broker, "-t", topic, "-p", str(partition), "-o", "beginning",
                                "-q"], stdout=subprocess.PIPE, bufsize=0)
    try:
        yield Follow(process)
    finally:
        process.kill()
        process.wait()


def need_python(module):
    """Debian's modules belong to /usr/bin/python3, which also runs this."""
    if importlib.util.find_spec(module) is None:
        missing(f"the Python module {module}")


class IdempotentProducer:
    def __init__(self, process):
        self.process = process
        self.delivered = 0

    def wait_for(self, delivered):
        """Returns when so many values were reported delivered."""
        while self.delivered < delivered:
            ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_S)
            line = self.process.stdout.readline() if ready else b""
            if not line:
                self.process.kill()
                raise AssertionError(f"only {self.delivered} values delivered: {self.errors()}")
            self.delivered = int(line)

    def finish(self):
        """The rest is delivered, and the producer ends well."""
        _, errors = self.process.communicate(timeout=2 * LIMIT_S)
        if self.process.returncode != 0:
            raise AssertionError(f"the producer ended with status {self.process.returncode}: {errors.decode()[-1500:]}")

    def errors(self):
        return self.process.communicate(timeout=LIMIT_S)[1].decode(errors="replace")[-1500:]


def confluent_idempotent_producer(broker, topic, count):
    need_python("confluent_kafka")
    return idempotent_producer(["/usr/bin/python3", str(CLIENTS / "idempotent_client.py"), broker, topic, str(count)])


@contextlib.contextmanager
def idempotent_producer(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    try:
        yield IdempotentProducer(process)
    finally:
        process.kill()
        process.wait()


def run_python(module, script, broker, topic):
    need_python(module)
    run(["/usr/bin/python3", str(CLIENTS / script), broker, topic])


def topic_setting(broker, topic, name):
    """Its value, as confluent-kafka's AdminClient reads it."""
    need_python("confluent_kafka")
    program = ("import sys; from confluent_kafka.admin import AdminClient, ConfigResource as R\n"
               "broker, topic, name = sys.argv[1:]\n"
               "admin = AdminClient({'bootstrap.servers': broker})\n"
               "found = admin.describe_configs([R(R.Type.TOPIC, topic)])\n"
               "print([f.result(20)[name].value for f in found.values()][0])")
    return run(["/usr/bin/python3", "-c", program, broker, topic, name]).decode().strip()
