"""Transposed 2-D convolution, int8: the definition, how a quantised layer becomes one, and its C kernels.

It is a convolution with the filters turned round, of an image with `stride - 1` pixels of `pad_value` between its own.
An output pixel reads those taps of a filter that fall on pixels of the input: every stride_h-th row and stride_w-th
column of it. Which ones they are depends on its row and column modulo the strides, its phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, View
from ..graph.scratch import Region, Regions
from ..graph.source import Filters, FloatHalf, Reads, SourceOp
from . import conv2d, transpose_conv_16x8
from .shared import int16
from .shared import linear as lin
from .shared.checks import known
from .shared.operands import DENSE
from .shared.testing import linear_cases, with_far_zeros
from .shared.ties import new_channels
from .shared.transposed import GEOMETRY, ONES, SHAPES, SIZE, infer, macs, spread, window_params

ATTRS = (*GEOMETRY, *SIZE, "pad_value", *lin.OUTPUT)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over all taps of x * w[o], x being `pad_value` where a tap falls on no pixel."""
    x, w, *rest = inputs
    seen = spread(attrs, x, (attrs["out_h"], attrs["out_w"]), (w.shape[1], w.shape[2]), attrs["pad_value"])
    return conv2d.reference({**attrs, **ONES}, (seen, w[:, ::-1, ::-1], *rest))


def plain(view: View) -> View:
    """The convolution that `spread` is for: its weights, scales and activation are lowered as those of any other."""
    return replace(view, node=replace(view.node, attrs={**view.node.attrs, **ONES}))


def lowered_as(view: View, op: str, lowered: Lowered, more: Sequence[str] = ()) -> Lowered:
    """The operator `op` of what `plain(view)` was lowered to; `more`: attributes that both have."""
    attrs = {name: view[name] for name in GEOMETRY}
    _, attrs["out_h"], attrs["out_w"], _ = view.out.shape
    attrs |= {name: lowered.attrs[name] for name in ("pad_value", *lin.OUTPUT, *more)}
    return Lowered(op, attrs, lowered.activations, lowered.constants)


def lower(view: View) -> Lowered:
    """Weights of uint8 models that leave int8 become clustered ones."""
    if int16.is_wide(view):
        return transpose_conv_16x8.lower(view)
    lowered = conv2d.lower(plain(view))
    return lowered_as(view, "transpose_conv" if lowered.op == "conv2d" else lowered.op, lowered)


def _with_fill(view: View, interval: Interval | None) -> Interval:
    """What a tap can see."""
    x, fill = known(view.x, interval), view["pad_value"]
    return Interval(np.minimum(x.low, fill), np.maximum(x.high, fill))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    low, high = lin.product_interval(view.weights.value, _with_fill(view, inputs[0]))
    bias = view.bias.value
    return lin.output_interval(view, low.sum((1, 2, 3)) + bias, high.sum((1, 2, 3)) + bias)


def _taps(view: View) -> tuple[int, int]:
    """The most rows and columns of a filter that an output pixel reads."""
    _, k_h, k_w, _ = view.weights.shape
    return -(-k_h // view["stride_h"]), -(-k_w // view["stride_w"])


def _params(view: View) -> dict[str, Param]:
    return {**window_params(view, view.weights.shape[1:3]), **lin.output_params(view), "pad_value": view["pad_value"]}


def _regions(view: View) -> Regions:
    rows, columns = _taps(view)
    return (
        Region("biases", 4 * view.out.shape[3], "int32 (out_c): of one phase"),
        Region(
            "windows", 2 * rows * columns * view.x.shape[3], "int8 (2, rows, columns, in_c): what pixels see", align=1
        ),
    )


_kernel = partial(
    Kernel,
    header="ek_transpose_conv.h",
    struct="ek_transpose_conv_params",
    fields=lin.LINEAR_FIELDS,
    params=_params,
    scratch=_regions,
    sources=("ek_output_s8",),
)
KERNELS = (
    _kernel(
        symbol="ek_transpose_conv_s8_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: view.x.shape[3] >= 8,
    ),
    _kernel(
        symbol="ek_transpose_conv_s8_dsp",
        needs=frozenset({"dsp"}),
        accepts=lambda view: view.x.shape[3] >= 4,
    ),
    _kernel(symbol="ek_transpose_conv_s8"),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, x, (oc, k_h, k_w), stride, pads, size in SHAPES:
        attrs = dict(zip(GEOMETRY, (*stride, *pads), strict=True), out_h=size[0], out_w=size[1])
        out += linear_cases(rng, name, attrs, (1, *x), (oc, k_h, k_w, x[2]), oc, k_h * k_w * x[2])
    return out


def _real(view: View, operands: Sequence[Array]) -> Array:
    x, w, bias = operands
    attrs = {name: view[name] for name in GEOMETRY}
    seen = spread(attrs, x, view.out.shape[1:3], (w.shape[1], w.shape[2]), 0.0)
    return conv2d.real(plain(view), (seen, w[:, ::-1, ::-1], bias))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, w, bias = operands
    strides = (view["stride_h"], view["stride_w"])
    full = torch.nn.functional.conv_transpose2d(x.permute(0, 3, 1, 2), w.permute(3, 0, 1, 2), stride=strides)
    _, out_h, out_w, _ = view.out.shape
    part = full[:, :, view["pad_top"] :, view["pad_left"] :][:, :, :out_h, :out_w]
    part = torch.nn.functional.pad(part, (0, out_w - part.shape[3], 0, out_h - part.shape[2]))
    return part.permute(0, 2, 3, 1) + bias


OP = Op(
    name="transpose_conv",
    code=50,
    attrs=ATTRS,
    operands=DENSE,
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=lambda view: macs(view, view.weights.shape),
    ranges=ranges,
    validate=lin.validate,
    channels=lambda view: lin.mixing_rule(channel_axis=3, always_padded=True),
    cases=with_far_zeros(cases),
    far_zero=True,
)
SOURCE = SourceOp(
    "transpose_conv",
    lower,
    FloatHalf(_real, _in_torch, new_channels),
    Filters(axis=0, reads=Reads.ALL, window=True, transposed=True),
)
