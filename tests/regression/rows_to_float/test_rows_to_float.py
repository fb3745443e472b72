"""A network that ends with rows cast to float32 is compiled, and gives the int8 rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import reference
from edgekc.pipeline import to_integer


@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_rows_that_end_as_float() -> None:
    model = Path(__file__).with_name("model.tflite").read_bytes()
    graph = to_integer(import_tflite(model, "net", "model.tflite"), {})
    x = np.random.default_rng(0).integers(-128, 128, (1, 3, 2, 4)).astype(np.int8)
    (ours,), (theirs,) = reference.outputs(graph, [x]), oracle.interpret(model, [x])
    q = graph.tensors[graph.outputs[0]].q
    np.testing.assert_array_equal((ours.astype(np.float32) - q.zero_point) * np.float32(q.scale), theirs[None])
