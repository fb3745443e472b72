"""Weights of 4 bits in .tflite files are the same numbers in 8 bits, and LiteRT's outputs are ours."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import imported
from edgekc.errors import ModelError
from edgekc.fuzzing import layers
from edgekc.fuzzing.layers import Builder, Layer
from edgekc.fuzzing.values import fill, tensor
from edgekc.graph.ir import Array, Tensor
from edgekc.graph.op import View

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "conv2d": (layers.conv2d, (1, 5, 6, 3)),
    "depthwise": (layers.depthwise, (1, 5, 6, 3)),
    "fully_connected": (layers.fully_connected, (1, 7)),
}


def packed(values: Array) -> Array:
    """Two values a byte, the lower half first; a last half is 0."""
    halves = np.append(values.ravel() & 15, [0] * (values.size % 2)).astype(np.uint8)
    return halves[::2] | halves[1::2] << 4


def node(op: str, seed: int) -> View | None:
    """A layer whose weights lie in -8 .. 7."""
    layer, shape = LAYERS[op]
    b = Builder(np.random.default_rng([seed, *op.encode()]), extreme=False)
    x = tensor("x", shape, b.quant())
    b.live.append(x)
    layer(b, x)
    views = [view for view in b.views if view.node.op == op]
    if not views or views[0].x.name != "x":
        return None
    view = views[0]
    values = view.weights.value >> 4  # so that sums stay within what the bias leaves of 32 bits
    return replace(view, inputs=(view.x, replace(view.weights, data=values), *view.inputs[2:]))


def in_four_bits(view: View) -> View:
    weights = view.weights
    four = Tensor(weights.name, weights.shape, "int4", weights.quant, weights.role, packed(weights.value))
    return replace(view, inputs=(view.x, four, *view.inputs[2:]))


@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")
@pytest.mark.parametrize("op", LAYERS)
def test_outputs_are_litert_s(op: str) -> None:
    tried = 0
    for seed in range(40):
        if (view := node(op, seed)) is None:
            continue
        data = oracle.model(in_four_bits(view))
        graph = import_tflite(data, "net", "net.tflite")
        assert any(t.dtype == "int8" and t.data is not None for t in graph.tensors.values())
        x = fill(np.random.default_rng(seed), view.x.shape, seed)
        (want,) = oracle.interpret(data, [x])
        (got,) = imported.outputs(imported.prepare(graph, oracle.fully_connected_rounding()), [x])
        np.testing.assert_array_equal(got, want)
        tried += 1
    assert tried > 10


def test_too_few_bytes_are_an_error() -> None:
    view = next(v for seed in range(40) if (v := node("conv2d", seed)) is not None)
    four = in_four_bits(view)
    short = replace(four.weights, data=four.weights.value[:-1])
    count = math.prod(view.weights.shape)
    with pytest.raises(ModelError, match=f"{count} values of 4 bits need {(count + 1) // 2}"):
        import_tflite(oracle.model(replace(four, inputs=(four.x, short, *four.inputs[2:]))), "net", "net.tflite")
