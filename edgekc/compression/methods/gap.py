"""Global average pooling in front of the first fully connected layer, whose rows are merged accordingly.

Hsiao et al. (2019, see cluster.py), the first step of compound compression. A map (h, w, c) that was flattened
into h * w * c inputs becomes c means. The paper does not say how the weights follow; here the h * w weights of a
channel are added up, which leaves the layer's outputs as they were for maps that are constant over the image.
Retraining has to make up for the rest. VGG-16's first such layer goes from 102.8 to 2.1 million weights.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...graph.ir import Array, Graph, Node, Role, Tensor, constant, consumers, producers, prune
from ...graph.op import view_of
from ...ops import filters_of, source_of


def merge(weights: Array, positions: int) -> Array:
    """(oc, positions * c), channels last, to (oc, c): the sum over positions."""
    oc, inputs = weights.shape
    wide = weights.reshape(oc, positions, inputs // positions).astype(np.float64)
    return np.asarray(wide.sum(1).astype(weights.dtype))


def _reads_rows(node: Node) -> bool:
    filters = filters_of(node)
    return filters is not None and not filters.window


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """FLOAT graph to FLOAT graph; the notes say what was done, or why nothing was."""
    makers, readers = producers(graph), consumers(graph)
    first = next((node for node in graph.nodes if _reads_rows(node)), None)
    if first is None:
        return graph, ["no fully connected layer: no global average pooling to put in front of it"]
    flatten = makers.get(first.inputs[0])
    if flatten is None or not source_of(flatten).view:
        return graph, [f"{first.name}: its input is not a flattened map; left as it is"]
    x, flat = graph.tensors[flatten.inputs[0]], graph.tensors[first.inputs[0]]
    positions = math.prod(x.shape[1:-1])
    if len(x.shape) != 4 or flat.shape != (1, positions * x.shape[3]) or positions == 1:
        return graph, [f"{first.name}: reads a map of {list(x.shape)}; nothing to average, left as it is"]
    pooled, weights = f"{first.name}_gap", view_of(graph, first).weights
    merged = constant(weights.name, merge(weights.value, positions), Role.WEIGHTS)
    tensors = dict(graph.tensors) | {pooled: Tensor(pooled, (1, x.shape[3]), "float32"), weights.name: merged}
    mean = Node("mean", pooled, (x.name,), (pooled,), {"axes": "1,2", "keep_dims": 0})
    shared = len(readers[flat.name]) > 1 or flat.name in graph.outputs
    nodes: list[Node] = []
    for node in graph.nodes:
        if node is flatten and not shared:
            continue
        if node is first:
            nodes += [mean, replace(node, inputs=(pooled, *node.inputs[1:]))]
        else:
            nodes.append(node)
    note = f"{first.name}: {weights.shape[1]} -> {x.shape[3]} inputs, {weights.value.size - merged.value.size} weights"
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes))), [f"{note} less"]
