from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")

from edgekc.importers import import_model
from edgekc.quantize import float_reference

MODEL = Path(__file__).parent / "pool.onnx"


def test_the_last_window_starts_in_the_image() -> None:
    graph = import_model(MODEL, "pool")
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)
    (y,) = float_reference.outputs(graph, [x])
    assert y.shape == (1, 2, 2, 1)
    assert y.ravel().tolist() == [0.25, 1.25, 2.75, 7.0]  # of 1, 2 + 3, 4 + 7 and 5 + 6 + 8 + 9
