"""Transposed 2-D convolution of int16 activations and int8 weights: the definition, its lowering and its C kernel.

It is what `transpose_conv` describes, with the sums and the rounding of `conv2d_16x8`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, View
from . import conv2d_16x8
from .shared import int16, transposed
from .shared import linear as lin
from .shared.checks import known
from .shared.operands import DENSE

ATTRS = (*transposed.GEOMETRY, *transposed.SIZE, *int16.CLAMP)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over all taps of x * w[o], x being 0 where a tap falls on no pixel."""
    x, w, *rest = inputs
    seen = transposed.spread(attrs, x, (attrs["out_h"], attrs["out_w"]), (w.shape[1], w.shape[2]), 0)
    return conv2d_16x8.reference({**attrs, **transposed.ONES}, (seen, w[:, ::-1, ::-1], *rest))


def lower(view: View) -> Lowered:
    """Of a QUANTIZED transposed convolution whose input is int16."""
    int16.require_weights(view)
    low, high = lin.activation_range(view)
    attrs = {name: view[name] for name in transposed.GEOMETRY}
    _, attrs["out_h"], attrs["out_w"], _ = view.out.shape
    attrs.update(clamp_min=low, clamp_max=high)
    return Lowered(
        "transpose_conv_16x8", attrs, (view.x.name,), int16.lower_layer(view, view.weights.value, int16.BITS)
    )


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    x = known(view.x, inputs[0])
    seen = Interval(np.minimum(x.low, 0), np.maximum(x.high, 0))
    bias = int16.biases(view.bias.value)
    products = lin.product_interval(view.weights.value, seen)
    return int16.output_interval(view, [end.sum((1, 2, 3)) + bias for end in products])


def _params(view: View) -> dict[str, Param]:
    return {**conv2d_16x8.output_params(view), **transposed.window_params(view, view.weights.shape[1:3]), "groups": 1}


_kernel = partial(
    Kernel, header="ek_conv2d_s16.h", struct="ek_conv2d_s16_params", fields=conv2d_16x8.FIELDS, params=_params
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, x_shape, (oc, k_h, k_w), stride, pads, size in transposed.SHAPES:
        attrs = dict(zip((*transposed.GEOMETRY, *transposed.SIZE), (*stride, *pads, *size), strict=True))
        for i, (fill, x) in enumerate(int16.fills(rng, (1, *x_shape))):
            clamp = dict(clamp_min=-9000, clamp_max=8000) if i == 2 else int16.FULL
            operands = conv2d_16x8.weights(rng, (oc, k_h, k_w, x_shape[2]), fill, 1 if i == 1 else oc)
            out.append(Case(f"{name}-{fill}", {**attrs, **clamp}, (x, *operands)))
            if fill == "random" and name in ("twice", "uneven", "one-channel"):
                out.append(Case(f"{name}-deep", {**attrs, **clamp}, (x, *conv2d_16x8.deep(rng, operands))))
    return out


OP = Op(
    name="transpose_conv_16x8",
    code=89,
    attrs=ATTRS,
    operands=DENSE,
    infer=transposed.infer,
    reference=reference,
    kernels=(
        _kernel(symbol="ek_transpose_conv_s16", accepts=lambda view: not int16.is_deep(view)),
        _kernel(symbol="ek_transpose_conv_s16_deep", accepts=int16.is_deep),
    ),
    weights=lambda attrs, constants: constants[0],
    macs=lambda view: transposed.macs(view, view.weights.shape),
    ranges=ranges,
    validate=conv2d_16x8.validate,
    wide=True,
    deep=True,
    channels=lambda view: None if int16.is_deep(view) else lin.mixing_rule(channel_axis=3, always_padded=True),
    learned=conv2d_16x8.learned,
    cases=cases,
)
