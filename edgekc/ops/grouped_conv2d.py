"""2-D convolution in groups, int8: output channels of a group read the input channels of the same group only.

Weights are (oc, kh, kw, ic / groups); the number of groups follows from the shapes. An operator of its own, so that
whatever knows dense convolutions cannot take one for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Rows, Shape, View
from ..graph.scratch import Region, Regions
from ..graph.source import Filters, FloatHalf, Reads, SourceOp
from . import conv2d
from .shared import asymmetric, int16, ring
from .shared import linear as lin
from .shared.grouped import groups_of
from .shared.operands import DENSE
from .shared.testing import linear_cases, with_far_zeros


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[0], shapes[1]
    groups_of(x, w)
    out_h, out_w = lin.window_out(attrs, x, w[1], w[2])
    return [(x[0], out_h, out_w, w[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over the window of the channels of o's group of x * w[o]."""
    x, w, bias, multiplier, shift = inputs
    oc, k_h, k_w, reads = w.shape
    groups = groups_of(x.shape, w.shape)
    patches = lin.windows(attrs, x, k_h, k_w, attrs["pad_value"])
    n, out_h, out_w = patches.shape[:3]
    parts = []
    for g in range(groups):
        seen = patches[..., g * reads : (g + 1) * reads].reshape(n * out_h * out_w, -1)
        filters = w[g * oc // groups : (g + 1) * oc // groups].reshape(oc // groups, -1)
        parts.append(lin.exact_matmul(seen, filters.T))
    acc = np.concatenate(parts, axis=1) + bias
    return [lin.requant_output(attrs, acc.reshape(n, out_h, out_w, oc), multiplier, shift)]


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return conv2d.lower(view)
    if asymmetric.is_asymmetric(view):
        return asymmetric.lower(view, lower)
    lowered = conv2d.lower(view)
    return Lowered("grouped_conv2d", lowered.attrs, lowered.activations, lowered.constants)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    x, w = lin.input_interval(view, inputs[0]), view.weights.value
    groups, times = groups_of(view.x.shape, w.shape), w.shape[0] // groups_of(view.x.shape, w.shape)
    low, high = (
        np.repeat(end.reshape(groups, 1, 1, w.shape[3]), times, axis=0) for end in (x.low, x.high)
    )  # (oc, 1, 1, ic / groups)
    low, high = lin.product_interval(w, Interval(low, high))
    bias = view.bias.value
    return lin.output_interval(view, low.sum((1, 2, 3)) + bias, high.sum((1, 2, 3)) + bias)


def _params(view: View) -> dict[str, Param]:
    w = view.weights.shape
    values = {**lin.window_params(view, w[1], w[2]), **lin.output_params(view), "pad_value": view["pad_value"]}
    return {**values, "groups": groups_of(view.x.shape, w)}


def decoded_regions(view: View, filter_shape: Shape) -> Regions:
    """Of the kernels for packed weights; the shape of a filter is (kh, kw, reads)."""
    weights = Region("weights", 4 * int(np.prod(filter_shape)), "int32 (k_h, k_w, reads): of one filter")
    return (weights, *ring.regions(view, *filter_shape[:2]))


def _regions(view: View) -> Regions:
    _, k_h, k_w, reads = view.weights.shape
    windows = Region("windows", 2 * k_h * k_w * reads, "int8 (2, k_h, k_w, reads): unrolled, of one group", align=1)
    return (*ring.regions(view, k_h, k_w), windows)


KERNELS = (
    Kernel(
        symbol="ek_grouped_conv2d_s8",
        header="ek_conv2d.h",
        struct="ek_grouped_conv2d_params",
        fields=(*lin.LINEAR_FIELDS, ("uint16_t", "groups")),
        params=_params,
        scratch=_regions,
        in_place=lambda view: ring.in_place(view, view.weights.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), groups, w (oc, kh, kw), stride, dilation, pads (top, bottom, left, right)
        ("two", (5, 6, 6), 2, (4, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("five-filters", (4, 5, 4), 2, (10, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("pairs-of-channels", (4, 4, 12), 6, (6, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 9), 3, (6, 3, 3), (2, 2), (1, 1), (0, 1, 0, 1)),
        ("dilated", (9, 8, 4), 2, (2, 3, 3), (1, 1), (2, 3), (2, 2, 3, 3)),
        ("1x1", (3, 5, 8), 4, (12, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("one-pixel", (1, 1, 4), 2, (2, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("valid-leftover", (8, 7, 4), 2, (6, 3, 2), (3, 2), (1, 1), (0, 0, 0, 0)),
        ("as-depthwise", (5, 4, 3), 3, (6, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("one-group", (4, 4, 3), 1, (5, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    ]
    out = []
    for name, x, groups, (oc, k_h, k_w), stride, dilation, pads in shapes:
        attrs = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
        attrs.update(pad_top=pads[0], pad_bottom=pads[1], pad_left=pads[2], pad_right=pads[3])
        reads = x[2] // groups
        out += linear_cases(rng, name, attrs, (1, *x), (oc, k_h, k_w, reads), oc, k_h * k_w * reads)
    return out


def real(view: View, operands: Sequence[Array]) -> Array:
    """A convolution for each group, side by side."""
    x, w, bias = operands
    groups = x.shape[3] // w.shape[3]
    parts = zip(np.split(x, groups, axis=3), np.split(w, groups), np.split(bias, groups), strict=True)
    return np.concatenate([conv2d.real(view, part) for part in parts], axis=3)


OP = Op(
    name="grouped_conv2d",
    code=21,
    attrs=conv2d.ATTRS,
    operands=DENSE,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=conv2d.macs,
    ranges=ranges,
    validate=lin.validate,
    cases=with_far_zeros(cases),
    far_zero=True,
)
SOURCE = SourceOp(
    "grouped_conv2d", lower, FloatHalf(real, conv2d.in_torch), Filters(axis=0, reads=Reads.GROUP, window=True)
)
