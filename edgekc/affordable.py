"""A FLOAT graph to how many samples a pass over it can afford: what looks at samples of a large network looks at fewer.

The bounds are counts of operations and bytes, so a result does not depend on the machine. Networks of a
microcontroller's size are below them: ResNet-8 at 32x32 could be given 8,000 samples a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .data import Dataset, portion
from .graph.ir import Graph
from .graph.op import view_of
from .ops import filters_of

MACS = 10**11  # of one pass: some seconds in float32 on a core with wide vectors
BYTES = 2**29  # of activations that are alive at once, float32
LEAST = 16  # samples, however large the network is
MOST_TAPS = 5120  # of a layer whose second moments are taken: they fill 210 MB in float64


def layer_macs(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of one inference by layer, of the layers with dense weights."""
    counts = {}
    for node in graph.nodes:
        if filters_of(node) is not None:
            weights, out = view_of(graph, node).weights, graph.tensors[node.outputs[0]]
            counts[node.name] = math.prod(out.shape[:-1]) * math.prod(weights.shape)
    return counts


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference in all layers with dense weights."""
    return sum(layer_macs(graph).values())


def alive_bytes(graph: Graph) -> int:
    """Bytes of float32 activations of one sample, at most, where each is forgotten behind its last reader."""
    return max(_alive(graph), default=0)


def activation_bytes(graph: Graph) -> int:
    """Bytes of all float32 activations of one sample."""
    return sum(4 * math.prod(graph.tensors[node.outputs[0]].shape[1:]) for node in graph.nodes)


def samples(graph: Graph, wanted: int, copies: int = 1) -> int:
    """How many of `wanted` samples one pass can afford.

    Args:
        copies: of each activation, that the pass holds at once.
    """
    by_work = MACS // max(macs(graph), 1)
    by_room = BYTES // max(copies * alive_bytes(graph), 1)
    return min(wanted, max(LEAST, min(by_work, by_room)))


def batch(graph: Graph, wanted: int) -> int:
    """How many of `wanted` samples fit where all activations of a batch are kept."""
    return max(1, min(wanted, BYTES // 2 // max(activation_bytes(graph), 1)))


def some(dataset: Dataset, graph: Graph, wanted: int, seed: int, copies: int = 1) -> Dataset:
    """As `data.portion`, of as many samples as one pass can afford."""
    return portion(dataset, graph, samples(graph, wanted, copies), seed)


def _alive(graph: Graph) -> Iterator[int]:
    """Bytes that are alive during each node."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    held = {name: 4 * math.prod(graph.tensors[name].shape[1:]) for name in graph.inputs}
    for i, node in enumerate(graph.nodes):
        held[node.outputs[0]] = 4 * math.prod(graph.tensors[node.outputs[0]].shape[1:])
        yield sum(held.values())
        for name in node.inputs:
            if last[name] == i and name not in graph.outputs:
                held.pop(name, None)
