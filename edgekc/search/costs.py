"""What each choice of each layer costs on a core, by the planner's estimates: no compiler runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .problem import Problem


@dataclass(frozen=True, slots=True)
class Cost:
    """What a layer costs as one choice makes it.

    Attributes:
        weights: bytes of what stands for the weights.
        constants: bytes of those, of bias, requantisation and what kernels have laid out once more.
        files: C files of its kernel; what several layers call is linked once.
        cycles: estimated, of one run.
        arena: bytes that its inputs, output and scratch take while it runs.
    """

    weights: int
    constants: int
    files: tuple[str, ...]
    cycles: float
    arena: int


@dataclass(frozen=True, slots=True)
class CostTable:
    """Costs of every layer and choice, and of what is there whatever is chosen.

    Attributes:
        layers: layer -> choice -> cost.
        code: bytes of each C file of kernels on this board, by name.
        fixed_flash: bytes of what does not depend on choices: the network function, tables, layers without weights.
        fixed_files: C files of layers without weights.
        fixed_cycles: estimated cycles of layers without weights.
        fixed_ram: bytes of state, static data and stack.
        fixed_arena: bytes of arena that layers without weights need.
        clock_hz: of the board; None: not known.
    """

    layers: Mapping[str, Mapping[str, Cost]]
    code: Mapping[str, int]
    fixed_flash: int
    fixed_files: tuple[str, ...]
    fixed_cycles: float
    fixed_ram: int
    fixed_arena: int
    clock_hz: int | None

    def flash(self, layers: Mapping[str, str]) -> int:
        """Bytes of linked flash with these choices (layer -> choice), about."""
        raise NotImplementedError

    def ram(self, layers: Mapping[str, str]) -> int:
        """Bytes of arena, state, static data and stack with these choices, about, where RAM is spent for speed."""
        raise NotImplementedError

    def cycles(self, layers: Mapping[str, str]) -> float:
        """Cycles of one run with these choices, about."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        raise NotImplementedError


def table(problem: Problem, choices: Mapping[str, tuple[str, ...]]) -> CostTable:
    """The costs of every layer and choice on the problem's board.

    Args:
        choices: layer -> its choices, as `space.choices` gives them.
    """
    raise NotImplementedError
