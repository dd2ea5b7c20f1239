"""Every text file of /usr/share/doc and /usr/share/common-licenses, and a binary, through both doors to a real S3
server: the daemon is killed in the middle and goes on, the data directory is lost, and the same bytes and records
come out again.

TOPICFS_REAL_FILES bounds how many files are taken (of all that there are, evenly), for builds that are slow.
"""

import hashlib
import os
import pathlib
import re
import shutil
import sys
import threading
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from s3_case import S3Case, load, swift_server  # noqa: E402
import requirements  # noqa: E402
from daemon import wait_until  # noqa: E402

LINE_WRITERS, LINES_EACH = 8, 1000
SHARES = {("docs", 0): "tee", ("docs", 1): "shell", ("logs", 0): "shell", ("logs", 1): "tee"}


class RealFiles(S3Case):
    def test_real_files_survive_kill_9_and_the_loss_of_the_data_directory(self):
        (inputs := self.directory / "inputs").mkdir()
        files = load.real_files(inputs, int(os.environ.get("TOPICFS_REAL_FILES", "1000000")))
        self.assertGreater(len(files), 50)
        print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes", flush=True)
        with self.daemon:
            expected = self.append_everything(files)
            wait_until(lambda: self.objects() > 0, 60, "an offload while the daemon runs")
            before = {place: self.check(*place, digest) for place, digest in expected.items()}
            print(f"{sum(count for count, _ in before.values())} records, {self.objects()} large objects", flush=True)
            self.daemon.stop()
            shutil.rmtree(self.daemon.data_dir)
            self.daemon.start()
            for place, digest in expected.items():
                with self.subTest("after the loss of the data directory", place=place):
                    self.check_again(*place, digest, before[place])
            with self.subTest("goes on after it"):
                self.produce("docs", 0, input=b"one more\n")
                self.assertEqual(self.records("docs", 0)[-1][2], b"one more")

    def append_everything(self, files):
        """Answers {(topic, partition): sha256}; of the many line writers, whose order is free, None."""
        expected = {place: hashlib.sha256(data).hexdigest() for place, data in self.append_files(files).items()}
        expected["kafka", 0] = self.produce_lines(files)
        self.append_many_lines()
        expected["lines", 0] = None
        return expected

    def append_files(self, files):
        """Four processes append them; in the middle of it the daemon is killed, and they go on where the files ended."""
        mine = {place: files[i :: len(SHARES)] for i, place in enumerate(SHARES)}
        whole = {place: b"".join(f.read_bytes() for f in share) for place, share in mine.items()}
        synced = {place: self.directory / f"synced-{place[0]}-{place[1]}" for place in SHARES}
        processes = [load.append_files(self.partition(*place), mine[place], how, synced[place])
                     for place, how in SHARES.items()]
        wait_until(lambda: sum(len(load.numbers(s)) for s in synced.values()) >= len(files) // 2, 300, "half of the files")
        self.daemon.kill9()
        for process in processes:
            process.communicate(timeout=load.LIMIT_S)
        self.daemon.start()
        rest = []
        for place, how in SHARES.items():
            content = load.run(["cat", self.daemon.mountpoint / place[0] / str(place[1])])
            acknowledged = sum(mine[place][n].stat().st_size for n in load.numbers(synced[place]))
            self.assertGreaterEqual(len(content), acknowledged, f"{place}: synced bytes are lost")
            self.assertTrue(whole[place].startswith(content), f"{place}: other bytes than were appended")
            rest_file = self.directory / f"rest-{place[0]}-{place[1]}"
            rest_file.write_bytes(whole[place][len(content):])
            rest.append(load.append_files(self.partition(*place), [rest_file], how, self.directory / "synced-rest"))
        load.finish(rest)
        return whole

    def produce_lines(self, files):
        """Every non-empty line of all files by kcat; they are files and records of the same values."""
        lines = [line for f in files for line in f.read_bytes().split(b"\n") if line]
        source = self.directory / "lines"
        source.write_bytes(b"".join(line + b"\n" for line in lines))
        self.partition("kafka", 0)
        self.produce("kafka", 0, "-l", source)
        return load.sha256(source)

    def append_many_lines(self):
        path = self.partition("lines", 0)
        writers = [load.append_lines(path, w, LINES_EACH) for w in range(LINE_WRITERS)]
        feeders = [threading.Thread(target=p.communicate, args=(text,), daemon=True) for p, text in writers]
        for thread in feeders:
            thread.start()
        for thread in feeders:
            thread.join(load.LIMIT_S)
        self.assertEqual([p.returncode for p, _ in writers], [0] * LINE_WRITERS)

    def objects(self):
        """Large ones: data, not claims or catalogs."""
        status, body = self.swift.request("GET", "/e2e")
        self.assertEqual(status, 200)
        return sum(int(size) > 1 << 20 for size in re.findall(rb"<Size>([0-9]+)</Size>", body))

    def check(self, topic, n, expected):
        """Bytes by the mount, records by Kafka, both against each other; answers how many records, and their digest."""
        raw = load.consume_raw(self.daemon.kafka_addr, topic, n)
        text, count = hashlib.sha256(), 0
        for offset, headers, value in load.parse_records(raw):
            if offset != count:
                self.fail(f"{topic}/{n}: record {count} has offset {offset}")
            text.update(load.text_of([(offset, headers, value)]))
            count += 1
        digest = load.sha256(self.daemon.mountpoint / topic / str(n))
        self.assertEqual(digest, text.hexdigest(), f"{topic}/{n}: the doors differ")
        if expected:
            self.assertEqual(digest, expected, f"{topic}/{n}: other bytes than were appended")
        else:
            self.check_lines([value.decode() for _, _, value in load.parse_records(raw)])
        return count, hashlib.sha256(raw).hexdigest()

    def check_again(self, topic, n, expected, before):
        """The same bytes and records as before. That the doors agree then is what `check` has shown."""
        digest = load.sha256(self.daemon.mountpoint / topic / str(n))
        if expected:
            self.assertEqual(digest, expected)
        raw = load.consume_raw(self.daemon.kafka_addr, topic, n)
        self.assertEqual(hashlib.sha256(raw).hexdigest(), before[1], "records changed")

    def check_lines(self, lines):
        of_writer = {w: [line for line in lines if line.startswith(f"writer {w} ")] for w in range(LINE_WRITERS)}
        for w, mine in of_writer.items():
            self.assertEqual(mine, [load.numbered(w, n) for n in range(LINES_EACH)])
        self.assertEqual(len(lines), LINE_WRITERS * LINES_EACH, "torn lines")


if __name__ == "__main__":
    requirements.need_fuse()
    requirements.need_programs("kcat", "tee")
    if not swift_server.is_installed():
        requirements.skip("missing Swift's servers or memcached")
    unittest.main(verbosity=2, warnings="ignore")  # swift_server leaves closing files to the collector
