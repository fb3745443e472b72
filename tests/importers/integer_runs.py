"""Runs a quantised graph that was imported as the integers that `compile` makes of it."""

from __future__ import annotations

import numpy as np
from onnx_models import nhwc

from edgekc.emulate import reference
from edgekc.graph.ir import Array, Graph, Quant
from edgekc.ops import legal
from edgekc.passes import QUANTIZED_PASSES
from edgekc.passes.lower import lower


def levels(x: Array, quant: Quant) -> Array:
    """int8 of float32 values."""
    return np.clip(np.rint(x / np.float32(quant.scale)) + quant.zero_point, -128, 127).astype(np.int8)


def integer_outputs(graph: Graph, x: Array) -> Array:
    """The levels of the only output, as int64, for samples of the only input as its source has them."""
    legal.check(graph)
    integers = graph
    for _, run in QUANTIZED_PASSES:
        integers, _ = run(integers)
    integers = lower(integers)
    legal.check(integers)
    return reference.outputs(integers, [nhwc(levels(x, graph.tensors[graph.inputs[0]].q))])[0].astype(int)
