"""A recipe whose step needs a package that is not there: one line before any work, and the data is judged first."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.errors import ToolError, UsageError
from edgekc.graph.ir import Graph

FIRST = '[[compress]]\nmethod = "cluster"\nbits = 5\n'
STEPS = {
    "retrain": (
        'method = "retrain"\nepochs = 1\n',
        "torch",
        r"compress\[1\]: method retrain needs PyTorch; pip install",
    ),
    "prune": ('method = "prune"\nkeep = 0.5\n', "torch", r"compress\[1\]: method prune needs PyTorch; pip install"),
    "reconstruct": (
        'method = "reconstruct"\n',
        "torch",
        r"compress\[1\]: method reconstruct needs PyTorch; pip install",
    ),
    "pairs": (
        'method = "pairs"\nbits = 4\n',
        "sklearn",
        r"compress\[1\]: method pairs needs scikit-learn; pip install",
    ),
}


def graph() -> Graph:
    made = FloatNet(np.random.default_rng(1), (1, 4, 4, 2), "relu")
    return made.graph(made.conv("input", 4))


def data(labels: bool) -> Dataset:
    x = np.zeros((4, 4, 4, 2), np.float32)
    return Dataset(x, np.zeros(4, np.int64) if labels else None, (), "samples")


@pytest.mark.parametrize("method", STEPS)
def test_a_missing_package_is_one_line_before_any_work(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step, missing, message = STEPS[method]
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    lines: list[str] = []
    with pytest.raises(ToolError, match=message):
        compress(graph(), rc.parse(f"{FIRST}[[compress]]\n{step}"), data(labels=True), lines.append)
    assert lines == []


def test_samples_without_labels_are_the_error_with_and_without_torch() -> None:
    with pytest.raises(UsageError, match="samples: has no labels"):
        compress(graph(), rc.parse(f"[[compress]]\n{STEPS['prune'][0]}"), data(labels=False))


def test_a_forgotten_trainer_is_one_line_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: "there" if name == "torch" else find(name))
    lines: list[str] = []
    with pytest.raises(ToolError, match=r"compress\[1\]: method retrain needs a trainer; pass trainer="):
        compress(graph(), rc.parse(f"{FIRST}[[compress]]\n{STEPS['retrain'][0]}"), data(labels=True), lines.append)
    assert lines == []
