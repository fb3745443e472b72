"""Costs, losses and budgets to candidates: a multiple-choice knapsack, solved exactly.

Each layer takes one choice. Bytes, cycles and the proxy are sums over layers; a C file of kernels is linked once,
whichever layers call it; of RAM the layer that takes most counts. scipy's branch and bound (HiGHS) finds the optimum.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ToolError, UsageError
from ..graph.ir import Array
from . import space
from .candidate import Budget, Candidate, Figures
from .costs import BOUND_BYTES, CostTable
from .sensitivity import Loss, SensitivityTable

_LEAST_SHARE = 0.5  # of the way from the budget down to the least flash that candidates are spread over
_SECONDS = 20.0  # that one problem may take; what was found by then is taken


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

    They are spread over flash from the budget, or from the best candidate without one, half the way down to the least,
    more of them near the budget. Where that gives fewer than `count`, others follow that weigh losses otherwise: by
    the root of the proxy, which spreads the loss over fewer layers, and by points of accuracy.

    Args:
        budget: flash, ram and seconds bound the choices; loss is not looked at.
        count: at most so many.
        base: what all of them share: keep, optimise, ram, epochs. Its layers are not looked at. Where it leaves ram
            open and a candidate would take more than the budget, its plan is bound to the budget.

    Raises:
        UsageError: a budget is below the least possible; says what is least.
        ToolError: scipy is not installed.
    """
    _check_scipy()
    problem = _Knapsack(cost, sensitivity, _most_cycles(cost, budget))
    _check_possible(cost, budget, problem)
    if budget.flash is not None and _bound(cost, dict.fromkeys(cost.layers, space.DENSE), budget, base) is not None:
        least_flash = cost.flash(problem.smallest())
        budget = replace(budget, flash=max(budget.flash - BOUND_BYTES, least_flash))
    weightings: tuple[Callable[[Loss], float], ...] = (
        lambda loss: loss.proxy,
        lambda loss: math.sqrt(max(loss.proxy, 0.0)),
        lambda loss: max(loss.loss, 0.0) + loss.proxy,
    )
    found: dict[tuple[tuple[str, str], ...], Candidate] = {}
    for weigh in weightings:
        for most in _limits(cost, budget, problem, weigh, count):
            layers = problem.solved(weigh, most)
            if layers is not None and len(found) < count:
                made = replace(base, layers=tuple(layers.items()), ram=_bound(cost, layers, budget, base))
                found.setdefault(made.layers, made)
    return sorted(found.values(), key=lambda made: sensitivity.proxy(dict(made.layers)))


def corrected(
    cost: CostTable,
    sensitivity: SensitivityTable,
    budget: Budget,
    candidate: Candidate,
    figures: Figures,
    choices: Mapping[str, tuple[str, ...]],
) -> Candidate | None:
    """The best within the budgets by tables that are right for a candidate that was measured.

    One that misses a limit is so followed by one that saves just that, and one that leaves room by one that takes it.

    Args:
        figures: of the candidate; its plan's RAM is lowered by as much as it is beyond the budget.
        choices: layer -> those that may be taken.

    Returns:
        None where that is the candidate itself, or nothing is within the budgets.
    """
    right = cost.calibrated(candidate, figures).within(choices)
    problem = _Knapsack(right, sensitivity, _most_cycles(right, budget))
    layers = problem.solved(lambda loss: loss.proxy, budget.flash)
    ram = candidate.ram
    if budget.ram is not None and figures.ram > budget.ram:
        ram = budget.ram if ram is None else ram + budget.ram - figures.ram
    if layers is None or (ram is not None and ram < cost.least_ram):
        return None
    made = replace(candidate, layers=tuple(layers.items()), ram=ram)
    return None if made == candidate else made


