"""Windows that slide over an image, pools, and images of another size."""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import AttrValue
from .. import order as od
from ..builder import Builder
from ..order import Shape
from ..value import Value
from .moves import concat, pad, reshape, strided
from .reductions import mean, reduce

Pair = tuple[int, int]
Pads = Sequence[int]  # before and after, of each spatial axis: top, bottom, left, right


def as_image(b: Builder, x: Value) -> Value:
    """(n, c, w) as (n, c, 1, w): an image of one row."""
    n, c, w = x.shape
    return reshape(b, x, (n, c, 1, w))


def from_image(b: Builder, x: Value) -> Value:
    n, c, _, w = x.shape
    return reshape(b, x, (n, c, w))


def window(
    b: Builder,
    size: Shape,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    ceil: bool,
) -> tuple[dict[str, AttrValue], Pair]:
    """Window attributes and (out_h, out_w); `ceil` becomes padding at the end."""
    attrs: dict[str, AttrValue] = {}
    out = []
    sides = (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right"))
    for i, (axis, before, after) in enumerate(sides):
        k, s, d, (low, high) = kernel[i], stride[i], dilation[i], (pads[2 * i], pads[2 * i + 1])
        if min(k, s, d) < 1 or min(low, high) < 0:
            raise b.wrong(f"window {k}, stride {s}, dilation {d}, padding {low} and {high}: impossible")
        span = (k - 1) * d + 1
        room = size[i] + low + high - span
        count = (room + (s - 1 if ceil else 0)) // s + 1
        if ceil and (count - 1) * s >= size[i] + low:  # a window may not start in the padding at the end
            count -= 1
        if count < 1:
            raise b.wrong(f"a window of {span} does not fit into {size[i]} plus {low + high} padding")
        high = max(high, (count - 1) * s + span - size[i] - low)  # further than that where `ceil` adds a window
        attrs |= {f"stride_{axis}": s, f"dilation_{axis}": d, before: low, after: high}
        out.append(count)
    return attrs, (out[0], out[1])


def pool(
    b: Builder,
    op: str,
    x: Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    ceil: bool,
    count_include_pad: bool = False,
) -> Value:
    """Average or max pool; padding that counts becomes a node of its own, since averages here exclude it."""
    if len(x.shape) == 3 and len(kernel) == 1:
        row = ((1, *kernel), (1, *stride), (1, *dilation), (0, 0, *pads))
        return from_image(b, pool(b, op, as_image(b, x), *row, ceil, count_include_pad))
    if len(x.shape) != 4 or len(kernel) != 2:
        raise b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "3 or 4 dimensions")
    if tuple(dilation) != (1, 1):
        raise b.unsupported(f"pooling with dilation {list(dilation)}", "1")
    # The windows are those of the source's own size: padding that becomes a node is not what `ceil` may start in.
    attrs, (h, w) = window(b, x.shape[2:], kernel, stride, dilation, pads, ceil)
    if op == "average_pool" and count_include_pad and any(pads):
        x = pad(b, x, [(0, 0), (0, 0), (pads[0], pads[1]), (pads[2], pads[3])], 0.0)
        beyond = (int(attrs["pad_bottom"]) - pads[1], int(attrs["pad_right"]) - pads[3])  # by `ceil`; never counted
        attrs |= {"pad_top": 0, "pad_left": 0, "pad_bottom": beyond[0], "pad_right": beyond[1]}
    tensor, c = b.nhwc(x), x.shape[1]
    attrs |= {"filter_h": kernel[0], "filter_w": kernel[1], "activation": "none"}
    return b.emit(op, (tensor,), attrs, (1, h, w, c), (1, c, h, w), od.nhwc((1, c, h, w)))


def global_pool(b: Builder, op: str, x: Value) -> Value:
    """Average or maximum of whole images."""
    if len(x.shape) < 3:
        raise b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "3 or 4 dimensions")
    axes = range(2, len(x.shape))
    if op == "average_pool":
        return mean(b, x, axes, True)
    if len(x.shape) > 4:
        return reduce(b, "reduce_max", x, axes, True)
    one = (1,) * len(axes)
    return pool(b, op, x, x.shape[2:], one, one, (0, 0) * len(axes), False)


def adaptive_pool(b: Builder, op: str, x: Value, sizes: Sequence[int]) -> Value:
    """Pools to a size of the output; where sizes do not divide evenly, a pool for each row or column."""
    if len(x.shape) != 2 + len(sizes) or len(sizes) > 2 or min(sizes) < 1:
        raise b.unsupported(f"an adaptive pool of {list(x.shape)} to {list(sizes)}", "3 or 4 dimensions")
    if op == "average_pool" and all(s == 1 for s in sizes):
        return mean(b, x, range(2, len(x.shape)), True)
    one, none = (1,) * len(sizes), (0, 0) * len(sizes)
    size = x.shape[2:]
    if all(have % want == 0 for have, want in zip(size, sizes, strict=True)):
        kernel = [have // want for have, want in zip(size, sizes, strict=True)]
        return pool(b, op, x, kernel, kernel, one, none, False)
    for axis, (have, want) in enumerate(zip(size, sizes, strict=True), 2):
        if have == want:
            continue
        parts = []
        for i in range(want):  # torch: from floor(i * have / want) to ceil((i + 1) * have / want)
            low, high = i * have // want, -(-(i + 1) * have // want)
            starts, lengths = [0] * len(x.shape), list(x.shape)
            starts[axis], lengths[axis] = low, high - low
            part = strided(b, x, starts, lengths, [1] * len(lengths))
            kernel = [high - low if a == axis else 1 for a in range(2, len(x.shape))]
            parts.append(pool(b, op, part, kernel, one, one, none, False))
        x = concat(b, parts, axis)
    return x


def resize(b: Builder, x: Value, size: Sequence[int], nearest: bool, align_corners: bool, half_pixel: bool) -> Value:
    """An image of another height and width, by the nearest pixel or between the nearest four."""
    if len(x.shape) == 3 and len(size) == 1:
        return from_image(b, resize(b, as_image(b, x), (1, *size), nearest, align_corners, half_pixel))
    if len(x.shape) != 4 or len(size) != 2:
        raise b.unsupported(f"an image of shape {list(x.shape)} to another size", "3 or 4 dimensions")
    n, c, *have = x.shape
    if have == list(size):
        return x
    h, w = size
    out = (n, c, h, w)
    attrs: dict[str, AttrValue] = {"align_corners": int(align_corners), "half_pixel_centers": int(half_pixel)}
    op = "resize_nearest" if nearest else "resize_bilinear"
    return b.emit(op, (b.nhwc(x),), attrs, (n, h, w, c), out, od.nhwc(out))
