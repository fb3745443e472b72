"""Which channels of a FLOAT graph stand or fall together: tie groups, and the graph without some of them.

Every channel (last axis) of every activation is an element; an operator that maps channel c to channel c ties
the two, a residual add ties both its operands to its output, a depthwise layer ties an input channel to all
outputs made of it, a flatten ties a channel to all its positions, a state ties what a step starts with to what the one
before it has left. Convolutions and fully connected layers tie
nothing: their output channels are new. What is tied is removed together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array, Graph, Node, Tensor, constant
from ...graph.op import view_of
from ...graph.source import Reads
from ...ops import filters_of, source_of


@dataclass(frozen=True, slots=True)
class Groups:
    labels: dict[str, Array]  # activation -> (channels,) int64, the tie group of each channel
    pinned: Array  # (groups,) bool: cannot be removed (the graph's inputs and outputs, operators that mix channels)


def weighted(node: Node) -> bool:
    """A layer with filters, none of which reads a group of channels: those keep all channels that they have."""
    filters = filters_of(node)
    return filters is not None and filters.reads is not Reads.GROUP


def makes_channels(node: Node) -> bool:
    """A layer whose output channels are new, since each filter reads every input channel."""
    filters = filters_of(node)
    return filters is not None and filters.reads is Reads.ALL


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

    def tie(one: str, inside: Array, other: str, outside: Array) -> None:
        for i, j in zip(inside.tolist(), outside.tolist(), strict=True):
            x, y = root(starts[one] + i), root(starts[other] + j)
            parent[max(x, y)] = min(x, y)

    for state in graph.states:
        every = np.arange(_channels(graph.tensors[state.start]))
        tie(state.start, every, state.end, every)
    for node in graph.nodes:
        floats, out = source_of(node).floats, node.outputs[0]
        ties = None if floats is None else floats.ties(view_of(graph, node))
        if ties is None:
            pinned_names |= {n for n in (*node.inputs, *node.outputs) if n in starts}
            continue
        for t, inside, outside in ties:
            tie(t.name, inside, out, outside)
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
    states = [replace(s, initial=_without(s.initial, -1, keep[s.start])) for s in graph.states]
    return replace(graph, tensors=tensors, states=tuple(states))


def node_of(graph: Graph, layer: str) -> Node:
    """The convolution, depthwise or fully connected node of this name; UsageError otherwise."""
    for node in graph.nodes:
        if node.name == layer and weighted(node):
            return node
    names = ", ".join(node.name for node in graph.nodes if weighted(node))
    raise UsageError("no such layer with weights", where=layer, fix=f"layers: {names}")


def _channels(t: Tensor) -> int:
    return t.shape[-1] if t.shape else 1


def _where(tied: Groups, bad: Array) -> str:
    return next(name for name, labels in tied.labels.items() if bad[labels].any())


def constant_masks(graph: Graph, node: Node, keep: dict[str, Array]) -> Iterator[tuple[str, int, Array]]:
    """(constant, axis, bool mask) of a node's constants; the masks speak of the graph before removal."""
    after = keep[node.outputs[0]]
    constants = [t for t in graph.of(node.inputs) if t.data is not None]
    filters = filters_of(node)
    if filters is not None and filters.reads is not Reads.GROUP:
        weights, before = constants[0], keep[node.inputs[0]]
        yield weights.name, filters.axis, after
        if filters.reads is Reads.ALL and weights.shape[-1] == len(before):  # else it keeps all channels
            yield weights.name, len(weights.shape) - 1, before
        yield from ((t.name, 0, after) for t in constants[1:])
    else:
        values = (t for t in constants if t.shape and t.shape[-1] == len(after) and t.value.dtype.kind == "f")
        yield from ((t.name, len(t.shape) - 1, after) for t in values)


def _masked(t: Tensor, axis: int, mask: Array) -> Tensor:
    if mask.all():
        return t
    return constant(t.name, _without(t.value, axis, mask), t.role, t.quant)


def _without(value: Array, axis: int, mask: Array) -> Array:
    kept = np.asarray(np.compress(mask, value, axis=axis))
    kept.setflags(write=False)
    return kept
