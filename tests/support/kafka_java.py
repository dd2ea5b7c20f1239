"""Runs Java programs with Apache Kafka's jars for tests, each with a time limit.

The jars come from Maven, in pinned versions, into a cache outside the tree. Without Java or Maven, Missing is raised;
in CI, what cannot be fetched is a failure.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from fetched_clients import cache, fetch
from kafka_clients import CLIENTS, Missing

SLF4J = "org.slf4j:slf4j-simple:1.7.36"
LATEST = "4.3.1"
# What is fetched together and used as one class path, by the name of its directory.
SETS = {
    "kafka-clients-2.8.2": ["org.apache.kafka:kafka-clients:2.8.2", SLF4J],
    "kafka-clients-3.9.1": ["org.apache.kafka:kafka-clients:3.9.1", SLF4J],
    f"kafka-{LATEST}": [f"org.apache.kafka:{name}:{LATEST}" for name in (
        "kafka_2.13", "kafka-tools", "kafka-streams", "connect-runtime", "connect-file", "connect-mirror")] + [SLF4J],
}
# Small and quick to start: these programs live for seconds.
JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx192m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]


def need_java():
    for program in ("java", "javac", "mvn"):
        if not shutil.which(program):
            raise Missing(f"{program} is missing")


def pom(artifacts):
    dependencies = "".join("<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
                           .format(*artifact.split(":")) for artifact in artifacts)
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>topicfs</groupId>'
            f"<artifactId>tests</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>")


def class_path(name):
    """Of one of SETS. A directory of the cache is whole once it has its name."""
    need_java()
    directory = cache(name) / "jars"
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=directory.parent) as unfinished:
            (pathlib.Path(unfinished) / "pom.xml").write_text(pom(SETS[name]))
            fetch(["mvn", "-q", "-B", "-f", f"{unfinished}/pom.xml", "dependency:copy-dependencies",
                   "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}/jars"], name)
            os.rename(f"{unfinished}/jars", directory)
    return f"{directory}/*"


def command(jars, *words, jvm=()):
    """`words` begin with a main class, or with a source file, which is compiled first."""
    return ["java", *JVM, *jvm, "-cp", class_path(jars), *map(str, words)]


def run(jars, *words, limit_s=120, status=0, **options):
    """What it printed, on both streams."""
    try:
        done = subprocess.run(command(jars, *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit_s,
                              check=False, **options)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{words[0]}: still running after {limit_s} s: "
                             f"{(late.stdout or b'').decode(errors='replace')[-3000:]}") from None
    out = done.stdout.decode(errors="replace")
    if done.returncode != status:
        raise AssertionError(f"{words[0]} ended with status {done.returncode}: {out[-3000:]}")
    return out


@contextlib.contextmanager
def running(jars, *words, log):
    """A program that runs until it is told to end, which it must do in time."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command(jars, *words), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
        process.terminate()
        process.wait(60)
    except Exception as error:
        raise AssertionError(f"{error}; {words[0]} said: {log.read_text(errors='replace')[-3000:]}") from error
    finally:
        process.kill()
        process.wait()


def source(name):
    return CLIENTS / "java" / name
