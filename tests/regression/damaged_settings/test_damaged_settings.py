"""Recipes, boards, manifests and measurements that no hand writes: one line for the user."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekc import recipe
from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.errors import EdgekcError, UnsupportedError
from edgekc.files.output import read_manifest
from edgekc.measure.difference import read_measurement
from edgekc.pipeline import Target, compile_model

HERE = Path(__file__).parent
DEEP = "x = " + "[" * 5000
TEXTS = {
    "deep": DEEP.encode(),
    "digits": b"x = " + b"9" * 5000,
    "no text": b"\xff\xfe",
    "nul": b"\0",
    "large": b"#" * (2 << 20),
}


@pytest.mark.parametrize("name", TEXTS)
def test_toml(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(TEXTS[name])
    for read in (recipe.load, load_board):
        with pytest.raises(EdgekcError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 8000


def test_manifests(tmp_path: Path) -> None:
    model = HERE.parents[1] / "data" / "converter" / "alone.tflite"
    made = compile_model(model, "net", Target("none", frozenset(), None, None))
    sound = json.loads(made.files["manifest.json"])
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(sound))
    assert len(host.samples(read_manifest(tmp_path), 2)) == 2 * sound["inputs"][0]["bytes"]
    for key, value in (("dtype", "U"), ("dtype", "complex64"), ("bytes", -1), ("bytes", 1 << 40)):
        changed = {**sound, "inputs": [{**sound["inputs"][0], key: value}]}
        path.write_text(json.dumps(changed))
        with pytest.raises(EdgekcError, match=f"damaged .key inputs.0.{key}"):
            read_manifest(tmp_path)
    for text in ("[" * 100_000, "{}", "null", json.dumps({**sound, "name": "../net"})):
        path.write_text(text)
        with pytest.raises(EdgekcError, match="damaged"):
            read_manifest(tmp_path)


def test_measurements(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("[" * 100_000, "[]", '{"model_flash_bytes": Infinity}'):
        path.write_text(text)
        with pytest.raises(EdgekcError, match="not a measurement"):
            read_measurement(path)


def test_a_scale_that_float32_hardly_holds() -> None:
    """6 / scale is infinite, beyond the 32 bits in which TensorFlow Lite holds levels: refused, without a traceback."""
    with pytest.raises(UnsupportedError, match="leaves 32 bits"):
        compile_model(HERE / "tiny_scale.tflite", "net", Target("none", frozenset(), None, None))
