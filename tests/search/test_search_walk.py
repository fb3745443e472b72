"""`edgekc.search` of a real network, real samples and a real compiler; the recipe makes the chosen model again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")
pytest.importorskip("grpc", reason="the extra `search` is not installed")

from small_problem import BOARD, labelled, net, problem

import edgekc
from edgekc.api import searching
from edgekc.errors import ToolError
from edgekc.exploration import truth
from edgekc.exploration.candidate import Candidate
from edgekc.study.measured import Measured, board_key


@pytest.mark.slow
def test_from_a_float_model_to_a_judged_one(tmp_path: Path) -> None:
    graph = net()
    x, y = labelled(graph, 240)
    model = edgekc.Model("small", graph, "small", None, b"")
    try:
        dense = truth.measure(problem(graph), Candidate(()))[1]
    except ToolError as error:
        pytest.skip(str(error))
    found = edgekc.search(
        model, data=(x[:180], y[:180]), test=(x[180:], y[180:]), board=BOARD, out=tmp_path / "out",
        max_flash=dense.flash - 500, trials=3, epochs=0,
    )  # fmt: skip
    best = found.best.figures
    assert found.met and best is not None and best.flash <= dense.flash - 500
    program = edgekc.compile(found.model, board=BOARD, name="small", optimise=found.best.candidate.optimise)
    cost = program.measure(samples=1)
    assert (cost.flash_bytes, cost.estimated_cycles) == (best.flash, best.cycles)
    again = edgekc.compress(model, data=(x[:180], y[:180]), recipe=tmp_path / "out" / "recipe.toml")
    assert again.data == found.data == (tmp_path / "out" / "best.ekc").read_bytes()
    assert found.judgement is not None and found.judgement.part.name == "test" and not found.judgement.seen
    answers = program.evaluate(x[180:], y[180:])
    assert found.judgement.packed.percent == pytest.approx(100 * answers.accuracy)
    assert (tmp_path / "out" / "edgekc-data.json").is_file()
    assert "beware" not in str(found)
    with pytest.raises(edgekc.UsageError, match="is a search of other data"):
        edgekc.search(model, data=(x[:170], y[:170]), board=BOARD, out=tmp_path / "out", max_loss=1.0)
    with pytest.raises(edgekc.UsageError, match="least"):
        edgekc.search(model, data=(x[:180], y[:180]), board=BOARD, out=tmp_path / "out", max_flash=100)


@pytest.mark.fast
def test_what_makes_two_searches_comparable() -> None:
    """Neither the network's name nor the way to a board's file, but weights and samples do."""
    first, second = (Measured(problem(net(seed)), None, None, print) for seed in (0, 1))
    assert first.identity == Measured(problem(net(0)), None, None, print).identity
    assert first.identity.model != second.identity.model and first.identity.board == second.identity.board
    assert board_key(first.problem.board).startswith(f"{BOARD} ")
    x, y = labelled(net())
    other = searching._problem(
        edgekc.Model("renamed", net(), "renamed", None, b""), (np.flip(x), y), None, BOARD, "", 0, print
    )
    found = Measured(other, None, None, print).identity
    assert found.model == first.identity.model and found.data != first.identity.data


@pytest.mark.fast
def test_mistakes_of_the_data(tmp_path: Path) -> None:
    model = edgekc.Model("small", net(), "small", None, b"")
    x, y = labelled(net())
    for data, why in (
        (None, "a search needs samples to choose by"),
        ((x[:5], y[:5]), "samples are too few to split off any that choose"),
        ((x, np.zeros_like(y)), "its labels are all of one class"),
    ):
        with pytest.raises(edgekc.UsageError, match=why):
            edgekc.search(model, data=data, board=BOARD, out=tmp_path / "out", max_flash="64k")
    assert not (tmp_path / "out").exists()
