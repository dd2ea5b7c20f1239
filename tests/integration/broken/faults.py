"""Faults: makes a real daemon's system calls fail, and heals them, while it runs (fault_shim.cc). Cable: cuts it off from
a server."""

import contextlib
import mmap
import os
import socket
import struct
import threading

WRITES, SYNCS, STORE_WRITES, CLOCK, FAILED, ONLY_FDATASYNC = range(6)


class Faults:
    """with Faults(directory) as faults: Daemon(..., env=faults.environment()); faults.set(STORE_WRITES, errno.EIO)"""

    def __init__(self, directory):
        self.path = directory / "faults"
        self.path.write_bytes(bytes(24))

    def __enter__(self):
        with open(self.path, "r+b") as f:
            self._words = mmap.mmap(f.fileno(), 24)
        return self

    def __exit__(self, *_):
        self._words.close()

    def environment(self):
        # The address sanitizer wants to be the first library, and works as the second.
        asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        return {"LD_PRELOAD": os.environ["FAULT_SHIM"], "FAULT_WORDS": str(self.path), "ASAN_OPTIONS": asan}

    def set(self, word, value):
        struct.pack_into("i", self._words, 4 * word, value)

    def failed(self):
        """How many calls were made to fail so far."""
        return struct.unpack_from("i", self._words, 4 * FAILED)[0]


class Cable:
    """A TCP connection to a server that can be cut, or clogged, and mended: with Cable(host, port) as cable: cable.endpoint"""

    def __init__(self, host, port):
        self.server = (host, port)
        self.ends = []
        self.flowing = threading.Event()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = s.getsockname()
        self.endpoint = "http://%s:%d" % self.address
        self.listener = None

    def __enter__(self):
        self.mend()
        return self

    def __exit__(self, *_):
        self.cut()

    def clog(self):
        """Connections stand, and new ones are accepted, but nothing comes through."""
        self.flowing.clear()

    def mend(self):
        self.flowing.set()
        if self.listener:
            return
        self.listener = socket.create_server(self.address)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        """Connections break, and new ones are refused."""
        self.flowing.set()
        listener, self.listener = self.listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends = []

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self.server)
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                self.flowing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
