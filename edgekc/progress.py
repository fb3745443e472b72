"""How far a long piece of work has come, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# What is being done, how many are done, and of how many; 0 where nobody knows.
Progress: TypeAlias = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""
