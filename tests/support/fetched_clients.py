"""Kafka clients that their languages' registries have: fetched in the versions that stand in the tree, and built, in
the user's cache, once.

A language that is not here, or a registry that cannot be reached, raises kafka_clients.Missing: the test skips, or, in
CI, fails. What was fetched and does not build always fails.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from kafka_clients import CLIENTS, missing

FETCH_S = 300


def cache(name):
    directory = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "topicfs-tests" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def need_programs(*programs):
    for program in programs:
        if not shutil.which(program):
            missing(program)


def fetch(command, what, **options):
    try:
        done = subprocess.run(command, capture_output=True, timeout=FETCH_S, check=False, **options)
    except subprocess.TimeoutExpired:
        missing(f"{what} (not fetched within {FETCH_S} s)")
    if done.returncode != 0:
        missing(f"{what} ({command[0]}: {(done.stdout + done.stderr).decode(errors='replace')[-300:].strip()})")


def build(command, **options):
    done = subprocess.run(command, capture_output=True, timeout=FETCH_S, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")


def digest(*files):
    """Of their contents: a directory named so has what they ask for."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def go_client():
    """The program of tests/interop/go. Go's own caches keep what it is made of."""
    need_programs("go")
    options = {"cwd": CLIENTS / "go", "env": {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}}
    fetch(["go", "mod", "download"], "what tests/interop/go needs", **options)
    program = cache("go") / "interop"
    build(["go", "build", "-o", program, "."], **options)
    return str(program)


def python_modules():
    """The directory of what tests/interop/requirements.txt names, for /usr/bin/python3."""
    wanted = CLIENTS / "requirements.txt"
    directory = cache("python") / digest(wanted)
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=directory.parent) as unfinished:
            fetch(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary=:all:", "--target", f"{unfinished}/modules", "-r", wanted], "Python's clients")
            pathlib.Path(unfinished, "modules").rename(directory)
    return str(directory)


def compiled(compiler, flags, source, library, directory):
    """A program of tests/interop/c with a library of Debian's."""
    need_programs(compiler)
    if not pathlib.Path("/usr/include/librdkafka/rdkafka.h").exists():
        missing("librdkafka-dev")
    program = directory / source.replace(".", "-")
    build([compiler, *flags, "-o", program, CLIENTS / "c" / source, f"-l{library}"])
    return str(program)


def rust_client():
    """The program of tests/interop/rust. The librdkafka in it is not optimized, which halves what the first build takes."""
    need_programs("cargo", "make", "gcc", "pkg-config")
    target = cache("rust")
    options = {"cwd": CLIENTS / "rust", "env": {**os.environ, "CARGO_TARGET_DIR": str(target), "CFLAGS": "-O0"}}
    fetch(["cargo", "fetch", "--locked"], "what tests/interop/rust needs", **options)
    build(["cargo", "build", "--quiet", "--locked", "--offline"], **options)
    return str(target / "debug" / "interop")


def node_modules():
    """The directory of what tests/interop/js/package-lock.json names, for NODE_PATH."""
    need_programs("node", "npm")
    wanted = [CLIENTS / "js" / name for name in ("package.json", "package-lock.json")]
    directory = cache("js") / digest(*wanted)
    if not directory.is_dir():
        with tempfile.TemporaryDirectory(dir=directory.parent) as unfinished:
            project = pathlib.Path(unfinished) / "project"
            project.mkdir()
            for file in wanted:
                shutil.copy(file, project)
            fetch(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "JavaScript's clients", cwd=project)
            project.rename(directory)
    return str(directory / "node_modules")
