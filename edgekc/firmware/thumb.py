"""Turns Thumb code into the places where its instructions begin."""

from __future__ import annotations

from ..errors import ToolError


def instruction_starts(code: bytes) -> list[int]:
    """Where each Thumb instruction begins in `code`, which starts at one.

    Raises:
        ToolError: it ends within an instruction.
    """
    if ends_within(code):
        raise ToolError("a block of code ends within an instruction", where=code.hex())
    return _walk(code)[:-1]


def ends_within(code: bytes) -> bool:
    """Whether the last instruction of `code` has more bytes than are there."""
    return _walk(code)[-1] != len(code)


def _walk(code: bytes) -> list[int]:
    """Where each instruction begins, and where the last one ends."""
    starts = [0]
    while starts[-1] < len(code):
        # A first halfword of 0b11101, 0b11110 or 0b11111 starts a 32-bit instruction (ARMv7-M ARM, A5.1).
        starts.append(starts[-1] + (4 if code[starts[-1] + 1] >> 3 >= 0b11101 else 2))
    return starts
