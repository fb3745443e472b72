"""A table rounds what lies just below half a level down, as LiteRT's does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekc.data import for_graph, load
from edgekc.evaluate import input_levels
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor
from edgekc.importers import import_model
from edgekc.ops.quantize import levels_of
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import to_int8

SCALE, ZERO = 1.2255765e-08, 98


@pytest.mark.fast
def test_half_a_level_of_a_gelu() -> None:
    """Half of one level, times the reciprocal of the scale, is 0.49999997 in float32."""
    quant = Quant((float(np.float32(SCALE)),), (ZERO,))
    tensors = {name: Tensor(name, (1, 4), "int8", role=Role.ACTIVATION, quant=quant) for name in "xy"}
    node = Node("gelu", "g", ("x",), ("y",), {"approximate": 1})
    graph = to_integer(Graph("net", Stage.QUANTIZED, tensors, (node,), ("x",), ("y",), {}), {})
    (table,) = (t.data for t in graph.tensors.values() if t.data is not None)
    assert table.view(np.int8).ravel()[(ZERO - 1) % 256] == ZERO


def test_litert_says_so() -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = Path(__file__).parent / "gelu.tflite"
    reference = interpreter.OpResolverType.BUILTIN_REF
    runner = interpreter.Interpreter(str(path), experimental_op_resolver_type=reference)
    runner.allocate_tensors()
    shape = runner.get_input_details()[0]["shape"]
    runner.set_tensor(runner.get_input_details()[0]["index"], np.full(shape, ZERO - 1, np.int8))
    runner.invoke()
    (table,) = (t.data for t in to_integer(import_model(path, "net"), {}).tensors.values() if t.data is not None)
    theirs = runner.get_tensor(runner.get_output_details()[0]["index"])
    assert set(theirs.ravel()) == {table.view(np.int8).ravel()[(ZERO - 1) % 256]}


@pytest.mark.fast
def test_samples_and_weights_just_below_half_a_level() -> None:
    """0.49999997 is level 0 wherever reals become integers."""
    below = np.array([0.49999997, -0.49999997, 0.5, -0.5], np.float32)
    expected = np.array([0, 0, 1, -1], np.int8)
    assert np.array_equal(to_int8(below, Quant((1.0,), (0,))), expected)
    assert np.array_equal(levels_of(below, 1.0, 0, "int8"), expected)
    x = Tensor("x", (1, 4), "int8", Quant((1.0,), (0,)))
    graph = Graph("net", Stage.QUANTIZED, {"x": x}, (), ("x",), ("x",), {})
    assert np.array_equal(
        input_levels(for_graph(load([(below[None], np.zeros(1, np.int64))]), graph), graph), expected[None]
    )
