"""Operators that copy values in another order: each becomes nodes that leave the batch axis alone, and reshapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....errors import ModelError
from ....graph.ir import Array, Role, constant
from ..builder import MAX_DIM, Builder, Handler, graph_shape, node_name
from ..file import FileOperator
from .common import Moved, Shape, text
from .lookups import is_lookup, rows_of_constant


def _axis(b: Builder, op: FileOperator, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    return axis % rank


def _file_shape(b: Builder, op: FileOperator, position: int) -> Shape:
    return b.file_shape(b.operand(op, position, "input", rowwise=True))


def _transpose(b: Builder, op: FileOperator) -> None:
    perm = b.ints(op, 1, "perm")
    shape = _file_shape(b, op, 0)
    perm = [p % len(shape) if -len(shape) <= p < len(shape) else p for p in perm]
    if sorted(perm) != list(range(len(shape))):
        raise ModelError(f"perm {perm} is no order of {len(shape)} axes", where=b.at(op))
    x = Moved(b, op, 0, batched=perm[0] == 0)
    order = [0, *(p + 1 for p in perm)] if x.lead else perm
    x.write("transpose", {"perm": text(order)}, tuple(shape[p] for p in perm))


def _strided_slice(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 0)
    begins, ends, steps = (b.ints(op, i, what) for i, what in ((1, "begin"), (2, "end"), (3, "strides")))
    if not len(begins) == len(ends) == len(steps) or 0 in steps:
        raise ModelError(f"begin {begins}, end {ends} and strides {steps} do not fit", where=b.at(op))

    def bit(mask: str, i: int) -> bool:
        return bool(int(op.options[mask]) >> i & 1)

    new = [bit("NewAxisMask", i) and not bit("EllipsisMask", i) for i in range(len(begins))]
    dots = [i for i in range(len(begins)) if bit("EllipsisMask", i)]
    covered = len(shape) - sum(not made for made in new) + len(dots)
    if len(dots) > 1 or covered < 0:
        raise ModelError(f"{len(begins)} slices of a tensor of shape {list(shape)}", where=b.at(op))
    found: list[tuple[int, int, int]] = []  # begin, size, step of each axis of the input
    out: list[int] = []
    for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if i in dots:
            there = shape[len(found) : len(found) + covered]
            found += [(0, size, 1) for size in there]
            out += there
            continue
        if new[i]:
            out.append(1)
            continue
        size = shape[len(found)]
        if bit("ShrinkAxisMask", i):
            if not -size <= begin < size:
                raise ModelError(f"value {begin} of an axis of {size}", where=b.at(op))
            found.append((begin % size, 1, 1))
            continue
        end = begin + end if int(op.options["Offset"]) else end
        first, stop, step = slice(
            None if bit("BeginMask", i) else begin, None if bit("EndMask", i) else end, step
        ).indices(size)
        found.append((first, len(range(first, stop, step)), step))
        out.append(found[-1][1])
    rest = shape[len(found) :]
    found += [(0, size, 1) for size in rest]
    _sliced(b, op, found, (*out, *rest))


def _sliced(b: Builder, op: FileOperator, axes: Sequence[tuple[int, int, int]], shape: Shape) -> None:
    """(begin, size, step) of each axis, and the output's shape."""
    begins, sizes, steps = zip(*axes, strict=True) if axes else ((), (), ())
    Moved(b, op, 0, batched=axes[:1] == [(0, 1, 1)]).slices(begins, tuple(sizes), steps, shape)


def _slice(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 0)
    begins, sizes = b.ints(op, 1, "begin"), b.ints(op, 2, "size")
    if not len(begins) == len(sizes) == len(shape):
        raise ModelError(f"begin {begins} and size {sizes} of shape {list(shape)}", where=b.at(op))
    sizes = [there - begin if size == -1 else size for begin, size, there in zip(begins, sizes, shape, strict=True)]
    axes = [(begin, size, 1) for begin, size in zip(begins, sizes, strict=True)]
    _sliced(b, op, axes, tuple(sizes))


def _reverse(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 0)
    reversed_ = {_axis(b, op, a, len(shape)) for a in b.ints(op, 1, "axis")}
    axes = [(size - 1, size, -1) if i in reversed_ and size > 1 else (0, size, 1) for i, size in enumerate(shape)]
    _sliced(b, op, axes, shape)


