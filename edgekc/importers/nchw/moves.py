"""Operators that move values and compute none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph.ir import Array, AttrValue, Quant, Role
from .. import order as od
from ..builder import Builder
from ..order import Shape
from ..value import Value, constant_value, elements, nhwc_or_none, real

Pair = tuple[int, int]


def reshape(b: Builder, x: Value, shape: Sequence[int]) -> Value:
    """The source's reshape, one dimension may be -1; no node, since no bytes move."""
    target = list(shape)
    total = elements(x.shape)
    if target.count(-1) == 1:
        rest = math.prod(d for d in target if d != -1)
        target[target.index(-1)] = total // rest if rest else 0
    if math.prod(target) != total or any(d < 1 for d in target):
        raise b.wrong(f"{list(x.shape)} does not reshape to {list(shape)}")
    if x.data is not None:
        quant = None if x.quant is not None and len(x.quant.scales) > 1 else x.quant
        return constant_value(x.data.reshape(target) if quant == x.quant else real(x).reshape(target), x.source, quant)
    return replace(x, shape=tuple(target))


def transpose(b: Builder, x: Value, perm: Sequence[int]) -> Value:
    """The source's transpose: what changes is how its elements are called, not where they lie."""
    rank = len(x.shape)
    perm = [p % rank if -rank <= p < rank else rank for p in perm]
    if sorted(perm) != list(range(rank)):
        raise b.wrong(f"axes {list(perm)} are no permutation of {rank} dimensions")
    if x.data is not None:
        quant = x.quant
        if quant is not None and len(quant.scales) > 1:
            quant = Quant(quant.scales, quant.zero_points, list(perm).index(quant.axis))
        return constant_value(x.data.transpose(perm), x.source, quant)
    order = od.transposed(x.order, x.shape, perm)
    if order is None:
        x = b.plain(x)
        order = od.transposed(x.order, x.shape, perm)
        assert order is not None
    return replace(x, shape=tuple(x.shape[p] for p in perm), order=order)


def axis_of(b: Builder, rank: int, axis: int) -> int:
    """An axis of the source counted from the front."""
    if not -rank <= axis < rank:
        raise b.wrong(f"axis {axis} does not exist in {rank} dimensions")
    return axis % rank


def concat(b: Builder, parts: Sequence[Value], axis: int) -> Value:
    """Parts behind each other along an axis."""
    if not parts:
        raise b.wrong("a concatenation of nothing")
    rank = len(parts[0].shape)
    axis = axis_of(b, rank, axis)
    for part in parts:
        alike = len(part.shape) == rank
        if not alike or any(
            d != e for i, (d, e) in enumerate(zip(part.shape, parts[0].shape, strict=True)) if i != axis
        ):
            raise b.wrong(f"shapes {[list(p.shape) for p in parts]} do not concatenate along axis {axis}")
    if len(parts) == 1:
        return parts[0]
    if any(p.data is not None for p in parts) and not b.quantized:
        return _with_constants(b, parts, axis)
    shape = tuple(sum(p.shape[i] for p in parts) if i == axis else d for i, d in enumerate(parts[0].shape))
    attrs: dict[str, AttrValue] = {"axis": (0, 3, 1, 2)[axis] if rank == 4 else axis, "activation": "none"}
    if rank == 4 and all(p.data is not None or p.order == nhwc_or_none(p.shape) for p in parts):
        n, c, h, w = shape
        names = tuple(b.nhwc(p) for p in parts)
        return b.emit("concat", names, attrs, (n, h, w, c), shape, od.nhwc(shape))
    placed = [b.axes(p) for p in parts]
    if any((where, len(native)) != (placed[0][2], len(placed[0][1])) for _, native, where in placed):
        if rank == 4 and any(p.order == nhwc_or_none(p.shape) for p in parts):
            n, c, h, w = shape
            names = tuple(b.nhwc(p) for p in parts)
            return b.emit("concat", names, attrs, (n, h, w, c), shape, od.nhwc(shape))
        placed = [b.axes(b.plain(p)) for p in parts]
        if any((where, len(native)) != (placed[0][2], len(placed[0][1])) for _, native, where in placed):
            placed = [(b.plain(p), (1, *p.shape), tuple(range(1, rank + 1))) for p in parts]
    _, native, where = placed[0]
    if where[axis] == 0 and all(n[0] == 1 for _, n, _ in placed):
        if axis != 0 or len(native) != rank:
            raise b.layout(parts[0])
        # Parts of one along the first axis, which is the batch's: the second axis is a new one.
        placed = [(v, (1, *n), tuple(a + 1 for a in w)) for v, n, w in placed]
        _, native, where = placed[0]
    names = tuple(b.stored(v, n) for v, n, _ in placed)
    stored = tuple(shape[axis] if i == where[axis] else d for i, d in enumerate(native))
    attrs["axis"] = where[axis]
    return b.emit("concat", names, attrs, stored, shape, od.order_of(shape, np.argsort(where).tolist()))


