"""A FLOAT graph with states beside its QUANTIZED one, over sequences: neither can be walked node by node."""

from __future__ import annotations

import numpy as np

from ..data import Dataset, sequences
from ..graph.ir import Array, Graph
from ..graph.op import int_attrs
from ..ops import OPS
from ..passes.lower import lower
from . import float_reference
from .bias_correction import SideBySide
from .to_int8 import to_int8, to_real


def in_sequence(graph: Graph, quantized: Graph, samples: Dataset) -> SideBySide:
    """Both graphs over the sequences of the samples, the QUANTIZED one in its integers."""
    integer = lower(quantized)
    given = quantized.tensors[quantized.inputs[0]].q
    expected: list[list[Array]] = []
    actual: list[list[Array]] = []
    for x in sequences(samples):
        expected.append(float_reference.outputs(graph, [x]))
        levels = _in_integers(integer, to_int8(x, given))
        actual.append([to_real(v, t.q) for v, t in zip(levels, quantized.of(quantized.outputs), strict=True)])
    both = [tuple(np.concatenate(column) for column in zip(*rows, strict=True)) for rows in (expected, actual)]
    return SideBySide(quantized, *both)


def _in_integers(graph: Graph, x: Array) -> list[Array]:
    """The outputs of an INTEGER graph over one sequence of samples, by its operators' definitions."""
    kept = {s.start: s.initial for s in graph.states}
    rows = []
    for i in range(len(x)):
        values = {graph.inputs[0]: x[i : i + 1], **kept}
        for node in graph.nodes:
            operands = [values[n] if n in values else graph.tensors[n].value for n in node.inputs]
            op, out = OPS[node.op], graph.tensors[node.outputs[0]]
            values[out.name] = operands[0].reshape(out.shape) if op.view else op.reference(int_attrs(node), operands)[0]
        kept = {s.start: values[s.end] for s in graph.states}
        rows.append([values[name] for name in graph.outputs])
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
