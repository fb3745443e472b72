"""A part of the cases of an operator, for tests whose time each case adds to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

MOST = 150  # of an operator; some have five times as many
_T = TypeVar("_T")


def some(cases: Sequence[_T], most: int) -> Sequence[_T]:
    """Every nth from the first on, so that there are `most` or fewer; cases of a kind lie beside each other."""
    return cases[:: -(-len(cases) // most) or 1]
