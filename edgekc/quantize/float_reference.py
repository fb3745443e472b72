"""A FLOAT graph and inputs to every activation, in float32 numpy: what calibration and accuracy are measured on.

Convolutions go through im2col and one matrix product, so that a whole test set takes a minute, not an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..errors import UnsupportedError, UsageError
from ..graph.ir import Array, Graph, Node
from ..graph.op import View, view_of

# Patches of one slice of the batch: small enough to stay near the cache, large enough for the matrix product.
_PATCH_BYTES = 16 * 2**20
_CLAMPS: dict[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}


def run(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    """All activations by name, float32, graph inputs included.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of any real type; the batch is free, and every
            activation of it is kept, so feed large sets in chunks or call `outputs`.

    Raises:
        UsageError: number or shape of the inputs is not what the graph takes.
        UnsupportedError: an operator has no float definition.
    """
    values = _inputs(graph, inputs)
    for name, value in _walk(graph, values):
        values[name] = value
    return values


def outputs(graph: Graph, inputs: Sequence[Array], chunk: int = 128) -> list[Array]:
    """The graph's outputs only, (batch, *shape[1:]) float32; at most `chunk` samples are in memory at a time."""
    parts = []
    readers = {
        name: max([i for i, n in enumerate(graph.nodes) if name in n.inputs], default=-1) for name in graph.tensors
    }
    for start in range(0, max(len(inputs[0]), 1), chunk):
        values = _inputs(graph, [x[start : start + chunk] for x in inputs])
        for index, (name, value) in enumerate(_walk(graph, values)):
            values[name] = value
            for old in graph.nodes[index].inputs:  # free what nobody reads any more
                if readers[old] == index and old not in graph.outputs:
                    values.pop(old, None)
        parts.append([values[name] for name in graph.outputs])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def _inputs(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    if len(inputs) != len(graph.inputs):
        raise UsageError(f"{len(inputs)} arrays for {len(graph.inputs)} inputs", where=graph.name)
    values = {}
    for name, x in zip(graph.inputs, inputs, strict=True):
        shape = graph.tensors[name].shape
        if x.shape[1:] != shape[1:]:
            raise UsageError(f"samples of shape {list(x.shape[1:])}, expected {list(shape[1:])}", where=f"input {name}")
        values[name] = np.ascontiguousarray(x, np.float32)
    return values


def _walk(graph: Graph, values: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """(name, value) of each node's output, in order; the caller puts them into `values`."""
    for node in graph.nodes:
        yield node.outputs[0], run_node(graph, node, values)


def run_node(graph: Graph, node: Node, values: Mapping[str, Array]) -> Array:
    """A node's output from the activations that it reads, each (batch, *shape[1:]); constants are the graph's."""
    if node.op not in OPERATORS:
        raise UnsupportedError(f"{node.op} has no float definition", where=node.name)
    view = view_of(graph, node)
    operands = [values[n] if n in values else graph.tensors[n].value for n in node.inputs]
    return activate(OPERATORS[node.op](view, operands), str(node.attrs.get("activation", "none")))


def activate(x: Array, activation: str) -> Array:
    """The clamp of a fused or stand-alone activation; `x` itself where there is none."""
    low, high = _CLAMPS[activation]
    if low is not None:
        x = np.maximum(x, np.float32(low))
    return x if high is None else np.minimum(x, np.float32(high))


def windows(view: View, x: Array, k_h: int, k_w: int, fill: float = 0.0) -> Iterator[tuple[int, int, Array]]:
    """(i, j, what tap i, j of the window sees): x (n, h, w, c) to strided views (n, out_h, out_w, c)."""
    _, out_h, out_w = view.out.shape[:3]
    s_h, s_w, d_h, d_w = (view[k] for k in ("stride_h", "stride_w", "dilation_h", "dilation_w"))
    pads = ((0, 0), (view["pad_top"], view["pad_bottom"]), (view["pad_left"], view["pad_right"]), (0, 0))
    padded = np.pad(x, pads, constant_values=fill) if any(map(any, pads)) else x
    for i in range(k_h):
        for j in range(k_w):
            top, left = i * d_h, j * d_w
            yield i, j, padded[:, top : top + (out_h - 1) * s_h + 1 : s_h, left : left + (out_w - 1) * s_w + 1 : s_w]


def patches(view: View, x: Array, k_h: int, k_w: int) -> Array:
    """im2col: x (n, h, w, c) to (n, out_h, out_w, k_h * k_w * c), in the order of weights (oc, kh, kw, ic)."""
    n, c = x.shape[0], x.shape[3]
    _, out_h, out_w = view.out.shape[:3]
    columns = np.empty((n, out_h, out_w, k_h, k_w, c), np.float32)
    for i, j, seen in windows(view, x, k_h, k_w):
        columns[:, :, :, i, j] = seen
    return columns.reshape(n, out_h, out_w, k_h * k_w * c)


def _conv2d(view: View, operands: Sequence[Array]) -> Array:
    x, w, bias = operands
    oc, k_h, k_w, ic = w.shape
    _, out_h, out_w, _ = view.out.shape
    matrix = np.ascontiguousarray(w.reshape(oc, -1).T)
    out = np.empty((x.shape[0], out_h, out_w, oc), np.float32)
    step = max(1, _PATCH_BYTES // (out_h * out_w * k_h * k_w * ic * 4))
    for start in range(0, x.shape[0], step):
        part = patches(view, x[start : start + step], k_h, k_w)
        np.matmul(part, matrix, out=out[start : start + step])
    out += bias
    return out


def _grouped_conv2d(view: View, operands: Sequence[Array]) -> Array:
    """Weights (oc, kh, kw, ic / groups): a convolution for each group, side by side."""
    x, w, bias = operands
    reads = w.shape[3]
    groups = x.shape[3] // reads
    parts = zip(np.split(x, groups, axis=3), np.split(w, groups), np.split(bias, groups), strict=True)
    return np.concatenate([_conv2d(view, part) for part in parts], axis=3)


def _depthwise(view: View, operands: Sequence[Array]) -> Array:
    """Channel o reads input channel o // (oc / ic)."""
    x, w, bias = operands
    _, k_h, k_w, oc = w.shape
    times = oc // x.shape[3]
    out = np.zeros((x.shape[0], *view.out.shape[1:]), np.float32)
    for i, j, seen in windows(view, x, k_h, k_w):
        out += (np.repeat(seen, times, axis=3) if times > 1 else seen) * w[0, i, j]
    out += bias
    return out


def _fully_connected(view: View, operands: Sequence[Array]) -> Array:
    x, w, bias = operands
    return np.asarray(x @ w.T + bias)


def _align(operands: Sequence[Array]) -> tuple[Array, Array]:
    """Two operands, ones put behind the batch axis of that with the lower rank."""
    a, b = operands
    rank = max(a.ndim, b.ndim)
    first, second = (x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) if x.ndim else x for x in (a, b))
    return first, second


def _add(view: View, operands: Sequence[Array]) -> Array:
    a, b = _align(operands)
    return np.asarray(a + b)


def _mul(view: View, operands: Sequence[Array]) -> Array:
    a, b = _align(operands)
    return np.asarray(a * b)


def _average_pool(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    k_h, k_w = view["filter_h"], view["filter_w"]
    total = np.zeros((x.shape[0], *view.out.shape[1:]), np.float32)
    for _, _, seen in windows(view, x, k_h, k_w):
        total += seen
    ones = np.ones((1, *x.shape[1:3], 1), np.float32)
    count = sum(seen for _, _, seen in windows(view, ones, k_h, k_w))  # pixels inside the image
    return np.asarray(total / count)


def _max_pool(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    out = np.full((x.shape[0], *view.out.shape[1:]), -np.inf, np.float32)
    for _, _, seen in windows(view, x, view["filter_h"], view["filter_w"], fill=-np.inf):
        np.maximum(out, seen, out=out)
    return out


def _mean(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    axes = tuple(int(a) % x.ndim for a in str(view.node.attrs["axes"]).split(","))
    return np.asarray(x.mean(axes, dtype=np.float32, keepdims=bool(view["keep_dims"])))


def _reshape(view: View, operands: Sequence[Array]) -> Array:
    return operands[0].reshape(-1, *view.out.shape[1:])


def _pad(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    amounts = [int(v) for v in str(view.node.attrs["pads"]).split(",")]
    return np.pad(x, list(zip(amounts[::2], amounts[1::2], strict=True)))


def _softmax(view: View, operands: Sequence[Array]) -> Array:
    beta = view.node.attrs["beta"]
    assert isinstance(beta, (int, float))
    x = operands[0] * np.float32(beta)
    exps = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(exps / exps.sum(-1, keepdims=True))


def _logistic(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    small = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small), np.float32)


# Operator name -> output before the activation, from the node and its operands (constants included).
OPERATORS: dict[str, Callable[[View, Sequence[Array]], Array]] = {
    "conv2d": _conv2d,
    "grouped_conv2d": _grouped_conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _add,
    "mul": _mul,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "reshape": _reshape,
    "softmax": _softmax,
    "pad": _pad,
    "relu": lambda view, operands: operands[0],
    "logistic": _logistic,
    "concat": lambda view, operands: np.concatenate(operands, view["axis"]),
}
