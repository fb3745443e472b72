"""Drops reshapes that change nothing, and the inner of two reshapes in a row."""

from __future__ import annotations

from dataclasses import replace

from ..ir import Graph, Node, consumers, producers, prune


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because a reshape moves no bytes."""
    notes = []
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    writers, readers = producers(graph), consumers(graph)
    for node in graph.nodes:
        inputs = tuple(renamed.get(n, n) for n in node.inputs)
        if node.op == "reshape":
            before = writers.get(node.inputs[0])
            inner = before is not None and before.op == "reshape"
            if inner and before is not None and len(readers[node.inputs[0]]) == 1:
                inputs = (renamed.get(before.inputs[0], before.inputs[0]),)
                nodes = [n for n in nodes if n.name != before.name]
                notes.append(f"{before.name}: merged into {node.name}, no bytes move")
            source, target = graph.tensors[inputs[0]], graph.tensors[node.outputs[0]]
            if source.shape == target.shape and target.name not in graph.outputs:
                renamed[target.name] = source.name
                notes.append(f"{node.name}: dropped, the shape stays {list(target.shape)}")
                continue
        nodes.append(replace(node, inputs=inputs))
    return prune(replace(graph, nodes=tuple(nodes))), notes
