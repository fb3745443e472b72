"""A network without an arena compiles without warnings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from portable_target import portable

from edgekc.errors import ToolError
from edgekc.files.output import write_folder
from edgekc.firmware.toolchain import host_compiler
from edgekc.pipeline import compile_model

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")


def test_a_network_without_an_arena(tmp_path: Path) -> None:
    try:
        compiler = host_compiler()
    except ToolError as error:
        pytest.skip(str(error))
    made = compile_model(Path(__file__).with_name("model.tflite"), "net", portable())
    assert made.plan.arena_bytes == 0
    write_folder(made.files, tmp_path / "out")
    source = tmp_path / "out" / "src" / "net.c"
    command = [
        *compiler.command,
        *WARNINGS,
        f"-I{tmp_path / 'out' / 'include'}",
        "-c",
        str(source),
        "-o",
        str(tmp_path / "net.o"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
