"""Operators that move values and compute none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from ....errors import ModelError
from ....graph.ir import Array, Tensor, constant
from .. import shapes
from ..builder import MAX_DIM, Builder, Handler, graph_shape
from ..file import FileOperator
from .common import Attrs, Moved, Shape, activation, rescaled


def _pad(b: Builder, op: FileOperator) -> None:
    pads = _amounts(b, op)
    x = Moved(b, op, 0, batched=pads[:2] == [0, 0])
    attrs: Attrs = {"pads": x.axes(0, pads, 2)}
    kind = "pad"
    if op.builtin == "MIRROR_PAD":
        mode = int(op.options["Mode"])
        if mode not in (0, 1):
            raise b.unsupported(op, f"mode number {mode}", "REFLECT, SYMMETRIC")
        kind, attrs["mode"] = "mirror_pad", ("reflect", "symmetric")[mode]
    elif op.builtin == "PADV2" and (value := _fill(b, op, b.tensors[x.x])):
        kind, attrs["value"] = "pad_with", value
    pairs = zip(x.shape, pads[::2], pads[1::2], strict=True)
    x.write(kind, attrs, tuple(size + before + after for size, before, after in pairs))


def _amounts(b: Builder, op: FileOperator) -> list[int]:
    """Before and after each axis."""
    shape = b.file_shape(b.operand(op, 0, "input", rowwise=True))
    pads = b.ints(op, 1, "paddings")
    if len(pads) != 2 * len(shape) or any(not 0 <= p <= MAX_DIM for p in pads):
        raise ModelError(f"paddings {pads} do not match shape {list(shape)}", where=b.at(op))
    return pads


def _fill(b: Builder, op: FileOperator, x: Tensor) -> float:
    """The number that PADV2 fills with."""
    fill = b.file_tensor(op, 2, "value")
    if fill.data is None or fill.data.size != 1:
        raise b.unsupported(op, f"value (tensor {fill.index} {fill.name[:60]!r})", "one constant")
    b.check_type(op, "value", fill, (x.dtype,))
    value = float(fill.data.ravel()[0])
    if not math.isfinite(value):
        raise b.unsupported(op, f"a fill of {value}", "a finite number")
    # LiteRT takes the level as it is, whatever the constant's own scale.
    return value if x.quant is None else (value - x.q.zero_point) * x.q.scale


def _reshape(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input", rowwise=True)
    shape = b.file_shape(x)
    target = list(b.file_output(op).shape)
    if op.builtin == "RESHAPE" and len(op.inputs) > 1 and op.inputs[1] >= 0:
        target = b.ints(op, 1, "shape")
    if op.builtin == "EXPAND_DIMS":
        (axis,) = b.ints(op, 1, "axis")[:1] or [0]
        target = list(shape)
        target.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    ones = shape.count(1)
    if op.builtin == "SQUEEZE" and ones == len(shape) - len(target):  # all go; the file may have a placeholder
        target = [d for d in shape if d != 1]
    try:
        out = shapes.resolve(target, math.prod(shape))
    except ValueError as error:
        raise ModelError(str(error), where=b.at(op)) from error
    b.add(op, "reshape", (x,), {}, out)


def _blocks(b: Builder, op: FileOperator, edges: str) -> tuple[str, list[int], list[int]]:
    """Input, block sizes, and what is put on (or cut off) before and after each spatial axis."""
    x = b.operand(op, 0, "input")
    rank = len(b.tensors[x].shape)
    blocks, amounts = b.ints(op, 1, "block"), b.ints(op, 2, edges)
    if not 3 <= rank <= 4 or len(blocks) != rank - 2 or len(amounts) != 2 * len(blocks):
        raise b.unsupported(op, f"block {blocks} and {edges} {amounts} of a tensor of rank {rank}", "rank 3 or 4")
    if any(not 1 <= v <= MAX_DIM for v in blocks) or any(not 0 <= v <= MAX_DIM for v in amounts):
        raise ModelError(f"block {blocks} and {edges} {amounts} are out of range", where=b.at(op))
    return x, blocks, amounts


def _space_to_batch(b: Builder, op: FileOperator) -> None:
    x, blocks, pads = _blocks(b, op, "paddings")
    n, *sizes, channels = b.tensors[x].shape
    sizes = [size + before + after for size, before, after in zip(sizes, pads[::2], pads[1::2], strict=True)]
    if any(size % block for size, block in zip(sizes, blocks, strict=True)):
        raise ModelError(f"padded sizes {sizes} do not divide into blocks of {blocks}", where=b.at(op))
    shape = (n * math.prod(blocks), *(size // block for size, block in zip(sizes, blocks, strict=True)), channels)
    b.add(op, "space_to_batch", (x,), {"blocks": ",".join(map(str, blocks)), "pads": ",".join(map(str, pads))}, shape)


def _batch_to_space(b: Builder, op: FileOperator) -> None:
    x, blocks, crops = _blocks(b, op, "crops")
    n, *sizes, channels = b.tensors[x].shape
    sizes = [
        size * block - before - after
        for size, block, before, after in zip(sizes, blocks, crops[::2], crops[1::2], strict=True)
    ]
    if n % math.prod(blocks) or min(sizes) < 1:
        raise ModelError(f"blocks {blocks} and crops {crops} do not fit {list(b.tensors[x].shape)}", where=b.at(op))
    shape = (n // math.prod(blocks), *sizes, channels)
    b.add(op, "batch_to_space", (x,), {"blocks": ",".join(map(str, blocks)), "crops": ",".join(map(str, crops))}, shape)


def _concat(b: Builder, op: FileOperator) -> None:
    parts = _parts(b, op)
    axis = _joined_axis(b, op, parts, len(parts[0].shape))
    _join(b, op, parts, axis, activation(b, op))


def _pack(b: Builder, op: FileOperator) -> None:
    """Each input gets the new axis by a reshape."""
    parts = _parts(b, op)
    axis = _joined_axis(b, op, parts, len(parts[0].shape) + 1)
    _join(b, op, [replace(p, shape=(*p.shape[:axis], 1, *p.shape[axis:])) for p in parts], axis, "none")


def _parts(b: Builder, op: FileOperator) -> list[_Part]:
    parts = []
    for i in range(len(op.inputs)):
        t = b.file_tensor(op, i, f"input{i}")
        name = b.operand(op, i, f"input{i}", rowwise=True, may_be_constant=True)
        parts.append(_Part(name, t.shape if t.data is not None else b.file_shape(name), t.data))
    if not parts:
        raise ModelError("no inputs", where=b.at(op))
    if all(part.data is not None for part in parts):
        raise b.unsupported(op, "constants alone", "an activation")
    return parts


@dataclass(frozen=True, slots=True)
class _Part:
    """One of several tensors that are joined: its name in the graph, its shape in the file, and its value."""

    name: str
    shape: Shape
    data: Array | None


def _joined_axis(b: Builder, op: FileOperator, parts: Sequence[_Part], rank: int) -> int:
    axis = int(op.options["Axis"])
    if not -rank <= axis < rank or len(b.file_output(op).shape) != rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    if any(len(p.shape) != len(parts[0].shape) for p in parts):
        raise ModelError(f"inputs of shapes {[list(p.shape) for p in parts]}", where=b.at(op))
    return axis % rank


def _total(shapes_: Sequence[Shape], axis: int) -> Shape:
    """Of tensors one behind the other."""
    return (*shapes_[0][:axis], sum(shape[axis] for shape in shapes_), *shapes_[0][axis + 1 :])


def _join(b: Builder, op: FileOperator, parts: Sequence[_Part], axis: int, clamp: str) -> None:
    """Inputs under these shapes, one behind the other along an axis of the file's.

    Activations side by side are joined first, then one constant after the other.
    """
    made = _total([p.shape for p in parts], axis)
    if any((*p.shape[:axis], *p.shape[axis + 1 :]) != (*made[:axis], *made[axis + 1 :]) for p in parts):
        raise ModelError(
            f"shapes {[list(p.shape) for p in parts]} do not concatenate along axis {axis}", where=b.at(op)
        )
    lead = (1,) if graph_shape(made) != made else ()
    axis += len(lead)
    if axis == 0:  # one input along the axis of the batch
        b.add(op, "reshape", (parts[0].name,), {}, made)
        return
    inside = []
    for i, part in enumerate(parts):
        shape = (*lead, *part.shape)
        name = part.name
        if part.data is None:
            name = b.view(op, f"part{i}", rescaled(b, op, name, i), shape)
        inside.append(replace(part, name=name, shape=shape))
    if all(p.data is None for p in inside):
        b.add(op, "concat", tuple(p.name for p in inside), {"axis": axis, "activation": clamp}, made)
        return
    if clamp != "none":
        raise b.unsupported(op, "a constant input and a fused activation", "one of the two")
    groups = _side_by_side(b, op, inside, axis)
    at = next(i for i, p in enumerate(groups) if p.data is None)
    while len(groups) > 1:
        attrs: Attrs = {"axis": axis, "activation": "none"}
        pair, kind, order = groups[:2], "concat", (0, 1)
        if at > 0 or groups[1].data is not None:
            first = int(at > 0)
            at -= first
            pair, kind, order = groups[at : at + 2], "concat_const", (first, 1 - first)
            attrs = {"axis": axis, "first": first}
        names = tuple(pair[i].name for i in order)
        shape = _total([p.shape for p in pair], axis)
        if len(groups) == 2:
            b.add(op, kind, names, attrs, made)
            return
        joined = _Part(b.inner(op, f"joined{len(groups)}", kind, names, attrs, shape), shape, None)
        groups[at : at + 2] = [joined]


def _side_by_side(b: Builder, op: FileOperator, parts: Sequence[_Part], axis: int) -> list[_Part]:
    """Constants side by side as one, and activations as one."""
    groups: list[_Part] = []
    for i, (constant_, run) in enumerate(groupby(parts, lambda p: p.data is not None)):
        members = list(run)
        shape = _total([p.shape for p in members], axis)
        if constant_:
            t = b.tensors[members[0].name]
            if any(b.tensors[p.name].quant != t.quant for p in members):
                raise b.unsupported(op, "constants of different scales", "one scale")
            data = np.concatenate([b.tensors[p.name].value.reshape(p.shape) for p in members], axis)
            b.tensors[t.name] = constant(t.name, data, t.role, t.quant)
            groups.append(_Part(t.name, shape, data))
        elif len(members) == 1:
            groups.append(members[0])
        else:
            names = tuple(p.name for p in members)
            attrs: Attrs = {"axis": axis, "activation": "none"}
            groups.append(_Part(b.inner(op, f"run{i}", "concat", names, attrs, shape), shape, None))
    return groups


def _cast(b: Builder, op: FileOperator) -> None:
    """Between equal types, or true and false to the numbers 1 and 0."""
    x, given, out = b.operand(op, 0, "input", rowwise=True), b.file_tensor(op, 0, "input"), b.file_output(op)
    kind = "reshape" if given.dtype == out.dtype else "dequantize"
    if b.in_float and given.dtype == "float32" == out.dtype and out.index not in b.model.truths:
        b.add(op, kind, (x,), {}, b.file_shape(x))
        return
    if (given.index in b.model.truths) != (kind == "dequantize" or out.index in b.model.truths):
        raise b.unsupported(op, "a change of type", "int8 to int8, bool to bool or to float32")
    b.add(op, kind, (x,), {}, b.file_shape(x))


HANDLERS: dict[str, Handler] = {
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _pad,
    "RESHAPE": _reshape,
    "EXPAND_DIMS": _reshape,
    "SQUEEZE": _reshape,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "CONCATENATION": _concat,
    "PACK": _pack,
    "CAST": _cast,
}
