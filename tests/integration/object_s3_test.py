#!/usr/bin/python3
"""Runs object_s3_test (the first argument) against Swift behind the counting proxy.

With S3_ENDPOINT, S3_BUCKET and AWS credentials in the environment, against that server instead.
Exit status 77, skipped: Swift is not installed.
"""

import os
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from counting_proxy import CountingProxy  # noqa: E402
from swift_server import SwiftServer, is_installed  # noqa: E402


def run(test, endpoint, environment):
    address = urlsplit(endpoint)
    with tempfile.NamedTemporaryFile(prefix="topicfs-requests-") as log:
        with CountingProxy(address.hostname, address.port, log.name) as proxy:
            environment = {**os.environ, **environment, "S3_ENDPOINT": proxy.endpoint, "S3_REQUESTS": log.name}
            return subprocess.run(test, env=environment, timeout=240).returncode


def main():
    test = sys.argv[1:]
    if "S3_ENDPOINT" in os.environ:
        return run(test, os.environ["S3_ENDPOINT"], {})
    if not is_installed():
        print("Swift is not installed: skipped")
        return 77
    with SwiftServer("topicfs") as server:
        status = run(test, server.endpoint, {
            "S3_BUCKET": server.bucket, "AWS_REGION": server.region, "AWS_SESSION_TOKEN": "",
            "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key})
        if status:
            print(server.log())
        return status


if __name__ == "__main__":
    sys.exit(main())
