"""What end_to_end_test.py appends and how it reads back: real input files, writers, and kcat."""

import gzip
import hashlib
import os
import pathlib
import struct
import subprocess

PARTIAL = "topicfs.partial"  # the header of a record whose line had no newline
LIMIT_S = 300


def real_files(directory, most_files):
    """Copies of the text files of /usr/share/common-licenses and /usr/share/doc (unpacked), and of /bin/bash, in
    `directory`; of more than `most_files` a part, evenly taken."""
    sources = sorted(p for top in ("common-licenses", "doc") for p in pathlib.Path("/usr/share", top).rglob("*")
                     if p.is_file() and not p.is_symlink())
    files = []
    for source in [*sources[:: len(sources) // most_files + 1], pathlib.Path("/bin/bash")]:
        data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
        if not data or (b"\0" in data and source.name != "bash"):
            continue
        copy = directory / f"{len(files):05}"
        copy.write_bytes(data)
        files.append(copy)
    return files


def run(command, **more):
    """Raises with what the command said unless it succeeds in time."""
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=LIMIT_S, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def append_files(partition, files, how, synced):
    """One process that appends the files in turn, with `tee -a` or with the shell's >>, and notes the number of each
    in the file `synced` when it is durable. It ends at the first error."""
    line = 'tee -a "$p" < "$f" > /dev/null' if how == "tee" else 'cat "$f" >> "$p"'
    script = f'set -e; p=$1; n=0; list=$2; exec 3>>"$3"; while read -r f; do {line}; sync "$p"; echo $n >&3; n=$((n+1)); done <"$list"'
    names = pathlib.Path(f"{synced}.list-{partition.parent.name}-{partition.name}")
    names.write_text("".join(f"{f}\n" for f in files))
    return subprocess.Popen(["bash", "-c", script, "append", str(partition), str(names), str(synced)],
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


def numbers(synced):
    """What append_files has noted so far."""
    return [int(n) for n in synced.read_text().split()] if synced.exists() else []


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
    return list(parse_records(consume_raw(address, topic, partition)))


def consume_raw(address, topic, partition):
    """All records of a partition as one string, for parse_records and for comparing."""
    return run(kcat(address, "-C", "-t", topic, "-p", partition, "-o", "beginning", "-e", "-f", "%o;%h;%R%s"))


def parse_records(out):
    at = 0
    while at < len(out):
        first = out.index(b";", at)
        second = out.index(b";", first + 1)
        length, = struct.unpack_from(">i", out, second + 1)
        end = second + 5 + max(length, 0)
        yield (int(out[at:first]), out[first + 1 : second].decode(),
               None if length < 0 else out[second + 5 : end])
        at = end


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
