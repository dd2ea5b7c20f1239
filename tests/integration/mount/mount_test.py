"""The mount as programs see it: the usual tools, many appenders, readers of a growing file, waiting and
interrupted writers, unmounting. Rules that fsdiff compares with chattr +a are not repeated here."""

import contextlib
import ctypes
import errno
import hashlib
import multiprocessing
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import candidate
from candidate import memfs_only, mounted
from daemon import DaemonError, is_mounted, unmount, wait_until  # candidate has set the path

LIMIT_S = 60
fork = multiprocessing.get_context("fork")


def run(command, cwd, stdin=b""):
    """The output of a shell command that must succeed and say nothing on standard error."""
    done = subprocess.run(["bash", "-c", command], cwd=cwd, input=stdin, capture_output=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{command}: status {done.returncode}, {done.stderr!r}")
    return done.stdout


class MountTest(unittest.TestCase):
    extra = ()

    def setUp(self):
        self.candidate = self.enterContext(mounted(self.extra))
        self.root = self.candidate.mountpoint
        self.topic = self.root / "orders"
        self.topic.mkdir()
        self.file = self.topic / "0"

    def append(self, data, path=None):
        with open(path or self.file, "ab", buffering=0) as f:
            while data:
                data = data[f.write(data):]


class Tools(MountTest):
    def test_text_tools_read_what_was_appended(self):
        run("echo one >> 0; printf 'two\\nthree\\n' | tee -a 0 >/dev/null; printf tail >> 0", self.topic)
        self.assertEqual(run("cat 0", self.topic), b"one\ntwo\nthree\ntail")
        self.assertEqual(run("head -n 1 0; tail -n 1 0; tail -c 4 0", self.topic), b"one\ntailtail")
        self.assertEqual(run("grep -n t 0", self.topic), b"2:two\n3:three\n4:tail\n")
        self.assertEqual(run("wc 0", self.topic).split(), [b"3", b"4", b"18", b"0"])
        self.assertEqual(run("sort 0 | sed 1q; awk 'END{print NR}' 0; less 0 | wc -c", self.topic), b"one\n4\n18\n")

    def test_binary_data_reads_back_byte_for_byte(self):
        data = pathlib.Path("/bin/bash").read_bytes()
        run("cat /bin/bash >> 0", self.topic)
        run("dd if=/bin/bash of=0 bs=100k oflag=append conv=notrunc status=none", self.topic)
        self.assertEqual(hashlib.sha256(self.file.read_bytes()).digest(), hashlib.sha256(data * 2).digest())
        self.assertEqual(run("sha256sum < 0", self.topic).split()[0].decode(), hashlib.sha256(data * 2).hexdigest())

    def test_files_are_copied_in_and_out(self):
        outside = self.candidate.data_dir.parent / "outside"
        outside.mkdir()
        run("seq 100000 > a; cp a T/1; cp -p a T/2; dd if=a of=T/3 bs=64k status=none; install -m 600 a T/4;"
            "cp T/1 b; cmp a b; cmp a T/2; cmp a T/3; cmp a T/4".replace("T", str(self.topic)), outside)
        self.assertEqual((self.topic / "4").stat().st_mode & 0o777, 0o600)
        self.assertEqual(int((self.topic / "2").stat().st_mtime), int((outside / "a").stat().st_mtime))
        if shutil.which("rsync"):
            run(f"rsync -a {self.topic}/ copy/; diff -r copy {self.topic}", outside)

    def test_listings_tell_the_truth(self):
        self.append(b"x" * 99_999 + b"\n")
        os.mkdir(self.root / "empty")
        self.assertEqual(run("find orders empty -type f | sort", self.root), b"empty/0\norders/0\n")
        self.assertEqual(run("stat -c '%s %F' orders/0", self.root), b"100000 regular file\n")
        self.assertIn(b"100000", run("ls -l orders", self.root))
        self.assertGreaterEqual(int(run("du -k orders | cut -f1", self.root)), 97)
        self.assertTrue(run("df .", self.root))
        self.assertIn(b"{", run("cat .topicfs/status.json", self.root))

    def test_tail_follows(self):
        self.append(b"before\n")
        tail = subprocess.Popen(["tail", "-s", "0.05", "-f", self.file], stdout=subprocess.PIPE)
        try:
            self.assertEqual(tail.stdout.readline(), b"before\n")
            self.append(b"after\n")
            self.assertEqual(tail.stdout.readline(), b"after\n")
        finally:
            tail.kill()
            tail.communicate(timeout=LIMIT_S)

    def test_a_follow_file_delivers_at_once_and_ends_with_its_reader(self):
        self.append(b"before\n")
        cat = subprocess.Popen(["cat", f"{self.file}.follow"], stdout=subprocess.PIPE)
        try:
            self.assertEqual(cat.stdout.readline(), b"before\n")
            latencies = []
            for number in range(50):
                start = time.monotonic()
                self.append(b"line %d\n" % number)
                self.assertEqual(cat.stdout.readline(), b"line %d\n" % number)
                latencies.append(time.monotonic() - start)
            self.assertLess(sorted(latencies)[25], 0.25)  # polling tools take a second
        finally:
            cat.send_signal(signal.SIGINT)
            self.assertEqual(cat.wait(LIMIT_S), -signal.SIGINT)
            cat.stdout.close()


def append_lines(path, writer, count, size):
    """Lines of one writer, numbered, some in one write, some in several, some several in one."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    pending = b""
    for number in range(count):
        pending += b"%d %d " % (writer, number) + b"abcdefghij"[writer % 10:writer % 10 + 1] * (size + number % 50) + b"\n"
        if number % 3 == 0:
            os.write(fd, pending[:7])
            pending = pending[7:]
        elif number % 3 == 1:
            os.write(fd, pending)
            pending = b""
    os.write(fd, pending)
    os.close(fd)


class Concurrency(MountTest):
    def check(self, data, writers, count, size):
        seen = [0] * writers
        for line in data.splitlines():
            writer, number, filler = line.split(b" ")
            writer = int(writer)
            self.assertEqual(int(number), seen[writer], "lost or out of order")
            self.assertEqual(filler, b"abcdefghij"[writer % 10:writer % 10 + 1] * (size + seen[writer] % 50), "torn")
            seen[writer] += 1
        self.assertEqual(seen, [count] * writers)

    def run_all(self, processes):
        for process in processes:
            process.start()
        for process in processes:
            process.join(LIMIT_S)
            self.assertEqual(process.exitcode, 0)

    def test_no_line_of_many_appenders_is_torn_or_lost(self):
        writers, count, size = 8, 400, 60
        self.run_all([fork.Process(target=append_lines, args=(self.file, w, count, size)) for w in range(writers)])
        self.check(self.file.read_bytes(), writers, count, size)

    def test_a_reader_of_a_growing_file_sees_no_zero_byte_and_nothing_stale(self):
        writers, count, size = 3, 500, 100
        processes = [fork.Process(target=append_lines, args=(self.file, w, count, size)) for w in range(writers)]
        done, problems = threading.Event(), []

        def read():
            with open(self.file, "rb", buffering=0) as file:
                seen = 0
                while True:
                    last = done.is_set()
                    size_before = os.stat(self.file).st_size
                    while part := file.read(128 << 10):
                        if b"\0" in part:
                            problems.append("zero byte")
                        seen += len(part)
                    if seen < size_before:
                        problems.append(f"read {seen} of {size_before} bytes")
                    if last:
                        return

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            self.run_all(processes)
        finally:
            done.set()
            for reader in readers:
                reader.join(LIMIT_S)
        self.assertEqual(problems, [])
        self.check(self.file.read_bytes(), writers, count, size)

    def test_sizes_never_shrink_while_the_file_grows(self):
        process = fork.Process(target=append_lines, args=(self.file, 0, 1000, 20))
        process.start()
        sizes = []
        with open(self.file, "rb") as file:
            while process.is_alive():
                sizes += [os.fstat(file.fileno()).st_size, os.stat(self.file).st_size]
        process.join(LIMIT_S)
        self.assertEqual(sizes, sorted(sizes))

    def test_one_writer_durable_and_one_not_share_a_file(self):
        def durable():
            fd = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_DSYNC)
            for number in range(100):
                os.write(fd, b"durable %d\n" % number)
            os.close(fd)
        self.run_all([fork.Process(target=durable), fork.Process(target=append_lines, args=(self.file, 0, 100, 10))])
        lines = self.file.read_bytes().splitlines()
        self.assertEqual([l for l in lines if l.startswith(b"durable")], [b"durable %d" % n for n in range(100)])
        self.assertEqual(len(lines), 200)


@memfs_only
class OtherDoor(MountTest):
    def test_what_the_other_door_appends_is_there_at_once(self):
        self.append(b"mount\n")
        with open(self.file, "rb", buffering=0) as reader:
            size = 6
            for number in range(200):
                line = b"other %d\n" % number
                self.candidate.command("append orders 0 0", line)
                size += len(line)
                self.assertEqual((os.fstat(reader.fileno()).st_size, os.stat(self.file).st_size), (size, size))
                self.assertEqual(os.lseek(reader.fileno(), 0, os.SEEK_END), size)
                self.assertEqual(os.pread(reader.fileno(), 100, size - len(line)), line)

    def test_inotify_watchers_hear_of_the_other_door(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.append(b"first\n")
        watcher = libc.inotify_init1(0)
        self.assertGreaterEqual(libc.inotify_add_watch(watcher, os.fsencode(self.file), 2 | 4), 0)  # IN_MODIFY | IN_ATTRIB
        try:
            for _ in range(5):
                self.candidate.command("append orders 0 0", b"news\n")
                self.assertTrue(select.select([watcher], [], [], 10)[0], "no event")
                os.read(watcher, 4096)
        finally:
            os.close(watcher)

    def test_a_topic_that_is_deleted_elsewhere_is_gone_here(self):
        os.stat(self.file)
        self.candidate.command("delete orders")
        wait_until(lambda: not self.topic.exists(), 10, "end of the topic")
        self.topic.mkdir()
        self.append(b"anew\n")
        self.assertEqual(self.file.read_bytes(), b"anew\n")

    def test_retention_leaves_what_lives_where_it_is(self):
        for number in range(10):
            self.append(b"line %d\n" % number)
        self.candidate.command("log-start orders 0 4")
        self.assertEqual(run("cat 0; grep -c line 0; tail -n 1 0", self.topic),
                         b"".join(b"line %d\n" % n for n in range(4, 10)) + b"6\nline 9\n")
        self.assertEqual(self.file.stat().st_size, 70)


@memfs_only
class FullLog(MountTest):
    def setUp(self):
        super().setUp()
        self.append(b"before\n")
        self.candidate.command("full")

    def tearDown(self):
        self.candidate.command("room")

    def writer(self):
        process = subprocess.Popen(["bash", "-c", "exec echo waits >> 0"], cwd=self.topic)
        self.wait_for(process)
        return process

    def wait_for(self, process):
        stack = pathlib.Path(f"/proc/{process.pid}/wchan")
        wait_until(lambda: b"fuse" in stack.read_bytes() or b"request_wait" in stack.read_bytes(), 20, "the writer to wait")

    def test_a_waiting_writer_is_interrupted_and_writes_nothing(self):
        process = self.writer()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(LIMIT_S), -signal.SIGINT)
        self.candidate.command("room")
        self.append(b"after\n")
        self.assertEqual(self.file.read_bytes(), b"before\nafter\n")

    def test_a_close_that_waits_with_an_unfinished_line_is_interrupted_and_the_line_arrives_later(self):
        script = "import os; f = os.open('0', os.O_WRONLY | os.O_APPEND); os.write(f, b'unfinished'); print(flush=True); os.close(f)"
        process = subprocess.Popen([sys.executable, "-c", script], cwd=self.topic, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        self.wait_for(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
        self.candidate.command("room")
        wait_until(lambda: self.file.read_bytes() == b"before\nunfinished", 10, "the line")

    def test_waiting_writers_block_nobody_else(self):
        """More of them than the mount has threads, each on a file of its own."""
        self.candidate.command("room")
        for number in range(1, 20):
            (self.topic / str(number)).touch()
        self.candidate.command("full")
        writers = [subprocess.Popen(["bash", "-c", f"exec echo waits >> {n}"], cwd=self.topic) for n in range(20)]
        self.assertEqual(run("cat 0; ls | wc -l; stat -c %s 3", self.topic), b"before\n20\n0\n")
        self.candidate.command("room")
        self.assertEqual([w.wait(LIMIT_S) for w in writers], [0] * 20)
        self.assertEqual((self.topic / "19").read_bytes(), b"waits\n")

    def test_nonblocking_writers_are_told_to_come_again(self):
        fd = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        try:
            with self.assertRaises(BlockingIOError):
                os.write(fd, b"x\n")
        finally:
            os.close(fd)


class Stopping(MountTest):
    def test_an_unfinished_line_is_in_the_file_after_five_seconds(self):
        with open(self.file, "ab", buffering=0) as f:
            f.write(b"prompt: ")
            self.assertEqual(self.file.read_bytes(), b"")
            wait_until(lambda: self.file.read_bytes() == b"prompt: ", 5.5, "the line")

    def test_a_mount_with_open_files_and_waiting_readers_is_stopped(self):
        cat = subprocess.Popen(["cat", f"{self.file}.follow"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        fd = os.open(self.file, os.O_WRONLY | os.O_APPEND)
        os.write(fd, b"x\n")
        self.candidate.stop(timeout=30)
        with self.assertRaises(OSError):
            os.write(fd, b"y\n")
        with contextlib.suppress(OSError):
            os.close(fd)
        cat.wait(LIMIT_S)
        self.assertFalse(is_mounted(self.root))

    def test_it_ends_when_somebody_unmounts_it(self):
        for command in (["umount"], ["fusermount3", "-u"])[os.geteuid() != 0:]:
            self.append(b"x\n")
            subprocess.run(command + [self.root], check=True, timeout=LIMIT_S)
            self.candidate.wait(30)
            self.start_again()

    def test_ctrl_c_stops_it_as_sigterm_does(self):
        self.candidate.process.send_signal(signal.SIGINT)
        self.candidate.wait(30)

    def start_again(self):
        self.candidate.start()
        self.topic.mkdir(exist_ok=True)  # what is in memory alone is gone

    def test_a_dead_mount_is_replaced(self):
        self.candidate.kill9(leave_mount=True)
        with self.assertRaises(OSError) as stale:
            os.stat(self.root)
        self.assertEqual(stale.exception.errno, errno.ENOTCONN)
        self.candidate.start()
        os.stat(self.root)
        self.candidate.stop()

    def test_a_thread_that_asks_the_mount_itself_does_not_hold_it(self):
        """It would wait for ever after a kill of its process, and keep open what makes the kernel end the mount."""
        def holds_the_mount(task):
            listed = subprocess.run(["ls", "-l", task / "fd"], capture_output=True, timeout=LIMIT_S, check=False)
            return b" -> /dev/fuse\n" in listed.stdout
        daemon = pathlib.Path(f"/proc/{self.candidate.pid}")
        def asking():  # it names itself when it begins
            return [task for task in (daemon / "task").iterdir() if (task / "comm").read_text().strip() == "topicfs-touch"]
        wait_until(lambda: len(asking()) == 1, 10, "the thread that asks")
        wait_until(lambda: not holds_the_mount(asking()[0]), 10, "a thread without the mount")
        self.assertTrue(holds_the_mount(daemon))

    def test_a_living_mount_and_a_directory_with_files_are_not_mounted_over(self):
        with self.assertRaisesRegex(DaemonError, "fusermount3 -u|in use|another"):
            self.second(self.root)
        occupied = self.candidate.data_dir.parent / "occupied"
        occupied.mkdir()
        (occupied / "file").touch()
        with self.assertRaisesRegex(DaemonError, "not empty"):
            self.second(occupied)

    def second(self, mountpoint):
        other = type(self.candidate)(self.candidate.binary, self.candidate.data_dir.parent / "other" / "data",
                                     f"file:{self.candidate.data_dir.parent}/other/store", mountpoint=mountpoint)
        other.data_dir.parent.mkdir(exist_ok=True)
        arguments = other.arguments()
        done = subprocess.run(arguments, capture_output=True, timeout=LIMIT_S, check=False)
        self.assertNotEqual(done.returncode, 0)
        raise DaemonError(done.stderr.decode())


if __name__ == "__main__":
    candidate.main()
