"""Makes one copy of two in a row, and none of two that undo each other."""

from __future__ import annotations

import math
from dataclasses import replace

from ..graph.ir import Graph, Node, consumers, prune
from ..graph.op import view_of
from ..ops import OPS, strided_copy
from ..ops.shared.loops import of_indices

_MOST = 1 << 22  # values of an output whose order is looked at; more take too long


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because the order of an order is an order."""
    nodes = {node.name: node for node in graph.nodes}
    writers = {node.outputs[0]: node.name for node in graph.nodes}
    readers, notes = consumers(graph), []
    undone: list[str] = []

    def only_read_here(name: str) -> bool:
        return name not in graph.sinks and len(readers[name]) == 1

    for outer in graph.nodes:
        behind: list[str] = []  # views between the two
        name = outer.inputs[0]
        while OPS[outer.op].order is not None and only_read_here(name) and name in writers:
            inner = nodes[writers[name]]
            if OPS[inner.op].view:
                behind.append(inner.name)
                name = inner.inputs[0]
                continue
            fused = _fused(graph, nodes[outer.name], inner)
            if fused is not None:
                for gone in (inner.name, *behind):
                    del nodes[gone]
                nodes[outer.name] = fused
                if OPS[fused.op].view:
                    undone.append(outer.name)
                notes.append(f"{outer.name}: {inner.name} is part of it, in one copy{' of none' * OPS[fused.op].view}")
            break
    instead: dict[str, str] = {}
    for name in undone:
        (x,), (out,) = nodes[name].inputs, nodes[name].outputs
        if graph.tensors[x].shape == graph.tensors[out].shape and out not in graph.sinks:
            instead[out] = instead.get(x, x)
            del nodes[name]
    left = [replace(n, inputs=tuple(instead.get(i, i) for i in n.inputs)) for n in nodes.values()]
    return prune(replace(graph, nodes=tuple(left))), notes


def _fused(graph: Graph, outer: Node, inner: Node) -> Node | None:
    """`outer` reading what `inner` reads; None where that is no nest of loops."""
    first, second = OPS[inner.op].order, OPS[outer.op].order
    out = graph.tensors[outer.outputs[0]]
    if first is None or second is None or math.prod(out.shape) > _MOST or not out.shape:
        return None
    between = graph.tensors[inner.outputs[0]].shape
    if math.prod(between) > _MOST or between[:1] != graph.tensors[outer.inputs[0]].shape[:1]:
        return None
    loops = of_indices(first(view_of(graph, inner))[second(view_of(graph, outer))])
    if loops is None or not strided_copy.fits(loops, view_of(graph, outer)):
        return None
    x = graph.tensors[inner.inputs[0]]
    op, attrs = strided_copy.copy_of(loops, x.shape, out.shape)
    return Node(op, outer.name, (x.name,), outer.outputs, attrs)
