"""A FLOAT graph with states beside its QUANTIZED one, over sequences: neither can be walked node by node."""

from __future__ import annotations

import numpy as np

from ..data import Dataset, sequences
from ..emulate import imported
from ..graph.ir import Array, Graph
from . import float_reference
from .bias_correction import SideBySide
from .to_int8 import to_int8, to_real


def in_sequence(graph: Graph, quantized: Graph, samples: Dataset) -> SideBySide:
    """Both graphs over the sequences of the samples, the QUANTIZED one in its integers."""
    program = imported.prepare(quantized)
    given = quantized.tensors[quantized.inputs[0]].q
    expected: list[list[Array]] = []
    actual: list[list[Array]] = []
    for x in sequences(samples):
        expected.append(float_reference.outputs(graph, [x]))
        levels = imported.outputs(program, [to_int8(x, given)])
        actual.append([to_real(v, t.q) for v, t in zip(levels, quantized.of(quantized.outputs), strict=True)])
    both = [tuple(np.concatenate(column) for column in zip(*rows, strict=True)) for rows in (expected, actual)]
    return SideBySide(quantized, *both)
