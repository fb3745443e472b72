"""What a long piece of work says, and how far it has come, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# What is being done, how many are done, and of how many; 0 where nobody knows.
Progress: TypeAlias = Callable[[str, int, int], None]
Log: TypeAlias = Callable[[str], None]  # a line of what was done


def quarters(log: Log) -> Progress:
    """Progress as lines: of what is done in many parts the first, and one for each quarter of them."""
    told: dict[str, int] = {}

    def progress(what: str, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if quarter > told.get(what, -1):
            told[what] = quarter
            log(f"{what}, {done:,} of {total:,} samples")

    return progress


def silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""


def unsaid(text: str) -> None:
    """Nobody wants to read it."""
