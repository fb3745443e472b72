"""The C of a network that reads nothing of its input compiles without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import edgekc

MODEL = Path(__file__).parent / "net.tflite"
GCC = shutil.which("gcc")


@pytest.mark.skipif(GCC is None, reason="gcc is not installed")
def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    edgekc.compile(MODEL, name="net").save(tmp_path / "out")
    source, include = tmp_path / "out" / "src" / "net.c", tmp_path / "out" / "include"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{include}"]
    done = subprocess.run([str(GCC), *flags, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
