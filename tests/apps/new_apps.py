"""A project of `edgekc new-app` on this machine: its tools, and make in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = ("make", "arm-none-eabi-gcc", "qemu-system-arm", "cc")


def need_tools() -> None:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def make(folder: Path, *words: str, fails: bool = False) -> str:
    """What it printed; no warning may be among it."""
    command = ["make", "-s", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert fails or done.stderr == ""
    return done.stdout
