"""Drops reshapes that change nothing, and the inner ones of several reshapes in a row."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, Node, Tensor, consumers, prune
from ..ops import source_of


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because a reshape moves no bytes."""
    notes = []
    renamed: dict[str, str] = {}
    shown: dict[str, str] = {}  # a reshape's output -> the tensor whose bytes it shows
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(renamed.get(n, n) for n in node.inputs)
        if source_of(node).view:
            target, source = graph.tensors[node.outputs[0]], graph.tensors[shown.get(inputs[0], inputs[0])]
            if _same_values(source, target):  # else the lowering refuses it
                inputs = (source.name,)
                shown[target.name] = source.name
                if source.shape == target.shape and target.name not in graph.sinks:
                    renamed[target.name] = source.name
                    notes.append(f"{node.name}: dropped, the shape stays {list(target.shape)}")
                    continue
        nodes.append(replace(node, inputs=inputs))
    readers = consumers(replace(graph, nodes=tuple(nodes)))
    unread = {n.name for n in nodes if source_of(n).view and not readers[n.outputs[0]]}
    unread -= {n.name for n in nodes if n.outputs[0] in graph.sinks}
    notes += [f"{n.name}: merged into the reshapes that read it, no bytes move" for n in nodes if n.name in unread]
    return prune(replace(graph, nodes=tuple(n for n in nodes if n.name not in unread))), notes


def _same_values(a: Tensor, b: Tensor) -> bool:
    if a.quant is None or b.quant is None:
        return a.quant is b.quant
    return (a.quant.scales, a.quant.zero_points) == (b.quant.scales, b.quant.zero_points)