def _with_constants(b: Builder, parts: Sequence[Value], axis: int) -> Value:
    """Activations side by side are joined first, then one constant after the other."""
    groups: list[Value] = []
    for constant, run in itertools.groupby(parts, lambda part: part.data is not None):
        side = list(run)
        if constant:
            groups.append(constant_value(np.concatenate([real(p) for p in side], axis), side[0].source))
        else:
            groups.append(concat(b, side, axis))
    total = groups[0] if groups[0].data is None else None
    for before, part in itertools.pairwise(groups):
        if total is None:
            total = _joined(b, part, before, axis, first=True)
        elif part.data is not None:
            total = _joined(b, total, part, axis, first=False)
        else:
            total = concat(b, [total, part], axis)
    assert total is not None, "constants alone are folded"
    return total


def _joined(b: Builder, x: Value, constant: Value, axis: int, first: bool) -> Value:
    """A constant in front of an activation (`first`), or behind it."""
    assert constant.data is not None
    x, native, where = b.axes(x)
    if where[axis] == 0:
        native, where = (1, *native), tuple(a + 1 for a in where)
    stored, values = list(native), [1] * len(native)
    for i, place in enumerate(where):
        values[place] = constant.shape[i]
    stored[where[axis]] += constant.shape[axis]
    shape = tuple(d + constant.shape[i] if i == axis else d for i, d in enumerate(x.shape))
    tensor, name = b.stored(x, native), b.node_name("concat_const", "")
    data = constant.data.transpose(np.argsort(where)).reshape(values)
    const = b.const(f"{name}/b", data, Role.WEIGHTS, None, constant.source)
    attrs: dict[str, AttrValue] = {"axis": where[axis], "first": int(first)}
    order = od.order_of(shape, np.argsort(where).tolist())
    return b.emit("concat_const", (tensor, const), attrs, tuple(stored), shape, order, name)


def pad(b: Builder, x: Value, pairs: Sequence[Pair], value: float, mode: str = "constant") -> Value:
    """Zeros, or the image mirrored (`mode` reflect or symmetric), around each axis; negative amounts cut."""
    if len(pairs) != len(x.shape):
        raise b.wrong(f"padding of {len(pairs)} axes for shape {list(x.shape)}")
    if any(p < 0 for pair in pairs for p in pair):
        starts = [max(-low, 0) for low, _ in pairs]
        sizes = [d - s - max(-high, 0) for d, s, (_, high) in zip(x.shape, starts, pairs, strict=True)]
        x = strided(b, x, starts, sizes, [1] * len(sizes))
        pairs = [(max(low, 0), max(high, 0)) for low, high in pairs]
    if not any(map(any, pairs)):
        return x
    if mode == "reflect" and any(max(p) >= d for d, p in zip(x.shape, pairs, strict=True)):
        raise b.wrong(f"padding {[list(p) for p in pairs]} mirrors more than there is of {list(x.shape)}")
    if len(x.shape) == 3 and x.order == od.nwc(x.shape) and x.shape[0] == 1 and not any(pairs[0]):
        n, c, w = x.shape  # an image of one row, so that a convolution behind can pad by itself
        image = pad(b, reshape(b, x, (n, c, 1, w)), [pairs[0], pairs[1], (0, 0), pairs[2]], value, mode)
        return reshape(b, image, (n, image.shape[1], image.shape[3]))
    x, native, where = b.axes(x)
    if any(any(pair) and where[axis] == 0 for axis, pair in enumerate(pairs)):
        native, where = (1, *native), tuple(a + 1 for a in where)
    inside: list[Pair] = [(0, 0)] * len(native)
    for axis, pair in enumerate(pairs):
        inside[where[axis]] = pair
    shape = tuple(d + sum(pair) for d, pair in zip(x.shape, pairs, strict=True))
    native, inside = _few_axes(native, inside)
    stored = tuple(d + sum(pair) for d, pair in zip(native, inside, strict=True))
    attrs: dict[str, AttrValue] = {"pads": ",".join(str(p) for pair in inside for p in pair)}
    op = "pad"
    if mode == "constant" and value != 0:
        if b.quantized:
            raise b.unsupported(f"padding with {value}", "0")
        op, attrs = "pad_with", {**attrs, "value": float(np.float32(value))}
    elif mode != "constant":
        op, attrs = "mirror_pad", {**attrs, "mode": mode}
    return b.emit(op, (b.stored(x, native),), attrs, stored, shape, od.order_of(shape, np.argsort(where).tolist()))


