"""Files of a search, of a build and of an update that somebody changed: one line for the user."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekc.api.updates import read_update
from edgekc.apps import netpbm
from edgekc.boards.board import load_board
from edgekc.errors import UsageError
from edgekc.exploration.candidate import Candidate, Figures
from edgekc.firmware.folder import open_updatable
from edgekc.report.searched import read_search

CANDIDATE = Candidate((("conv", "int8"),))
FIGURES = {"flash": 9000, "ram": 4000, "cycles": 10, "seconds": 0.1, "loss": 0.5, "accuracy": None, "weights": 5000}
TRIAL = {"key": CANDIDATE.key, "candidate": CANDIDATE.to_dict(), "figures": FIGURES, "pareto": True}
SEARCH_BUDGET = {"flash": None, "ram": None, "seconds": None, "loss": 1.0}
SEARCH = {"schema": 1, "name": "net", "board": "b", "met": True, "best": CANDIDATE.key, "loss_unit": "points",
          "budget": SEARCH_BUDGET, "trials": [TRIAL]}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"trials": [{**TRIAL, "candidate": {**CANDIDATE.to_dict(), "x": 1}}]},
        {"trials": [{**TRIAL, "candidate": 3}]},
        {"trials": [{**TRIAL, "figures": {**FIGURES, "flash": "9000"}}]},
        {"trials": [{**TRIAL, "figures": {**FIGURES, "loss": float("inf")}}]},
        {"trials": [{**TRIAL, "figures": {**FIGURES, "flash": 10**400}}]},
        {"budget": {"flash": "64k"}},
        {"budget": {**SEARCH_BUDGET, "loss": 1e308}},
    ],
)
def test_a_search(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "pareto.json").write_text(json.dumps(SEARCH))
    assert read_search(tmp_path).trials[0].figures == Figures.from_dict(FIGURES)
    (tmp_path / "pareto.json").write_text(json.dumps({**SEARCH, **change}))
    with pytest.raises(UsageError, match="damaged"):
        read_search(tmp_path)


def test_sensitivities(tmp_path: Path) -> None:
    from edgekc.exploration.sensitivity import _Kept

    (tmp_path / "sensitivity.json").write_text("[" * 100_000)
    with pytest.raises(UsageError, match="is no table of sensitivities"):
        _Kept.open(tmp_path, "key")


@pytest.mark.parametrize(
    "damage",
    [
        lambda trial: trial.set_user_attr("candidate", {"layers": None}),
        lambda trial: trial.set_user_attr("candidate", {**CANDIDATE.to_dict(), "opvimise": "speed"}),
        lambda trial: trial.set_user_attr("figures", [1]),
        lambda trial: trial.set_user_attr("lost", "x"),
    ],
)
def test_a_journal(damage: Callable[[Any], None], tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from edgekc.study import evaluate, journal

    with journal.opened(tmp_path / "study") as storage:
        study = optuna.create_study(storage=storage, study_name="s", directions=["minimize"] * 4)
        trial = study.ask()
        trial.set_user_attr("candidate", CANDIDATE.to_dict())
        trial.set_user_attr("figures", FIGURES)
        damage(trial)
        study.tell(trial, [1.0] * 4)
        with pytest.raises(UsageError, match="is damaged"):
            evaluate.check_attributes(journal.every_study(storage), "study")


def test_the_models_of_a_journal_are_made_again(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from edgekc.study import evaluate

    trial = optuna.create_study().ask()
    evaluate.send_model(trial, b"packed")
    assert evaluate.received_model(trial.study.get_trials()[0]) == b"packed"
    trial.set_user_attr("model 0", "AAAA")
    assert evaluate.received_model(trial.study.get_trials()[0]) is None


@pytest.mark.parametrize("files", [[1], ["a\0.elf"], {"net.map": ""}])
def test_a_build(files: Any, tmp_path: Path) -> None:
    listing = {"link": "uart", "board": "nucleo-f412zg", "optimise": "speed", "files": files}
    (tmp_path / "firmware.json").write_text(json.dumps(listing))
    with pytest.raises(UsageError, match="holds no program that takes updates"):
        open_updatable(tmp_path, load_board("nucleo-f412zg"))


def test_an_update_takes_the_memory_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "net.eku").write_bytes(bytes(1000))
    tracemalloc.start()
    try:
        assert read_update(tmp_path / "net.eku") == bytes(1000)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_of_five_thousand_digits() -> None:
    with pytest.raises(UsageError, match="at byte 0"):
        netpbm.read(b"P5 " + b"9" * 5000 + b" 4 255\n" + bytes(16), "input.bin")
    assert netpbm.read(b"P5 0000000004 4 255\n" + bytes(16), "input.bin")[0].pixels.shape == (4, 4, 1)
