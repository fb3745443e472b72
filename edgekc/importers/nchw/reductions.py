"""What takes several elements of a tensor to one, and softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.ir import AttrValue
from .. import order as od
from ..builder import Builder
from ..order import Shape
from ..value import Value, elements
from .moves import axis_of, reshape


def mean(b: Builder, x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
    """Mean over some axes."""
    return reduce(b, "mean", x, axes, keep_dims)


def reduce(b: Builder, op: str, x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
    """`op` (mean, sum, reduce_max, reduce_min) over some axes."""
    chosen = sorted({axis_of(b, len(x.shape), a) for a in axes})
    if all(x.shape[a] == 1 for a in chosen):
        return reshape(b, x, _reduced(x.shape, chosen, keep_dims))
    x, native, where = b.axes(x)
    stored = sorted(where[a] for a in chosen if where[a] != 0)  # the first has one element
    if len(x.shape) == 3 and where == (0, 3, 2) and stored[0] == 2:
        stored = [1, *stored]  # with the width of an image of one row goes its height
    shape, out = _reduced(x.shape, chosen, keep_dims), _reduced(native, stored, keep_dims)
    attrs: dict[str, AttrValue] = {"axes": ",".join(map(str, stored)), "keep_dims": int(keep_dims)}
    # The axes that stay keep their order of memory: with height or width gone, (n, w, c) holds (n, c, w).
    order = od.order_of([1 if i in chosen else d for i, d in enumerate(x.shape)], np.argsort(where).tolist())
    return b.emit(op, (b.stored(x, native),), attrs, out, shape, order)


def _reduced(shape: Shape, axes: Sequence[int], keep_dims: bool) -> Shape:
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keep_dims or i not in axes)


def _over_rows(b: Builder, op: str, x: Value, axis: int, attrs: dict[str, AttrValue]) -> Value:
    """An operator over the last axis in memory, run over any axis of the source."""
    rank = len(x.shape)
    axis = axis_of(b, rank, axis)
    if x.shape[axis] == elements(x.shape):  # one row, in whatever order
        native = (*(1,) * (max(rank, 2) - 1), x.shape[axis])
        return b.emit(op, (b.stored(x, native),), attrs, native, x.shape, x.order)
    x, native, where = b.axes(x)
    if where[axis] != len(native) - 1:
        if not b.moving:
            raise b.layout(x)
        rest = [a for a in np.argsort(where).tolist() if a != axis]
        x = b.ordered(x, od.order_of(x.shape, [*rest, axis]))
        x, native, where = b.axes(x)
        if where[axis] != len(native) - 1:  # its axis has one element, or an image's channels come behind it
            native = (1, elements(x.shape) // x.shape[axis], x.shape[axis])
    return b.emit(op, (b.stored(x, native),), attrs, native, x.shape, x.order)


def softmax(b: Builder, x: Value, axis: int) -> Value:
    """Softmax over one axis."""
    return _over_rows(b, "softmax", x, axis, {"beta": 1.0})


def log_softmax(b: Builder, x: Value, axis: int) -> Value:
    """The logarithm of softmax over one axis."""
    return _over_rows(b, "log_softmax", x, axis, {})


def l2_normalize(b: Builder, x: Value, axis: int) -> Value:
    """A vector along one axis divided by its length."""
    return _over_rows(b, "l2_normalize", x, axis, {})


def arg(b: Builder, op: str, x: Value, axis: int, keep_dims: bool) -> Value:
    """Where the largest (`op` arg_max) or smallest value along an axis is: the first of equal ones."""
    axis = axis_of(b, len(x.shape), axis)
    x, native, where = b.axes(x)
    if where[axis] == 0:
        raise b.layout(x)
    shape, stored = _reduced(x.shape, [axis], keep_dims), _reduced(native, [where[axis]], False)
    order = od.order_of([1 if i == axis else d for i, d in enumerate(x.shape)], np.argsort(where).tolist())
    return b.emit(op, (b.stored(x, native),), {"axis": where[axis]}, stored, shape, order)
