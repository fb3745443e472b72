"""C files to objects of this machine: the kernels by their flags, each object once by its content."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..assets import INCLUDES
from ..firmware import objects
from ..firmware.toolchain import Compiler

INCLUDE_FLAGS = tuple(f"-I{folder}" for folder in INCLUDES)
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
EMULATE = ("-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED")
# Vector kernels write each count of columns out by always_inline. With checks in each copy, gcc takes 16 s for a file.
SANITIZE = ("-O0", "-Dalways_inline=unused", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def host_flags(*own: str) -> tuple[str, ...]:
    """How a kernel becomes a position-independent object of this machine; equal flags share what they compile."""
    return (*WARNINGS, *EMULATE, *own, *INCLUDE_FLAGS, "-fPIC")


def kernel_sources() -> list[Path]:
    """The C file of each kernel of each family, by name."""
    return sorted((path for folder in INCLUDES for path in folder.glob("*.c")), key=lambda path: path.name)


class Refused(subprocess.CalledProcessError):
    """What the compiler said is part of what it says."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.returncode, command, done.stdout, done.stderr)
    return done


def compiled(compiler: Compiler, flags: Sequence[str], sources: Sequence[Path], folder: Path) -> list[Path]:
    """An object of each source, in `folder`. Refused where the compiler refuses one, even by a warning."""

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        objects.compile_once(compiler, flags, source, target, _run)
        return target

    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(one, sources))
