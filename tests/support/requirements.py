"""What a test needs of the machine it runs on. A test that lacks it says so and exits with 77, which
tools/test counts as skipped, or, in CI, where tools/test has installed everything, as failed:

    need_fuse(); need_programs("kcat"); need_modules("confluent_kafka")

`skip(reason)` is for what CI cannot have either, such as packages of another language's registry.
"""

import importlib.util
import os
import shutil
import sys

SKIPPED = 77


def skip(reason):
    print(f"SKIP: {reason}", flush=True)
    sys.exit(SKIPPED)


def need_programs(*programs):
    for program in programs:
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            skip(f"missing the program {program}")


def need_modules(*modules):
    """Python modules; tests run with /usr/bin/python3, whose modules are Debian's packages."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            skip(f"missing the Python module {module}")


def need_fuse():
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        skip(f"missing /dev/fuse ({error.strerror})")
    need_programs("fusermount3")


def need_root():
    if os.geteuid() != 0:
        skip("this test needs root")