def predicted(cost: CostTable, sensitivity: SensitivityTable, candidate: Candidate) -> Predicted:
    """What the tables say of one candidate; of one whose plan is bound to some RAM, that RAM at the most."""
    layers = dict(candidate.layers)
    ram, cycles = cost.ram(layers), cost.cycles(layers)
    bound = candidate.ram is not None and ram > candidate.ram
    flash = cost.flash(layers) + BOUND_BYTES * bound
    ram = ram if candidate.ram is None else min(ram, candidate.ram)
    return Predicted(flash, ram, cycles, cost.seconds(cycles), sensitivity.proxy(layers))


def least(cost: CostTable) -> Least:
    """The least flash, RAM and cycles of any choice. ToolError without scipy."""
    _check_scipy()
    problem = _Knapsack(cost, None, None)
    cycles = cost.cycles(_fastest(cost))
    return Least(cost.flash(problem.smallest()), cost.least_ram, cycles, cost.seconds(cycles))


def rank_correlation(proxy: Sequence[float], truth: Sequence[float]) -> Correlation:
    """Spearman's and Kendall's (tau-b) correlation; NaN where one list is constant or has less than two numbers."""
    a, b = np.asarray(proxy, np.float64), np.asarray(truth, np.float64)
    if a.shape != b.shape:
        raise UsageError(f"{len(a)} and {len(b)} numbers cannot be ranked beside each other")
    pairs = np.triu_indices(len(a), 1)
    signs = [np.sign(x[:, None] - x[None, :])[pairs] for x in (a, b)]
    return Correlation(_cosine(*(_ranks(x) - (len(x) + 1) / 2 for x in (a, b))), _cosine(*signs), len(a))


def _ranks(x: Array) -> Array:
    """From 1; equal numbers have the mean of theirs."""
    return np.asarray([(x < v).sum() + ((x == v).sum() + 1) / 2 for v in x], np.float64)


def _cosine(a: Array, b: Array) -> float:
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else math.nan


def _most_cycles(cost: CostTable, budget: Budget) -> float | None:
    if budget.seconds is None or cost.seconds_per_cycle is None:
        return None
    return budget.seconds / cost.seconds_per_cycle


def _bound(cost: CostTable, layers: Mapping[str, str], budget: Budget, base: Candidate) -> int | None:
    if base.ram is not None or budget.ram is None or cost.ram(layers) <= budget.ram:
        return base.ram
    return budget.ram


def _fastest(cost: CostTable) -> dict[str, str]:
    """Layer -> the choice of fewest cycles."""
    return {name: min(own.items(), key=lambda item: item[1].cycles)[0] for name, own in cost.layers.items()}


def _limits(
    cost: CostTable, budget: Budget, problem: _Knapsack, weigh: Callable[[Loss], float], count: int
) -> list[int]:
    """Bytes of flash that candidates may take, the most first."""
    best = problem.solved(weigh, budget.flash)
    if best is None:
        return []
    most, floor = cost.flash(best), cost.flash(problem.smallest())
    top = most if budget.flash is None else budget.flash
    shares = [_LEAST_SHARE * (i / max(count - 1, 1)) ** 1.5 for i in range(count)]
    return [top, *(round(most - share * (most - floor)) for share in shares[1:])]


def _check_possible(cost: CostTable, budget: Budget, problem: _Knapsack) -> None:
    """UsageError where a budget is below what is least by itself, or where all of them together are."""
    floor, where = least(cost), "budget"
    asked = (
        ("flash", budget.flash, floor.flash, f"{floor.flash:,} bytes"),
        ("RAM", budget.ram, floor.ram, f"{floor.ram:,} bytes"),
        ("time", budget.seconds, floor.seconds, f"{1000 * (floor.seconds or 0):.3g} ms"),
    )
    for name, most, lowest, text in asked:
        if most is not None and lowest is not None and most < lowest:
            raise UsageError(
                f"the least {name} of this model on this board is about {text}",
                where=where,
                fix=f"allow at least {text} of {name}, or take a smaller model",
            )
    if problem.solved(lambda loss: loss.proxy, budget.flash) is None:
        fastest = problem.smallest()
        what = f"within the time, the least flash of this model is about {cost.flash(fastest):,} bytes"
        raise UsageError(what, where=where, fix="allow more of one of them")


