"""What both ways of resizing an image share: corner rules, shapes, lowering's demands and the float definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Shape, View
from .checks import require_int8, require_same_quant

SIZES = ("out_h", "out_w")
LARGEST = 65535  # pixels along an axis: `bounds.MAX_ACTIVATION_DIM`


def corners(view: View) -> tuple[bool, bool]:
    """(align_corners, half_pixel_centers) of a FLOAT or QUANTIZED node."""
    return bool(view["align_corners"]), bool(view["half_pixel_centers"])


def image(shape: Shape, size: tuple[int, int]) -> Shape:
    """The shape of an image (n, h, w, c) of another size; ModelError where it is none."""
    if len(shape) != 4 or not all(1 <= s <= LARGEST for s in size):
        raise ModelError(f"resizing {list(shape)} to {list(size)}; expected (n, h, w, c) and sizes of 1 to {LARGEST}")
    return (shape[0], *size, shape[3])


def require_image(view: View) -> None:
    """UnsupportedError unless bytes are copied or interpolated within one quantisation."""
    require_int8(view)
    require_same_quant(view)


def centers(view: View, axis: int) -> Array:
    """float64 (out): where each output pixel lies along an axis of the input, in input pixels."""
    size, count = view.x.shape[axis], view.out.shape[axis]
    align, half = corners(view)
    scale = (size - 1) / (count - 1) if align and count > 1 else size / count
    return np.asarray((np.arange(count) + 0.5) * scale - 0.5 if half else np.arange(count) * scale)


def nearest(size: int, count: int, align: bool, half: bool) -> Array:
    """int32 (count): the input pixel of each output pixel along an axis, in the single precision of TFLite's kernel."""
    f = np.float32
    scale = f(size - 1) / f(count - 1) if align and count > 1 else f(size) / f(count)
    places = (np.arange(count).astype(f) + f(0.5 if half else 0)) * scale
    found = np.floor(places.astype(np.float64) + 0.5) if align else np.floor(places)
    return np.minimum(found, size - 1).astype(np.int32)


def in_numpy(x: Array, axis: int, index: Array) -> Array:
    return np.take(x, index, axis)


def in_torch(torch: Any) -> Any:
    """`in_numpy` of tensors of the module `torch`."""

    def take(x: Any, axis: int, index: Array) -> Any:
        return x.index_select(axis, torch.as_tensor(index, dtype=torch.int64, device=x.device))

    return take


def interpolated(view: View, x: Any, take: Any, number: Any) -> Any:
    """x (n, h, w, c) of numpy or PyTorch, linear between the two nearest pixels of each axis.

    Args:
        take: `in_numpy`, or what `in_torch` returns.
        number: from weights in numpy to an array or tensor beside `x`.
    """
    for axis in (1, 2):
        places = np.clip(centers(view, axis), 0, x.shape[axis] - 1)
        first = np.floor(places).astype(np.int32)
        second = np.minimum(first + 1, x.shape[axis] - 1)
        weight = number((places - first).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(4)]))
        x = take(x, axis, first) * (1 - weight) + take(x, axis, second) * weight
    return x


def shapes() -> Sequence[tuple[str, Shape, tuple[int, int]]]:
    """(name, input, size of the output) of test cases: larger, smaller, odd, and of one pixel."""
    return [
        ("twice", (1, 3, 5, 4), (6, 10)),
        ("odd", (1, 4, 3, 3), (7, 8)),
        ("smaller", (1, 9, 8, 5), (4, 3)),
        ("mixed", (1, 6, 2, 17), (2, 5)),
        ("same", (1, 3, 4, 2), (3, 4)),
        ("from-one", (1, 1, 1, 3), (4, 3)),
        ("to-one", (1, 5, 7, 2), (1, 1)),
        ("one", (1, 1, 1, 1), (1, 1)),
    ]
