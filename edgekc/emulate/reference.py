"""The definition: an INTEGER graph and inputs to every activation, in plain integer numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array, Graph
from ..graph.op import int_attrs
from ..ops import OPS


def run(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    """All activations by name.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of the input's dtype; the batch is free.
    """
    batch = inputs[0].shape[0]
    values = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        operands = [values[n] if n in values else graph.tensors[n].value for n in node.inputs]
        op = OPS[node.op]
        if op.view:
            outputs = [operands[0].reshape(batch, *graph.tensors[node.outputs[0]].shape[1:])]
        else:
            outputs = op.reference(int_attrs(node), operands)
        values.update(zip(node.outputs, outputs, strict=True))
    return values


def outputs(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs only."""
    values = run(graph, inputs)
    return [np.asarray(values[n]) for n in graph.outputs]
