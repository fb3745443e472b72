"""The demo network, and one of template and clustered layers, where `int` has 16 bits: the reference's bytes."""

from __future__ import annotations

from pathlib import Path

import avr
import pytest
from portable_target import portable

from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.emulate import host, reference
from edgekc.emulate.compare import split_inputs
from edgekc.files.output import read_manifest, write_folder
from edgekc.format.pack import read
from edgekc.pipeline import compile_model, target_of

MODELS = {"demo": DATA / "digits_int8.tflite", "packed": Path(__file__).parent / "packed.ekc"}
SAMPLES = 4  # all lowest, all highest, a ramp, random


@pytest.mark.parametrize("target", ["portable", "rpi-pico"])
@pytest.mark.parametrize("model", MODELS)
def test_every_output_byte(tmp_path: Path, model: str, target: str) -> None:
    avr.need()
    chosen = portable() if target == "portable" else target_of(load_board(target))
    write_folder(compile_model(MODELS[model], "net", chosen).files, tmp_path / "net")
    manifest = read_manifest(tmp_path / "net")
    assert any(layer["op"] == "add" for layer in manifest["layers"])
    inputs = host.samples(manifest, SAMPLES)
    graph = read((tmp_path / "net" / "net.ekc").read_bytes(), "net.ekc").graph
    expected = reference.outputs(graph, split_inputs(graph, inputs, SAMPLES))[0].tobytes()
    assert avr.run(tmp_path / "net", inputs, tmp_path / "built") == expected
