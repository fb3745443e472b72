"""Layers of random networks that resize images, go over axes, or multiply activations."""

from __future__ import annotations

import math

from random_layers import MOST, Builder, Layer

from edgekc.graph.ir import Tensor

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


LAYERS: dict[Layer, float] = {
    resize_nearest: 0.4, resize_bilinear: 0.4,
}  # fmt: skip
