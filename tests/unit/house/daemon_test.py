"""tests/support/daemon.py against programs that misbehave: it reports, and leaves nothing behind."""

import contextlib
import os
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from daemon import Daemon, DaemonError, group_exists, is_mounted, mounts_below, scratch, wait_until  # noqa: E402


def program(directory, text):
    path = directory / "fake"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def is_watched(pid):
    """Whether a watcher of `pid` runs."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            if b"--watch" in words and str(pid).encode() in words:
                return True
    return False


class DaemonTest(unittest.TestCase):
    def daemon(self, directory, text, **options):
        return Daemon(program(directory, text), directory / "data", f"file:{directory}/store", **options)

    def test_a_daemon_that_fails_at_its_start_is_reported_with_its_log(self):
        with scratch() as directory:
            with self.assertRaisesRegex(DaemonError, "status 3(.|\n)*no such bucket"):
                self.daemon(directory, "echo no such bucket >&2; exit 3").start()

    def test_a_daemon_that_never_mounts_is_ended(self):
        with scratch() as directory:
            daemon = self.daemon(directory, f"echo $$ > {directory}/pid; exec sleep 100")
            with self.assertRaisesRegex(DaemonError, "start of topicfs"):
                daemon.start(timeout=0.3)
            self.assertFalse(group_exists(int((directory / "pid").read_text())))

    def test_a_daemon_does_not_outlive_a_test_that_is_killed(self):
        with scratch() as directory:
            fake = program(directory, f"echo $$ > {directory}/pid.new; mv {directory}/pid.new {directory}/pid; exec sleep 100")
            test = subprocess.Popen([sys.executable, "-B", "-c", f"""
import sys; sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parents[2] / "support")!r})
from daemon import Daemon
Daemon({str(fake)!r}, {str(directory / "data")!r}, "file:x").start()"""], stderr=subprocess.DEVNULL)
            wait_until((directory / "pid").exists, 20, "start")
            pid = int((directory / "pid").read_text())
            wait_until(lambda: is_watched(pid), 20, "watcher")
            test.kill()
            test.wait()
            wait_until(lambda: not group_exists(pid), 20, "end of the daemon")

    def test_nothing_is_mounted_in_a_new_directory(self):
        with scratch() as directory:
            self.assertFalse(is_mounted(directory))
            self.assertEqual(mounts_below(directory), [])


if __name__ == "__main__":
    unittest.main()
