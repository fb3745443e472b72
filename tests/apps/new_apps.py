"""A project of `edgekc new-app` on this machine: its tools, make in it, its training, and programs of its C."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import Result

TOOLS = ("make", "arm-none-eabi-gcc", "qemu-system-arm", "cc")


def need_tools() -> None:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def make(folder: Path, *words: str, fails: bool = False) -> str:
    """What it printed; no warning may be among it. Of a failure, what it complained of too."""
    command = ["make", "-s", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert fails or done.stderr == ""
    return done.stdout + done.stderr


def train(folder: Path, *words: str | Path) -> Result:
    """A project's train.py for one epoch in this process, which has imported PyTorch once."""
    spec = importlib.util.spec_from_file_location("train", folder / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv = ["train.py", "-o", str(folder / "trained"), "--epochs", "1", *map(str, words)]
    with patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            spec.loader.exec_module(module)
            module.main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Result(code, out.getvalue(), err.getvalue())
