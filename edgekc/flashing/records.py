"""What a flash tool is: the steps that it takes for a job, and what its words mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..boards.board import Board

Problem = Literal[
    "no-tool", "no-probe", "two-probes", "unknown-target", "wrong-chip", "locked", "too-large", "no-power",
    "verify", "lost", "timeout", "refused", "failed",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """One image for one board. File names are below `folder`, where the commands run."""

    board: Board
    folder: Path
    elf: str  # with debug information
    image: str  # what is programmed: flat bytes from `base` on; on Linux the program itself
    base: int  # 0 on Linux
    size_bytes: int  # of image
    readback: str  # what the board holds afterwards, for the comparison
    chip: str  # the four bytes at the board's chip_id.address, if it has one
    probe: str  # unique id, remote:host:port, user@host, serial or drive; empty: the only one there is
    openocd_config: Path | None  # instead of the board's files
    options: tuple[str, ...]  # appended to the tool's own options


@dataclass(frozen=True, slots=True)
class Step:
    what: str  # "program", "read back", ... : for messages
    command: tuple[str, ...]
    server: tuple[str, ...] = ()  # started before the command, ended after it
    stdout: str = ""  # file for what the command prints; empty: it is looked at for symptoms


@dataclass(frozen=True, slots=True)
class Symptom:
    """Words of the tool, and what they mean."""

    pattern: str  # regular expression, searched in all that the tool printed
    problem: Problem


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    programs: tuple[str, ...]  # all are needed
    install: str  # how to get them
    steps: Callable[[Job], tuple[Step, ...]]
    symptoms: tuple[Symptom, ...]  # the first that is found decides
    reads_back: bool  # False: the way to the board is one-way
    prepare: Callable[[Job], None] | None = None  # before the steps, not in a dry run: writes files, looks for drives
