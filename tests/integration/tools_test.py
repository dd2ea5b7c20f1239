"""topicfsctl verify and repair, and topicfs-dump, as people run them, over what the real daemon wrote."""

import contextlib
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import requirements  # noqa: E402
from daemon import Daemon, DaemonError, binary, scratch, wait_until  # noqa: E402

SETTINGS = ["--wal-segment-size", "1MiB", "--object-size", "1MiB", "--wal-max-size", "64MiB", "--pool-size", "16MiB",
            "--offload-interval", "1s"]
PARTITIONS, WRITES, LINES = 3, 60, 4000


def run(program, *words, **more):
    return subprocess.run([binary(program), *map(str, words)], capture_output=True, text=True, check=False, timeout=120,
                          stdin=subprocess.DEVNULL, **more)


def segment_number(path):
    """0 of a file that was still being prepared when the daemon died: it may be empty, or zeros."""
    with open(path, "rb") as file:
        header = file.read(48)
    return struct.unpack_from("<I", header, 12)[0] if len(header) == 48 else 0


class Tools(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-tools-"))
        self.data, self.store = self.directory / "data", f"file:{self.directory}/store"
        self.daemon = Daemon(binary("topicfs"), self.data, self.store, extra=SETTINGS, deadline=240)
        self.addCleanup(lambda: self.daemon.close(quiet=True))
        with self.daemon:
            (self.daemon.mountpoint / "orders").mkdir()
            for n in range(PARTITIONS):
                (self.daemon.mountpoint / "orders" / str(n)).touch()
            self.write(b"first")
            wait_until(lambda: len(self.objects()) > 2, 60, "objects")
            self.write(b"second")
            self.daemon.kill9()

    def write(self, word):
        for n in range(WRITES):
            with open(self.daemon.mountpoint / "orders" / str(n % PARTITIONS), "ab") as file:
                file.write(b"%s %d\n" % (word, n) * LINES)
                file.flush()
                os.fsync(file.fileno())

    def objects(self):
        path = self.directory / "store" / "objects"
        return sorted(path.iterdir()) if path.is_dir() else []

    def segments(self):
        """Without the one that was perhaps being prepared: it has no header yet."""
        return sorted(filter(segment_number, (self.data / "wal").glob("segment-*")), key=segment_number)

    def verify(self, *words):
        return run("topicfsctl", "verify", *words)

    def flip(self, path, at):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))

    def flip_text(self, text):
        for path in self.segments():
            at = path.read_bytes().find(text)
            if at >= 0:
                return self.flip(path, at)
        self.fail(f"{text} is in no segment")

    def both(self):
        return self.verify("--data-dir", self.data, "--store", self.store)

    # --- verify

    def test_what_the_daemon_left_is_whole(self):
        for words in (["--data-dir", self.data, "--store", self.store], ["--data-dir", self.data],
                      ["--store", self.store]):
            done = self.verify(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertIn("nothing is damaged", done.stdout)

    def test_the_status_of_a_running_daemon_says_what_operators_ask_for(self):
        with self.daemon:
            self.write(b"third")
            place = self.daemon.mountpoint / ".topicfs" / "status.json"
            wait_until(lambda: json.loads(place.read_bytes())["objects"]["offloaded"] > 0, 60, "an object")
            status = json.loads(place.read_bytes())
            shown = run("topicfsctl", "status", self.daemon.mountpoint)
            same = run("topicfsctl", "status", "--json", self.daemon.mountpoint)
        self.assertEqual(set(status["formats"]), {"log", "object", "checkpoint"})
        with open(HERE.parents[1] / "man" / "topicfsctl.1", encoding="utf-8") as page:
            named = set(re.findall(r"[a-z_]+", page.read().split(".Ss The members of the status")[1].split("\n.Ss ")[0]))
        members = {name for name, value in status.items() if not isinstance(value, dict)}
        members |= {name for group in status.values() if isinstance(group, dict) for name in group}
        self.assertEqual(sorted(members - named), [], "topicfsctl(1) does not say what they are")
        self.assertRegex(status["version"], r"^[0-9]+\.[0-9]+")
        for group, names in {"log": ("durable_segment", "durable_byte", "offloaded_segment", "commits", "appends_per_commit",
                                     "payload_bytes"),
                             "appends": ("placed",), "pool": ("size_bytes", "chunks", "log_chunks"),
                             "objects": ("count", "offloaded", "stored_bytes", "puts", "gets"),
                             "cache": ("footer_hits", "block_misses")}.items():
            for name in names:
                self.assertGreaterEqual(status[group][name], 0 if group == "cache" else 0.01, f"{group}.{name}")
        self.assertGreaterEqual(status["objects"]["dead_bytes"], 0)
        self.assertEqual({name: value for name, value in status["errors"].items() if value}, {}, "nothing went wrong")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        for words in ("\nlog\n", "\n  commits ", "\n  appends per commit ", "\npool\n", "\n  puts ", "\n  dead bytes ", "\nerrors\n"):
            self.assertIn(words, shown.stdout)
        self.assertEqual(set(json.loads(same.stdout)), set(status))

    def test_a_running_daemon_is_left_alone(self):
        with self.daemon:
            for words in (["verify", "--data-dir", self.data], ["repair", "--yes", "--data-dir", self.data],
                          ["verify", "--store", self.store]):
                done = run("topicfsctl", *words)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, f"process {self.daemon.pid}")

    def test_places_that_are_not_there_are_named_and_not_made(self):
        for words in (["--data-dir", self.directory / "none"], ["--store", f"file:{self.directory}/none"]):
            done = self.verify(*words)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{self.directory}/none", done.stderr)
        self.assertFalse((self.directory / "none").exists())
        self.assertEqual(self.verify().returncode, 2)

    def test_a_damaged_object_is_named_with_its_partition(self):
        self.flip(self.objects()[0], 50_000)
        done = self.both()
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stdout, f"damaged: objects/{self.objects()[0].name}: orders/[0-2]: block at byte")

    def test_on_a_terminal_a_bar_shows_how_far_it_is(self):
        master, terminal = pty.openpty()
        process = subprocess.Popen([binary("topicfsctl"), "verify", "--data-dir", self.data], stdout=subprocess.DEVNULL,
                                   stderr=terminal)
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while part := os.read(master, 1 << 16):  # a terminal gives a few KiB at a time
                shown += part
        os.close(master)
        self.assertEqual(process.wait(120), 0)
        self.assertRegex(shown.decode(), r"log +\[#*\.*\] +[0-9]+ %")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), "the bar is still there")

    # --- repair

    def test_a_damaged_log_is_cut_where_it_ceases_to_be_whole(self):
        self.flip_text(b"second 40")
        done = self.both()
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertRegex(done.stdout, "orders/1: the batch at byte [0-9]+ ")
        with self.assertRaises(DaemonError):
            self.daemon.start()
        refused = run("topicfsctl", "repair", "--data-dir", self.data)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("--yes", refused.stderr)
        # Also of one that was being prepared when the daemon was killed: what has no header is put aside too.
        before = {path.name: path.read_bytes() for path in (self.data / "wal").glob("segment-*")}
        cut = run("topicfsctl", "repair", "--yes", "--data-dir", self.data)
        self.assertEqual(cut.returncode, 0, cut.stdout + cut.stderr)
        # 20 writes of each word to each partition; the 41st of the second round, to orders/1, is damaged.
        for name, kept, end in (("orders/0", 14, 20), ("orders/1", 13, 20), ("orders/2", 13, 20)):
            first, last = (20 + kept) * LINES, (20 + end) * LINES - 1
            self.assertIn(f"{name}: {last - first + 1} records, offsets {first} to {last}", cut.stdout)
        aside, = self.data.glob("cut-*")
        for path in aside.glob("segment-*"):
            self.assertEqual(path.read_bytes(), before[path.name])
        self.assertIn("orders/1", (aside / "lost").read_text())
        self.daemon.start()
        text = (self.daemon.mountpoint / "orders" / "1").read_bytes()
        self.assertTrue(text.endswith(b"second 37\n"))
        self.daemon.stop()
        self.assertEqual(self.both().returncode, 0, self.both().stdout)

    # --- dump

    def test_everything_that_was_written_can_be_dumped(self):
        checkpoints = sorted((self.directory / "store" / "checkpoints").iterdir())
        for path in [*self.segments(), *self.objects(), self.data / "checkpoint", *checkpoints]:
            for form in ([], ["--json"]):
                done = run("topicfs-dump", *form, path)
                self.assertEqual((done.returncode, done.stderr), (0, ""), path)
                self.assertTrue(done.stdout.endswith("\n"))
                if form:
                    types = {json.loads(line)["type"] for line in done.stdout.splitlines()}
                    self.assertTrue(types & {"segment", "object", "checkpoint"}, types)
        done = run("topicfs-dump", "--json", "--records", self.objects()[0])
        values = [r["value"] for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "record"]
        self.assertEqual(values.count("first 3"), LINES)

    def test_a_dump_says_what_is_damaged_and_what_is_no_file_of_topicfs(self):
        self.flip_text(b"second 20")
        damaged = [path for path in self.segments() if run("topicfs-dump", path).returncode == 3]
        self.assertEqual(len(damaged), 1)
        self.assertIn("damaged  at ", run("topicfs-dump", damaged[0]).stdout)
        done = run("topicfs-dump", __file__, self.directory / "none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("it is no log segment, no object and no checkpoint", done.stderr)
        self.assertIn("No such file", done.stderr)


if __name__ == "__main__":
    requirements.need_fuse()
    unittest.main(verbosity=2)
