"""Nodes of a FLOAT graph that compute with constants alone become constants: a recurrence starts with zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Role, Tensor, constant, prune
from ..graph.op import view_of
from ..ops import in_reals

_COMMUTE = ("add", "mul", "maximum", "minimum")


def fold_constants(graph: Graph) -> Graph:
    """The graph without them, and without sums and products that what they gave, zeros, makes trivial.

    A graph that has no such node stays as it is. A constant that is an output of the graph, or what a state ends as,
    stays computed.
    """
    tensors, nodes = dict(graph.tensors), list[Node]()
    made: set[str] = set()
    for node in graph.nodes:
        graph = replace(graph, tensors=tensors)
        value = None if node.outputs[0] in graph.sinks else _value(graph, node, made)
        if value is not None:
            tensors[node.outputs[0]] = constant(node.outputs[0], value, Role.WEIGHTS)
            made.add(node.outputs[0])
            continue
        if not made.isdisjoint(node.inputs):
            node = _with_constant_last(tensors, node)
        nodes.append(node)
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes))) if made else graph


def _value(graph: Graph, node: Node, made: set[str]) -> Array | None:
    """What a node gives whatever the input is; None where there is no such thing."""
    view = view_of(graph, node)
    if all(t.data is not None for t in view.inputs):
        try:
            with np.errstate(all="ignore"):
                value = np.broadcast_to(in_reals(view, [t.value for t in view.inputs]), view.out.shape)
        except ValueError:  # shapes that contradict each other: `legal.check` says which
            return None
        return value if np.isfinite(value).all() else None
    if node.op == "mul" and node.attrs["activation"] == "none" and any(_zeros(t, made) for t in view.inputs):
        return np.zeros(view.out.shape, np.float32)
    return None


def _zeros(t: Tensor, made: set[str]) -> bool:
    return t.name in made and t.data is not None and not t.data.any()


def _with_constant_last(tensors: dict[str, Tensor], node: Node) -> Node:
    """A sum or product as later passes expect it. A sum with zeros is the other operand."""
    if node.op not in _COMMUTE:
        return node
    x, c = sorted((tensors[name] for name in node.inputs), key=lambda t: t.data is not None)
    same = x.shape == tensors[node.outputs[0]].shape
    if node.op == "add" and node.attrs["activation"] == "none" and same and c.data is not None and not c.data.any():
        return Node("reshape", node.name, (x.name,), node.outputs, {})
    return replace(node, inputs=(x.name, c.name))