def _check_scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise ToolError("a search needs scipy", where="solve", fix="pip install 'edgekc[compress]'")


class _Knapsack:
    """The integer programme: a binary for each layer and choice, for each C file, and for each kind of choice."""

    def __init__(self, cost: CostTable, sensitivity: SensitivityTable | None, cycles: float | None) -> None:
        self._cost, self._sensitivity = cost, sensitivity
        self._taken = [(name, choice) for name, own in cost.layers.items() for choice in own]
        costs = [cost.layers[name][choice] for name, choice in self._taken]
        kinds = sorted({choice for _, choice in self._taken} - {space.DENSE})
        files = sorted({file for c in costs for file in c.files} - set(cost.fixed_files))
        shared = [*files, *kinds]  # paid once, whichever layers use them
        width = len(self._taken) + len(shared)
        column = {key: len(self._taken) + i for i, key in enumerate(shared)}
        rows, low, high = [], [], []

        def row(entries: Mapping[int, float], least: float, most: float) -> None:
            values = np.zeros(width)
            for at, value in entries.items():
                values[at] += value
            size = np.abs(values).max()  # bytes and cycles are large beside the solver's tolerances
            rows.append(values / size)
            low.append(least / size)
            high.append(most / size)

        for name in cost.layers:
            row({i: 1.0 for i, (layer, _) in enumerate(self._taken) if layer == name}, 1, 1)
        for i, ((_, choice), own) in enumerate(zip(self._taken, costs, strict=True)):
            for key in (*own.files, choice):
                if key in column:
                    row({i: 1.0, column[key]: -1.0}, -np.inf, 0)
        if cycles is not None:
            own_cycles = [cost.cycle_scale * c.cycles for c in costs]
            row(dict(enumerate(own_cycles)), -np.inf, cycles - cost.cycle_scale * cost.fixed_cycles)
        step = cost.flash_of_steps(1)
        self._flash = np.array(
            [c.constants for c in costs] + [cost.code[f] for f in files] + [step] * len(kinds), float
        )
        self._paid = cost.flash({})
        self._rows, self._low, self._high = np.array(rows), np.array(low), np.array(high)

    def solved(self, weigh: Callable[[Loss], float], most_flash: int | None) -> dict[str, str] | None:
        """Layer -> choice of least summed weight; None where nothing meets the limits."""
        assert self._sensitivity is not None
        weights = [weigh(self._sensitivity.layers[name][choice]) for name, choice in self._taken]
        objective = np.zeros(len(self._flash))
        objective[: len(weights)] = weights
        # Of equal losses the one of fewer bytes.
        objective += 1e-9 * max(1e-6, float(np.max(np.abs(weights)))) * self._flash / self._flash.sum()
        return self._found(objective / objective.max(), most_flash)

    def smallest(self) -> dict[str, str]:
        """Layer -> choice of least flash, within the cycles."""
        found = self._found(self._flash / self._flash.max(), None)
        if found is None:  # the cycles are below the least, which whoever asks has checked or will
            return _fastest(self._cost)
        return found

    def _found(self, objective: Array, most_flash: int | None) -> dict[str, str] | None:
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows, low, high = self._rows, self._low, self._high
        if most_flash is not None:
            size = self._flash.max()
            rows = np.vstack([rows, self._flash / size])
            low, high = np.append(low, -np.inf), np.append(high, (most_flash - self._paid) / size)
        found = milp(
            objective,
            constraints=LinearConstraint(rows, low, high),
            integrality=np.ones(len(objective)),
            bounds=Bounds(0, 1),
            options={"time_limit": _SECONDS},
        )
        if found.x is None:
            return None
        chosen = np.flatnonzero(found.x[: len(self._taken)] > 0.5)
        return dict(self._taken[i] for i in chosen)
