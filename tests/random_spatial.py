"""Layers of random networks that resize images, go over axes, or multiply activations."""

from __future__ import annotations

import math

from random_layers import MOST, Builder, Layer, filters, linear

from edgekc.graph.ir import AttrValue, Tensor

_LARGEST = 40  # pixels along an axis


def _image(x: Tensor) -> bool:
    return len(x.shape) == 4 and x.shape[0] == 1


def _resize(b: Builder, x: Tensor, op: str) -> Tensor | None:
    """Twice the size, as networks do most, or any other."""
    if not _image(x):
        return None
    twice = b.chance(0.3)
    size = [2 * d if twice else b.between(1, _LARGEST) for d in x.shape[1:3]]
    shape = (1, *size, x.shape[3])
    if math.prod(shape) > 4 * MOST:
        return None
    align, half = b.between(0, 1), b.between(0, 1)
    if op == "resize_bilinear" and align:  # LiteRT refuses both rules at once
        half = 0
    attrs = {"align_corners": align, "half_pixel_centers": half}
    return b.emit(op, dict(attrs), [x], b.new(op, shape, x.q))


def resize_nearest(b: Builder, x: Tensor) -> Tensor | None:
    return _resize(b, x, "resize_nearest")


def resize_bilinear(b: Builder, x: Tensor) -> Tensor | None:
    return _resize(b, x, "resize_bilinear")


def transpose_conv(b: Builder, x: Tensor) -> Tensor | None:
    """Of SAME padding, or of none; LiteRT takes sizes of the output whose convolution has the input's size."""
    if not _image(x):
        return None
    same, out = b.chance(0.5), []
    attrs: dict[str, AttrValue] = {}
    kernel = (b.between(1, 5), b.between(1, 5))
    axes = (("stride_h", "pad_top"), ("stride_w", "pad_left"))
    for size, k, (stride_name, pad_name) in zip(x.shape[1:3], kernel, axes, strict=True):
        stride = int(b.rng.choice([1, 2, 2, 3]))
        first = (size - 1) * stride + (1 if same else k)
        count = b.between(first, first + stride - 1)
        total = max((-(-count // stride) - 1) * stride + k - count, 0) if same else 0
        attrs |= {stride_name: stride, pad_name: total // 2}
        out.append(count)
    channels = min(b.between(1, 16), 2 * MOST // math.prod(out))
    if not channels or math.prod(out) * math.prod(kernel) * x.shape[3] > 50 * MOST:
        return None
    w = filters(b, (channels, *kernel, x.shape[3]), 0)
    return linear(b, "transpose_conv", attrs, x, w, 0, (1, *out, channels), bias=b.chance(0.7))


LAYERS: dict[Layer, float] = {
    resize_nearest: 0.4, resize_bilinear: 0.4, transpose_conv: 1,
}  # fmt: skip
