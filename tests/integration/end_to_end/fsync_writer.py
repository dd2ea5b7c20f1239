"""Appends numbered lines to FILE, each with an fsync, and prints the number of every line once it is
acknowledged. Ends at the first error, which is what the daemon's death looks like, or after COUNT lines.

    fsync_writer.py FILE PREFIX COUNT
"""

import os
import sys


def main():
    path, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    for n in range(count):
        line = f"{prefix} {n}\n".encode()
        if os.write(fd, line) != len(line):
            sys.exit("short write")
        os.fsync(fd)
        print(n, flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(str(error))
