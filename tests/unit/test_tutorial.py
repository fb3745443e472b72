"""docs/tutorial.md, walked: its files are written and its commands run, in the order of the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
NEEDS = ("torch", "sklearn", "ziglang", "unicorn", "optuna")


def test_every_block_is_a_file_or_commands() -> None:
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [title for language, title, _ in found if language != "sh"] == ["train.py", "main.c"]
    assert sum(language == "sh" for language, _, _ in found) > 5


@pytest.mark.slow
def test_the_page_from_top_to_bottom(tmp_path: Path) -> None:
    for package in NEEDS:
        pytest.importorskip(package, reason=f"{package} is not installed")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler of this machine's is called cc")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("python", ""), ("edgekc", " -m edgekc")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{command} "$@"\n')
        (programs / name).chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    printed = ""
    for language, title, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language != "sh":
            (folder / title).write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-euc", text], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr[-3000:]}"
        printed += done.stdout
    assert "this is a 1\n" in printed
    assert (folder / "report.html").stat().st_size > 50_000
