"""topicfs-bench on a real mount: it counts what it appends, and its reads see as much."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.daemon import Daemon, binary, scratch  # noqa: E402


def bench(*words):
    return subprocess.run([str(binary("topicfs-bench")), *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False)


class Bench(unittest.TestCase):
    def test_a_topic_and_a_directory_are_measured_side_by_side(self):
        with scratch() as top, Daemon(binary("topicfs"), top / "data", f"file:{top}/store") as daemon:
            topic, plain = daemon.mountpoint / "orders", top / "plain"
            done = bench("append", "--files", 3, "--threads", 2, "--size", 50, "--seconds", 0.2, "--rounds", 1,
                         "--durability", "dsync", topic, plain)
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(len(lines), 3, done.stdout)
            self.assertTrue(lines[1].startswith(str(topic)))
            self.assertGreater(float(lines[1].split()[1]), 0)
            text = (topic / "1").read_bytes()
            self.assertEqual(len(text) % 50, 0)
            self.assertEqual(text.count(b"\n"), len(text) // 50)
            done = bench("read", "--rounds", 1, topic / "0", plain / "0")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_mistakes_are_named(self):
        self.assertEqual(bench("append").returncode, 2)
        self.assertEqual(bench("append", "--durability", "maybe", "/tmp").returncode, 2)
        self.assertEqual(bench("append", "--files", 0, "/tmp").returncode, 2)
        done = bench("read", "/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
