"""A function of one byte in float between DEQUANTIZE and QUANTIZE becomes a table: converters write what has no int8
kernel so, in one operator or in several that read each other and constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Role, constant, consumers, producers, prune
from ..graph.op import int_attrs, view_of
from ..ops import IN_FLOAT, OPS, function_of, is_function, source_of
from ..ops.lut import byte_values
from .lower import lower_node

BYTES = ("int8", "uint8")


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """The table holds what the operators compute of each of the 256 bytes, so no output changes."""
    notes, changed, tensors = [], dict[str, Node](), dict(graph.tensors)
    for region in _regions(graph):
        node = region[-1]
        x, out = graph.tensors[region[0].inputs[0]], graph.tensors[node.outputs[0]]
        table = constant(f"{node.name}/table", _levels(graph, region), Role.REQUANT)
        tensors[table.name] = table
        changed[node.name] = Node("table", node.name, (x.name, table.name), (out.name,), {})
        names = ", ".join(step.name for step in region)
        notes.append(f"{names}: one table of 256 bytes, with what they give for each byte")
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return prune(_without_unread(replace(graph, nodes=nodes, tensors=tensors))), notes


def inside(graph: Graph) -> frozenset[str]:
    """Names of the nodes in float that become tables: their functions are correctly rounded. Others run in C."""
    return frozenset(node.name for region in _regions(graph) for node in _inner(graph, region))


def _regions(graph: Graph) -> list[list[Node]]:
    """What becomes a table each: a function that something else reads too would run twice, in two roundings."""
    writers, readers = producers(graph), consumers(graph)
    order = {node.name: i for i, node in enumerate(graph.nodes)}
    found = [region for node in graph.nodes if (region := _region(graph, writers, order, node))]
    found = [region for region in found if not np.isnan(_reals(graph, region)).any()]  # NaN has no level
    while True:
        within = {node.name for region in found for node in region}
        kept = [
            region
            for region in found
            if all(
                node.outputs[0] not in graph.outputs and all(r.name in within for r in readers[node.outputs[0]])
                for node in _inner(graph, region)
            )
        ]
        if len(kept) == len(found):
            return kept
        found = kept


def _inner(graph: Graph, region: list[Node]) -> list[Node]:
    """Those that read and write floats."""
    return [node for node in region if all(_is_float(graph, n) for n in (node.inputs[0], node.outputs[0]))]


def _region(graph: Graph, writers: dict[str, Node], order: dict[str, int], last: Node) -> list[Node]:
    """DEQUANTIZE of one tensor, what computes each float of those at its place, and this QUANTIZE, in order.

    Empty where the nodes are no such function, or read several tensors.
    """
    out = graph.tensors[last.outputs[0]]
    if not _is_float(graph, last.inputs[0]) or out.dtype not in BYTES:
        return []
    if source_of(last).direct is None:
        return []
    steps, sources, waiting = dict[str, Node](), set[str](), [last]
    while waiting:
        node = waiting.pop()
        if node.name in steps:
            continue
        steps[node.name] = node
        read = [t for t in graph.of(node.inputs) if t.data is None]
        if not read or not _is_one_place(graph, node):
            return []
        for tensor in read:
            if tensor.dtype != "float32":
                sources.add(tensor.name)
            elif tensor.name not in writers:
                return []
            else:
                waiting.append(writers[tensor.name])
    alone = len(sources) == 1 and all(graph.tensors[name].dtype in BYTES for name in sources)
    return sorted(steps.values(), key=lambda step: order[step.name]) if alone else []


def _is_one_place(graph: Graph, node: Node) -> bool:
    """Whether it computes each value from those of its activations at the same place, and from single constants."""
    source, shape = source_of(node), graph.tensors[node.outputs[0]].shape
    if is_function(node) or (source.direct is not None and not source.splits_batch):
        return True
    if IN_FLOAT.get(node.op) is None or not shape or not OPS[source.becomes or node.op].elementwise:
        return False
    reads = graph.of(node.inputs)
    single = all(t.dtype == "float32" for t in reads)  # a choice reads bytes too
    return single and all(t.value.size == 1 if t.data is not None else t.shape == shape for t in reads)


def _is_float(graph: Graph, name: str) -> bool:
    return graph.tensors[name].dtype == "float32"


def _reals(graph: Graph, region: list[Node]) -> Array:
    """What the last node reads for each byte, float32 (1, 256)."""
    with np.errstate(all="ignore"):
        return _computed(graph, region[:-1])[region[-1].inputs[0]]


def _computed(graph: Graph, steps: list[Node]) -> dict[str, Array]:
    values: dict[str, Array] = {}
    for node in steps:
        view = view_of(graph, node)
        direct = source_of(node).direct
        if direct is not None:
            x = values.get(view.x.name, byte_values(view.x.dtype).astype(view.x.dtype))
            value = direct(view, x)
        elif is_function(node):
            value = function_of(view, values[view.x.name])
        else:
            lowered, constants = lower_node(graph, node)
            given = {**values, **{t.name: t.value for t in constants}}
            value = OPS[lowered.op].reference(int_attrs(lowered), [given[n] for n in lowered.inputs])[0]
        values[node.outputs[0]] = value.reshape(1, 256)
    return values


def _levels(graph: Graph, region: list[Node]) -> Array:
    """What the region gives for each byte, its bits as int8 (256,)."""
    direct = source_of(region[-1]).direct
    assert direct is not None
    return direct(view_of(graph, region[-1]), _reals(graph, region)).ravel().view(np.int8)


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
