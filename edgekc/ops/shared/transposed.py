"""The geometry of transposed convolutions, whatever their types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import IntAttrs, Number, Param, Shape, View
from ...graph.scratch import Region, Regions
from .linear import bordered

GEOMETRY = ("stride_h", "stride_w", "pad_top", "pad_left")
SIZE = ("out_h", "out_w")
# Of the convolution that `spread` is for.
ONES = dict(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[0], shapes[1]
    if len(w) != 4 or len(x) != 4 or x[3] != w[3]:
        raise ModelError(f"weights {list(w)} do not match an input of shape {list(x)}")
    if min(attrs["out_h"], attrs["out_w"]) < 1:
        raise ModelError(f"an output of {attrs['out_h']} times {attrs['out_w']} pixels")
    return [(x[0], attrs["out_h"], attrs["out_w"], w[0])]


def spread(attrs: IntAttrs, x: Array, out: Shape, window: Shape, fill: float) -> Array:
    """The image that the turned filters see: (n, out_h + kh - 1, out_w + kw - 1, c)."""
    n, h, w, c = x.shape
    stride_h, stride_w = attrs["stride_h"], attrs["stride_w"]
    inside = np.full((n, (h - 1) * stride_h + 1, (w - 1) * stride_w + 1, c), fill, x.dtype)
    inside[:, ::stride_h, ::stride_w] = x
    for axis, count, k, pad in zip((1, 2), out, window, (attrs["pad_top"], attrs["pad_left"]), strict=True):
        before, total = k - 1 - pad, count + k - 1
        inside = inside.take(range(max(-before, 0), inside.shape[axis]), axis)
        inside = inside.take(range(min(total - max(before, 0), inside.shape[axis])), axis)
        pads = [(0, 0)] * 4
        pads[axis] = (min(max(before, 0), total), total - min(max(before, 0), total) - inside.shape[axis])
        inside = bordered(inside, pads, fill)
    return inside


def window_params(view: View, window: Shape) -> dict[str, Param]:
    """A value for lin.WINDOW_FIELD, of filters of this height and width."""
    _, in_h, in_w, in_c = view.x.shape
    _, out_h, out_w, out_c = view.out.shape
    k_h, k_w = window
    values: dict[str, Number] = dict(in_h=in_h, in_w=in_w, in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c)
    values.update({name: view[name] for name in GEOMETRY}, k_h=k_h, k_w=k_w, dilation_h=1, dilation_w=1)
    return {"window": values}


def macs(view: View, weights: Shape) -> int:
    return int(np.prod(view.x.shape[1:3])) * int(np.prod(weights))


def decoded_regions(filter_shape: Shape) -> Regions:
    """Of the kernels for packed weights; the shape of a filter is (kh, kw, ic)."""
    return (Region("weights", 4 * int(np.prod(filter_shape)), "int32 (k_h, k_w, in_c): of one filter"),)


SHAPES = (  # of test cases: x (h, w, c), w (oc, kh, kw), stride, pads (top, left), output (h, w)
    ("twice", (3, 4, 5), (4, 3, 3), (2, 2), (0, 0), (6, 8)),
    ("twice-4x4", (3, 3, 8), (6, 4, 4), (2, 2), (1, 1), (6, 6)),
    ("blocks", (2, 3, 17), (5, 2, 2), (2, 2), (0, 0), (4, 6)),
    ("valid", (3, 2, 3), (2, 3, 2), (1, 1), (0, 0), (5, 3)),
    ("gaps", (2, 3, 4), (3, 1, 2), (3, 4), (0, 0), (4, 10)),
    ("uneven", (4, 3, 16), (7, 5, 3), (3, 2), (1, 0), (12, 6)),
    ("padded-far", (3, 3, 2), (2, 2, 3), (2, 1), (3, 4), (3, 2)),
    ("larger-than-it-reaches", (1, 2, 3), (2, 2, 2), (2, 2), (0, 0), (5, 7)),
    ("one-pixel", (1, 1, 4), (3, 3, 3), (2, 2), (1, 1), (1, 1)),
    ("one-channel", (2, 2, 1), (1, 3, 3), (2, 2), (0, 0), (5, 5)),
)
