"""Makes one table of two in a row: activations and changes of scale behind each other are one look-up a byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Graph, Node, Role, Tensor, constant, consumers, producers, prune
from ..graph.op import view_of
from ..ops import OPS


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because an entry of the second table at an entry of the first is one entry.

    Only where nobody else reads what the first table writes.
    """
    notes: list[str] = []
    writers, readers = producers(graph), consumers(graph)
    for second in graph.nodes:  # fusing one leaves those behind it as they are: its result keeps its name
        if not OPS[second.op].tabulates or not (chain := _chain(graph, second, writers, readers)):
            continue
        graph = _fused(graph, chain)
        writers, readers = producers(graph), consumers(graph)
        notes.append(f"{chain[0].name}: fused into the table of {second.name}, which alone reads it")
    return prune(graph), notes


def _chain(
    graph: Graph, second: Node, writers: Mapping[str, Node], readers: Mapping[str, Sequence[Node]]
) -> list[Node]:
    """From the table before it, over reshapes, to this one; empty where there is none that it alone reads."""
    chain = [second]
    while True:
        name = chain[0].inputs[0]
        before = writers.get(name)
        if before is None or len(readers[name]) != 1 or name in graph.outputs:
            return []
        chain.insert(0, before)
        if OPS[before.op].tabulates:
            same = graph.tensors[before.outputs[0]].dtype == graph.tensors[second.outputs[0]].dtype
            return chain if same or len(chain) == 2 else []
        if not OPS[before.op].view:
            return []


def _fused(graph: Graph, chain: list[Node]) -> Graph:
    """One table in the place of the first, and the reshapes behind it; all but the result's name are new tensors."""
    first, *views, second = chain
    tables = [view_of(graph, node).operand("table").value for node in (first, second)]
    table = constant(f"{second.name}/fused", tables[1][tables[0].view(np.uint8)], Role.REQUANT)
    out = graph.tensors[second.outputs[0]]
    tensors: dict[str, Tensor] = {**graph.tensors, table.name: table}
    names = []  # of what each node of the new chain writes
    for node in chain[:-1]:
        name = f"{second.name}/{node.name}"
        tensors[name] = replace(out, name=name, shape=graph.tensors[node.outputs[0]].shape)
        names.append(name)
    names[-1] = out.name
    made = [replace(second, inputs=(first.inputs[0], table.name), outputs=(names[0],))]
    made += [
        replace(node, inputs=(before, *node.inputs[1:]), outputs=(name,))
        for node, before, name in zip(views, names, names[1:], strict=False)
    ]
    gone = {node.name for node in chain}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name == second.name:
            nodes += made
        elif node.name not in gone:
            nodes.append(node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes))
