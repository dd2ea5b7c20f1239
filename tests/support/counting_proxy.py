#!/usr/bin/python3
"""A loopback HTTP proxy in front of an S3 server that writes down every request.

    with CountingProxy("127.0.0.1", 8080, "/tmp/requests") as proxy:   # as a module
        proxy.endpoint

    counting_proxy.py HOST PORT LOG         # as a command: prints its endpoint, runs until a signal

A line of the log, written before the answer goes out:
    METHOD PATH-WITH-QUERY RANGE|- STATUS BYTES-UP BYTES-DOWN
It passes the Host header on as it came, because that is what the client has signed; the server
must not care about its own name.
"""

import http.client
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 18
TIMEOUT_SECONDS = 60
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-connection"}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class CountingProxy:
    def __init__(self, host, port, log_path):
        self.upstream = (host, port)
        self.log = open(log_path, "a", buffering=1)
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), make_handler(self))
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def note(self, *fields):
        with self.lock:
            self.log.write(" ".join(map(str, fields)) + "\n")


def make_handler(proxy):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_SECONDS

        def setup(self):
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.upstream = None

        def finish(self):
            super().finish()
            if self.upstream:
                self.upstream.close()

        def pass_on(self):
            if self.upstream is None:
                self.upstream = http.client.HTTPConnection(*proxy.upstream, timeout=TIMEOUT_SECONDS)
            up = int(self.headers.get("Content-Length") or 0)
            self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.upstream.putheader(name, value)
            self.upstream.endheaders()
            for rest in range(up, 0, -PIECE):
                self.upstream.send(self.rfile.read(min(rest, PIECE)))
            response = self.upstream.getresponse()
            body = response.read()  # whole: the server may use chunks, and the log counts bytes
            proxy.note(self.command, self.path, self.headers.get("Range", "-"), response.status, up, len(body))
            self.send_response_only(response.status, response.reason)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP | {"content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = pass_on

        def log_message(self, *_):
            pass

    return Handler


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with CountingProxy(sys.argv[1], int(sys.argv[2]), sys.argv[3]) as proxy:
        print(proxy.endpoint, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
