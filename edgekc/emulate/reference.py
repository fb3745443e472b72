"""The definition: an INTEGER graph and inputs to every activation, in plain integer numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..graph.ir import Array, Graph
from ..graph.op import int_attrs
from ..ops import OPS


def run(graph: Graph, inputs: Sequence[Array], states: Sequence[Array] | None = None) -> dict[str, Array]:
    """All activations by name.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of the input's dtype; the batch is free, and one where
            the graph has states.
        states: what each state holds at the start of this step; None: what it holds at the start of the first.
    """
    batch = inputs[0].shape[0]
    values = dict(zip(graph.inputs, inputs, strict=True))
    kept = [s.initial for s in graph.states] if states is None else states
    values.update(zip((s.start for s in graph.states), kept, strict=True))
    for node in graph.nodes:
        operands = [values[n] if n in values else graph.tensors[n].value for n in node.inputs]
        op = OPS[node.op]
        if op.view:
            outputs = [operands[0].reshape(batch, *graph.tensors[node.outputs[0]].shape[1:])]
        else:
            outputs = op.reference(int_attrs(node), operands)
        values.update(zip(node.outputs, outputs, strict=True))
    return values


def steps(graph: Graph, inputs: Sequence[Array]) -> Iterator[dict[str, Array]]:
    """All activations of each sample; where the graph has states the samples are a sequence from its start."""
    states: list[Array] | None = None
    for k in range(len(inputs[0])):
        values = run(graph, [x[k : k + 1] for x in inputs], states)
        states = [values[s.end] for s in graph.states]
        yield values


def outputs(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs only; where it has states the samples are a sequence from its start."""
    if not graph.states:
        values = run(graph, inputs)
        return [np.asarray(values[n]) for n in graph.outputs]
    rows = [[values[n] for n in graph.outputs] for values in steps(graph, inputs)]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
