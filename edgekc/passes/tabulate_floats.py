"""Functions in float between DEQUANTIZE and QUANTIZE become one table: converters write what has no int8 kernel so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Graph, Node, Role, constant, consumers, producers, prune
from ..graph.op import view_of
from ..ops import function_of, is_function, source_of
from ..ops.lut import byte_values


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """The table holds what the operators compute of each of the 256 bytes, so no output changes."""
    notes, changed, tensors = [], dict[str, Node](), dict(graph.tensors)
    for chain in _chains(graph):
        node = chain[-1]
        x, out = graph.tensors[chain[0].inputs[0]], graph.tensors[node.outputs[0]]
        table = constant(f"{node.name}/table", _levels(graph, chain), Role.REQUANT)
        tensors[table.name] = table
        changed[node.name] = Node("table", node.name, (x.name, table.name), (out.name,), {})
        names = ", ".join(step.name for step in chain)
        notes.append(f"{names}: one table of 256 bytes, with what they give for each byte")
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return prune(_without_unread(replace(graph, nodes=nodes, tensors=tensors))), notes


def functions(graph: Graph) -> frozenset[str]:
    """Names of the nodes in float that become tables, and so are correctly rounded; others in float run in C."""
    return frozenset(node.name for chain in _chains(graph) for node in chain[1:-1])


def _chains(graph: Graph) -> list[list[Node]]:
    """What becomes a table each: a function that something else reads too would run twice, in two roundings."""
    writers, readers = producers(graph), consumers(graph)
    chains = [chain for node in graph.nodes if (chain := _chain(graph, writers, node))]
    while True:
        inside = {node.name for chain in chains for node in chain[1:]}
        kept = [
            chain
            for chain in chains
            if all(
                node.outputs[0] not in graph.outputs and all(r.name in inside for r in readers[node.outputs[0]])
                for node in chain[1:-1]
            )
        ]
        if len(kept) == len(chains):
            return kept
        chains = kept


def _chain(graph: Graph, writers: dict[str, Node], last: Node) -> list[Node]:
    """DEQUANTIZE, functions of one value in float, and this QUANTIZE; empty where the nodes are no such chain."""
    if not _is_float(graph, last.inputs[0]) or _is_float(graph, last.outputs[0]):
        return []
    chain = [last]
    while _is_float(graph, chain[0].inputs[0]):
        before = writers.get(chain[0].inputs[0])
        if before is None or not (source_of(before).direct or is_function(before)):
            return []
        chain.insert(0, before)
    ends = (chain[0].inputs[0], last.outputs[0])
    return chain if all(graph.tensors[name].dtype in ("int8", "uint8") for name in ends) else []


def _is_float(graph: Graph, name: str) -> bool:
    return graph.tensors[name].dtype == "float32"


def _levels(graph: Graph, chain: list[Node]) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """What the chain gives for each byte, its bits as int8."""
    dtype = graph.tensors[chain[0].inputs[0]].dtype
    value = byte_values(dtype).astype(dtype)
    for node in chain:
        view, direct = view_of(graph, node), source_of(node).direct
        value = direct(view, value) if direct is not None else function_of(view, value)
    return np.asarray(value).view(np.int8)


def _without_unread(graph: Graph) -> Graph:
    """Without float nodes that nobody reads any more."""
    while True:
        readers = consumers(graph)
        unread = {
            node.name
            for node in graph.nodes
            if _is_float(graph, node.outputs[0])
            and not any(readers[name] or name in graph.outputs for name in node.outputs)
        }
        if not unread:
            return graph
        graph = replace(graph, nodes=tuple(node for node in graph.nodes if node.name not in unread))
