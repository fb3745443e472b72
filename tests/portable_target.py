"""A target without features: what is compiled for it has portable kernels only, and builds for every core."""

from __future__ import annotations

from dataclasses import replace

from edgekc.boards.board import load_board
from edgekc.pipeline import Target, target_of


def portable() -> Target:
    return replace(target_of(load_board("m0plus-an385")), features=frozenset())
