"""UNIDIRECTIONAL_SEQUENCE_LSTM of float .tflite files: unrolled on import, it computes what LiteRT computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from importing import import_tflite_float

import edgekc
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Role, Tensor, constant
from edgekc.ops import legal
from edgekc.quantize import float_reference

recurrent = pytest.importorskip("recurrent", reason="the writer of .tflite files needs the package tflite")
oracle = recurrent.oracle
pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")


@pytest.mark.parametrize("seed", range(6))
def test_it_computes_what_litert_computes(seed: int) -> None:
    """Also with cells clipped to half, and with the time in front of the batch."""
    data, view = recurrent.float_file(seed)
    graph = import_tflite_float(data, "net", "net.tflite")
    legal.check(graph)
    x = np.random.default_rng(seed).normal(0, 2, (5, *view.x.shape[1:])).astype(np.float32)
    (found,) = float_reference.outputs(graph, [x])
    expected = np.concatenate([oracle.interpret(data, [row[None]])[0].reshape(1, -1) for row in x])
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found.reshape(5, -1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", [3, 4])  # 4: cells are clipped
def test_compress_takes_it(seed: int, tmp_path: Path) -> None:
    data, view = recurrent.float_file(seed)
    (tmp_path / "net.tflite").write_bytes(data)
    x = np.random.default_rng(1).normal(0, 1, (64, *view.x.shape[1:])).astype(np.float32)
    real = float_reference.outputs(import_tflite_float(data, "net", "net.tflite"), [x])[0]
    packed = edgekc.compress(tmp_path / "net.tflite", data=x, recipe="cluster4")
    found = edgekc.compile(packed, board="linux-aarch64").run(x)
    assert 10 * np.log10((real**2).mean() / ((found.reshape(real.shape) - real) ** 2).mean()) > 12


REFUSED: list[tuple[dict[str, Any], str]] = [
    (dict(options=dict(DiagonalRecurrentTensors=True)), "diagonal recurrent weights; supported: matrices"),
    (dict(options=dict(CellClip=float("nan"))), "a clip that is no number"),
    (dict(options=dict(FusedActivationFunction=1)), "fused activation number 1; supported: TANH"),
    (dict(out=Tensor("out", (1, 9, 9), "float32")), r"an output of shape \[1, 9, 9\] for 3 steps"),
    (dict(input_to_forget=constant("w", np.ones((2, 2), np.float32), Role.WEIGHTS)), "input_to_forget of shape"),
    (dict(hidden=constant("h", np.ones((1, 3), np.float32), Role.WEIGHTS)), "that the network gives a value"),
]  # fmt: skip


def test_long_sequences_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekc.importers.tflite.handlers.float_lstm.MAX_OPERATORS", 40)
    with pytest.raises(EdgekcError, match="3 steps, which become more than 40 operators; supported: 2 steps"):
        import_tflite_float(recurrent.float_file(1)[0], "net", "net.tflite")


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_others_are_refused(change: dict[str, Any], says: str) -> None:
    data, _ = recurrent.float_file(1, **change)
    with pytest.raises(EdgekcError, match=says) as caught:
        import_tflite_float(data, "net", "net.tflite")
    assert "\n" not in str(caught.value)
