"""Candidates against all that there could be, and ranks against scipy's."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edgekc.errors import UsageError
from edgekc.exploration import solve
from edgekc.exploration.candidate import Budget, Candidate, Figures
from edgekc.exploration.costs import Cost, CostTable
from edgekc.exploration.sensitivity import Loss, SensitivityTable

pytestmark = pytest.mark.fast
NAMES, CHOICES = ("a", "b", "c", "d"), ("int8", "cluster4", "cluster2", "svd2")


def tables(seed: int) -> tuple[CostTable, SensitivityTable]:
    """Made-up ones, where kernels of a kind share a file, and smaller choices lose more."""
    rng = np.random.default_rng(seed)
    costs, losses = {}, {}
    for name in NAMES:
        size = int(rng.integers(1000, 9000))
        costs[name] = {
            choice: Cost(size >> i, (size >> i) + 50, ("base",) if i in (0, 3) else ("base", f"file{i}"),
                         float(rng.integers(1000, 9000)), int(rng.integers(500, 900)), 400)
            for i, choice in enumerate(CHOICES)
        }  # fmt: skip
        losses[name] = {
            choice: Loss(i * float(rng.uniform(0.01, 0.1)), i * float(rng.uniform(-0.2, 1)))
            for i, choice in enumerate(CHOICES)
        }
    code = {"base": 900, "file1": 1500, "file2": 700, "fixed": 300}
    cost = CostTable(costs, code, 2000, ("fixed",), 500.0, 1024, 450, 1500, 1e-6)
    return cost, SensitivityTable(losses, 100, 0.9)


EVERY = [dict(zip(NAMES, own, strict=True)) for own in itertools.product(CHOICES, repeat=len(NAMES))]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_is_the_best_of_all(seed: int) -> None:
    cost, losses = tables(seed)
    middle = sorted(map(cost.flash, EVERY))[len(EVERY) // 4]
    for budget in (Budget(flash=middle), Budget(flash=middle, seconds=0.021), Budget(seconds=0.018)):
        fitting = [
            own for own in EVERY
            if (budget.flash is None or cost.flash(own) <= budget.flash)
            and (budget.seconds is None or cost.cycles(own) * 1e-6 <= budget.seconds)
        ]  # fmt: skip
        found = solve.candidates(cost, losses, budget, 6, Candidate((), epochs=2))
        assert losses.proxy(dict(found[0].layers)) == pytest.approx(min(map(losses.proxy, fitting)), abs=1e-7)
        assert all(dict(one.layers) in fitting for one in found)
        assert len({one.key for one in found}) == len(found) > 1
        proxies = [losses.proxy(dict(one.layers)) for one in found]
        assert proxies == sorted(proxies)
        assert {one.epochs for one in found} == {2}


def test_the_least_is_that_of_all() -> None:
    cost, losses = tables(0)
    floor = solve.least(cost)
    assert floor.flash == min(map(cost.flash, EVERY))
    assert floor.cycles == pytest.approx(min(map(cost.cycles, EVERY)))
    assert floor.seconds == pytest.approx(floor.cycles * 1e-6)
    for budget, what in (
        (Budget(flash=floor.flash - 1), f"least flash .* {floor.flash:,} bytes"),
        (Budget(ram=1499), "least RAM .* 1,500 bytes"),
        (Budget(seconds=floor.cycles * 0.9e-6), "least time"),
        (Budget(flash=floor.flash, seconds=floor.cycles * 1e-6), "within the time"),
    ):
        with pytest.raises(UsageError, match=what):
            solve.candidates(cost, losses, budget, 4, Candidate(()))


def test_a_plan_is_bound_to_ram_where_it_would_take_more() -> None:
    cost, losses = tables(1)
    for found in solve.candidates(cost, losses, Budget(ram=1800), 5, Candidate(())):
        layers = dict(found.layers)
        assert found.ram == (None if cost.ram(layers) <= 1800 else 1800)
        assert solve.predicted(cost, losses, found).ram <= 1800
    budget = Budget(flash=sorted(map(cost.flash, EVERY))[100], ram=1500)
    for found in solve.candidates(cost, losses, budget, 5, Candidate(())):  # which leave room for tables of rows
        said = solve.predicted(cost, losses, found)
        assert said.flash == cost.flash(dict(found.layers)) + solve.BOUND_BYTES <= (budget.flash or 0)
    assert {one.ram for one in solve.candidates(cost, losses, Budget(ram=9999), 5, Candidate((), ram=1700))} == {1700}


def test_one_measured_candidate_calibrates_the_table() -> None:
    cost, losses = tables(2)
    one = Candidate(tuple(EVERY[77].items()))
    figures = Figures(9876, 2000, 30000, 0.03, 0.5, 0.9, 1000)
    after = solve.predicted(cost.calibrated(one, figures), losses, one)
    assert (after.flash, round(after.cycles)) == (9876, 30000)


@pytest.mark.parametrize(("seed", "missed"), [(0, 300), (1, 120), (2, -900)])
def test_what_missed_a_limit_is_followed_by_what_saves_just_that(seed: int, missed: int) -> None:
    """And what left room by what takes it: the best of all that are within the limits, less what was missed."""
    cost, losses = tables(seed)
    budget = Budget(flash=sorted(map(cost.flash, EVERY))[80], ram=1900, seconds=1)
    own = EVERY[0] if missed > 0 else max(EVERY, key=losses.proxy)
    one = Candidate(tuple(own.items()), ram=1800)
    figures = Figures(cost.flash(own) + missed, 1930, round(cost.cycles(own) * 1.5), 0.03, 0.5, 0.9, 1000)
    every = dict.fromkeys(NAMES, CHOICES)
    found = solve.corrected(cost, losses, budget, one, figures, every)
    assert found is not None and found.ram == 1770
    fitting = [each for each in EVERY if cost.flash(each) + missed <= (budget.flash or 0)]
    assert losses.proxy(dict(found.layers)) == pytest.approx(min(map(losses.proxy, fitting)), abs=1e-7)
    right = cost.calibrated(one, figures)
    assert right.cycles(own) == pytest.approx(figures.cycles)
    again = Figures(right.flash(dict(found.layers)), 1900, None, None, 0.5, 0.9, 1000)
    assert solve.corrected(cost, losses, budget, found, again, every) is None, "nothing is left to save or to take"
    assert solve.corrected(cost, losses, Budget(flash=100), one, figures, every) is None
    some = dict.fromkeys(NAMES, ("int8", "cluster2"))
    fewer = solve.corrected(cost, losses, budget, one, figures, some)
    assert fewer is not None and {choice for _, choice in fewer.layers} <= {"int8", "cluster2"}


@pytest.mark.parametrize("seed", range(4))
def test_ranks_are_scipys(seed: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, 15).astype(float), rng.normal(0, 1, 15)
    b += a * seed
    found = solve.rank_correlation(list(a), list(b))
    assert found.spearman == pytest.approx(stats.spearmanr(a, b).statistic)
    assert found.kendall == pytest.approx(stats.kendalltau(a, b).statistic)
    assert found.count == 15
    assert math.isnan(solve.rank_correlation([1.0, 1.0], [1.0, 2.0]).spearman)
    with pytest.raises(UsageError):
        solve.rank_correlation([1.0], [1.0, 2.0])
