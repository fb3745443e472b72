"""The recipes that come with the project are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe
from edgekc.compression.foresight import foresee
from edgekc.data import Dataset
from edgekc.errors import EdgekcError, UsageError

RECIPES = sorted((Path(__file__).resolve().parents[2] / "examples" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_valid(path: Path) -> None:
    loaded = recipe.load(path)
    assert loaded.compress
    assert recipe.parse(recipe.dump(loaded)) == loaded


def test_there_are_some() -> None:
    assert len(RECIPES) >= 2


def test_the_table_of_methods_has_every_step_and_none_of_its_keys_is_made_up() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "compression.md").read_text()
    table = page.split("## The methods")[1].split("\n\n")[1].splitlines()[2:]
    rows = {re.findall(r"`(.+?)`", cells[1])[0]: cells[-2] for cells in (line.split("|") for line in table)}
    steps = {get_args(step.model_fields["method"].annotation)[0]: step for step in get_args(recipe.Step)}
    assert rows.keys() == steps.keys()
    for method, keys in rows.items():
        named = set(re.findall(r"`(.+?)`", keys)) - {"retrain"}  # whose keys those of `prune` are too
        assert named <= steps[method].model_fields.keys(), method
    assert sum("`bits`" in keys for keys in rows.values()) == 2


RETRAIN = '[[compress]]\nmethod = "retrain"\nepochs = 1\n'
CODEBOOK = '[[compress]]\nmethod = "codebook"\ntemplates = 4\n'
SVD = '[[compress]]\nmethod = "svd"\nlayers = ["fully_connected_*"]\nrank = 2\n'
PRUNE = '[[compress]]\nmethod = "prune"\nkeep = 0.5\n'
LAYERS = '[[compress]]\nmethod = "cluster"\nlayers = ["{}"]\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (LAYERS.format("conv2d_9"), r"compress\[1\]\.layers: no layer is called 'conv2d_9'; did you mean 'conv2d_"),
        (SVD + LAYERS.format("fully_connected_3_1"), r"compress\[2\]\.layers: no .*did you mean 'fully_connected_3_0'"),
        ('[[compress]]\nmethod = "pairs"\n', r"compress\[1\]: no layer that it names is made of templates"),
        (CODEBOOK + 'scope = "network"\n', r"compress\[1\]: layers of different kernel sizes cannot share templates"),
        (RETRAIN + 'teacher = "none.onnx"\n', "none.onnx"),
        (RETRAIN + 'transfer = "hints"\ntransfer_layers = ["conv2d_8"]\n', r"\.transfer_layers: teacher: no layer"),
        (LAYERS.format("*") + PRUNE, r"compress\[2\]: conv2d_0 is packed already"),
    ],
    ids=["layer", "part of a layer", "pairs", "templates", "teacher", "transfer", "prune"],
)  # fmt: skip
def test_errors_of_later_steps_come_before_anything_trains(text: str, error: str) -> None:
    made = FloatNet(np.random.default_rng(1), (1, 8, 8, 2), "relu")
    x = made.conv(made.conv("input", 8), 8, k=5)
    graph = made.graph(made.fully_connected(made.mean(x), 6))
    data = Dataset(np.zeros((4, 8, 8, 2), np.float32), np.arange(4), (), "data")
    with pytest.raises(EdgekcError, match=error):
        foresee(recipe.parse(RETRAIN + text), graph, data)


def test_what_may_be_is_not_refused() -> None:
    made = FloatNet(np.random.default_rng(1), (1, 8, 8, 2), "relu")
    graph = made.graph(made.fully_connected(made.mean(made.conv(made.conv("input", 8), 8)), 6))
    data = Dataset(np.zeros((4, 8, 8, 2), np.float32), np.arange(4), (), "data")
    dominant = '[[compress]]\nmethod = "dominant"\nlayers = ["conv2d_1"]\n' + LAYERS.format("conv2d_1_dk")
    pairs = CODEBOOK + RETRAIN + '[[compress]]\nmethod = "pairs"\nlayers = ["conv2d_0"]\n'
    for text in (SVD + RETRAIN + LAYERS.format("fully_connected_3_0"), dominant, pairs):
        foresee(recipe.parse(text), graph, data)
    with pytest.raises(UsageError, match=r"compress\[0\]: retraining needs samples"):
        foresee(recipe.parse(RETRAIN), graph, None)
