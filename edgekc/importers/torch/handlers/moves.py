"""Operators that move values and compute none."""

from __future__ import annotations

import numpy as np

from ... import nchw
from ...value import Value
from ..call import Call
from .common import Handler


def _squeeze(c: Call) -> Value:
    x = c.value("self")
    axes = {a % len(x.shape) for a in c.ints("dim")} if c.args.get("dim") is not None else set(range(len(x.shape)))
    return nchw.reshape(c.b, x, [d for i, d in enumerate(x.shape) if d != 1 or i not in axes])


def _unsqueeze(c: Call) -> Value:
    x, axis = c.value("self"), c.ints("dim")[0]
    axis += len(x.shape) + 1 if axis < 0 else 0
    return nchw.reshape(c.b, x, (*x.shape[:axis], 1, *x.shape[axis:]))


def _expand(c: Call) -> Value:
    x, size = c.value("self"), c.ints("size")
    padded = (1,) * (len(size) - len(x.shape)) + x.shape
    return nchw.expand(c.b, x, [d if want == -1 else want for d, want in zip(padded, size, strict=True)])


def _part(c: Call, x: Value, axis: int, start: int, size: int, step: int = 1) -> Value:
    starts, sizes, strides = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    starts[axis], sizes[axis], strides[axis] = start, size, step
    return nchw.strided(c.b, x, starts, sizes, strides)


def _slice(c: Call) -> Value:
    x = c.value("self")
    axis = c.axis("dim", len(x.shape))
    chosen = range(x.shape[axis])[slice(c.args.get("start"), c.args.get("end"), c.args.get("step"))]
    return _part(c, x, axis, chosen.start if chosen else 0, len(chosen), chosen.step)


def _select(c: Call) -> Value:
    x, (index,) = c.value("self"), c.ints("index")
    axis = c.axis("dim", len(x.shape))
    if not -x.shape[axis] <= index < x.shape[axis]:
        raise c.b.wrong(f"index {index} of {x.shape[axis]} elements")
    part = _part(c, x, axis, index % x.shape[axis], 1)
    return nchw.reshape(c.b, part, (*x.shape[:axis], *x.shape[axis + 1 :]))


def _split(c: Call) -> tuple[Value | None, ...]:
    x, sizes = c.value("self"), c.ints("split_sizes" if "split_sizes" in c.args else "split_size")
    axis = c.axis("dim", len(x.shape))
    if "split_sizes" not in c.args:
        each = max(sizes[0], 1)
        sizes = [min(each, x.shape[axis] - at) for at in range(0, x.shape[axis], each)]
    if sum(sizes) != x.shape[axis]:
        raise c.b.wrong(f"parts of {sizes} do not make {x.shape[axis]}")
    used = {user.args[1] for user in c.node.users if len(user.args) > 1 and user.users}
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(
        _part(c, x, axis, at, size) if i in used else None
        for i, (at, size) in enumerate(zip(starts, sizes, strict=True))
    )


def _flip(c: Call) -> Value:
    x = c.value("self")
    gone = {a % len(x.shape) for a in c.ints("dims")}
    starts = [d - 1 if a in gone else 0 for a, d in enumerate(x.shape)]
    return nchw.strided(c.b, x, starts, x.shape, [-1 if a in gone else 1 for a in range(len(x.shape))])


def _index(c: Call) -> Value:
    """x[:, i]: constant indices along one axis, or along several that broadcast as a grid."""
    x, found = c.value("self"), c.args.get("indices") or []
    given = [(axis, v) for axis, v in enumerate(found) if v is not None]
    if any(not isinstance(v, Value) or v.data is None or v.data.dtype.kind not in "iu" for _, v in given):
        raise c.b.unsupported("indices that are computed at run time", "constants")
    if len(given) == 1:
        ((axis, value),) = given
        return nchw.take(c.b, x, axis, np.asarray(value.data))
    rank = max(len(v.shape) for _, v in given)
    for place, (axis, value) in enumerate(given):
        shape = (1,) * (rank - len(value.shape)) + value.shape
        if rank != len(given) or any(d != 1 for i, d in enumerate(shape) if i != place) or axis != given[0][0] + place:
            raise c.b.unsupported("indices that name single elements", "indices along an axis")
        x = nchw.take(c.b, x, axis, np.asarray(value.data).ravel())
    return x


