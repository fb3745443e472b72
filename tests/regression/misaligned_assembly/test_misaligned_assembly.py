"""The demo network on an emulated Cortex-M4 gives the reference's bytes at every optimisation level."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.emulate import host, reference
from edgekc.emulate.compare import split_inputs
from edgekc.emulate.device import run_image
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import build_image
from edgekc.format.pack import read
from edgekc.pipeline import compile_model, target_of

BOARD = "mps2-an386"
SAMPLES = 4
# Each of the first two answered wrongly by gcc 12.2; the others did, or might have, after another function.
LEVELS = ("-Os", "-O2 -falign-functions=1", "-O0", "-Og", "-O1", "-O3", "-O2 -flto", "-Os -flto")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """The folder of C, inputs, and the reference's outputs."""
    folder = tmp_path_factory.mktemp("levels") / "out"
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board(BOARD))).files, folder)
    inputs = host.samples(read_manifest(folder), SAMPLES)
    graph = read((folder / "digits.ekc").read_bytes(), "digits.ekc").graph
    return folder, inputs, reference.outputs(graph, split_inputs(graph, inputs, SAMPLES))[0].tobytes()


@pytest.mark.parametrize(
    "level", [pytest.param(level, marks=() if k < 2 else pytest.mark.slow) for k, level in enumerate(LEVELS)]
)
def test_every_output_byte(tmp_path: Path, compiled: tuple[Path, bytes, bytes], level: str) -> None:
    folder, inputs, expected = compiled
    board = load_board(BOARD)
    try:
        image = build_image(folder, board, tmp_path, extra_flags=level.split())
        assert run_image(image, inputs, timeout_s=120, count=False).outputs == expected
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(str(error))
        raise
