"""Operators that no .tflite file has, put into the QUANTIZED graph of one: those of sources that round once.

PyTorch's quantised programs ask for them. What such programs compute in float between int8 tensors is int16 there, with
tables for functions. Here some nodes of a random network take these forms; then the numpy definition is the oracle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant
from ..importers.quantized import rounds
from ..ops import filters_of, is_function, lut_mean, lut_s16
from ..ops.shared.anchored import NEAREST
from .values import Rng

_FINE = 128  # levels of int16 for one of int8
_WIDE_BINARY = ("add", "mul")


def as_nearest(graph: Graph, rng: Rng) -> Graph:
    """The graph with the attribute of such sources on its nodes, and some of them in int16."""
    tensors, nodes = dict(graph.tensors), list[Node]()

    def widened(name: str, node: Node) -> str:
        """The same numbers in int16, by a node in front."""
        t, new = tensors[name], f"{name}/{node.name}_wide"
        if new not in tensors:
            tensors[new] = Tensor(new, t.shape, "int16", Quant((t.q.scale / _FINE,), (0,)))
            nodes.append(Node("quantize", new, (name,), (new,), {}, node.source))
        return new

    for node in graph.nodes:
        operands = [tensors[n] for n in node.inputs]
        plain = all(t.dtype == "int8" and t.data is None for t in operands) and tensors[node.outputs[0]].dtype == "int8"
        if plain and node.op in _WIDE_BINARY and rng.random() < 0.4:
            nodes.append(replace(node, inputs=(widened(node.inputs[0], node), widened(node.inputs[1], node))))
        elif plain and is_function(node) and rng.random() < 0.4:
            table = constant(f"{node.name}/lines", _entries(rng), Role.REQUANT)
            tensors[table.name] = table
            operands_of_table = (widened(node.inputs[0], node), table.name)
            nodes.append(Node("table", node.name, operands_of_table, node.outputs, {}, node.source))
        elif plain and node.op == "mean" and rng.random() < 0.4:
            numbers = rng.normal(0, 40 * tensors[node.outputs[0]].q.scale, 256)
            table = lut_mean.entries(f"{node.name}/numbers", numbers, _count(tensors, node))
            tensors[table.name] = table
            nodes.append(replace(node, op="mean_of_table", inputs=(node.inputs[0], table.name)))
        else:
            whole = rounds(node) and (filters_of(node) is None or len(operands) > 2)  # such sources have biases
            nodes.append(replace(node, attrs={**node.attrs, NEAREST: 1}) if whole else node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _count(tensors: dict[str, Tensor], node: Node) -> int:
    """How many values a mean is of."""
    x, out = tensors[node.inputs[0]], tensors[node.outputs[0]]
    return int(np.prod(x.shape) // np.prod(out.shape))


def _entries(rng: Rng) -> Array:
    """int16 (513,): the entries of a curve of int8, in parts of a level."""
    levels = np.clip(np.cumsum(rng.normal(0, rng.choice([0.3, 3.0]), lut_s16.ENTRIES)), -140, 140)
    return lut_s16.entries_of(levels, int(rng.integers(-20, 20)), "int8")
