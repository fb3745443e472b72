"""The packed models that the repository ships: small, made of what their recipes say, and as accurate as stated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models import SHARED

from edgekc import recipe as rc
from edgekc.compression.sizes import layer_sizes
from edgekc.data import load, subset
from edgekc.evaluate import host_accuracy
from edgekc.format.pack import read
from edgekc.graph.ir import Quant

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODELS = sorted((EXAMPLES / "models").glob("*.ekc"))


def test_there_are_models() -> None:
    assert "kws_dscnn.ekc" in {path.name for path in MODELS}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_small_and_made_by_the_recipe_beside_it(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) < 60_000
    packed = read(data, path.name)
    recipe = rc.load(EXAMPLES / "recipes" / f"{path.stem}.toml")
    made_by = json.loads(packed.graph.metadata["recipe"])
    for step in made_by["compress"]:
        if step["method"] == "retrain":  # keys that had their default are left out, and this one's was 1e-3 then
            step.setdefault("learning_rate", 1e-3)
    assert rc.Recipe.model_validate_json(json.dumps(made_by)) == recipe


def test_the_keyword_model_s_accuracy() -> None:
    samples = SHARED / "data" / "kws01.npz"
    if not samples.exists():
        pytest.skip(f"no {samples.name}")
    data = (EXAMPLES / "models" / "kws_dscnn.ekc").read_bytes()
    found = host_accuracy(data, load(samples, quant=Quant((0.5847029089927673,), (83,))))
    assert (found.right, found.total) == (451, 500)  # integers: the same everywhere
    assert sum(layer.packed for layer in layer_sizes(read(data, "kws"))) <= 0.60 * 22_016


def test_the_image_model_s_accuracy() -> None:
    path, images = EXAMPLES / "models" / "resnet8_cifar10.ekc", SHARED / "data" / "cifar10-jpeg.zip"
    if not images.exists():
        pytest.skip(f"no {images.name}")
    data = path.read_bytes()
    assert sum(layer.packed for layer in layer_sizes(read(data, "resnet8"))) <= 20_480
    found = host_accuracy(data, subset(load(images, split="test"), 500, 0))
    assert found.percent >= 83
