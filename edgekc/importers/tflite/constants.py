"""Operators on constants, computed when the model is imported: such as the first step of a recurrent network of zeros.

The values are those of the device: each operator's own lowering and integer definition give them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...graph.ir import Array, Graph, Node, Stage, Tensor
from ...graph.op import int_attrs
from ...ops import OPS
from ...passes.lower import lower_node


def computed(tensors: Mapping[str, Tensor], nodes: Sequence[Node], source: str, value: Array) -> dict[str, Array]:
    """The activations of QUANTIZED nodes by name, from that of one; raises as lowering does."""
    graph = Graph("constants", Stage.QUANTIZED, tensors, tuple(nodes), (source,), (), {})
    values = {source: value}
    for node in nodes:
        lowered, constants = lower_node(graph, node)
        known = {t.name: t.value for t in constants}
        operands = [values[name] if name in values else known[name] for name in lowered.inputs]
        (values[node.outputs[0]],) = OPS[lowered.op].reference(int_attrs(lowered), operands)
    return values
