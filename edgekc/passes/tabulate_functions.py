"""Makes one table of several operators that compute a function of one byte, as converters write SELU, Mish and SiLU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Role, Tensor, constant, consumers, producers, prune
from ..graph.op import int_attrs
from ..ops import OPS


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because each entry of the table is what the operators, one after the other, give for that byte.

    What something else reads too stays a tensor: functions end and begin there.
    """
    notes: list[str] = []
    writers, readers = producers(graph), consumers(graph)
    order = {node.name: i for i, node in enumerate(graph.nodes)}
    changed: dict[str, Node | None] = {}  # by a node's name; None: it goes
    tensors = dict(graph.tensors)
    for last in reversed(graph.nodes):
        if last.name in changed or not (found := _function(graph, last, order, writers, readers)):
            continue
        x, steps = found
        if all(OPS[node.op].tabulates for node in steps):
            continue  # fuse-tables sees through reshapes too
        table = constant(f"{last.name}/function", _levels(graph, x, steps), Role.REQUANT)
        tensors[table.name] = table
        changed.update({node.name: None for node in steps})
        unsigned = int(graph.tensors[last.outputs[0]].dtype == "uint8")
        changed[last.name] = replace(last, op="lut", inputs=(x, table.name), attrs={"out_unsigned": unsigned})
        names = ", ".join(node.name for node in steps)
        notes.append(f"{names}: one table of 256 bytes, with what they give for each byte")
    nodes = (changed.get(node.name, node) for node in graph.nodes)
    made = replace(graph, nodes=tuple(node for node in nodes if node is not None), tensors=tensors)
    return prune(made), notes[::-1]


def _function(
    graph: Graph,
    last: Node,
    order: Mapping[str, int],
    writers: Mapping[str, Node],
    readers: Mapping[str, Sequence[Node]],
) -> tuple[str, list[Node]] | None:
    """The activation of which this node's output is a function, as far away as can be, and the nodes between in order.

    The one written last of what they read is no function of the others: the node that writes it must be one of them.
    """
    steps: dict[str, Node] = {}
    found = None
    node: Node | None = last
    while node is not None and _maps_bytes(graph, node, last):
        steps[node.name] = node
        made = {step.outputs[0] for step in steps.values()}
        read = {n for step in steps.values() for n in step.inputs if graph.tensors[n].data is None} - made
        if len(read) == 1:
            found = next(iter(read)), sorted(steps.values(), key=lambda step: order[step.name])
        name = max(read, key=lambda n: order[writers[n].name] if n in writers else -1)
        node = writers.get(name)
        if name in graph.sinks or any(reader.name not in steps for reader in readers[name]):
            break
    return found


def _maps_bytes(graph: Graph, node: Node, last: Node) -> bool:
    """Whether a node computes each byte of the output from those of its activations at the same place."""
    out = graph.tensors[node.outputs[0]]
    if not OPS[node.op].elementwise or not (out.dtype == "int8" or (node is last and out.dtype == "uint8")):
        return False
    return all(_is_one(node, t) if t.data is not None else (t.dtype, t.shape) == ("int8", out.shape)
               for t in graph.of(node.inputs))  # fmt: skip


def _is_one(node: Node, t: Tensor) -> bool:
    return t.value.size == 1 or OPS[node.op].tabulates


def _levels(graph: Graph, x: str, steps: Sequence[Node]) -> Array:
    """What the nodes give for each byte, its bits as int8 (256,)."""
    values = {x: np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 256)}
    for node in steps:
        operands = [values[t.name] if t.data is None else t.value for t in graph.of(node.inputs)]
        values[node.outputs[0]] = OPS[node.op].reference(int_attrs(node), operands)[0].reshape(1, 256)
    return values[steps[-1].outputs[0]].ravel().view(np.int8)
