"""tools/run, the first of the README's two commands: in a tree of its own whose build is done already."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import requirements  # noqa: E402
from daemon import REPOSITORY, binary, free_address, is_mounted, mounts_below, port_is_open, scratch  # noqa: E402

SMALL = ["--pool-size=16MiB", "--wal-segment-size=1MiB", "--wal-max-size=16MiB"]
NOBODY = 65534


def make_tree(directory):
    """What git clone and a first build leave, as far as tools/run looks at it."""
    tree = directory / "topicfs"
    shutil.copytree(REPOSITORY / "tools", tree / "tools")
    (tree / "build").mkdir()
    (tree / "build" / "src").symlink_to(binary("topicfs").parent)
    (tree / "build" / "build.ninja").write_text("build src/topicfs src/topicfs-kafka src/topicfsctl: phony\n")
    return tree


class Run(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(scratch("topicfs-run-"))
        self.tree = make_tree(self.directory)
        self.mountpoint, self.data, self.kafka = self.directory / "a mount", self.directory / "data", free_address()
        self.addCleanup(self.run_it, "--stop", self.mountpoint)

    def run_it(self, *words, user=(), **environment):
        with open(self.directory / "error", "w+", encoding="utf-8") as error:
            # What it leaves running must not hold a pipe of ours.
            done = subprocess.run([*user, self.tree / "tools" / "run", *map(str, words)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=error, text=True, timeout=120, check=False,
                                  env={**os.environ, **environment})
            error.seek(0)
            done.stderr = error.read()
        return done

    def start(self, *more):
        return self.run_it(self.mountpoint, f"--data-dir={self.data}", f"--kafka={self.kafka}", *SMALL, *more)

    def test_it_mounts_and_starts_the_gateway_and_says_what_to_try(self):
        done = self.start()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for part in (f"mounted on {self.mountpoint}; Kafka clients reach it at {self.kafka}", f">> {self.mountpoint}/orders/0",
                     f"kcat -P -b {self.kafka}", f"tools/run --stop {self.mountpoint}"):
            self.assertIn(part, done.stdout)
        self.assertTrue(port_is_open(self.kafka))
        (self.mountpoint / "orders").mkdir()
        with open(self.mountpoint / "orders" / "0", "ab") as file:
            file.write(b"one line\n")

        again = self.run_it(self.mountpoint, "--kafka=127.0.0.1:1", "--data-dir=/nonexistent")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("runs already", again.stdout)
        self.assertIn(f"reach it at {self.kafka}. Its log: {self.data}/topicfs.log", again.stdout)
        self.assertEqual(len(mounts_below(self.directory)), 1)

        stopped = self.run_it("--stop", self.mountpoint)
        self.assertEqual((stopped.returncode, stopped.stderr), (0, ""))
        self.assertFalse(is_mounted(self.mountpoint))
        self.assertIn("is not mounted", self.run_it("--stop", self.mountpoint).stdout)

        self.assertEqual(self.start().returncode, 0)
        self.assertEqual((self.mountpoint / "orders" / "0").read_bytes(), b"one line\n")

    def test_what_keeps_it_from_starting_is_said(self):
        self.mountpoint.mkdir()
        (self.mountpoint / "file").touch()
        for more, why in (([], "is not empty"), (["--pool-size=1KiB"], "must be from 16MiB"), (["--pool-sise=1GiB"], "did you mean")):
            done = self.run_it(self.mountpoint, f"--data-dir={self.data}", *more)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
            self.assertIn(f"its log is {self.data}/topicfs.log", done.stderr)
        for words in (["--pool-size", "1GiB"], ["here", "there"]):
            self.assertEqual(self.run_it(*words).returncode, 2)

    def test_a_user_other_than_root_has_a_mount_at_home(self):
        """Also who has cloned the repository there."""
        user = []
        if os.geteuid() == 0:
            user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            for folder, _, _ in os.walk(self.directory):
                os.chown(folder, NOBODY, NOBODY)
            if subprocess.run([*user, "test", "-r", binary("topicfs"), "-a", "-x", self.directory], check=False).returncode:
                self.skipTest("nobody may not look into these directories")
        home = {"HOME": str(self.directory), "XDG_STATE_HOME": ""}
        mountpoint = self.directory / "mnt" / "topicfs"
        done = self.run_it(f"--kafka={self.kafka}", *SMALL, user=user, **home)
        if subprocess.run([*user, "test", "-r", "/dev/fuse", "-a", "-w", "/dev/fuse"], check=False).returncode:
            self.assertEqual(done.returncode, 1)
            self.assertIn("root can allow it: chmod a+rw /dev/fuse", done.stderr)
            return
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn(f"mounted on {mountpoint};", done.stdout)
        self.assertIn("Root would add: other users", done.stdout)
        self.assertTrue(is_mounted(mountpoint))
        self.assertTrue((self.directory / ".local" / "state" / "topicfs" / "identity").exists())
        self.assertEqual(self.run_it("--stop", user=user, **home).returncode, 0)
        self.assertFalse(is_mounted(mountpoint))


if __name__ == "__main__":
    requirements.need_fuse()
    unittest.main(verbosity=2)
