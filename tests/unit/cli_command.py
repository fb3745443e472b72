"""The command line for tests: in this process or in one of its own, and what a bad input has to look like."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from edgekc.assets import BOARDS
from edgekc.cli.main import run
from edgekc.demo.walk import DATA

MODEL = DATA / "digits_int8.tflite"
GOOD = MODEL.read_bytes()
BOARD = "mps2-an386"
NOT_A_FILE = b"(not a file)"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def call(*arguments: str | Path) -> Result:
    """The command in this process: its entry point, with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["edgekc", *map(str, arguments)]
    with patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run()
        except SystemExit as end:
            return Result(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command did not end by exiting")


def real(*arguments: str | Path, before: str = "", env: dict[str, str] | None = None) -> Result:
    """The same in a process of its own, after the statements in `before`."""
    code = f"{before}\nfrom edgekc.cli.main import run\nrun()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **(env or {})},
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def complaint(result: Result) -> str:
    """The one line that a bad input gives; anything else fails the test."""
    assert result.code == 2, result
    assert "Traceback" not in result.err
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("edgekc: error: ")
    return lines[0].removeprefix("edgekc: error: ")


def refusal(result: Result) -> list[str]:
    """The lines of a bad input: one, or of several obstacles those below the heading that counts them."""
    lines = result.err.splitlines()
    heading = re.fullmatch(r"edgekc: error: (\d+) obstacles:", lines[0]) if lines else None
    if heading is None:
        return [complaint(result)]
    assert result.code == 2 and "Traceback" not in result.err
    assert len(lines) == 1 + int(heading[1]) and all(line.startswith("  ") for line in lines[1:]), result.err
    return [line.strip() for line in lines[1:]]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; folders and links by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else NOT_A_FILE
        for path in sorted(folder.rglob("*"))
    }


def copy(files: dict[str, bytes], folder: Path) -> Path:
    """Writes what `snapshot` gave."""
    for path, data in files.items():
        if data != NOT_A_FILE:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    return folder


def compile_demo(folder: Path) -> Path:
    """The demo model as the command compiles it."""
    result = real("compile", MODEL, "-o", folder, "--board", BOARD, "--name", "digits")
    assert (result.code, result.err) == (0, "")
    return folder


def small_board(folder: Path, *, flash: int | None = None, ram: int | None = None) -> Path:
    """The M4 board with less memory."""
    text = (BOARDS / BOARD / "board.toml").read_text()
    blocks = text.split("[[memory]]")
    for i, block in enumerate(blocks):
        size = flash if 'kind = "flash"' in block else ram if 'kind = "ram"' in block else None
        if size is not None:
            blocks[i] = re.sub(r"size_bytes = \w+", f"size_bytes = {size}", block)
    path = folder / "small.toml"
    path.write_text("[[memory]]".join(blocks).replace(f'name = "{BOARD}"', 'name = "small"'))
    return path
