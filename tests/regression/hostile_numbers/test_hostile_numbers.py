"""The sum of a requantised accumulator and a zero point wraps, as other sums do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgekc.assets import RUNTIME_C
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import host_compiler

HERE = Path(__file__).parent
FLAGS = ("-std=c99", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")


def test_the_sum_wraps(tmp_path: Path) -> None:
    try:
        compiler = host_compiler()
    except ToolError as error:
        pytest.skip(str(error))
    kernels = RUNTIME_C / "kernels" / "portable"
    sources = [str(HERE / "output.c"), str(kernels / "ek_output_s8.c")]
    command = [*compiler.command, *FLAGS, f"-I{RUNTIME_C / 'include'}", f"-I{kernels}", *sources]
    subprocess.run([*command, "-o", str(tmp_path / "output")], check=True)
    done = subprocess.run([tmp_path / "output"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
