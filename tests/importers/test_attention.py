"""Attention in int8: two products of activations around a softmax give the bytes of LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import reference
from edgekc.fuzzing.layers import PROBABILITY, Builder, linear
from edgekc.fuzzing.values import fill, quant, tensor
from edgekc.graph.ir import Tensor
from edgekc.pipeline import to_integer

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
TOKENS, WIDTH = 7, 12


def _project(b: Builder, x: Tensor, channels: int) -> Tensor:
    w = b.rng.integers(-127, 128, (channels, x.shape[-1])).astype(np.int8)
    return linear(b, "fully_connected", {}, x, w, 0, (*x.shape[:-1], channels), bounded=True)


def _product(b: Builder, x: Tensor, y: Tensor, adj_y: int, shape: tuple[int, ...]) -> Tensor:
    q = quant(x.q.scale * y.q.scale * 74 * 74 * x.shape[-1] ** 0.5 / 60, int(b.rng.integers(-20, 20)))
    return b.emit("batch_matmul", {"adj_x": 0, "adj_y": adj_y}, [x, y], b.new("batch_matmul", shape, q))


def block(seed: int) -> tuple[bytes, int]:
    """A .tflite file of one head, the mean of its channels as a second output; and how many nodes it has."""
    b = Builder(np.random.default_rng([seed, 31]), extreme=False)
    x = tensor("x", (1, TOKENS, WIDTH), quant(0.04, 5))
    queries, keys, values = (_project(b, x, 8) for _ in range(3))
    scores = _product(b, queries, keys, 1, (1, TOKENS, TOKENS))
    weights = b.emit("softmax", {"beta": 1.0}, [scores], b.new("softmax", scores.shape, PROBABILITY))
    out = _project(b, _product(b, weights, values, 0, (1, TOKENS, 8)), WIDTH)
    q = quant(out.q.scale / 2, -3)
    means = b.emit("mean", {"axes": "-1", "keep_dims": 1}, [out], b.new("mean", (1, TOKENS, 1), q))
    return oracle.network(b.views, ["x"], [out.name, means.name]), len(b.views)


@pytest.mark.parametrize("seed", range(6))
def test_one_head(seed: int) -> None:
    data, count = block(seed)
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    assert [node.op for node in graph.nodes].count("batch_matmul") == 2 and len(graph.nodes) == count
    for kind in (0, 3, 5, 6):
        x = fill(np.random.default_rng([seed, kind]), (1, TOKENS, WIDTH), kind)
        for got, expected in zip(reference.outputs(graph, [x]), oracle.interpret(data, [x]), strict=True):
            np.testing.assert_array_equal(got, expected)
