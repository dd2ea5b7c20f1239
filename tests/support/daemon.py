"""Daemon: starts, stops, kills and restarts the real topicfs for a test, and never hangs.

    with scratch() as directory:
        daemon = Daemon(binary("topicfs"), directory / "data", f"file:{directory}/store", kafka_addr=free_address())
        with daemon:                    # start() and, at the end, close()
            (daemon.mountpoint / "orders").mkdir()
            daemon.kill9()              # the mount is unmounted unless leave_mount=True
            daemon.start()
            daemon.stop()               # SIGTERM; raises unless the exit status is 0

Two things keep a broken daemon from blocking a test or outliving it. A watcher process ends the daemon
(which ends every call that hangs in its mount) when the test process is gone or `deadline` seconds after
start(). And nothing here touches the mount before the daemon has proved that it answers.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


class DaemonError(Exception):
    """The daemon did not do what was asked; the message ends with its last log lines."""


def binary(name):
    """An executable of the build that runs this test (BUILD_ROOT, as meson.build passes it)."""
    return pathlib.Path(os.environ.get("BUILD_ROOT", REPOSITORY / "build")) / "src" / name


def free_address():
    """127.0.0.1:PORT, a port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


@contextlib.contextmanager
def scratch(prefix="topicfs-test-"):
    """A directory that is gone afterwards; anything that is still mounted in it is unmounted first."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    try:
        yield directory
    finally:
        for mount in mounts_below(directory):
            unmount(mount)
        shutil.rmtree(directory, ignore_errors=True)


def mounts_below(directory):
    """Mount points in `directory`, the deepest first, without touching them."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            place = line.split(" ")[1].replace("\\040", " ").replace("\\134", "\\")
            if place == str(directory) or place.startswith(str(directory) + "/"):
                found.append(pathlib.Path(place))
    return sorted(found, key=lambda p: len(str(p)), reverse=True)


def is_mounted(mountpoint):
    return pathlib.Path(mountpoint) in mounts_below(mountpoint)


def unmount(mountpoint):
    """Lazily, so that it works on a stale mount and on a busy one."""
    command = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
    for _ in range(10):  # mounts may be stacked
        if not is_mounted(mountpoint):
            return
        subprocess.run(command + [str(mountpoint)], stderr=subprocess.DEVNULL, timeout=30, check=False)


