"""What a long piece of work says, and how far it has come, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# What is being done, how many are done, and of how many; 0 where nobody knows.
Progress: TypeAlias = Callable[[str, int, int], None]
Log: TypeAlias = Callable[[str], None]  # a line of what was done


def silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""


def unsaid(text: str) -> None:
    """Nobody wants to read it."""
