"""C files compiled and linked for tests: each object once by its content, each library once for all processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgekc.firmware import objects
from edgekc.firmware.toolchain import Compiler, host_compiler
from edgekc.fuzzing.compiling import compiled

# Flags for C by hand.
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wundef", "-Wconversion", "-Werror")
SANITIZED = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-g")


def address_sanitizer() -> str:
    """gcc's library of the address sanitizer; the test is skipped where there is none."""
    import pytest  # not for benchmarks and programs that only compile

    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(found):
        pytest.skip("gcc has no address sanitizer here")
    return found


def run_sanitized(asan: str, libraries: Sequence[Path], arguments: Sequence[str]) -> str:
    """What Python prints with these arguments, its kernels being those of libraries built with sanitizers."""
    environment = {
        **os.environ,
        "EK_HOST_LIBRARY": os.pathsep.join(map(str, libraries)),
        "LD_PRELOAD": asan,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """A folder of that name in the cache, which no other process of these tests is in."""
    folder = objects.user_cache() / "tests" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def shared_library(compiler: Compiler, flags: Sequence[str], sources: Sequence[Path]) -> Path:
    """One shared library of the sources, by flags with -fPIC. Processes that want the same wait for the first one."""
    keys = [objects.key_of(compiler, flags, source) for source in sources]
    name = hashlib.sha256("\0".join(str(key) for key in keys).encode()).hexdigest()
    with alone(f"library-{name}") as folder:
        library = folder / "libkernels.so"
        if None in keys or not library.is_file():
            parts = compiled(compiler, flags, sources, folder)
            fresh = folder / "fresh.so"
            subprocess.run([*compiler.command, *flags, "-shared", *map(str, parts), "-o", str(fresh)], check=True)
            fresh.replace(library)
            for part in parts:
                part.unlink()
    return library


def program_of(name: str, sources: Sequence[Path], words: Sequence[str]) -> Path:
    """A program of this machine's compiler, built once by its content, for all processes."""
    compiler = host_compiler()
    keys = [objects.key_of(compiler, words, path) for path in sources]
    with alone(f"{name}-{hashlib.sha256(repr(keys).encode()).hexdigest()}") as folder:
        made = folder / name
        if None in keys or not made.is_file():
            command = [*compiler.command, *words, *map(str, sources), "-o", str(folder / "fresh")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "fresh").replace(made)
    return made
