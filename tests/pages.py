"""The project's documents as tests read them: pages, their blocks of code, and a folder in which these run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r'^( *)```(\w*)(?: title="([^"]+)")?$')
_POINT = re.compile(r"(?:[-*]|\d+\.) ")


@dataclass(frozen=True, slots=True)
class Block:
    language: str  # of the fence; empty where it says none, or where lines are indented
    title: str  # the file that it is, or changes; empty: none
    text: str
    line: int  # of the page, where its text begins; from 1


def pages() -> list[str]:
    """Every document, by its path below the project's root."""
    top = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
    found = [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/README.md")]
    return [*top, *sorted(path.relative_to(ROOT).as_posix() for path in found)]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[Block]:
    """Fenced blocks, also below points of a list; and outside of lists what is indented behind an empty line.

    AssertionError: a fence that does not end, or begins in a way that this does not know.
    """
    lines = text.splitlines()
    at, in_list, empty_above = 0, False, True
    while at < len(lines):
        start, line = at, lines[at]
        if fence := _FENCE.match(line):
            end = f"{fence[1]}```"
            while at + 1 < len(lines) and lines[at + 1] != end:
                at += 1
            assert at + 1 < len(lines), f"line {start + 1}: the block has no end"
            yield Block(fence[2], fence[3] or "", _text(lines[start + 1 : at + 1]), start + 2)
            at += 1
        else:
            assert not line.lstrip().startswith("```"), f"line {start + 1}: {line!r} begins no block"
            if line and not line.startswith(" "):
                in_list = _POINT.match(line) is not None or (in_list and not empty_above)
            elif line.startswith("    ") and empty_above and not in_list:
                while at + 1 < len(lines) and (not lines[at + 1] or lines[at + 1].startswith("    ")):
                    at += 1
                yield Block("", "", _text(lines[start : at + 1]).rstrip() + "\n", start + 1)
        empty_above = not lines[at]
        at += 1


def _text(lines: list[str]) -> str:
    return textwrap.dedent("".join(f"{line}\n" for line in lines))


def commands(folder: Path) -> Path:
    """A folder of programs for PATH: this interpreter as `python`, and this project's `edgekc`."""
    folder.mkdir(exist_ok=True)
    for name, words in (("python", ""), ("edgekc", " -m edgekc")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def shell(
    text: str, folder: Path, programs: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A block of commands in a folder, up to the first that fails, with the project's modules."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **(more or {})}
    return subprocess.run(
        ["bash", "-euc", text], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
