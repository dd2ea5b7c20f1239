"""What end_to_end_test.py appends and how it reads back: real input files, writers, and kcat."""

import gzip
import hashlib
import os
import pathlib
import struct
import subprocess

PARTIAL = "topicfs.partial"  # the header of a record whose line had no newline
MAX_FILES, MAX_BYTES = 300, 30 << 20
LIMIT_S = 120


def real_files(directory, most_files=MAX_FILES, most_bytes=MAX_BYTES):
    """Copies of licenses and of a sample of /usr/share/doc (unpacked) in `directory`, and /bin/bash."""
    sources = sorted(p for p in pathlib.Path("/usr/share/common-licenses").iterdir() if p.is_file())
    documents = sorted(p for p in pathlib.Path("/usr/share/doc").rglob("*") if p.is_file() and not p.is_symlink())
    sources += documents[:: max(1, len(documents) // most_files)]
    files, total = [], 0
    for source in [*sources[: most_files - 1], pathlib.Path("/bin/bash")]:
        data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
        if total + len(data) > most_bytes:
            continue
        total += len(data)
        copy = directory / f"{len(files):04}"
        copy.write_bytes(data)
        files.append(copy)
    return files


def run(command, **more):
    """Raises with what the command said unless it succeeds in time."""
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=LIMIT_S, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def append_files(partition, files, how):
    """One process that appends the files in turn, with `tee -a` or with the shell's >>."""
    line = 'tee -a "$p" < "$f" > /dev/null' if how == "tee" else 'cat "$f" >> "$p"'
    script = f'set -e; p=$1; shift; for f; do {line}; done'
    return subprocess.Popen(["bash", "-c", script, "append", str(partition), *map(str, files)],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


def append_lines(partition, writer, count):
    """A block-buffered writer: its writes end in the middle of lines."""
    lines = "".join(numbered(writer, n) + "\n" for n in range(count)).encode()
    p = subprocess.Popen(["dd", f"of={partition}", "oflag=append", "conv=notrunc", "bs=4096", "status=none"],
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    return p, lines


def numbered(writer, n):
    return f"writer {writer} line {n} " + hashlib.sha256(b"%d %d" % (writer, n)).hexdigest() * (1 + n % 7) + " end"


def finish(processes):
    for p in processes:
        _, error = p.communicate(timeout=LIMIT_S)
        if p.returncode != 0:
            raise RuntimeError(f"{p.args}: status {p.returncode}: {error.decode(errors='replace')}")


def sha256(path):
    """Of a file's bytes, read by another process, so that a mount that hangs can't hang the test."""
    return run(["sha256sum", path]).split()[0].decode()


def kcat(address, *words):
    return ["kcat", "-q", "-b", address, "-X", "socket.timeout.ms=20000", *map(str, words)]


def consume(address, topic, partition):
    """All records of a partition: (offset, headers, value or None)."""
    out = run(kcat(address, "-C", "-t", topic, "-p", partition, "-o", "beginning", "-e", "-f", "%o;%h;%R%s"))
    records, at = [], 0
    while at < len(out):
        first = out.index(b";", at)
        second = out.index(b";", first + 1)
        length, = struct.unpack_from(">i", out, second + 1)
        end = second + 5 + max(length, 0)
        records.append((int(out[at:first]), out[first + 1 : second].decode(),
                        None if length < 0 else out[second + 5 : end]))
        at = end
    return records


def text_of(records):
    """The file's bytes, as the records say."""
    return b"".join((value or b"") + (b"" if PARTIAL in headers else b"\n") for _, headers, value in records)


def gateway_pids(daemon_pid):
    """The daemon's child processes that are gateways."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, rest = pathlib.Path("/proc", entry, "stat").read_text(errors="replace").rsplit(")", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == daemon_pid and rest.split()[0] != "Z" and "topicfs-kafka" in name:
            found.append(int(entry))
    return found
