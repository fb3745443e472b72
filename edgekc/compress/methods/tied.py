"""Which channels of a FLOAT graph stand or fall together: tie groups, and the graph without some of them.

Every channel (last axis) of every activation is an element; an operator that maps channel c to channel c ties
the two, a residual add ties both its operands to its output, a depthwise layer ties an input channel to all
outputs made of it, a flatten ties a channel to all its positions. Convolutions and fully connected layers tie
nothing: their output channels are new. What is tied is removed together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array, Graph, Node, Tensor, constant

LAYERS = ("conv2d", "fully_connected")  # whose output channels are new
WEIGHTED = (*LAYERS, "depthwise")
_CHANNELWISE = ("relu", "logistic", "average_pool", "max_pool", "add", "mul", "mean", "pad")


@dataclass(frozen=True, slots=True)
class Groups:
    labels: dict[str, Array]  # activation -> (channels,) int64, the tie group of each channel
    pinned: Array  # (groups,) bool: cannot be removed (the graph's inputs and outputs, operators that mix channels)


def groups(graph: Graph) -> Groups:
    """The tie groups of a FLOAT graph."""
    starts, total = {}, 0
    for name, t in graph.tensors.items():
        if t.data is None:
            starts[name] = total
            total += _channels(t)
    parent = np.arange(total)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    pinned_names = {*graph.inputs, *graph.outputs}
    for node in graph.nodes:
        ties = _ties(graph, node)
        if ties is None:
            pinned_names |= {n for n in (*node.inputs, *node.outputs) if n in starts}
            continue
        for a, at_a, b, at_b in ties:
            for i, j in zip(at_a.tolist(), at_b.tolist(), strict=True):
                x, y = root(starts[a] + i), root(starts[b] + j)
                parent[max(x, y)] = min(x, y)
    roots = np.array([root(i) for i in range(total)], np.int64)
    unique, numbers = np.unique(roots, return_inverse=True)
    labels = {name: numbers[at : at + _channels(graph.tensors[name])] for name, at in starts.items()}
    pinned = np.zeros(len(unique), bool)
    for name in pinned_names:
        pinned[labels[name]] = True
    return Groups(labels, pinned)


def removable(graph: Graph, tied: Groups, layer: str) -> Array:
    """The tie groups (ascending) of a layer's output channels that can be removed; empty where none can."""
    labels = np.unique(tied.labels[node_of(graph, layer).outputs[0]])
    return np.asarray(labels[~tied.pinned[labels]])


def remove(graph: Graph, tied: Groups, gone: Array) -> Graph:
    """The graph without these tie groups. UsageError where one is pinned or a tensor would lose all channels."""
    dropped = np.zeros(len(tied.pinned), bool)
    dropped[gone] = True
    if (dropped & tied.pinned).any():
        raise UsageError(
            "these channels cannot be removed",
            where=_where(tied, dropped & tied.pinned),
            fix="they reach the graph's input or output, or an operator that mixes channels",
        )
    keep = {name: ~dropped[labels] for name, labels in tied.labels.items()}
    empty = [name for name, mask in keep.items() if not mask.any()]
    if empty:
        raise UsageError("every channel would be removed", where=empty[0], fix="keep at least one filter")
    tensors: dict[str, Tensor] = {}
    for name, t in graph.tensors.items():
        tensors[name] = replace(t, shape=(*t.shape[:-1], int(keep[name].sum()))) if name in keep and t.shape else t
    for node in graph.nodes:
        for name, axis, mask in constant_masks(graph, node, keep):
            tensors[name] = _masked(tensors[name], axis, mask)
    return replace(graph, tensors=tensors)


def node_of(graph: Graph, layer: str) -> Node:
    """The convolution, depthwise or fully connected node of this name; UsageError otherwise."""
    for node in graph.nodes:
        if node.name == layer and node.op in WEIGHTED:
            return node
    names = ", ".join(node.name for node in graph.nodes if node.op in WEIGHTED)
    raise UsageError("no such layer with weights", where=layer, fix=f"layers: {names}")


def _channels(t: Tensor) -> int:
    return t.shape[-1] if t.shape else 1


def _where(tied: Groups, bad: Array) -> str:
    return next(name for name, labels in tied.labels.items() if bad[labels].any())


def _ties(graph: Graph, node: Node) -> list[tuple[str, Array, str, Array]] | None:
    """(tensor, channels, tensor, channels) tied one to one; None: all channels of its tensors must stay."""
    out = graph.tensors[node.outputs[0]]
    acts = [t for t in graph.of(node.inputs) if t.data is None]
    each = np.arange(_channels(out))
    if node.op in LAYERS:
        grouped = graph.tensors[node.inputs[1]].shape[-1] != _channels(acts[0])
        return None if grouped else []
    if node.op == "depthwise":
        return [(acts[0].name, each // (len(each) // _channels(acts[0])), out.name, each)]
    if node.op in _CHANNELWISE:
        if not _keeps_channels(node, acts[0]):
            return None
        # An operand with one channel is spread over all: it has no channel of its own to lose.
        return [(t.name, each, out.name, each) for t in acts if _channels(t) == len(each)]
    if node.op == "concat":
        return _concat_ties(node, acts, out)
    if node.op == "reshape":
        wide = np.arange(max(len(each), _channels(acts[0])))
        if len(wide) % len(each) or len(wide) % _channels(acts[0]):
            return None
        return [(acts[0].name, wide % _channels(acts[0]), out.name, wide % len(each))]
    return None


def _keeps_channels(node: Node, x: Tensor) -> bool:
    rank = len(x.shape)
    if node.op == "mean":
        return all(int(a) % rank != rank - 1 for a in str(node.attrs["axes"]).split(","))
    if node.op == "pad":
        return not any(int(p) for p in str(node.attrs["pads"]).split(",")[-2:])
    return rank > 0


def _concat_ties(node: Node, acts: list[Tensor], out: Tensor) -> list[tuple[str, Array, str, Array]]:
    if node.int_attr("axis") % len(out.shape) != len(out.shape) - 1:
        return [(t.name, np.arange(_channels(t)), out.name, np.arange(_channels(t))) for t in acts]
    ends = np.cumsum([_channels(t) for t in acts])
    each = [np.arange(_channels(t)) for t in acts]
    return [
        (t.name, own, out.name, own + end - len(own)) for t, own, end in zip(acts, each, ends.tolist(), strict=True)
    ]


def constant_masks(graph: Graph, node: Node, keep: dict[str, Array]) -> Iterator[tuple[str, int, Array]]:
    """(constant, axis, bool mask) of a node's constants; the masks speak of the graph before removal."""
    after = keep[node.outputs[0]]
    constants = [t for t in graph.of(node.inputs) if t.data is not None]
    if node.op in LAYERS:
        weights = constants[0]
        yield weights.name, 0, after
        if weights.shape[-1] == len(keep[node.inputs[0]]):  # else a grouped convolution, which keeps all channels
            yield weights.name, len(weights.shape) - 1, keep[node.inputs[0]]
        yield from ((t.name, 0, after) for t in constants[1:])
    elif node.op == "depthwise":
        yield constants[0].name, 3, after
        yield from ((t.name, 0, after) for t in constants[1:])
    else:
        yield from ((t.name, len(t.shape) - 1, after) for t in constants if t.shape and t.shape[-1] == len(after))


def _masked(t: Tensor, axis: int, mask: Array) -> Tensor:
    if mask.all():
        return t
    return constant(t.name, np.compress(mask, t.value, axis=axis), t.role, t.quant)
