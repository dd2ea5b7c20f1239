#!/usr/bin/python3
"""A real S3 server for tests: OpenStack Swift with its S3 API, on loopback ports that are free.

    with SwiftServer(bucket="test") as server:      # as a module
        server.endpoint, server.access_key, server.secret_key

    swift_server.py [--bucket NAME]                 # as a command: prints them, runs until a signal

Everything it keeps is in one temporary directory; it needs Debian's swift-proxy, swift-account,
swift-container, swift-object and memcached, and root or a user who may set extended attributes.
"""

import argparse
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60
PARTS = ("account", "container", "object", "proxy")
MEMCACHED = "/usr/bin/memcached"


def is_installed():
    return os.path.exists(MEMCACHED) and all(os.path.exists(f"/usr/bin/swift-{part}-server") for part in PARTS)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class SwiftServer:
    access_key, secret_key, region = "test:tester", "testing", "us-east-1"

    def __init__(self, bucket=None):
        self.bucket = bucket
        self.processes = []

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="topicfs-swift-")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        """What the servers said, for a failed test."""
        text = ""
        for part in PARTS:
            with contextlib.suppress(OSError), open(f"{self.directory}/{part}.log", errors="replace") as f:
                text += f"--- {part}\n{f.read()[-4000:]}"
        return text

    def _start(self):
        *self.ports, memcached = free_ports(len(PARTS) + 1)
        self.port = self.ports[-1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._configure(memcached)
        # It refuses to be root, and to become another user itself would undo --pdeathsig.
        user = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        self._run("memcached", [MEMCACHED, "-l", "127.0.0.1", "-p", str(memcached), "-m", "16"], user)
        for part in PARTS:
            self._run(part, ["/usr/bin/python3", os.path.abspath(__file__), "--serve", part, self.directory])
        self._wait()
        if self.bucket:
            status, body = self.request("PUT", "/" + self.bucket)
            if status != 200:
                raise RuntimeError(f"can't create the bucket: {status} {body!r}\n{self.log()}")

    def _run(self, name, command, user=()):
        # A test that is killed, for instance because its time is over, leaves no servers behind.
        command = ["setpriv", "--pdeathsig", "TERM", *user, *command]
        with open(f"{self.directory}/{name}.log", "wb") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=subprocess.STDOUT, cwd=self.directory))

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        waiting = list(self.ports)
        while waiting:
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                raise RuntimeError("Swift does not start\n" + self.log())
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", waiting[0]), 1).close()
                waiting.pop(0)
                continue
            time.sleep(0.05)

    def _configure(self, memcached):
        d = self.directory
        os.makedirs(f"{d}/disks/d1")
        write = lambda name, text: open(f"{d}/{name}", "w").write(text)
        write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = one\ndefault = yes\n")
        common = "swift_dir = {d}\nbind_ip = 127.0.0.1\nworkers = 0\nlog_level = WARNING\nlog_address = {d}/no-syslog\n"
        for part, port in zip(PARTS, self.ports):
            default = f"[DEFAULT]\n{common.format(d=d)}bind_port = {port}\n"
            if part != "proxy":
                write(f"{part}.conf", default + f"devices = {d}/disks\nmount_check = false\n"
                      f"[pipeline:main]\npipeline = {part}-server\n"
                      f"[app:{part}-server]\nuse = egg:swift#{part}\nallow_open_expired = false\n")
                continue
            write("proxy.conf", default +
                  "[pipeline:main]\n"
                  "pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth proxy-server\n"
                  "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n"
                  "[filter:catch_errors]\nuse = egg:swift#catch_errors\n"
                  "[filter:gatekeeper]\nuse = egg:swift#gatekeeper\n"
                  f"[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:{memcached}\n"
                  "[filter:listing_formats]\nuse = egg:swift#listing_formats\n"
                  f"[filter:s3api]\nuse = egg:swift#s3api\nlocation = {self.region}\nallow_multipart_uploads = false\n"
                  "[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testing .admin\n")
        self._build_rings()

    def _build_rings(self):
        code = ("import sys; from swift.common.ring import RingBuilder\n"
                "for name, port in zip(('account', 'container', 'object'), sys.argv[2:]):\n"
                "    b = RingBuilder(2, 1, 1)\n"
                "    b.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1.0, 'ip': '127.0.0.1', 'device': 'd1',\n"
                "               'port': int(port), 'replication_ip': '127.0.0.1', 'replication_port': int(port), 'meta': ''})\n"
                "    b.rebalance(); b.get_ring().save(f'{sys.argv[1]}/{name}.ring.gz')\n")
        subprocess.run(["/usr/bin/python3", "-c", code, self.directory, *map(str, self.ports[:3])], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def request(self, method, path, body=b""):
        """One signed request (SigV4), independent of the code under test. Answers status and body."""
        now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        hashed = hashlib.sha256(body).hexdigest()
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": hashed, "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join([method, path, "", *(f"{k}:{v}" for k, v in headers.items()), "", names, hashed])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = ("AWS4" + self.secret_key).encode()
        for part in (now[:8], self.region, "s3", "aws4_request", to_sign):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope},"
                                    f"SignedHeaders={names},Signature={key.hex()}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()


def serve(part, directory):
    """Run one of Swift's servers in this process, with its configuration in `directory`."""
    from swift.common.utils import set_swift_dir
    set_swift_dir(directory)
    from swift.common.wsgi import run_wsgi
    sys.exit(run_wsgi(f"{directory}/{part}.conf", f"{part}-server"))


def main():
    parser = argparse.ArgumentParser(description="Run a Swift S3 server until SIGINT or SIGTERM.")
    parser.add_argument("--bucket", default="topicfs")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
    if not is_installed():
        sys.exit("install swift-proxy, swift-account, swift-container, swift-object and memcached first")
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with SwiftServer(arguments.bucket) as server:
        print(json.dumps({"endpoint": server.endpoint, "bucket": server.bucket, "region": server.region,
                          "access_key": server.access_key, "secret_key": server.secret_key}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.sigwait(signals)


if __name__ == "__main__":
    main()