def wait_until(condition, timeout, what):
    """Polls, because what it waits for (another process's state) has no event to wait on."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {timeout} s")
        time.sleep(0.02)


class Daemon:
    def __init__(self, binary, data_dir, store_url, kafka_addr=None, extra=(), mountpoint=None, env=None,
                 deadline=600):
        self.binary = str(binary)
        self.data_dir = pathlib.Path(data_dir)
        self.store_url = str(store_url)
        self.kafka_addr = kafka_addr
        self.extra = list(extra)
        self.mountpoint = pathlib.Path(mountpoint or self.data_dir.parent / "mnt")
        self.log_path = self.data_dir.parent / (self.data_dir.name + ".log")
        self.env = {**os.environ, **(env or {})}
        self.deadline = deadline
        self.process = None
        self._watcher = None

    def __enter__(self):
        if self.process is None:
            self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.close(quiet=kind is not None)

    @property
    def pid(self):
        return self.process.pid

    def arguments(self):
        words = [self.binary, "--data-dir", str(self.data_dir), "--store", self.store_url]
        if self.kafka_addr:
            words += ["--kafka", self.kafka_addr]
        return words + self.extra + ["--foreground", str(self.mountpoint)]

    def start(self, timeout=60):
        """Returns when the mount answers and, with a gateway, its port is open."""
        if self.process is not None:
            raise DaemonError("already started")
        if not self.mountpoint_exists():
            self.mountpoint.mkdir(parents=True)
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.env, start_new_session=True)
        self._watcher = start_watcher(self.process.pid, self.mountpoint, self.deadline)
        try:
            wait_until(lambda: self._ended() or self._answers(), timeout, "start of topicfs")
            if self.process.poll() is not None:
                raise DaemonError(f"ended with status {self.process.returncode} at its start{self._log_tail()}")
        except TimeoutError as error:
            tail = self._log_tail()
            self.kill9()
            raise DaemonError(f"{error}{tail}") from None
        except DaemonError:
            self._forget()
            raise
        return self

    def stop(self, timeout=120):
        """A clean stop: SIGTERM, exit status 0, unmounted."""
        self.process.send_signal(signal.SIGTERM)
        self.wait(timeout)

    def wait(self, timeout=120):
        """The daemon ends by itself within `timeout`, with status 0, and leaves no mount."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = self._log_tail()
            self.kill9()
            raise DaemonError(f"still running after {timeout} s{tail}") from None
        mounted = is_mounted(self.mountpoint)
        self._forget()
        if status != 0:
            raise DaemonError(f"ended with status {status}{self._log_tail()}")
        if mounted:
            raise DaemonError(f"left {self.mountpoint} mounted{self._log_tail()}")

    def kill9(self, leave_mount=False):
        """As a crash. The gateway must end by itself; what is left of it after 10 s is killed, and told."""
        if self.process.poll() is not None:  # it crashed before, which explains whatever the test has seen since
            print(f"daemon.py: topicfs had ended with status {self.process.returncode}{self._log_tail()}", file=sys.stderr)
        self.process.kill()
        self.process.wait()
        self._forget(leave_mount)

    def restart(self):
        self.stop()
        return self.start()

    def close(self, quiet=False):
        """The end of the test: a clean stop if it still runs, whatever the test has left otherwise."""
        if self.process is None:
            unmount(self.mountpoint)
        elif quiet:
            self.kill9()
        else:
            self.stop()

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def mountpoint_exists(self):
        """Without following into a stale mount, where stat fails."""
        return self.mountpoint.name in os.listdir(self.mountpoint.parent) if self.mountpoint.parent.is_dir() else False

    def _ended(self):
        return self.process.poll() is not None

    def _answers(self):
        if not is_mounted(self.mountpoint):
            return False
        try:
            (self.mountpoint / ".topicfs" / "status.json").read_bytes()
        except OSError:
            return False  # the stale mount that is about to be replaced, or not ready yet
        return self.kafka_addr is None or port_is_open(self.kafka_addr)

    def _forget(self, leave_mount=False):
        """The process is gone: so shall be its watcher, its children and its mount."""
        group, self.process = self.process.pid, None
        self._watcher.stdin.write(b"done\n")
        self._watcher.stdin.close()
        self._watcher.wait(30)
        try:
            wait_until(lambda: not group_exists(group), 10, "end of the daemon's children")
        except TimeoutError:
            print("daemon.py: the daemon's children outlived it by 10 s", file=sys.stderr)
            os.killpg(group, signal.SIGKILL)
        if not leave_mount:
            unmount(self.mountpoint)

    def _log_tail(self):
        return "; its log ends:\n" + "\n".join(self.log_text().splitlines()[-30:])


def port_is_open(address):
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        return True
    except OSError:
        return False


def group_exists(group):
    """Whether the process group has a member that is no zombie."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            return True
    return False


def start_watcher(pid, mountpoint, deadline):
    return subprocess.Popen([sys.executable, __file__, "--watch", str(pid), str(mountpoint), str(deadline)],
                            stdin=subprocess.PIPE, start_new_session=True)


def watch(pid, mountpoint, deadline):
    """The watcher: ends with the line "done", or ends the daemon and its children."""
    daemon = os.pidfd_open(pid)  # so that a reused pid is never hit
    readable, _, _ = select.select([sys.stdin], [], [], deadline)
    if readable and sys.stdin.readline() == "done\n":
        return
    why = "the test is gone" if readable else f"{deadline:.0f} s have passed"
    print(f"daemon.py: {why}: ending topicfs (pid {pid})", file=sys.stderr)
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(daemon, signal.SIGKILL)
    if readable:  # nobody else will do this
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        unmount(mountpoint)


if __name__ == "__main__" and sys.argv[1:2] == ["--watch"]:
    with contextlib.suppress(ProcessLookupError):
        watch(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
