"""Operators on constants in a .tflite file are constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import imported
from edgekc.fuzzing import layers, moves
from edgekc.fuzzing.layers import Builder
from edgekc.fuzzing.values import fill, tensor
from edgekc.graph.ir import Node, Role, constant
from edgekc.graph.op import View
from edgekc.passes.lower import lower

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")


def recurrent(seed: int) -> tuple[bytes, View]:
    """A layer of constants, and its sum with the network's input."""
    b = Builder(np.random.default_rng([seed, 7]), extreme=False)
    state = tensor("state", (1, 5), b.quant())
    b.live.append(state)
    while not any(view.node.op == "fully_connected" for view in b.views):
        b.views.clear()
        layers.fully_connected(b, state)
    layer = next(view for view in b.views if view.node.op == "fully_connected")
    zeros = constant("state", np.full((1, 5), state.q.zero_point, np.int8), Role.WEIGHTS, state.quant)
    layer = replace(layer, inputs=(zeros, *layer.inputs[1:]))
    x = tensor("x", layer.out.shape, b.quant())
    out = tensor("sum", x.shape, moves.binary_quant(b, "add", x.q, layer.out.q) or x.q)
    total = View(Node("add", "sum", ("x", layer.out.name), ("sum",), {"activation": "none"}), (x, layer.out), (out,))
    return oracle.network([layer, total], ["x"], ["sum"]), total


@pytest.mark.parametrize("seed", range(8))
def test_a_layer_of_constants_is_one(seed: int) -> None:
    data, total = recurrent(seed)
    graph = import_tflite(data, "net", "net.tflite")
    assert [node.op for node in lower(graph).nodes] == ["add"]
    x = fill(np.random.default_rng(seed), total.x.shape, seed)
    (got,) = imported.outputs(imported.prepare(graph, oracle.fully_connected_rounding()), [x])
    np.testing.assert_array_equal(got, oracle.interpret(data, [x])[0])
