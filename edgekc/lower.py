"""A QUANTIZED graph to an INTEGER graph: float scales become multipliers and shifts, and are gone."""

from __future__ import annotations

from dataclasses import replace

from .errors import ModelError
from .ir import Graph, Node, Stage, Tensor, prune
from .op import View, int_attrs
from .ops import LOWER, OPS


def lower(graph: Graph, rounding: str = "tflite") -> Graph:
    """Turn every node into integers.

    Args:
        rounding: "tflite" gives the bits of LiteRT's reference kernels; "double" rounds fully connected
            layers as gemmlowp does (TensorFlow Lite Micro, CMSIS-NN).

    Raises:
        ModelError: shapes in the file contradict the operators.
        UnsupportedError: an accumulator could overflow 32 bits, or an operator's case is not implemented.
    """
    tensors: dict[str, Tensor] = {n: t for n, t in graph.tensors.items() if t.data is None}
    nodes = []
    for node in graph.nodes:
        if node.op == "fully_connected":
            node = replace(node, attrs={**node.attrs, "rounding": rounding})
        view = View(node, tuple(graph.of(node.inputs)), tuple(graph.of(node.outputs)))
        lowered = LOWER[node.op](view)
        op = OPS[lowered.op]
        tensors.update({t.name: t for t in lowered.constants})
        inputs = (*lowered.activations, *(t.name for t in lowered.constants))
        result = Node(lowered.op, node.name, inputs, node.outputs, lowered.attrs)
        inferred = op.infer(int_attrs(result), [tensors[n].shape for n in inputs])
        stated = [tensors[n].shape for n in node.outputs]
        if not op.view and inferred != stated:
            raise ModelError(
                f"the file gives its output shape {list(stated[0])}, its inputs make {list(inferred[0])}",
                where=f"{graph.name}: {node.name}",
            )
        nodes.append(result)
    return prune(replace(graph, stage=Stage.INTEGER, tensors=tensors, nodes=tuple(nodes)))
