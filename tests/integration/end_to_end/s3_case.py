"""S3Case: a test with a daemon over a bucket of a real S3 server."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
import load  # noqa: E402
import swift_server  # noqa: E402
from daemon import Daemon, binary, free_address, scratch  # noqa: E402

DEADLINE_S = 600
SMALL = ["--wal-segment-size", "32MiB", "--object-size", "4MiB", "--offload-interval", "2s",
         "--wal-max-size", "1GiB"]


class S3Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.swift = cls.enterClassContext(swift_server.SwiftServer(bucket="e2e"))

    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-e2e-"))
        self.daemon = self.make_daemon("data")
        self.addCleanup(lambda: self.daemon.close(quiet=True))

    def make_daemon(self, data, **more):
        more.setdefault("kafka_addr", free_address())
        environment = {"AWS_ACCESS_KEY_ID": self.swift.access_key, "AWS_SECRET_ACCESS_KEY": self.swift.secret_key}
        return Daemon(binary("topicfs"), self.directory / data, f"s3://e2e/{self._testMethodName}",
                      extra=[*SMALL, "--s3-endpoint", self.swift.endpoint, "--s3-region", self.swift.region],
                      env=environment, deadline=DEADLINE_S, **more)

    def partition(self, topic, n):
        path = self.daemon.mountpoint / topic / str(n)
        load.run(["mkdir", "-p", path.parent])
        load.run(["touch", path])
        return path

    def records(self, topic, n):
        return load.consume(self.daemon.kafka_addr, topic, n)

    def produce(self, topic, n, *words, **more):
        load.run(load.kcat(self.daemon.kafka_addr, "-P", "-t", topic, "-p", n, "-X", "acks=all", *words), **more)
