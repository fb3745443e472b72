"""Layers of random networks that move values: transposes, slices, repetitions, blocks, and lists of places."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from ..graph.ir import AttrValue, Node, Role, Tensor, constant
from ..graph.op import View
from .layers import MOST, Builder, Layer
from .values import tensor

T = TypeVar("T")


def text(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


def _batched(x: Tensor) -> bool:
    return x.shape[:1] == (1,) and len(x.shape) > 1


def _axis(b: Builder, x: Tensor) -> int:
    """Of the last axes; the first too where it is not a batch of one."""
    return b.between(int(_batched(x)), len(x.shape) - 1)


def _each(b: Builder, x: Tensor, change: Callable[[int], T], same: Callable[[int], T]) -> list[T]:
    """Something for each axis, by its size: `same` for a batch of one."""
    return [same(size) if i == 0 and size == 1 else change(size) for i, size in enumerate(x.shape)]


def transpose(b: Builder, x: Tensor) -> Tensor | None:
    """Of any axes; now and then of the first one too, whose place then is one of rows."""
    if len(x.shape) < 2:
        return None
    rest = 1 + b.rng.permutation(len(x.shape) - 1)
    perm = [0, *rest] if not b.chance(0.1) else list(b.rng.permutation(len(x.shape)))
    shape = [x.shape[p] for p in perm]
    return b.emit("transpose", {"perm": text(perm)}, [x], b.new("transpose", shape, x.q))


def _axis_slice(b: Builder, size: int, steps: Sequence[int] = (1, 1, 1, 2, 3, -1, -2)) -> tuple[int, int, int]:
    """(begin, size, step) of values of an axis."""
    step = int(b.rng.choice(steps))
    first, last = sorted((b.between(0, size - 1), b.between(0, size - 1)))
    count = (last - first) // abs(step) + 1
    return (first if step > 0 else last), count, step


def strided_slice(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) < 2:
        return None
    axes = _each(b, x, lambda d: _axis_slice(b, d) if b.chance(0.6) else (0, d, 1), lambda d: (0, d, 1))
    begins, sizes, steps = zip(*axes, strict=True)
    attrs: dict[str, AttrValue] = {"begins": text(begins), "sizes": text(sizes), "strides": text(steps)}
    return b.emit("strided_slice", attrs, [x], b.new("strided_slice", sizes, x.q))


def masked_slice(b: Builder, x: Tensor) -> Tensor | None:
    """With all masks of a file: new axes, axes that go, an ellipsis, and ends that are left open or too far out."""
    if not _batched(x):
        return None
    begins, ends, steps, out = list[int](), list[int](), list[int](), list[int]()
    masks = dict.fromkeys(("begin", "end", "ellipsis", "new_axis", "shrink"), 0)

    def entry(begin: int, end: int, step: int, mask: str = "") -> None:
        if mask:
            masks[mask] |= 1 << len(begins)
        begins.append(begin)
        ends.append(end)
        steps.append(step)

    dots = b.between(1, len(x.shape)) if b.chance(0.4) else 0
    for i, size in enumerate(x.shape):
        if dots and i == dots:
            entry(0, 0, 1, "ellipsis")
            out += x.shape[i:]
            break
        if i and len(x.shape) < 4 and b.chance(0.2):
            entry(0, 1, 1, "new_axis")
            out.append(1)
        if i and b.chance(0.2):
            at = b.between(0, size - 1)
            entry(at if b.chance(0.5) else at - size, at + 1, 1, "shrink")
            continue
        first, count, step = _axis_slice(b, size) if i else (0, 1, 1)
        last = first + (count - 1) * step
        end = last + (1 if step > 0 else -1)
        place = len(begins)
        entry(first, end if end >= 0 else -size - 1 - b.between(0, 3), step)
        if first == (0 if step > 0 else size - 1) and b.chance(0.5):
            masks["begin"] |= 1 << place
            begins[place] = b.between(-3, 3)
        if (last + step >= size or last + step < 0) and b.chance(0.5):
            masks["end"] |= 1 << place
            ends[place] = b.between(-3, 3)
        out.append(count)
    if len(out) < 2:
        return None
    attrs = {"begin": text(begins), "end": text(ends), "strides": text(steps)}
    numbers = {f"{name}_mask": mask for name, mask in masks.items()}
    return b.emit("masked_slice", {**attrs, **numbers}, [x], b.new("masked_slice", out, x.q))


def plain_slice(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) < 2:
        return None
    axes = _each(b, x, lambda d: _axis_slice(b, d, (1,)), lambda d: (0, d, 1))
    begins, sizes, _ = zip(*axes, strict=True)
    stated = [-1 if begin + size == d and b.chance(0.5) else size for begin, size, d in zip(begins, sizes, x.shape, strict=True)]  # fmt: skip  # noqa: E501
    return b.emit("slice", {"begins": text(begins), "sizes": text(stated)}, [x], b.new("slice", sizes, x.q))


def reverse(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) < 2:
        return None
    axis = _axis(b, x)
    stated = axis if b.chance(0.5) else axis - len(x.shape)
    return b.emit("reverse", {"axes": str(stated)}, [x], b.new("reverse", x.shape, x.q))


def _several(b: Builder, op: str, attrs: dict[str, int | float | str], x: Tensor, shapes: Sequence[Sequence[int]]) -> Tensor:  # fmt: skip  # noqa: E501
    """A node of several outputs, all of which may be read; the first one."""
    name = b.name(op)
    outs = tuple(tensor(f"{name}_{i}", shape, x.q) for i, shape in enumerate(shapes))
    b.views.append(View(Node(op, name, (x.name,), tuple(t.name for t in outs), attrs), (x,), outs))
    b.read.add(x.name)
    for t in outs:
        b.roots[t.name] = b.roots.get(x.name, x.name) if len(outs) == 1 else t.name
    b.live += outs
    return outs[0]


def split(b: Builder, x: Tensor) -> Tensor | None:
    """In equal parts, or in parts of any size."""
    if len(x.shape) < 2:
        return None
    axis = _axis(b, x)
    size = x.shape[axis]
    stated = axis if b.chance(0.5) else axis - len(x.shape)
    if b.chance(0.5):
        count = int(b.rng.choice([d for d in range(1, min(size, 4) + 1) if size % d == 0]))
        sizes, op, attrs = [size // count] * count, "split", {}
    else:
        cuts = sorted({b.between(1, size) for _ in range(2)} | {size})
        sizes = np.diff([0, *cuts]).tolist()
        given = [*sizes[:-1], -1] if b.chance(0.3) else sizes
        op, attrs = "split_v", {"sizes": text(given)}
    shapes = [(*x.shape[:axis], part, *x.shape[axis + 1 :]) for part in sizes]
    return _several(b, op, {"axis": stated, **attrs}, x, shapes)


def unpack(b: Builder, x: Tensor) -> Tensor | None:
    found = [a for a in range(len(x.shape)) if x.shape[a] <= 4]
    if len(x.shape) < 3 or not found:
        return None
    axis = int(b.rng.choice(found))
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    first = _several(b, "unpack", {"axis": axis}, x, [shape] * x.shape[axis])
    if x.shape[axis] == 1:
        b.roots[first.name] = b.roots.get(x.name, x.name)
    return first


def pack(b: Builder, x: Tensor) -> Tensor | None:
    """Of tensors of one shape and scale, which are clamps of the first."""
    count = b.between(1, 6)
    if len(x.shape) > 3 or count * math.prod(x.shape) > MOST:
        return None
    parts = [x]
    while len(parts) < count:
        parts.append(b.emit("relu", {"activation": "relu"}, [x], b.new("relu", x.shape, x.q)))
    axis = b.between(0, len(x.shape))
    shape = (*x.shape[:axis], count, *x.shape[axis:])
    stated = axis if b.chance(0.5) else axis - len(shape)
    return b.emit("pack", {"axis": stated}, parts, b.new("pack", shape, x.q))


def tile(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) < 2:
        return None
    repeats = _each(b, x, lambda d: b.between(1, 3) if b.chance(0.5) else 1, lambda d: 1)
    shape = [times * size for times, size in zip(repeats, x.shape, strict=True)]
    if math.prod(shape) > MOST:
        return None
    return b.emit("tile", {"repeats": text(repeats)}, [x], b.new("tile", shape, x.q))


def broadcast_to(b: Builder, x: Tensor) -> Tensor | None:
    if not _batched(x):
        return None
    shape = [1, *(b.between(1, 4) if d == 1 else d for d in x.shape[1:])]
    if math.prod(shape) > MOST:
        return None
    return b.emit("broadcast_to", {}, [x], b.new("broadcast_to", shape, x.q))


def depth_to_space(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    blocks = [d for d in (2, 3, 4, 1) if x.shape[3] % (d * d) == 0]
    block = blocks[0] if b.chance(0.7) else blocks[-1]
    _, h, w, c = x.shape
    shape = (1, h * block, w * block, c // block**2)
    return b.emit("depth_to_space", {"block": block}, [x], b.new("depth_to_space", shape, x.q))


def space_to_depth(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    blocks = [d for d in (3, 2, 1) if x.shape[1] % d == 0 and x.shape[2] % d == 0]
    block = blocks[0]
    _, h, w, c = x.shape
    shape = (1, h // block, w // block, c * block**2)
    return b.emit("space_to_depth", {"block": block}, [x], b.new("space_to_depth", shape, x.q))


def take(b: Builder, x: Tensor) -> Tensor | None:
    """GATHER of a vector of places, in any order."""
    if len(x.shape) < 2:
        return None
    axis = _axis(b, x)
    places = b.rng.integers(0, x.shape[axis], b.between(1, 6)).astype(np.int32)
    shape = (*x.shape[:axis], places.size, *x.shape[axis + 1 :])
    if math.prod(shape) > MOST:
        return None
    indices = constant(f"{b.name('take')}/indices", places, Role.INDEX)
    return b.emit("take", {"axis": axis}, [x, indices], b.new("take", shape, x.q))


def gather_by_place(b: Builder, x: Tensor) -> Tensor | None:
    """GATHER_ND, and GATHER of which each part of the input has indices of its own."""
    if not _batched(x) or len(x.shape) < 2:
        return None
    if b.chance(0.5):
        depth = b.between(1, len(x.shape))
        count: tuple[int, ...] = (b.between(1, 4),) if b.chance(0.5) else (1, b.between(1, 4))
        places = np.stack([b.rng.integers(0, d, count) for d in x.shape[:depth]], -1)
        shape, op, attrs = (*count, *x.shape[depth:]), "gather_nd", {}
    else:
        axis = b.between(1, len(x.shape) - 1)
        batches = b.between(1, axis)
        count = (*x.shape[:batches], b.between(1, 4))
        places = b.rng.integers(0, x.shape[axis], count)
        shape, op = (*x.shape[:axis], count[-1], *x.shape[axis + 1 :]), "take_in_batches"
        attrs = {"axis": axis, "batch_dims": batches}
    if math.prod(shape) > MOST:
        return None
    indices = constant(f"{b.name(op)}/indices", places.astype(np.int32), Role.INDEX)
    return b.emit(op, dict(attrs), [x, indices], b.new(op, shape, x.q))


def mirror_pad(b: Builder, x: Tensor) -> Tensor | None:
    if not _batched(x):
        return None
    edge = b.between(0, 1)
    pads = [(0, 0)]
    for size in x.shape[1:]:
        most = min(size - 1 + edge, 3)
        pads.append((b.between(0, most), b.between(0, most)) if b.chance(0.7) else (0, 0))
    shape = [d + before + after for d, (before, after) in zip(x.shape, pads, strict=True)]
    if math.prod(shape) > MOST:
        return None
    attrs = {"pads": text([v for pair in pads for v in pair]), "mode": ("reflect", "symmetric")[edge]}
    return b.emit("mirror_pad", dict(attrs), [x], b.new("mirror_pad", shape, x.q))


def pad_with(b: Builder, x: Tensor) -> Tensor | None:
    """PADV2 with any level."""
    if not _batched(x):
        return None
    pads = [(0, 0), *((b.between(0, 2), b.between(0, 2)) for _ in x.shape[1:])]
    shape = [d + before + after for d, (before, after) in zip(x.shape, pads, strict=True)]
    if math.prod(shape) > MOST:
        return None
    level = b.between(-128, 127)
    value = (level - x.q.zero_point) * x.q.scale
    attrs: dict[str, AttrValue] = {"pads": text([v for pair in pads for v in pair]), "value": value}
    return b.emit("pad_with", attrs, [x], b.new("pad_with", shape, x.q))


def _constant(b: Builder, name: str, x: Tensor, axis: int) -> Tensor:
    """Of the scale of `x`, which it can be joined to."""
    shape = (*x.shape[:axis], b.between(1, 3), *x.shape[axis + 1 :])
    return constant(name, b.rng.integers(-128, 128, shape).astype(np.int8), Role.WEIGHTS, x.q)


def concat_const(b: Builder, x: Tensor) -> Tensor | None:
    """With a constant, such as the class token of a transformer."""
    if not _batched(x):
        return None
    axis, first = b.between(1, len(x.shape) - 1), b.between(0, 1)
    values = _constant(b, f"{b.name('concat_const')}/values", x, axis)
    shape = (*x.shape[:axis], x.shape[axis] + values.shape[axis], *x.shape[axis + 1 :])
    return b.emit("concat_const", {"axis": axis, "first": first}, [x, values], b.new("concat_const", shape, x.q))


def concat_any(b: Builder, x: Tensor) -> Tensor | None:
    """Of the input, clamps of it and constants, in any order."""
    if len(x.shape) < 2:
        return None
    axis, name, parts = _axis(b, x), b.name("concat_any"), [x]
    for i in range(b.between(1, 5)):
        parts.append(_constant(b, f"{name}/k{i}", x, axis))
        if b.chance(0.4):
            parts[-1] = b.emit("relu", {"activation": "relu"}, [x], b.new("relu", x.shape, x.q))
    order = [parts[i] for i in b.rng.permutation(len(parts))]
    shape = [sum(p.shape[i] for p in parts) if i == axis else d for i, d in enumerate(x.shape)]
    return b.emit("concat_any", {"axis": axis}, order, b.new("concat_any", shape, x.q))


def cast(b: Builder, x: Tensor) -> Tensor | None:
    """To the type that it has."""
    return b.emit("cast", {}, [x], b.new("cast", x.shape, x.q))


def shuffle(b: Builder, x: Tensor) -> Tensor | None:
    """Channels of two groups dealt out in turn: a reshape, a transpose and a reshape."""
    if len(x.shape) != 4 or x.shape[0] != 1 or x.shape[3] % 2:
        return None
    _, h, w, c = x.shape
    apart = b.emit("reshape", {}, [x], b.new("reshape", (1, h * w, 2, c // 2), x.q))
    turned = b.emit("transpose", {"perm": "0,1,3,2"}, [apart], b.new("transpose", (1, h * w, c // 2, 2), x.q))
    return b.emit("reshape", {}, [turned], b.new("reshape", (1, h, w, c), x.q))


LAYERS: dict[Layer, float] = {
    transpose: 0.7, strided_slice: 0.5, masked_slice: 0.5, plain_slice: 0.3, reverse: 0.3, split: 0.5, unpack: 0.3,
    pack: 0.4, tile: 0.3, broadcast_to: 0.2, depth_to_space: 0.3, space_to_depth: 0.3, take: 0.5, mirror_pad: 0.4,
    pad_with: 0.4, shuffle: 0.4, concat_const: 0.3, concat_any: 0.4,
    cast: 0.2, gather_by_place: 0.5,
}  # fmt: skip