def _index_select(c: Call) -> Value:
    index = c.value("index")
    if index.data is None:
        raise c.b.unsupported("indices that are computed at run time", "constants")
    return nchw.take(c.b, c.value("self"), c.ints("dim")[0], index.data)


def _pad(c: Call) -> Value:
    return _padded(c, c.number("value") or 0.0, "constant")


def _padded(c: Call, value: float, mode: str) -> Value:
    x, amounts = c.value("self"), c.ints("pad" if "pad" in c.args else "padding")
    if len(amounts) % 2 or len(amounts) > 2 * len(x.shape):
        raise c.b.wrong(f"padding {amounts} does not fit shape {list(x.shape)}")
    pairs = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)][::-1]  # torch: the last axis first
    return nchw.pad(c.b, x, [(0, 0)] * (len(x.shape) - len(pairs)) + pairs, value, mode)


def _pad_by_mode(c: Call) -> Value:
    """The image mirrored, or gone on with what is at its edge, or at the other one."""
    mode = str(c.args.get("mode"))
    if mode in ("constant", "reflect"):
        return _padded(c, c.number("value") or 0.0, mode)
    x, amounts = c.value("self"), c.ints("pad")
    for place in range(len(amounts) // 2):  # torch: the last axis first
        axis, (low, high) = len(x.shape) - 1 - place, amounts[2 * place : 2 * place + 2]
        size = x.shape[axis]
        if min(low, high) < 0 or (mode == "circular" and max(low, high) > size):
            raise c.b.unsupported(f"{mode} padding {amounts} of {list(x.shape)}", "amounts of 0 up to the size")
        indices = np.arange(-low, size + high)
        indices = indices % size if mode == "circular" else np.clip(indices, 0, size - 1)
        x = nchw.take(c.b, x, axis, indices) if low or high else x
    return x


def _copy(c: Call) -> Value:
    """What is written over a tensor, of its shape."""
    return nchw.expand(c.b, c.value("src"), c.value("self").shape)


def _scatter(c: Call) -> Value:
    """A part of an axis written anew, as x[:, 2:4] = y does it: what is in front, the new part, what is behind."""
    x, part = c.value("self"), c.value("src")
    axis = c.axis("dim", len(x.shape))
    chosen = range(x.shape[axis])[slice(c.args.get("start"), c.args.get("end"), c.args.get("step"))]
    if len(chosen) != part.shape[axis] or chosen.step != 1:
        raise c.b.unsupported(f"every {chosen.step}th element written anew", "elements side by side")
    return nchw.write(c.b, x, part, [chosen.start if i == axis else 0 for i in range(len(x.shape))])


def _as_strided(c: Call) -> Value:
    """An identity, which exports of channels_last models have; what moves memory about is refused.

    An axis of one element may have any stride.
    """
    x, meta, size = c.value("self"), c.node.args[0].meta.get("val"), tuple(c.ints("size"))
    found = () if meta is None else (c.ints("stride"), meta.stride())
    steps = {tuple(step for d, step in zip(size, given, strict=False) if d > 1) for given in found}
    if size != x.shape or len(steps) != 1 or c.args.get("storage_offset"):
        raise c.b.unsupported("as_strided that is no identity", "the strides of its input")
    return x


HANDLERS: dict[str, Handler] = {
    "_unsafe_view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
    "as_strided": _as_strided,
    "cat": lambda c: nchw.concat(c.b, c.values("tensors"), c.ints("dim")[0]),
    "constant_pad_nd": _pad,
    "copy": _copy,
    "expand": _expand,
    "flip": _flip,
    "index": _index,
    "index_select": _index_select,
    "pad": _pad_by_mode,
    "permute": lambda c: nchw.transpose(c.b, c.value("self"), c.ints("dims")),
    "reflection_pad1d": lambda c: _padded(c, 0.0, "reflect"),
    "reflection_pad2d": lambda c: _padded(c, 0.0, "reflect"),
    "repeat": lambda c: nchw.tile(c.b, c.value("self"), c.ints("repeats")),
    "select": _select,
    "slice": _slice,
    "slice_scatter": _scatter,
    "split": _split,
    "split_with_sizes": _split,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
}
