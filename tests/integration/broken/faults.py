"""Faults: makes a real daemon's system calls fail, and heals them, while it runs (fault_shim.c)."""

import mmap
import os
import struct

WRITES, SYNCS, STORE_WRITES, CLOCK, FAILED = range(5)


class Faults:
    """with Faults(directory) as faults: Daemon(..., env=faults.environment()); faults.set(STORE_WRITES, errno.EIO)"""

    def __init__(self, directory):
        self.path = directory / "faults"
        self.path.write_bytes(bytes(20))

    def __enter__(self):
        with open(self.path, "r+b") as f:
            self._words = mmap.mmap(f.fileno(), 20)
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
