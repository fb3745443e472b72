"""Costs, losses and budgets to candidates: a multiple-choice knapsack, solved exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .candidate import Budget, Candidate
from .costs import CostTable
from .sensitivity import SensitivityTable


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a candidate is expected to cost and to lose, before anything is built; as `Figures`.

    Attributes:
        flash, ram: bytes.
        cycles: of one run.
        seconds: None where the board has no clock.
        proxy: summed proxy of its layers.
    """

    flash: int
    ram: int
    cycles: float
    seconds: float | None
    proxy: float


@dataclass(frozen=True, slots=True)
class Least:
    """The least that any choice of layers costs, each by itself; about, by the planner's estimates."""

    flash: int
    ram: int
    cycles: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Correlation:
    """How well one list of numbers ranks another: 1 is the same order, -1 the opposite one."""

    spearman: float
    kendall: float
    count: int


def candidates(
    cost: CostTable, sensitivity: SensitivityTable, budget: Budget, count: int, base: Candidate
) -> list[Candidate]:
    """Different candidates that meet the budgets by estimate, the least summed proxy first.

    Args:
        budget: flash, ram and seconds bound the choices; loss is not looked at.
        count: at most so many.
        base: what all of them share: keep, optimise, ram, epochs. Its layers are not looked at.

    Raises:
        UsageError: a budget is below the least possible; says what is least.
        ToolError: scipy is not installed.
    """
    raise NotImplementedError


def predicted(cost: CostTable, sensitivity: SensitivityTable, candidate: Candidate) -> Predicted:
    """What the tables say of one candidate."""
    raise NotImplementedError


def least(cost: CostTable) -> Least:
    """The least flash, RAM and cycles of any choice."""
    raise NotImplementedError


def rank_correlation(proxy: Sequence[float], truth: Sequence[float]) -> Correlation:
    """Spearman's and Kendall's (tau-b) correlation; NaN where one list is constant or has less than two numbers."""
    raise NotImplementedError
