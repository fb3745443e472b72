"""The fast float definitions against loops that say what each operator is."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.errors import UsageError
from edgekc.graph.ir import Graph, Node, Role, Stage, Tensor, constant
from edgekc.quantize import float_reference


def window_net(op: str, x: tuple[int, ...], k: tuple[int, int], oc: int, **geometry: int) -> Graph:
    """One window operator; geometry: stride, dilation, pads of its two axes."""
    rng = np.random.default_rng(0)
    attrs = {f"{key}_{axis}": geometry.get(f"{key}_{axis}", 1) for key in ("stride", "dilation") for axis in "hw"}
    attrs |= {key: geometry.get(key, 0) for key in ("pad_top", "pad_bottom", "pad_left", "pad_right")}
    size = []
    for axis, n, kernel, pads in (("h", x[1], k[0], ("top", "bottom")), ("w", x[2], k[1], ("left", "right"))):
        total = n + sum(attrs[f"pad_{p}"] for p in pads) - (kernel - 1) * attrs[f"dilation_{axis}"] - 1
        size.append(total // attrs[f"stride_{axis}"] + 1)
    tensors = {"input": Tensor("input", x, "float32"), "y": Tensor("y", (1, *size, oc), "float32")}
    inputs = ["input"]
    if op in ("conv2d", "depthwise"):
        shape = (oc, *k, x[3]) if op == "conv2d" else (1, *k, oc)
        for name, value in (("w", rng.normal(size=shape)), ("b", rng.normal(size=oc))):
            tensors[name] = constant(name, value.astype(np.float32), Role.WEIGHTS if name == "w" else Role.BIAS)
            inputs.append(name)
    else:
        attrs |= {"filter_h": k[0], "filter_w": k[1]}
    node = Node(op, "y", tuple(inputs), ("y",), {**attrs, "activation": "none"})
    return Graph("one", Stage.FLOAT, tensors, (node,), ("input",), ("y",), {})


def by_loops(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Every output pixel from the pixels inside the image that its window covers."""
    node, out = graph.nodes[0], graph.tensors["y"].shape
    a = {key: value for key, value in node.attrs.items() if isinstance(value, int)}
    w = graph.tensors["w"].value if "w" in graph.tensors else None
    k_h, k_w = (a["filter_h"], a["filter_w"]) if w is None else w.shape[1:3]
    y = np.zeros((len(x), *out[1:]))
    for row in range(out[1]):
        for column in range(out[2]):
            seen = []
            for i in range(k_h):
                for j in range(k_w):
                    r = row * a["stride_h"] - a["pad_top"] + i * a["dilation_h"]
                    c = column * a["stride_w"] - a["pad_left"] + j * a["dilation_w"]
                    if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]:
                        seen.append((i, j, x[:, r, c]))
            if node.op == "max_pool":
                y[:, row, column] = np.max([p for _, _, p in seen], axis=0)
            elif node.op == "average_pool":
                y[:, row, column] = np.mean([p for _, _, p in seen], axis=0)
            else:
                y[:, row, column] = graph.tensors["b"].value
                for i, j, p in seen:
                    assert w is not None
                    if node.op == "conv2d":
                        y[:, row, column] += p @ w[:, i, j].T
                    else:
                        y[:, row, column] += np.repeat(p, out[3] // x.shape[3], axis=1) * w[0, i, j]
    return y


GEOMETRIES = [
    {},
    {"pad_top": 1, "pad_bottom": 1, "pad_left": 1, "pad_right": 1},
    {"stride_h": 2, "stride_w": 2, "pad_bottom": 1, "pad_right": 1},
    {"stride_w": 3, "pad_left": 2},
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(
    ("op", "dilation"),
    [("conv2d", 1), ("conv2d", 2), ("depthwise", 1), ("depthwise", 2), ("average_pool", 1), ("max_pool", 1)],
)
def test_windows(op: str, dilation: int, geometry: dict[str, int]) -> None:
    oc = {"conv2d": 5, "depthwise": 4}.get(op, 2)
    graph = window_net(op, (1, 7, 8, 2), (3, 3), oc, dilation_h=dilation, dilation_w=dilation, **geometry)
    x = np.random.default_rng(1).normal(size=(3, 7, 8, 2))
    actual = float_reference.outputs(graph, [x])[0]
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, by_loops(graph, x), rtol=1e-4, atol=1e-5)


def test_pointwise_operators() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 2, 2, 3))
    scale = net.constant(np.array([2.0, -1.0, 0.5]).reshape(1, 1, 1, 3))
    out = [
        net.binary("mul", "input", scale, activation="relu_n1_to_1"),
        net.binary("add", "input", "input", activation="relu6"),
        net.unary("softmax", "input", beta=2.0),
        net.unary("logistic", "input"),
        net.unary("tanh", "input"),
        net.mean("input"),
        net.pad("input", 1),
        net.concat("input", "input", activation="relu"),
        net.reshape("input", (1, 12)),
    ]
    x = np.random.default_rng(1).normal(0, 3, (4, 2, 2, 3)).astype(np.float32)
    values = float_reference.run(net.graph(*out), [x])
    exps = np.exp(2.0 * x.astype(np.float64))
    expected = [
        np.clip(x * np.array([2, -1, 0.5]), -1, 1),
        np.clip(2 * x, 0, 6),
        exps / exps.sum(-1, keepdims=True),
        1 / (1 + np.exp(-x.astype(np.float64))),
        np.tanh(x.astype(np.float64)),
        x.mean((1, 2)),
        np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
        np.maximum(np.concatenate([x, x], 3), 0),
        x.reshape(4, 12),
    ]
    for name, value in zip(out, expected, strict=True):
        np.testing.assert_allclose(values[name], value, rtol=1e-5, atol=1e-6)
    chunked = float_reference.outputs(net.graph(*out), [x], chunk=3)
    for name, value in zip(out, chunked, strict=True):
        np.testing.assert_allclose(value, values[name], rtol=1e-6)


def test_extreme_values_do_not_overflow() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 4))
    graph = net.graph(net.unary("softmax", "input", beta=1.0), net.unary("logistic", "input"))
    with np.errstate(all="raise", under="ignore"):
        soft, logistic = float_reference.outputs(graph, [np.array([[-1e4, 0.0, 1e4, 1e4]])])
    np.testing.assert_allclose(soft, [[0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(logistic, [[0, 0.5, 1, 1]])


def test_wrong_inputs() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 4))
    graph = net.graph(net.fully_connected("input", 2))
    with pytest.raises(UsageError, match=r"input input: samples of shape \[5\], expected \[4\]"):
        float_reference.run(graph, [np.zeros((2, 5))])
    with pytest.raises(UsageError, match="2 arrays for 1 inputs"):
        float_reference.run(graph, [np.zeros((2, 4)), np.zeros((2, 4))])
