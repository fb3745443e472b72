"""The activations of samples in front of one layer after the other, while the layers behind may still change.

A step that compresses layers in their order looks at what each of them reads, behind the layers that are compressed
already. Each node is computed once, when the walk gets past it, and an activation is forgotten when all that read it
are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import affordable
from ..data import Dataset, batches_for, real_batches
from ..graph.ir import Array, Graph, Node
from ..graph.op import view_of
from ..ops import layer_filters
from ..quantize import float_reference
from .methods import moments

MOMENT_SAMPLES = 256  # whose activations weigh the errors of second-order assignment, at least
MOST_SAMPLES = 2048  # of any layer; at least as many for an SVD by outputs
_CHUNK = 64  # samples that an operator sees at a time


@dataclass(frozen=True, slots=True)
class Front:
    """Where the walk is."""

    values: dict[str, Array]  # activations that are still to be read, (n, ...) float32
    done: frozenset[str]  # outputs of the nodes that it got past


def start(graph: Graph, samples: Dataset) -> Front:
    """In front of the first layer of a graph with one input, which the samples fit."""
    values = {graph.inputs[0]: np.concatenate(list(real_batches(samples)))}
    if graph.states:  # what each step starts with, before any layer changes
        steps = [float_reference.run(graph, [x]) for x in batches_for(samples, graph)]
        values |= {s.start: np.concatenate([step[s.start] for step in steps]) for s in graph.states}
    return Front(values, frozenset())


def before(samples: Dataset, graph: Graph, nodes: Sequence[Node], count: int) -> Front:
    """In front of these layers, with `count` samples, or more where a layer sees few windows a sample.

    Of a large network there are fewer, see `affordable.samples`.
    """
    for node in nodes:
        shape, windows = view_of(graph, node).weights.shape, int(np.prod(graph.tensors[node.outputs[0]].shape[1:-1]))
        taps = int(np.prod(shape)) // shape[layer_filters(node).axis]
        count = max(count, min(-(-moments.ROWS_A_TAP * taps // windows), MOST_SAMPLES))
    return start(graph, affordable.some(samples, graph, count, 0))


def advance(front: Front, graph: Graph, name: str) -> Front:
    """In front of the readers of an activation, which has not been forgotten: layers are visited in their order.

    Args:
        graph: FLOAT; nodes that the walk got past may differ from those that it saw only in what nobody reads.
    """
    values, done, size = dict(front.values), set(front.done), affordable.batch(graph, _CHUNK)
    for node in graph.nodes:
        if name in values:
            return Front(values, frozenset(done))
        out = node.outputs[0]
        if out in done:
            continue
        read = [n for n in dict.fromkeys(node.inputs) if n in values]
        values[out] = float_reference.in_parts(partial(_of, graph, node, values), len(values[read[0]]), size)
        done.add(out)
        for n in read:
            if all(reader.outputs[0] in done for reader in graph.nodes if n in reader.inputs):
                del values[n]
    assert name in values, name
    return Front(values, frozenset(done))


def _of(graph: Graph, node: Node, values: dict[str, Array], part: slice) -> Array:
    """A node's output for some of the samples."""
    return float_reference.run_node(graph, node, {n: values[n][part] for n in node.inputs if n in values})
