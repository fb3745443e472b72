"""What the steps of a recipe did to layers, for the table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..graph.ir import Graph
from ..graph.op import view_of
from ..ops import filters_of


@dataclass(frozen=True, slots=True)
class Layer:
    """What steps did to a layer's weights."""

    method: str  # of several steps, in their order
    # Squared error over the squared norm of the weights, before any retraining; None where weights were taken out.
    relative_error: float | None
    output_error: float | None  # the same of the layer's outputs, where it is known


Layers = Mapping[str, Layer]  # by name


def behind(layers: Layers, name: str, method: str) -> str:
    """A layer's method behind those of earlier steps."""
    return f"{layers[name].method}, {method}" if name in layers else method


def split(layers: Layers, before: Graph, after: Graph, done: Layer) -> dict[str, Layer]:
    """With what was done to the layers that are new in a graph, or not the nodes that they were."""
    old = {node.name: node for node in before.nodes}
    changed = [node.name for node in after.nodes if filters_of(node) is not None and old.get(node.name) != node]
    return {**layers, **{n: replace(done, method=behind(layers, n, done.method)) for n in changed}}


def shrunk(layers: Layers, before: Graph, after: Graph, method: str) -> dict[str, Layer]:
    """With a method that left some layers fewer weights than before."""
    found = dict(layers)
    for node in after.nodes:
        if filters_of(node) is None:
            continue
        name = view_of(after, node).weights.name
        if after.tensors[name].shape != before.tensors[name].shape:
            found[node.name] = Layer(behind(layers, node.name, method), None, None)
    return found
