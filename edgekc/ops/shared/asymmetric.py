"""Layers whose weights have a zero point, as uint8 models have them.

A weight less its zero point is one of at most 256 numbers of 9 bits. Where all of them fit int8 the layer is a usual
one. Otherwise the weights are indices of these numbers: a layer with clustered weights, whose kernels exist for every
core. Its constants take 8 bits a weight, and 512 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...graph.ir import Array, Quant, Role, Tensor, constant
from ...graph.op import Lowered, View
from . import linear as lin
from .checks import is_unsigned


def is_asymmetric(view: View) -> bool:
    """Whether the weights of a QUANTIZED layer have a zero point."""
    quant = view.weights.quant
    return quant is not None and any(quant.zero_points)


def lower(
    view: View,
    lower_dense: Callable[[View], Lowered],
    filters: Callable[[Array], Array] = lambda w: w,
    requant: Callable[[View, Array, Array], tuple[Tensor, Tensor]] = lambda view, bias, weights: lin.lower_requant(
        view, float32_product=is_unsigned(view)
    ),
) -> Lowered:
    """The layer without the zero point; the sums are the same, so the output is.

    Args:
        lower_dense: the lowering of the same layer with symmetric weights.
        filters: the weights in the order of a clustered layer's indices.
        requant: (multiplier, shift) of the layer, its bias and its weights less the zero point.
    """
    from .. import LOWER  # of all operators, which this file helps to make

    weights = view.weights
    levels = weights.value.astype(np.int64) - weights.q.zero_point
    symmetric = Quant(weights.q.scales, (0,) * len(weights.q.scales), weights.q.axis)
    if levels.min() >= -128 and levels.max() <= 127:
        dense = constant(weights.name, levels.astype(np.int8), Role.WEIGHTS, symmetric)
        return lower_dense(replace(view, inputs=(view.x, dense, *view.inputs[2:])))
    values, indices = np.unique(filters(levels), return_inverse=True)
    name = view.node.name
    codes = (
        constant(f"{name}/indices", indices.reshape(filters(levels).shape).astype(np.uint8), Role.INDEX, symmetric),
        constant(f"{name}/centers", values[None].astype(np.int16), Role.CENTERS, Quant((1.0,), (0,))),
    )
    inputs = (view.x, *codes, *view.inputs[2:])
    node = replace(view.node, op=f"clustered_{view.node.op}", inputs=tuple(t.name for t in inputs))
    lowered = LOWER[node.op](View(node, inputs, view.outputs))
    *held, bias, _, _ = lowered.constants
    return replace(lowered, constants=(*held, bias, *requant(view, bias.value.astype(np.int64), levels)))
