"""Networks with a wrong bit in their constants, run without a check: wrong outputs, and nothing undefined."""

from __future__ import annotations

import json
from pathlib import Path

import flips
import pytest

from edgekc.boards.board import load_board
from edgekc.files.output import write_folder
from edgekc.fuzzing.nets import random_net
from edgekc.fuzzing.subjects import subject
from edgekc.generate.embedded import Form
from edgekc.pipeline import compile_packed, target_of

# Found by a longer run: indices of an axis and of an image, codebooks, shifts of requantisation and of binary16.
CASES = (
    (7, "exact", "mps3-an547"),
    (8, "wide", "mps3-an547"),
    (10, "exact", "linux-aarch64"),
    (3, "dense", "mps2-an386"),
    (13, "exact", "mps2-an385"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "form", "board"), CASES)
def test_a_flipped_bit_makes_no_undefined_behaviour(seed: int, form: str, board: str, tmp_path: Path) -> None:
    """In 250 runs under both sanitizers."""
    data = subject(random_net(seed), form, 1).data
    made = compile_packed(data, "net", "net", target_of(load_board(board)), form=Form(strip=True, check="ask"))
    folder = tmp_path / "out"
    write_folder(made.files, folder)
    program = flips.build(folder, tmp_path / "flips", (*flips.SANITIZERS, "-O1"), check=False)
    found, said = flips.flip(program, "run", 250, seed, 0)
    kernels = [layer["kernel"] for layer in json.loads((folder / "manifest.json").read_text())["layers"]]
    assert flips.findings(said, kernels) == []
    assert found["changed"] > 0 and found["faults"] == 0
