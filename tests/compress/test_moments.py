"""Moments of a layer's inputs: the outputs' error that they promise is the one measured."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.compression.methods import cluster, moments, second_order
from edgekc.errors import UsageError
from edgekc.graph.ir import Graph
from edgekc.quantize import float_reference


def nets() -> list[tuple[Graph, str]]:
    out = []
    for build in (
        lambda net: net.conv("input", 5, stride=2, activation="none"),
        lambda net: net.depthwise("input", times=2, activation="none"),
        lambda net: net.grouped(net.conv("input", 6, k=1), 4, groups=2, stride=2, activation="none"),
        lambda net: net.transposed("input", 4, stride=2, activation="none"),
        lambda net: net.fully_connected("input", 4),
    ):
        net = FloatNet(np.random.default_rng(9), (1, 7, 6, 3), "relu")
        y = build(net)
        out.append((net.graph(y), y))
    return out


@pytest.mark.parametrize(
    ("graph", "y"), nets(), ids=["conv2d", "depthwise", "grouped", "transposed", "fully_connected"]
)
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_moments_are_those_of_the_unrolled_input(
    graph: Graph, y: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "_BLOCK_BYTES", block_bytes)
    x = np.random.default_rng(10).standard_normal((4, 7, 6, 3)).astype(np.float32) + 0.5
    node = graph.nodes[-1]
    w = cluster.to_rows(graph.tensors[f"{y}/weights"].value, 3 if node.op == "depthwise" else 0)
    values = float_reference.run(graph, [x])
    found = moments.of_layer(graph, node, values[node.inputs[0]])
    out = (values[y] - graph.tensors[f"{y}/bias"].value).reshape(-1, len(w))
    assert (w * found.mean).sum(1) == pytest.approx(out.mean(0), rel=1e-4, abs=1e-5)
    for h, expected in ((found.second, np.square(out).mean(0)), (found.covariance, out.var(0))):
        pushed = w @ h if h.ndim == 2 else np.einsum("ot,otu->ou", w, h)
        assert (pushed * w).sum(1) == pytest.approx(expected, rel=1e-4)


def test_covariance_and_bias_beat_second_moments() -> None:
    rng = np.random.default_rng(11)
    x = np.maximum(rng.standard_normal((2000, 40)) @ rng.standard_normal((40, 40)), 0)  # as behind a ReLU
    w = rng.standard_normal((12, 40)).astype(np.float32)
    found = moments.of_rows([x[:900], x[900:]])
    start = cluster.cluster(w, 4, cluster.Options())
    errors = []
    for h, correct in ((found.second, False), (found.covariance, True)):
        dense = cluster.reconstruct(second_order.compensate(w, start, h, second_order.Options()))
        bias = moments.bias_shift(w, dense, found.mean) if correct else np.zeros(12)
        errors.append(np.square(x @ (w - dense).T - bias).mean())
        if correct:
            assert (x @ (w - dense).T - bias).mean(0) == pytest.approx(np.zeros(12), abs=1e-6)
    assert errors[1] < errors[0]


def test_no_samples_and_no_weights_are_refused() -> None:
    with pytest.raises(UsageError, match="no samples"):
        moments.of_rows([])
    net = FloatNet(np.random.default_rng(0), (1, 4, 4, 2), "relu")
    graph = net.graph(net.op("relu", net.conv("input", 3), activation="relu"))
    with pytest.raises(UsageError, match="relu has no weights"):
        moments.of_layer(graph, graph.nodes[1], np.zeros((1, 4, 4, 3)))
