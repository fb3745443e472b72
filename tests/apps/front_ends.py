"""The C of an audio front end on this machine: with its tables, as a library, under sanitizers, and what it needs."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from built import SANITIZED, STRICT

from edgekc.assets import RUNTIME_C
from edgekc.firmware.toolchain import host_compiler
from edgekc.templates import environment


def with_tables_of(template: str, tables: Mapping[str, Any], sources: Sequence[Path], folder: Path) -> list[str]:
    """The sources, their tables of a template of codegen/apps, and the folder of headers, for a compiler."""
    (folder / "tables.c").write_text(environment().get_template(f"apps/{template}").render(app=tables))
    return [*map(str, sources), str(folder / "tables.c"), f"-I{RUNTIME_C / 'frontend'}"]


def _built(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def loaded(sources: Sequence[str], folder: Path) -> ctypes.CDLL:
    """A library of the sources."""
    library = str(folder / "front_end.so")
    _built([*host_compiler().command, *STRICT, "-fPIC", "-shared", *sources, "-o", library])
    return ctypes.CDLL(library)


def sanitized(sources: Sequence[str], data: bytes, folder: Path) -> bytes:
    """What the folder's main.c with the sources says of the data, in a program with sanitizers."""
    program = folder / "run"
    _built(["gcc", *STRICT, *SANITIZED, *sources, str(folder / "main.c"), "-o", str(program)])
    ran = subprocess.run([program], input=data, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def foreign_names(sources: Sequence[Path], folder: Path) -> set[str]:
    """What an object of each source needs of others than a front end and the compiler's own library of 64 bits."""
    gcc = "arm-none-eabi-gcc"
    if subprocess.run(["which", gcc], capture_output=True, check=False).returncode:
        pytest.skip(f"{gcc} is not installed")
    objects = []
    for source in sources:
        objects.append(str(folder / f"{source.stem}.o"))
        flags = ["-mcpu=cortex-m0", "-mthumb", *STRICT, "-ffreestanding", f"-I{RUNTIME_C / 'frontend'}"]
        subprocess.run([gcc, *flags, "-c", str(source), "-o", objects[-1]], check=True)
    undefined = subprocess.run(["arm-none-eabi-nm", "-u", *objects], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in undefined.splitlines() if " U " in line}
    return {n for n in names if not n.startswith(("ek_frontend", "ek_mfcc", "__aeabi_l", "__gnu_thumb1"))}
