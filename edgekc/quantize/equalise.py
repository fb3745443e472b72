"""A FLOAT graph to the same function with weight ranges of consecutive layers made alike, channel by channel.

Cross-layer equalisation of Nagel et al. 2019 (arXiv 1906.04721, section 4.1): a ReLU commutes with a positive
factor, so the filters of one layer may be divided by s and the next layer's inputs multiplied by it. With
s = sqrt(r1 / r2), r being the largest weight of the channel, both ranges become sqrt(r1 * r2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Tensor, consumers
from ..graph.ir import constant as make_constant
from ..graph.op import view_of
from ..graph.source import Reads
from ..ops import filters_of, floats_of, layer_filters, source_of

_HOMOGENEOUS = frozenset({"none", "relu"})  # activations that commute with a positive factor; ReLU6 does not
_ROUNDS = 40  # at most; a chain of layers settles in about ten
_SETTLED = 1e-3  # largest |log s| of a round that is the last one


@dataclass(frozen=True, slots=True)
class Pair:
    """Two linear layers, the second of which is all that sees the first."""

    first: Node
    second: Node


def equalise(graph: Graph) -> tuple[Graph, list[str]]:
    """The equalised graph, and one line for each pair of layers; exact but for float32 rounding."""
    found = pairs(graph)
    names = [_names(graph, pair) for pair in found]
    values = {n: t.value.astype(np.float64) for n, t in graph.tensors.items() if t.data is not None}
    for _ in range(_ROUNDS):
        moved = [_equalise_pair(pair, constants, values) for pair, constants in zip(found, names, strict=True)]
        if max(moved, default=0.0) < _SETTLED:
            break
    tensors = dict(graph.tensors)
    for name in (name for constants in names for name in constants):
        tensors[name] = _like(tensors[name], values[name])
    notes = [f"{p.first.name} -> {p.second.name}: channel ranges equalised" for p in found]
    return replace(graph, tensors=tensors), notes


def pairs(graph: Graph) -> list[Pair]:
    """All pairs of layers that can exchange factors, in execution order."""
    readers, found = consumers(graph), []
    for node in graph.nodes:
        if filters_of(node) is None or node.attrs.get("activation", "none") not in _HOMOGENEOUS:
            continue
        second = _only_layer_behind(graph, node, readers)
        if second is not None:
            found.append(Pair(node, second))
    return found


def _only_layer_behind(graph: Graph, node: Node, readers: Mapping[str, list[Node]]) -> Node | None:
    """The linear layer that alone reads the node's output, through transparent operators; None: there is none."""
    channels, name = graph.tensors[node.outputs[0]].shape[-1], node.outputs[0]
    while True:
        if name in graph.outputs or len(readers[name]) != 1:
            return None
        reader = readers[name][0]
        if (filters := filters_of(reader)) is not None:
            if filters.reads is Reads.GROUP:
                return None  # its filters do not all read a channel
            # Row-major, channels last: element k of a row is of channel k % channels, also behind a flatten.
            row = graph.tensors[name].shape[-1]
            fits = row == channels if filters.window else row % channels == 0
            return reader if fits and reader.inputs[0] == name else None
        if not floats_of(reader).scales_along or reader.attrs.get("activation", "none") not in _HOMOGENEOUS:
            return None
        ends = (name, reader.outputs[0])
        mixes = floats_of(reader).ties(view_of(graph, reader)) is None or any(
            graph.tensors[end].shape[-1] != channels for end in ends
        )
        if not source_of(reader).view and mixes:
            return None
        name = reader.outputs[0]


def _names(graph: Graph, pair: Pair) -> tuple[str, str, str]:
    """Of the first layer's weights and bias, and of the second one's weights."""
    first = view_of(graph, pair.first)
    return first.weights.name, first.bias.name, view_of(graph, pair.second).weights.name


def _equalise_pair(pair: Pair, names: tuple[str, str, str], values: dict[str, Array]) -> float:
    """Move factors between the two layers' weights in `values`; the largest |log s|."""
    w1, b1, w2 = names
    axis = layer_filters(pair.first).axis
    channels = values[w1].shape[axis]
    r1 = np.abs(values[w1]).max(tuple(a for a in range(values[w1].ndim) if a != axis))
    by_input = _by_input(pair.second, values[w2], channels)
    r2 = np.abs(by_input).max((0, 2))
    usable = (r1 > 0) & (r2 > 0)  # a dead channel keeps its factor of one
    s = np.where(usable, np.sqrt(np.where(usable, r1, 1.0) / np.where(usable, r2, 1.0)), 1.0)
    shape = [-1 if a == axis else 1 for a in range(values[w1].ndim)]
    values[w1] = values[w1] / s.reshape(shape)
    values[b1] = values[b1] / s
    values[w2] = (by_input * s[None, :, None]).reshape(values[w2].shape)
    return float(np.abs(np.log(s)).max(initial=0.0))


def _by_input(node: Node, w: Array, channels: int) -> Array:
    """Weights as (before, input channel, after); a view where possible.

    depthwise (1, kh, kw, oc): filter o reads channel o // (oc / channels). conv2d (oc, kh, kw, ic).
    fully_connected (oc, ic): input k is of channel k % channels.
    """
    if layer_filters(node).depthwise:
        return w.reshape(-1, channels, w.shape[-1] // channels)
    return w.reshape(-1, channels, 1)


def _like(t: Tensor, value: Array) -> Tensor:
    return make_constant(t.name, value.astype(np.float32), t.role)