def _parts(b: Builder, op: FileOperator, position: int, axis: int, sizes: Sequence[int], drop: bool) -> None:
    """One slice for each output; `drop`: without the axis."""
    shape = _file_shape(b, op, position)
    if sum(sizes) != shape[axis] or min(sizes, default=0) < 1:
        raise ModelError(f"parts of {list(sizes)} of axis {axis} of shape {list(shape)}", where=b.at(op))
    if len(op.outputs) != len(sizes):
        raise ModelError(f"{len(op.outputs)} outputs for {len(sizes)} parts", where=b.at(op))
    x = Moved(b, op, position, batched=axis > 0)
    begins, steps, begin = [0] * len(shape), [1] * len(shape), 0
    for part, size in enumerate(sizes):
        begins[axis] = begin
        taken = (*shape[:axis], size, *shape[axis + 1 :])
        out = (*shape[:axis], *shape[axis + 1 :]) if drop else None
        x.slices(begins, taken, steps, out, part)
        begin += size


def _split(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 1)
    axis = _axis(b, op, (b.ints(op, 0, "axis") or [0])[0], len(shape))
    count = len(op.outputs)
    if count == 0 or shape[axis] % count:
        raise ModelError(f"{count} equal parts of axis {axis} of shape {list(shape)}", where=b.at(op))
    _parts(b, op, 1, axis, [shape[axis] // count] * count, drop=False)


def _split_v(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 0)
    axis = _axis(b, op, (b.ints(op, 2, "axis") or [0])[0], len(shape))
    sizes = b.ints(op, 1, "sizes")
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(sizes) - 1
    _parts(b, op, 0, axis, sizes, drop=False)


def _unpack(b: Builder, op: FileOperator) -> None:
    shape = _file_shape(b, op, 0)
    axis = _axis(b, op, int(op.options["Axis"]), len(shape))
    _parts(b, op, 0, axis, [1] * shape[axis], drop=True)


def _checked(b: Builder, op: FileOperator, shape: Sequence[int]) -> Shape:
    if any(not 1 <= d <= MAX_DIM for d in shape):
        raise ModelError(f"impossible shape {list(shape)}", where=b.at(op))
    return tuple(shape)


def _tile(b: Builder, op: FileOperator) -> None:
    shape, repeats = _file_shape(b, op, 0), b.ints(op, 1, "multiples")
    if len(repeats) != len(shape):
        raise ModelError(f"multiples {repeats} of shape {list(shape)}", where=b.at(op))
    made = _checked(b, op, [times * size for times, size in zip(repeats, shape, strict=True)])
    x = Moved(b, op, 0, batched=repeats[:1] == [1])
    x.write("tile", {"repeats": x.axes(1, repeats)}, made)


def _broadcast_to(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input", rowwise=True)
    shape, made = b.file_shape(x), _checked(b, op, b.ints(op, 1, "shape"))
    fits = all(a in (1, d) for a, d in zip(shape[::-1], made[::-1], strict=False))
    if len(shape) > len(made) or not fits:
        raise ModelError(f"{list(shape)} does not broadcast to {list(made)}", where=b.at(op))
    ones = (1,) * (len(made) - len(shape))
    inside = graph_shape(made)
    lead = (1,) if inside != made else ()
    b.add(op, "broadcast_to", (b.view(op, "aligned", x, (*lead, *ones, *shape)),), {}, made)


def _blocks(kind: str, deals: bool) -> Handler:
    """`deals`: pixels to channels, and not channels to pixels."""

    def handler(b: Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        shape, block = b.file_shape(x), int(op.options["BlockSize"])
        if len(shape) != 4 or not 1 <= block <= MAX_DIM:
            raise b.unsupported(op, f"blocks of {block} of shape {list(shape)}", "4 dimensions, NHWC")
        n, h, w, c = shape
        if (h % block or w % block) if deals else c % (block * block):
            raise ModelError(f"shape {list(shape)} does not divide into blocks of {block}", where=b.at(op))
        made = (n, h // block, w // block, c * block**2) if deals else (n, h * block, w * block, c // block**2)
        b.add(op, kind, (x,), {"block": block}, made)

    return handler


def _gather(b: Builder, op: FileOperator) -> None:
    if is_lookup(b, op):
        rows_of_constant(b, op)
        return
    shape = _file_shape(b, op, 0)
    axis = _axis(b, op, int(op.options["Axis"]), len(shape))
    places = np.array(b.ints(op, 1, "indices"), np.int64)
    if op.options["BatchDims"]:
        _gather_in_batches(b, op, shape, axis, places.reshape(b.shape_of(op.inputs[1])))
        return
    if not places.size or places.min() < 0 or places.max() >= shape[axis]:
        raise ModelError(f"indices outside of the {shape[axis]} values of axis {axis}", where=b.at(op))
    x = Moved(b, op, 0, batched=axis > 0)
    name = f"{node_name(op)}/indices"
    b.tensors[name] = constant(name, places.astype(np.int32), Role.INDEX)
    made = (*shape[:axis], places.size, *shape[axis + 1 :])
    out = (*shape[:axis], *b.shape_of(op.inputs[1]), *shape[axis + 1 :])
    if math.prod(out) != math.prod(made):
        raise ModelError(f"{places.size} indices for an output of shape {list(out)}", where=b.at(op))
    x.write("take", {"axis": axis + len(x.lead)}, made, out, None, name)


def _gather_in_batches(b: Builder, op: FileOperator, shape: Shape, axis: int, indices: Array) -> None:
    """Each part of the input, by its first axes, has indices of its own."""
    count = int(op.options["BatchDims"])
    count += indices.ndim if count < 0 else 0
    if not 0 <= count <= min(axis, indices.ndim) or shape[:count] != indices.shape[:count]:
        what = f"{op.options['BatchDims']} batch dimensions of shape {list(shape)} with axis {axis}"
        raise ModelError(f"{what} and indices of shape {list(indices.shape)}", where=b.at(op))
    if not indices.size or indices.min() < 0 or indices.max() >= shape[axis]:
        raise ModelError(f"indices outside of the {shape[axis]} values of axis {axis}", where=b.at(op))
    lead, inner = shape[:count], shape[count:axis]
    parts = math.prod(lead) * math.prod(inner)
    starts = np.arange(parts).reshape(math.prod(lead), -1, 1) * shape[axis]
    places = starts + indices.reshape(math.prod(lead), 1, -1)
    _taken(b, op, axis + 1, places, (*lead, *inner, *indices.shape[count:], *shape[axis + 1 :]))


def _gather_nd(b: Builder, op: FileOperator) -> None:
    """Each row of the indices is a place in the input's first axes."""
    shape = _file_shape(b, op, 0)
    indices = np.array(b.ints(op, 1, "indices"), np.int64).reshape(b.shape_of(op.inputs[1]))
    depth = indices.shape[-1] if indices.ndim else 0
    if not 1 <= depth <= len(shape) or not indices.size:
        raise ModelError(f"indices of shape {list(indices.shape)} into shape {list(shape)}", where=b.at(op))
    if indices.min() < 0 or np.any(indices >= shape[:depth]):
        raise ModelError(f"indices outside of the axes {list(shape[:depth])}", where=b.at(op))
    places = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), shape[:depth])
    _taken(b, op, depth, np.asarray(places), (*indices.shape[:-1], *shape[depth:]))


def _taken(b: Builder, op: FileOperator, depth: int, places: Array, out: Shape) -> None:
    """Of the input, whose first axes (`depth`) are one, what is at these places of it."""
    x = b.operand(op, 0, "input", rowwise=True)
    shape = b.file_shape(x)
    count, inner = math.prod(shape[:depth]), math.prod(shape[depth:])
    if max(count, places.size, inner) > MAX_DIM:
        raise b.unsupported(op, f"{places.size} places of {count} with {inner} values each", f"up to {MAX_DIM} of each")
    name = f"{node_name(op)}/indices"
    b.tensors[name] = constant(name, places.ravel().astype(np.int32), Role.INDEX)
    flat = b.view(op, "flat", x, (1, count, inner))
    taken = b.inner(op, "taken", "take", (flat, name), {"axis": 1}, (1, places.size, inner))
    b.add(op, "reshape", (taken,), {}, out)


HANDLERS: dict[str, Handler] = {
    "TRANSPOSE": _transpose,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "REVERSE_V2": _reverse,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast_to,
    "DEPTH_TO_SPACE": _blocks("depth_to_space", deals=False),
    "SPACE_TO_DEPTH": _blocks("space_to_depth", deals=True),
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
}
