"""What average and max pooling share: geometry, lowering, the kernel's fields and when it may run in place.

The kernels read the input directly and clip each window to the image, so they need no scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Param, Shape, View
from . import linear as lin
from .checks import activation_inputs, known, require_int8, require_same_quant
from .testing import fills

ATTRS = (*lin.WINDOW, "filter_h", "filter_w", "act_min", "act_max")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x = shapes[0]
    out_h, out_w = lin.window_out(attrs, x, attrs["filter_h"], attrs["filter_w"])
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        if max(attrs[before], attrs[after]) >= attrs[f"filter_{axis}"]:
            raise ModelError("padding as large as the pooling window: a window would see no pixel")
    return [(x[0], out_h, out_w, x[3])]


def windows(attrs: IntAttrs, x: Array, fill: int) -> Array:
    """(n, out_h, out_w, filter_h * filter_w, c) as int64."""
    view = lin.windows(attrs, x, attrs["filter_h"], attrs["filter_w"], fill)
    n, h, w, k_h, k_w, c = view.shape
    return view.reshape(n, h, w, k_h * k_w, c).astype(np.int64)


def divide_rounded(total: Array, count: Array) -> Array:
    """total / count to nearest, halves away from zero; count positive."""
    return np.asarray(np.sign(total) * ((np.abs(total) + count // 2) // count))


def lower(view: View) -> Lowered:
    require_int8(view)
    require_same_quant(view)
    if view["dilation_h"] != 1 or view["dilation_w"] != 1:
        raise UnsupportedError("dilated pooling", where=view.node.name)
    act_min, act_max = lin.activation_range(view)
    attrs = {name: view[name] for name in (*lin.WINDOW, "filter_h", "filter_w")}
    return Lowered(view.node.op, {**attrs, "act_min": act_min, "act_max": act_max}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Neither an average nor a maximum leaves the range of its inputs; both skip the padding."""
    x = known(view.x, inputs[0])
    return Interval(*(np.clip(end, view["act_min"], view["act_max"]) for end in (x.low, x.high)))


def macs(view: View) -> int:
    _, out_h, out_w, c = view.out.shape
    return out_h * out_w * c * view["filter_h"] * view["filter_w"]


def in_place(view: View) -> tuple[int, ...]:
    """(0,) where no output pixel covers an input pixel that a later window reads.

    Within a pixel the kernel goes channel by channel, and reads a channel's window before it writes it.
    """
    in_w, out_w = view.x.shape[2], view.out.shape[2]
    for y in range(view.out.shape[1]):
        row = max(0, y * view["stride_h"] - view["pad_top"]) * in_w
        next_row = max(0, (y + 1) * view["stride_h"] - view["pad_top"]) * in_w
        for x in range(out_w):
            needed = row + max(0, (x + 1) * view["stride_w"] - view["pad_left"])
            if y + 1 < view.out.shape[1]:
                needed = min(needed, next_row) if x + 1 < out_w else next_row
            elif x + 1 == out_w:
                continue
            if y * out_w + x + 1 > needed:
                return ()
    return (0,)


def _params(view: View) -> dict[str, Param]:
    window = lin.window_params(view, view["filter_h"], view["filter_w"])
    return {**window, "act_min": view["act_min"], "act_max": view["act_max"]}


FIELDS = (lin.WINDOW_FIELD, ("int16_t", "act_min"), ("int16_t", "act_max"))


def _undilated(view: View) -> bool:
    return view["dilation_h"] == view["dilation_w"] == 1


def kernel(
    symbol: str, needs: frozenset[str] = frozenset(), accepts: Callable[[View], bool] = lambda view: True
) -> Kernel:
    """Reads the input directly, and a channel's window before it writes the channel's output."""
    return Kernel(
        symbol=symbol,
        header="ek_pool.h",
        struct="ek_pool_params",
        fields=FIELDS,
        params=_params,
        needs=needs,
        accepts=lambda view: _undilated(view) and accepts(view),
        in_place=in_place,
    )


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), filter, stride, pads (top, bottom, left, right)
        ("2x2", (6, 8, 5), (2, 2), (2, 2), (0, 0, 0, 0)),
        ("same-3x3", (5, 4, 3), (3, 3), (1, 1), (1, 1, 1, 1)),
        ("same-3x3-stride2", (7, 6, 4), (3, 3), (2, 2), (1, 1, 0, 1)),
        ("global", (5, 7, 6), (5, 7), (5, 7), (0, 0, 0, 0)),
        ("global-even", (8, 8, 3), (8, 8), (1, 1), (0, 0, 0, 0)),
        ("overlap", (6, 7, 2), (3, 2), (1, 1), (0, 0, 0, 0)),
        ("leftover", (7, 7, 1), (2, 3), (3, 2), (0, 0, 0, 0)),
        ("one-pixel", (1, 1, 9), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("one-pixel-padded", (1, 1, 2), (3, 3), (1, 1), (1, 1, 1, 1)),
        ("channels", (6, 5, 17), (3, 3), (2, 2), (1, 1, 1, 1)),
        ("channels-global", (16, 16, 8), (16, 16), (1, 1), (0, 0, 0, 0)),  # as many pixels as 16 bits hold
        ("wide-stride", (9, 3, 2), (2, 2), (4, 1), (0, 0, 1, 0)),
        ("as-many-as-16-bits-take", (16, 16, 5), (16, 16), (1, 1), (0, 0, 0, 0)),
        ("more-than-16-bits-take", (16, 17, 4), (16, 17), (1, 1), (0, 0, 0, 0)),
    ]
    out = []
    for name, x_shape, (k_h, k_w), (s_h, s_w), (top, bottom, left, right) in shapes:
        for i, (fill, x) in enumerate(fills(rng, (1, *x_shape))):
            attrs = dict(stride_h=s_h, stride_w=s_w, dilation_h=1, dilation_w=1, filter_h=k_h, filter_w=k_w)
            attrs.update(pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right)
            attrs.update(act_min=-128, act_max=127)
            out.append(Case(f"{name}-{fill}", attrs, (x,)))
            if i == 0:
                out.append(Case(f"{name}-{fill}-limited", {**attrs, "act_min": -20, "act_max": 31}, (x,)))
    return out
