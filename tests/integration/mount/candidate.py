"""The mount under test: memfs_mount, or with --daemon the real topicfs; both as tests/support/daemon.py's
Daemon, whose watcher ends a mount that hangs.

    python3 SOME_test.py --memfs BUILD/tests/integration/mount/memfs_mount [unittest's options]
    python3 SOME_test.py --daemon BUILD/src/topicfs [unittest's options]
"""

import argparse
import contextlib
import os
import pathlib
import socket
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from daemon import Daemon, free_address, scratch  # noqa: E402

DEADLINE_S = 300
SKIP = 77  # meson's exit status of a test that could not run
chosen = argparse.Namespace(memfs=None, daemon=None)


class Memfs(Daemon):
    def arguments(self):
        return [self.binary, "--control", str(self.control_path), *self.extra, str(self.mountpoint)]

    @property
    def control_path(self):
        return self.data_dir.parent / "control"

    def command(self, line, data=b""):
        """What another door, retention or a full log would do; see memfs_mount.cc."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            control.connect(str(self.control_path))
            control.sendall(line.encode() + b"\n" + data)
            control.shutdown(socket.SHUT_WR)
            answer = control.makefile().read().strip()
        if answer != "ok":
            raise RuntimeError(f"{line}: {answer}")


@contextlib.contextmanager
def mounted(extra=(), kafka=False):
    """A mount that answers, stopped cleanly afterwards; the daemon's with a gateway if `kafka` says so."""
    with scratch("topicfs-mount-") as directory:
        if chosen.daemon:
            candidate = Daemon(chosen.daemon, directory / "data", f"file:{directory}/store", extra=extra, deadline=DEADLINE_S,
                               kafka_addr=free_address() if kafka else None)
        else:
            candidate = Memfs(chosen.memfs, directory / "data", "", extra=extra, deadline=DEADLINE_S)
        with candidate:
            yield candidate


memfs_only = unittest.skipIf("--daemon" in sys.argv, "needs memfs_mount's control socket")


def choose(argv):
    """Takes --memfs and --daemon from the command line; answers the rest."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--memfs")
    parser.add_argument("--daemon")
    arguments, rest = parser.parse_known_args(argv[1:])
    chosen.memfs, chosen.daemon = arguments.memfs, arguments.daemon
    if not (chosen.memfs or chosen.daemon):
        parser.error("give --memfs or --daemon")
    return argv[:1] + rest


def main():
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        print("no /dev/fuse: nothing can be mounted here")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIP)
    unittest.main(argv=choose(sys.argv))
