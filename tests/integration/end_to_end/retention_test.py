"""Retention on a real mount, as the usual tools see it, and what it leaves in the store."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
import requirements  # noqa: E402
from daemon import Daemon, binary, scratch, wait_until  # noqa: E402

LIMIT_S = 90  # of waits for the daemon's own timers
LINES = 4000


def out(*words):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, timeout=60).stdout


def lines(first, last):
    return b"".join(b"line %06d %s\n" % (i, b"x" * (i % 90)) for i in range(first, last))


class Retention(unittest.TestCase):
    def setUp(self):
        manager = scratch()
        self.directory = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)

    def daemon(self, data="data", *extra):
        return Daemon(binary("topicfs"), self.directory / data, f"file:{self.directory}/store",
                      extra=["--offload-interval=500ms", "--object-size=64KiB", *extra])

    def fill(self, daemon):
        """A topic whose partition is in the store in several objects."""
        topic = daemon.mountpoint / "orders"
        topic.mkdir()
        path = topic / "0"
        for first in range(0, LINES, 400):
            before = self.status(daemon)["objects"]["offloaded"]
            with open(path, "ab") as f:
                f.write(lines(first, first + 400))
                os.fsync(f.fileno())
            wait_until(lambda: self.status(daemon)["objects"]["offloaded"] > before, LIMIT_S, "offload")
        return path

    def status(self, daemon):
        return json.loads((daemon.mountpoint / ".topicfs" / "status.json").read_bytes())

    def keep(self, path, size):
        """retention.bytes, and the deleted bytes of the file when it has acted."""
        before = os.stat(path).st_blocks
        os.setxattr(path.parent, "user.kafka.retention.bytes", str(size).encode())
        wait_until(lambda: os.stat(path).st_blocks < before, LIMIT_S, "retention")

    def objects(self):
        return sorted(p.name for p in (self.directory / "store" / "objects").iterdir())

    def test_tools_see_what_is_left_and_the_store_gets_its_space_back(self):
        with self.daemon() as daemon:
            path = self.fill(daemon)
            everything = path.read_bytes()
            self.assertEqual(everything, lines(0, LINES))
            stored = self.objects()
            tail = subprocess.Popen(["tail", "-n", "0", "-f", str(path)], stdout=subprocess.PIPE)
            self.addCleanup(tail.kill)
            self.keep(path, 100_000)

            left = out("cat", path)
            self.assertTrue(0 < len(left) < len(everything) and everything.endswith(left), len(left))
            self.assertTrue(left.startswith(b"line "))
            self.assertEqual(os.stat(path).st_size, len(everything))
            self.assertEqual(int(out("wc", "-l", path).split()[0]), left.count(b"\n"))
            self.assertEqual(out("grep", "-c", "line", path).strip(), b"%d" % left.count(b"\n"))
            self.assertEqual(out("head", "-n", "1", path), left.split(b"\n")[0] + b"\n")
            self.assertEqual(out("tail", "-n", "3", path), b"\n".join(everything.split(b"\n")[-4:]))
            self.assertEqual(out("tail", "-n", str(LINES * 2), path), left)
            self.assertEqual(out("cp", path, self.directory / "copy"), b"")
            self.assertEqual((self.directory / "copy").read_bytes(), left)
            with open(path, "rb") as f:
                f.seek(10)
                self.assertEqual(f.read(20), bytes(20))
                f.seek(len(everything) - 500)
                self.assertEqual(f.read(), everything[-500:])

            with open(path, "ab") as f:
                f.write(b"after\n")
            self.assertEqual(tail.stdout.readline(), b"after\n")
            wait_until(lambda: self.status(daemon)["objects"]["deleted"] > 0, LIMIT_S, "deletion of objects")
            self.assertLess(len(self.objects()), len(stored))
            self.assertLessEqual(len(list((self.directory / "store" / "checkpoints").iterdir())), 2)
            left = out("cat", path)

            daemon.kill9()
            daemon.start()
            self.assertEqual(out("cat", path), left)
            daemon.stop()
        # The bucket alone.
        with self.daemon("data2") as daemon:
            path = daemon.mountpoint / "orders" / "0"
            self.assertEqual(out("cat", path), left)
            self.assertEqual(os.stat(path).st_size, len(everything) + 6)

    def test_deleted_hole_shows_a_hole(self):
        with self.daemon("data", "--deleted=hole") as daemon:
            path = self.fill(daemon)
            everything = path.read_bytes()
            self.keep(path, 100_000)
            shown = path.read_bytes()
            self.assertEqual(len(shown), len(everything))
            start = len(shown) - len(shown.lstrip(b"\0"))
            self.assertGreater(start, 0)
            self.assertEqual(shown[start:], everything[start:])
            with open(path, "rb") as f:
                self.assertEqual(os.lseek(f.fileno(), 0, os.SEEK_DATA), start)
                self.assertEqual(os.lseek(f.fileno(), start, os.SEEK_HOLE), len(everything))
            out("cp", "--sparse=always", path, self.directory / "copy")
            self.assertEqual((self.directory / "copy").read_bytes(), shown)


if __name__ == "__main__":
    requirements.need_fuse()
    unittest.main()
