"""Dealing the pixels of an image out to one image for each phase, and back: halves of a dilated convolution.

A pass folds the two into the convolution between them (passes/fold_dilations.py); neither has an integer form.
"""

from __future__ import annotations

import numpy as np

from ..graph.ir import Array
from ..graph.op import View
from ..graph.source import SourceOp
from .shared.operands import X


def _numbers(view: View, key: str) -> list[int]:
    return [int(v) for v in str(view.node.attrs[key]).split(",")]


def _space_to_batch(view: View, x: Array) -> Array:
    """Pixel (y, x) of the padded image to pixel (y // block, x // block) of the image of phase (y, x) % block."""
    blocks, pads = _numbers(view, "blocks"), _numbers(view, "pads")
    pairs = [(0, 0), *zip(pads[::2], pads[1::2], strict=True), (0, 0)]
    padded = np.pad(x, pairs, constant_values=0 if x.dtype == np.float32 else view.out.q.zero_point)
    count = len(blocks)
    split: list[int] = [len(x)]
    for size, block in zip(padded.shape[1:], blocks, strict=False):
        split += [size // block, block]
    phases, places = [2 + 2 * i for i in range(count)], [1 + 2 * i for i in range(count)]
    dealt = padded.reshape(*split, x.shape[-1]).transpose(*phases, 0, *places, 2 * count + 1)
    return np.ascontiguousarray(dealt).reshape(-1, *view.out.shape[1:])


def _batch_to_space(view: View, x: Array) -> Array:
    """The inverse, less what is cropped."""
    blocks, crops = _numbers(view, "blocks"), _numbers(view, "crops")
    count, sizes = len(blocks), x.shape[1:-1]
    apart = x.reshape(*blocks, -1, *sizes, x.shape[-1])
    order = [count, *(axis for i in range(count) for axis in (count + 1 + i, i)), 2 * count + 1]
    whole = apart.transpose(order).reshape(-1, *(s * b for s, b in zip(sizes, blocks, strict=True)), x.shape[-1])
    for axis, (before, after) in enumerate(zip(crops[::2], crops[1::2], strict=True), start=1):
        whole = np.take(whole, range(before, whole.shape[axis] - after), axis)
    return whole


SOURCES = (
    SourceOp("space_to_batch", lower=None, splits_batch=True, direct=_space_to_batch, operands=(X,)),
    SourceOp("batch_to_space", lower=None, splits_batch=True, direct=_batch_to_space, operands=(X,)),
)
