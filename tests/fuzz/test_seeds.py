"""Every operator that an importer takes is in a file that the fuzzer damages, and those files are sound."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fuzz_operators
import fuzz_torch

from edgekc.importers import read_model
from edgekc.importers.tflite import float32
from edgekc.importers.tflite.handlers import HANDLERS

UNROLLED = {"UNIDIRECTIONAL_SEQUENCE_LSTM"}  # in float; its seeds are files of converters
DECOMPOSED = {  # by torch itself, in front of the import, though not by every torch
    "_unsafe_view",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "baddbmm",
    "clamp_max",
    "clamp_min",
    "contiguous",
    "detach",
    "dropout",
    "masked_fill",
    "ones_like",
    "split",
    "zeros_like",
}
REFUSED = {"Reciprocal"}  # taken of constants only, and of those in chains


@pytest.mark.parametrize(
    ("make", "handlers"),
    [(fuzz_operators.tflite, set(HANDLERS)), (fuzz_operators.tflite_float, set(float32._HANDLERS) - UNROLLED)],
)
def test_tflite(make: Callable[[], list[bytes]], handlers: set[str], tmp_path: Path) -> None:
    pytest.importorskip("tflite", reason="the seeds are written with its schema")
    seeds = make()
    assert handlers <= set().union(*map(fuzz_operators.builtins, seeds))
    path = tmp_path / "net.tflite"
    for seed in seeds:
        path.write_bytes(seed)
        assert not read_model(path, "net").refused


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the seeds are ONNX models")
    from edgekc.importers.onnx import control
    from edgekc.importers.onnx.handlers import HANDLERS as ONNX_HANDLERS

    assert {*ONNX_HANDLERS, *control.HANDLERS} <= set(fuzz_operators.onnx_nodes())
    path = tmp_path / "net.onnx"
    for op, seed in zip(fuzz_operators.onnx_nodes(), fuzz_operators.onnx(), strict=True):
        path.write_bytes(seed)
        assert bool(read_model(path, "net").refused) == (op in REFUSED), op


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own deprecations
def test_pt2(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the seeds are programs of torch.export")
    from edgekc.importers.torch.handlers import HANDLERS as TORCH_HANDLERS
    from edgekc.importers.torch.handlers.quantising import QUANTISING

    path, there, seeds = tmp_path / "net.pt2", set[str](), fuzz_torch.programs()
    for seed in seeds:
        path.write_bytes(seed)
        found = read_model(path, "net")
        assert not found.refused
        there |= {operator.operator.removeprefix("aten.") for operator in found.operators}
    assert set(TORCH_HANDLERS) - there <= {*DECOMPOSED, "reciprocal"}  # which is refused, as Reciprocal is
    assert set(QUANTISING) <= there or len(seeds) < len(fuzz_torch.PARTS)
