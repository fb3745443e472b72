"""Turns what a flash tool printed into one clear error: what happened, and what to do about it."""

from __future__ import annotations

import re

from ..boards.board import Board
from ..errors import FlashError
from .records import Job, Problem, Step, Tool

# What happened and what to do, with {fields} that _words gives.
_TEXTS: dict[Problem, tuple[str, str]] = {
    "no-tool": ("{program} is not installed", "{install}, or choose another with --tool ({others})"),
    "no-probe": (
        "no probe was found{which}",
        "connect the board and check its cable and power, or name it with --probe",
    ),
    "two-probes": ("more than one probe is connected", "name one with --probe; {lister} lists them"),
    "unknown-target": ("{tool} does not know this chip ({target})", "{pack}"),
    "wrong-chip": (
        "another chip is connected than this board has",
        "connect the board, or name the right one with --board",
    ),
    "locked": ("the board refuses access: its flash is locked", "{unlock}"),
    "too-large": (
        "the image of {size} bytes does not fit the flash",
        "choose a larger board, or compress the model further",
    ),
    "no-power": ("the probe answers, and the chip behind it does not", "check the board's power and wiring"),
    "verify": (
        "what the flash holds is not what was sent",
        "program it again; if it stays so, the flash is worn or protected",
    ),
    "lost": (
        "the probe was lost in the middle",
        "check cable and power, then program it again: the flash may be half-written",
    ),
    "timeout": ("{program} did not end within {timeout_s:g} s", "check the connection, or allow more with --timeout"),
    "refused": ("the chip's flash controller refused to erase or program", "{unlock}"),
    "failed": ("{program} failed with status {status}", "run it yourself: --dry-run prints the command"),
}
_LISTERS = {"pyocd": "`pyocd list`", "openocd": "`lsusb -v`", "stlink": "`st-info --probe`", "adb": "`adb devices`"}
_LINE = 160


def error(
    problem: Problem, tool: Tool, job: Job, step: str, *,
    said: str = "", status: int = 0, timeout_s: float = 0.0, program: str = "",
) -> FlashError:  # fmt: skip
    """The error of that kind, with the tool's own line where there is one."""
    board = job.board
    probe = board.probe
    target = (probe.pyocd_target if probe is not None else "") or "no target name"
    words = {
        "program": program or tool.programs[0],
        "install": tool.install,
        "others": ", ".join(name for name in board.flash_tools if name != tool.name) or "this board has no other",
        "which": f" that matches {job.probe}" if job.probe else "",
        "lister": _LISTERS.get(tool.name, "the tool"),
        "tool": tool.name,
        "target": target,
        "pack": f"pyocd pack install {target}"
        if tool.name == "pyocd"
        else "install a newer one, or pass --openocd-config",
        "unlock": (probe.unlock if probe is not None else "") or "remove the protection with the vendor's tool",
        "size": f"{job.size_bytes:,}",
        "timeout_s": timeout_s,
        "status": status,
    }
    what, fix = _TEXTS[problem]
    text = what.format_map(words)
    if said:
        text += f" ({said[:_LINE]})"
    return FlashError(text, problem=problem, where=f"board {board.name}, {step}", fix=fix.format_map(words))


def diagnose(tool: Tool, job: Job, step: Step, output: str, status: int) -> FlashError:
    """The error for a step that failed, from what its command printed."""
    clean = re.sub(r"\x1b\[[0-9;]*m", "", output)
    for symptom in tool.symptoms:
        if match := re.search(symptom.pattern, clean):
            start = clean.rfind("\n", 0, match.start()) + 1
            line = clean[start:].partition("\n")[0]
            return error(symptom.problem, tool, job, step.what, said=line.strip(), program=step.command[0])
    lines = [line.strip() for line in clean.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|fail", line, re.IGNORECASE)]
    said = (telling or lines or [""])[-1]
    return error("failed", tool, job, step.what, said=said, status=status, program=step.command[0])


def wrong_chip(board: Board, found: int, tool: Tool, job: Job) -> FlashError:
    """The chip's identity word is another's."""
    chip = board.probe.chip_id if board.probe is not None else None
    expected = chip.value if chip is not None else 0
    said = f"its identity word is 0x{found:08x}, expected 0x{expected:08x}"
    return error("wrong-chip", tool, job, "identify the chip", said=said)
