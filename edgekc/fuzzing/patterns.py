"""Groups of layers as trained networks have them, which passes fold or split; single layers rarely make them."""

from __future__ import annotations

import math

from ..graph.ir import AttrValue, Tensor
from .layers import MOST, Builder, Layer, conv2d, depthwise, filters, linear
from .moves import binary_quant, is_single
from .values import f32

_SIDES = ("pad_top", "pad_bottom", "pad_left", "pad_right")


def padded_window(b: Builder, x: Tensor) -> Tensor | None:
    """PAD of height and width alone, each side by its own amount, and a convolution without padding behind it."""
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    sides = [b.between(0, 3) for _ in _SIDES]
    kernel, stride = (b.between(1, 3), b.between(1, 3)), b.between(1, 2)
    h, w = x.shape[1] + sum(sides[:2]), x.shape[2] + sum(sides[2:])
    out = [(size - k) // stride + 1 for size, k in zip((h, w), kernel, strict=True)]
    channels = min(b.between(1, 9), MOST // max(math.prod(out), 1))
    if min(out) < 1 or not channels or h * w * x.shape[3] > MOST:
        return None
    pads = ",".join(map(str, (0, 0, *sides, 0, 0)))
    padded = b.emit("pad", {"pads": pads}, [x], b.new("pad", (1, h, w, x.shape[3]), x.q), live=b.chance(0.2))
    attrs: dict[str, AttrValue] = dict(stride_h=stride, stride_w=stride, dilation_h=1, dilation_w=1)
    attrs |= dict.fromkeys(_SIDES, 0)
    if b.chance(0.5):
        return linear(b, "depthwise", attrs, padded, filters(b, (1, *kernel, x.shape[3]), 3), 3, (1, *out, x.shape[3]))
    return linear(b, "conv2d", attrs, padded, filters(b, (channels, *kernel, x.shape[3]), 0), 0, (1, *out, channels))


def clamped_beside(b: Builder, x: Tensor) -> Tensor | None:
    """A layer that an activation of its scale and a sum read, as blocks whose activation comes first have it."""
    y = (conv2d if b.chance(0.5) else depthwise)(b, x)
    if y is None or (q := binary_quant(b, "add", y.q, y.q)) is None:
        return None
    kinds = ["relu", "relu6", "relu_n1_to_1"] if 6 / y.q.scale < 2.0**30 else ["relu"]
    clamped = b.emit("relu", {"activation": str(b.rng.choice(kinds))}, [y], b.new("relu", y.shape, y.q))
    return b.emit("add", {"activation": "none"}, [y, clamped], b.new("add", y.shape, q))


def many_branches(b: Builder, x: Tensor) -> Tensor | None:
    """Five to nine branches of one scale and of two sizes that are joined along an axis, in any order."""
    if not is_single(x):
        return None
    count, axis = b.between(5, 9), b.between(1, len(x.shape) - 1)
    if math.prod(x.shape) * count > MOST:
        return None
    thin = tuple(1 if i == axis else d for i, d in enumerate(x.shape))
    branches = []
    for _ in range(count):
        attrs: dict[str, AttrValue] = {"alpha": f32(float(b.rng.uniform(-1, 1)))}
        if b.chance(0.4):
            attrs = {"axes": str(axis), "keep_dims": 1}
            branches.append(b.emit("reduce_max", attrs, [x], b.new("reduce_max", thin, x.q), live=False))
        else:
            branches.append(b.emit("leaky_relu", attrs, [x], b.new("leaky_relu", x.shape, x.q), live=False))
    shape = [sum(t.shape[axis] for t in branches) if i == axis else d for i, d in enumerate(x.shape)]
    order = [branches[i] for i in b.rng.permutation(count)]
    return b.emit("concat", {"axis": axis, "activation": "none"}, order, b.new("concat", shape, x.q))


LAYERS: dict[Layer, float] = {padded_window: 0.9, clamped_beside: 0.7, many_branches: 0.4}
