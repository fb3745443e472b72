"""Float streaming networks as .tflite files: SVDF with a variable tensor, and windows over time that are variables."""

from __future__ import annotations

from collections.abc import Sequence

import memory_filters
import numpy as np
import streaming
from float_nets import FloatNet

from edgekc.fuzzing.layers import Builder
from edgekc.fuzzing.values import tensor
from edgekc.graph.ir import Array, Tensor
from edgekc.graph.op import view_of


def svdf(seed: int, activation: int = 1, **changed: Tensor | None) -> bytes:
    """One SVDF of random sizes; `changed`: tensors in place of those of these names."""
    rng = np.random.default_rng([seed, 64])
    depth, units, rank, steps = (int(v) for v in rng.integers((4, 2, 1, 2), (20, 9, 4, 9)))
    b = Builder(rng, extreme=False)
    view = memory_filters.svdf(b, tensor("x", (1, depth), b.quant()), units, rank, steps)
    filters = units * rank
    sizes = {"feature": ((filters, depth), depth), "time": ((filters, steps), steps), "bias": ((units,), 10)}
    floats: dict[str, Tensor | None] = {
        name: Tensor(name, shape, "float32", data=_normal(rng, shape, taps)) for name, (shape, taps) in sizes.items()
    }
    for name, shape in (("x", (1, depth)), ("state", (1, filters * steps)), ("out", (1, units))):
        floats[name] = Tensor(name, shape, "float32")
    return memory_filters.file(view, {**floats, **changed}, activation)


def _normal(rng: np.random.Generator, shape: Sequence[int], taps: int) -> Array:
    return rng.normal(0, taps**-0.5, shape).astype(np.float32)


def windows(seed: int, first: float = 0.0) -> bytes:
    """Two layers, each over the last rows of what it reads: a variable keeps them, and starts as `first`."""
    net = FloatNet(np.random.default_rng([seed, 65]), (1, 2, 6))
    image = net.reshape("input", (1, 2, 1, 6))
    variables: list[streaming.Variable] = []
    x = _layer(net, variables, image, 3, 8, first, "relu")
    x = _layer(net, variables, x, 4, 5, first, "none")
    y = net.fully_connected(net.reshape(x, (1, int(np.prod(net.shape_of(x))))), 4)
    graph = net.graph(y)
    views = [view_of(graph, node) for node in graph.nodes]
    return streaming.streaming_network(views, [net.tensors["input"]], [y], variables)


def _layer(
    net: FloatNet, variables: list[streaming.Variable], x: str, rows: int, units: int, first: float, activation: str
) -> str:
    """A convolution over the whole window, of which a step moves on by the rows of `x`."""
    _, new, _, c = net.shape_of(x)
    name = f"past_{len(variables)}"
    past = net.tensors[name] = Tensor(name, (1, rows, 1, c), "float32")
    joined = net.node("concat", (name, x), (1, rows + new, 1, c), {"axis": 1, "activation": "none"})
    begins = {"begins": f"0,{new},0,0", "sizes": f"1,{rows},1,{c}", "strides": "1,1,1,1"}
    kept = net.op("strided_slice", joined, shape=past.shape, **begins)
    value = np.full(past.shape, first, np.float32)
    variables.append(streaming.Variable(f"stream_{len(variables)}", past, kept, value))
    sizes = {f"{key}_{side}": 1 for key in ("stride", "dilation") for side in "hw"}
    sizes |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")}
    w = net._weights((units, rows + new, 1, c), (rows + new) * c)
    return net._linear("conv2d", joined, w, units, (1, 1, 1, units), {**sizes, "activation": activation})


def interpret(file: bytes, x: Array) -> Array:
    """LiteRT's output of each step of a sequence (n, *shape of a sample), under its reference kernels."""
    return np.concatenate([row[0] for row in streaming.interpret(file, [[step[None]] for step in x])])
