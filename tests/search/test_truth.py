"""Figures of a candidate against those of the commands, of what is built from the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_problem import BOARD, problem

import edgekc
from edgekc.errors import CapacityError, ToolError
from edgekc.exploration import costs, space, truth
from edgekc.exploration.candidate import Candidate
from edgekc.exploration.problem import Problem

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small() -> Problem:
    found = problem()
    try:
        truth.measure(found, Candidate(()))
    except ToolError as error:
        pytest.skip(str(error))
    return found


@pytest.mark.parametrize("choice", ["int8", "cluster4"])
def test_figures_are_those_of_the_commands(small: Problem, choice: str, tmp_path: Path) -> None:
    own = {name: choice if choice in all_ else "int8" for name, all_ in space.choices(small.graph).items()}
    ekc, found = truth.measure(small, Candidate(tuple(own.items())))
    (tmp_path / "small.ekc").write_bytes(ekc)
    program = edgekc.compile(tmp_path / "small.ekc", board=BOARD, name="small")
    cost = program.measure(samples=1)
    assert (found.flash, found.ram, found.cycles) == (cost.flash_bytes, cost.ram_bytes, cost.estimated_cycles)
    judged = small.judging
    said = program.evaluate(judged.x, judged.labels)
    assert found.accuracy == said.accuracy
    assert small.float_accuracy is not None
    assert found.loss == pytest.approx(small.float_accuracy.percent - 100 * said.accuracy)
    table = costs.table(small, {name: ("int8", *({choice} - {"int8"})) for name in own if own[name] == choice})
    chosen = dict.fromkeys(table.layers, choice)
    assert table.flash(chosen) == pytest.approx(found.flash, rel=0.08)
    assert table.ram(chosen) == pytest.approx(found.ram, abs=1024)


def test_a_plan_is_bound_to_ram(small: Problem) -> None:
    dense = costs.table(small, dict.fromkeys(space.choices(small.graph), ("int8",)))
    found = truth.measure(small, Candidate((), ram=dense.least_ram + 200))[1]
    assert found.ram <= dense.least_ram + 200
    with pytest.raises(CapacityError, match="at the least"):
        truth.measure(small, Candidate((), ram=1200))


def test_without_labels_the_output_error_counts() -> None:
    plain = problem(labels=False)
    try:
        found = truth.measure(plain, Candidate((("conv2d_3", "cluster1"),)))[1]
    except ToolError as error:
        pytest.skip(str(error))
    assert found.accuracy is None
    assert 0 < found.loss < 100


def test_retraining_is_part_of_it(small: Problem) -> None:
    pytest.importorskip("torch")
    base = Candidate((("conv2d_3", "cluster1"), ("conv2d_1", "cluster1")))
    plain, trained = (truth.measure(small, Candidate(base.layers, epochs=n))[1] for n in (0, 2))
    assert plain.flash <= trained.flash <= plain.flash + 200  # the recipe's text says that it trains
    assert plain.weights == trained.weights