def _few_axes(shape: Shape, pairs: list[Pair]) -> tuple[Shape, list[Pair]]:
    """Of more than four axes, those that are not padded seen as one with such neighbours; the batch's stays."""
    if len(shape) <= 4:
        return shape, pairs
    sizes, padded = [shape[0]], [pairs[0]]
    for size, pair in zip(shape[1:], pairs[1:], strict=True):
        if len(sizes) > 1 and not any(pair) and not any(padded[-1]):
            sizes[-1] *= size
        else:
            sizes.append(size)
            padded.append(pair)
    return tuple(sizes), padded


def strided(b: Builder, x: Value, starts: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> Value:
    """Of each axis `sizes` elements from `starts` on, a stride apart, which may be negative."""
    shape = tuple(sizes)
    if any(d < 1 for d in shape):
        raise b.unsupported(f"a slice of {list(x.shape)} with nothing in it", "slices of one element and more")
    if shape == x.shape and all(s == 1 or d == 1 for s, d in zip(strides, shape, strict=True)):
        return x
    x, native, where = b.axes(x)
    if x.shape and any(where[a] == 0 and x.shape[a] != shape[a] for a in range(len(shape))):
        raise b.layout(x)
    full: tuple[list[int], list[int], list[int]] = ([0] * len(native), list(native), [1] * len(native))
    for axis, values in enumerate(zip(starts, sizes, strides, strict=True)):
        for target, value in zip(full, values, strict=True):
            target[where[axis]] = value
    texts = (",".join(map(str, values)) for values in full)
    attrs: dict[str, AttrValue] = dict(zip(("begins", "sizes", "strides"), texts, strict=True))
    order = od.order_of(shape, np.argsort(where).tolist())
    return b.emit("strided_slice", (b.stored(x, native),), attrs, tuple(full[1]), shape, order)


def take(b: Builder, x: Value, axis: int, indices: Array) -> Value:
    """Elements of one axis by constant indices; evenly spaced ones are a slice."""
    axis = axis_of(b, len(x.shape), axis)
    size = x.shape[axis]
    flat = indices.astype(np.int64).ravel()
    if not flat.size or flat.min() < -size or flat.max() >= size:
        raise b.wrong(f"indices {flat[:8].tolist()} do not fit {size} elements")
    flat = np.where(flat < 0, flat + size, flat)
    steps = np.diff(flat)
    shape = (*x.shape[:axis], flat.size, *x.shape[axis + 1 :])
    if flat.size == 1 or ((steps == steps[0]).all() and steps[0]):
        starts, strides = [0] * len(shape), [1] * len(shape)
        starts[axis], strides[axis] = int(flat[0]), int(steps[0]) if flat.size > 1 else 1
        out = strided(b, x, starts, shape, strides)
    else:
        x, native, where = b.axes(x)
        if where[axis] == 0:
            raise b.layout(x)
        stored = tuple(flat.size if i == where[axis] else d for i, d in enumerate(native))
        name = b.node_name("take", "")
        index = b.const(f"{name}/indices", flat.astype(np.int32), Role.REQUANT, exact=True)
        order = od.order_of(shape, np.argsort(where).tolist())
        out = b.emit("take", (b.stored(x, native), index), {"axis": where[axis]}, stored, shape, order, name)
    return reshape(b, out, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def tile(b: Builder, x: Value, repeats: Sequence[int]) -> Value:
    """Each axis several times; more repeats than axes are of new axes in front."""
    x = reshape(b, x, (*(1,) * (len(repeats) - len(x.shape)), *x.shape))
    if len(repeats) != len(x.shape) or any(r < 1 for r in repeats):
        raise b.wrong(f"repeats {list(repeats)} do not fit shape {list(x.shape)}")
    if all(r == 1 for r in repeats):
        return x
    x, native, where = b.axes(x)
    if any(r > 1 and where[a] == 0 for a, r in enumerate(repeats)):
        native, where = (1, *native), tuple(a + 1 for a in where)
    full = [1] * len(native)
    for axis, count in enumerate(repeats):
        full[where[axis]] = count
    shape = tuple(d * r for d, r in zip(x.shape, repeats, strict=True))
    stored = tuple(d * r for d, r in zip(native, full, strict=True))
    attrs: dict[str, AttrValue] = {"repeats": ",".join(map(str, full))}
    order = od.order_of(shape, np.argsort(where).tolist())
    return b.emit("tile", (b.stored(x, native),), attrs, stored, shape, order)


def expand(b: Builder, x: Value, shape: Sequence[int]) -> Value:
    """Broadcasting to a shape by itself."""
    target = tuple(shape)
    x = reshape(b, x, (*(1,) * (len(target) - len(x.shape)), *x.shape))
    if x.shape == target:
        return x
    if len(x.shape) != len(target) or any(d not in (1, t) for d, t in zip(x.shape, target, strict=True)):
        raise b.wrong(f"{list(x.shape)} does not broadcast to {list(target)}")
    if x.data is not None:
        b.count_made(elements(target) * x.data.itemsize)
        return constant_value(np.broadcast_to(x.data, target), x.source, x.quant)
    if target[0] != 1 or x.order != nhwc_or_none(x.shape):
        x = b.plain(x)
        native: Shape = x.shape if target[0] == 1 else (1, *x.shape)
        stored = target if target[0] == 1 else (1, *target)
        return b.emit("broadcast_to", (b.stored(x, native),), {}, stored, target, od.plain(target))
    n, c, h, w = target
    return b.emit("broadcast_to", (b.nhwc(x),), {}, (n, h, w, c), target, od.nhwc(target))


def depth_to_space(b: Builder, x: Value, block: int, columns_first: bool) -> Value:
    """Blocks of channels to blocks of pixels; `columns_first`: a pixel's channels lie together (ONNX: CRD)."""
    if len(x.shape) != 4 or block < 1 or x.shape[1] % block**2:
        raise b.wrong(f"blocks of {block} do not fit an input of shape {list(x.shape)}")
    n, channels, h, w = x.shape
    c = channels // block**2
    out = (n, c, h * block, w * block)
    if not columns_first:
        stored = (n, h * block, w * block, c)
        return b.emit("depth_to_space", (b.nhwc(x),), {"block": block}, stored, out, od.nhwc(out))
    x = transpose(b, reshape(b, x, (n, c, block, block, h, w)), (0, 1, 4, 2, 5, 3))
    return reshape(b, x, out)


def space_to_depth(b: Builder, x: Value, block: int, columns_first: bool = False) -> Value:
    """Blocks of pixels to blocks of channels; `columns_first`: what comes of a channel lies together."""
    if len(x.shape) != 4 or block < 1 or x.shape[2] % block or x.shape[3] % block:
        raise b.wrong(f"blocks of {block} do not fit an input of shape {list(x.shape)}")
    n, c, h, w = x.shape
    out = (n, c * block**2, h // block, w // block)
    if not columns_first:
        stored = (n, h // block, w // block, c * block**2)
        return b.emit("space_to_depth", (b.nhwc(x),), {"block": block}, stored, out, od.nhwc(out))
    x = reshape(b, x, (n, c, h // block, block, w // block, block))
    return reshape(b, transpose(b, x, (0, 1, 3, 5, 2, 4)), out)
