"""Widths of a network: tables of the whole and of what pruning leaves, against what is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_nets import FloatNet
from small_problem import BOARD
from test_solve import tables

from edgekc.errors import ToolError
from edgekc.evaluate import classes_of
from edgekc.exploration import costs, solve, space, truth, widths
from edgekc.exploration.candidate import Budget, Candidate, Figures
from edgekc.exploration.problem import Problem
from edgekc.progress import silent, unsaid
from edgekc.quantize import float_reference


def tiny(*channels: int) -> Problem:
    """Convolutions of so many channels, a mean and a fully connected layer; labels are what it says itself."""
    made = FloatNet(np.random.default_rng(0), (1, 6, 6, 1), "relu")
    x = "input"
    for count in channels:
        x = made.conv(x, count)
    graph = made.graph(made.fully_connected(made.mean(x), 4))
    samples = np.random.default_rng(5).normal(0, 1, (60, 6, 6, 1)).astype(np.float32)
    scores = float_reference.outputs(graph, [samples])[0]
    labels = classes_of(scores - scores.mean(0)).astype(np.int64)
    return Problem.open(graph, [(samples, labels)], board=BOARD, name="tiny")


@pytest.mark.fast
def test_the_whole_network_has_what_its_tables_say(tmp_path: Path) -> None:
    small = tiny(12)
    found = widths.whole(small, 1, folder=tmp_path, on_progress=silent)
    assert found.choices == space.choices(small.graph, epochs=1) and (tmp_path / "sensitivity.json").is_file()
    mixed = Candidate(tuple((name, own[-1]) for name, own in found.choices.items()))
    assert any(choice != "int8" for _, choice in mixed.layers)
    assert found.proxy(mixed) == found.losses.proxy(dict(mixed.layers)) > 0
    assert found.proxy(Candidate((("conv2d_0", "svd16"),))) is None, "the sampler draws what wider networks have"


@pytest.mark.fast
def test_a_third_of_the_candidates_learn_steps_where_there_is_training() -> None:
    """By made-up tables; what missed a limit is followed by one of its kind."""
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from edgekc.study.measured import Measured

    cost, losses = tables(0)
    names = {"int8": "int8", "cluster4": "cluster4", "cluster2": "steps4", "svd2": "steps2"}
    layers, lost = (
        {layer: {names[choice]: each for choice, each in own.items()} for layer, own in table.layers.items()}
        for table in (cost, losses)
    )
    width = widths.Width(
        dict.fromkeys(layers, tuple(names.values())), replace(cost, layers=layers), replace(losses, layers=lost)
    )
    engine = Measured(tiny(8), None, None, unsaid, epochs=1)
    engine._widths[1.0] = width
    budget = Budget(flash=width.cost.flash(dict.fromkeys(layers, "cluster4")))
    found = engine.candidates(budget, 6)
    learning = [c for c in found if {choice for _, choice in c.layers} <= {"int8", "steps2", "steps4"}]
    assert learning and all(map(engine.learns, learning)) and len(found) > 3
    assert engine.space(budget).keep == (1.0, *space.KEEP)
    floor = solve.least(width.cost).flash
    assert [engine.may_narrow_to(Budget(flash=most)) for most in (floor // 2 - 1, floor // 2 + 1)] == [False, True]
    floor = min(width.cost.flash(dict(c.layers)) for c in learning)
    missed = Figures(floor + 100, 900, None, None, 0.5, 0.9, 0)
    after = engine.corrected(Budget(flash=99_999), learning[-1], missed)
    assert after is not None and after.layers == tuple(dict.fromkeys(layers, "int8").items()), "there is room for all"
    below = engine.corrected(Budget(flash=floor), learning[-1], missed)
    assert below is None or "cluster4" not in dict(below.layers).values()
    engine.epochs = 0
    assert engine.space(budget).keep == (1.0,) and engine.candidates(budget, 6)


@pytest.mark.slow
def test_a_narrower_network_costs_what_its_table_says(tmp_path: Path) -> None:
    """And its candidates begin with the same pruned network, from the same folder."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    small, trained = tiny(16, 24), []

    def on_training(title: str, now: Any) -> None:
        trained.append(title)

    where: dict[str, Any] = {"checkpoints": tmp_path / "keep", "log": unsaid}
    found = widths.narrower(
        small, 0.5, 1, folder=tmp_path / "width", on_training=on_training, on_progress=silent, **where
    )
    assert trained and found.lost > 0
    trained.clear()
    dense = dict.fromkeys(found.choices, "int8")
    whole = costs.table(small, dict.fromkeys(dense, ("int8",)))
    for layers in (dense, {**dense, "conv2d_1": "steps2"}):
        try:
            candidate = Candidate(tuple(layers.items()), keep=0.5)
            figures = truth.measure(small, candidate, on_progress=on_training, **where)[1]
        except ToolError as error:
            pytest.skip(str(error))
        assert not trained, "it was pruned once"
        assert found.cost.flash(layers) == pytest.approx(figures.flash, rel=0.08)
        assert found.cost.ram(layers) == pytest.approx(figures.ram, abs=1024)
        assert figures.cycles is not None and found.cost.cycles(layers) == pytest.approx(figures.cycles, rel=0.15)
        assert found.cost.flash(layers) < whole.flash(dense)
        assert found.cost.cycles(layers) < 0.8 * whole.cycles(dense)
