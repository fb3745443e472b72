"""Tensors a part of which is written anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..builder import Builder
from ..value import Value, constant_value
from .moves import concat, pad, strided


def write(b: Builder, x: Value, part: Value, starts: Sequence[int]) -> Value:
    """`x` with `part`, of its rank, in the place of what lies from `starts` on."""
    ends = [s + d for s, d in zip(starts, part.shape, strict=True)]
    if any(s < 0 or e > d for s, e, d in zip(starts, ends, x.shape, strict=True)):
        raise b.wrong(f"a part of shape {list(part.shape)} at {list(starts)} of {list(x.shape)}")
    if x.data is not None and not x.data.any():
        return pad(b, part, [(s, d - e) for s, e, d in zip(starts, ends, x.shape, strict=True)], 0.0)
    low, high = list(starts), list(ends)
    for axis, size in enumerate(x.shape):  # what lies beside the part so far, along one axis after the other
        sides = [(0, low[axis]), (high[axis], size)]
        parts = [
            _slab(b, x, [*low[:axis], start, *low[axis + 1 :]], [*high[:axis], end, *high[axis + 1 :]])
            if end > start
            else None
            for start, end in sides
        ]
        part = concat(b, [p for p in (parts[0], part, parts[1]) if p is not None], axis)
        low[axis], high[axis] = 0, size
    return part


def _slab(b: Builder, x: Value, low: Sequence[int], high: Sequence[int]) -> Value:
    if x.data is not None:
        box = tuple(slice(s, e) for s, e in zip(low, high, strict=True))
        return constant_value(np.asarray(x.data)[box], x.source, x.quant)
    return strided(b, x, low, [e - s for s, e in zip(low, high, strict=True)], [1] * len(low))
