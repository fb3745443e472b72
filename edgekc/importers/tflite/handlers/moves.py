"""Operators that move values and compute none."""

from __future__ import annotations

import math

from ....errors import ModelError
from ....graph.ir import Tensor
from .. import shapes
from ..builder import MAX_DIM, Builder, Handler, graph_shape
from ..file import FileOperator
from .common import Attrs, Moved, activation


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
    b.check_type(op, "value", fill, ("int8",))
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
    names = [b.operand(op, i, f"input{i}", rowwise=True) for i in range(len(op.inputs))]
    if not names:
        raise ModelError("no inputs", where=b.at(op))
    shapes_ = [b.file_shape(name) for name in names]
    axis = _joined_axis(b, op, shapes_, len(shapes_[0]))
    _join(b, op, names, shapes_, axis, activation(b, op))


def _pack(b: Builder, op: FileOperator) -> None:
    """Each input gets the new axis by a reshape."""
    names = [b.operand(op, i, f"input{i}", rowwise=True) for i in range(len(op.inputs))]
    if not names:
        raise ModelError("no inputs", where=b.at(op))
    shapes_ = [b.file_shape(name) for name in names]
    axis = _joined_axis(b, op, shapes_, len(shapes_[0]) + 1)
    _join(b, op, names, [(*shape[:axis], 1, *shape[axis:]) for shape in shapes_], axis, "none")


def _joined_axis(b: Builder, op: FileOperator, shapes_: list[tuple[int, ...]], rank: int) -> int:
    axis = int(op.options["Axis"])
    if not -rank <= axis < rank or len(b.file_output(op).shape) != rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    if any(len(shape) != len(shapes_[0]) for shape in shapes_):
        raise ModelError(f"inputs of shapes {[list(shape) for shape in shapes_]}", where=b.at(op))
    return axis % rank


def _join(
    b: Builder, op: FileOperator, names: list[str], shapes_: list[tuple[int, ...]], axis: int, clamp: str
) -> None:
    """Inputs under these shapes, one behind the other along an axis of the file's."""
    made = (*shapes_[0][:axis], sum(shape[axis] for shape in shapes_), *shapes_[0][axis + 1 :])
    if any((*s[:axis], *s[axis + 1 :]) != (*made[:axis], *made[axis + 1 :]) for s in shapes_):
        raise ModelError(f"shapes {[list(s) for s in shapes_]} do not concatenate along axis {axis}", where=b.at(op))
    lead = (1,) if graph_shape(made) != made else ()
    if axis + len(lead) == 0:  # one input along the axis of the batch
        b.add(op, "reshape", (names[0],), {}, made)
        return
    parts = [b.view(op, f"part{i}", n, (*lead, *s)) for i, (n, s) in enumerate(zip(names, shapes_, strict=True))]
    b.add(op, "concat", tuple(parts), {"axis": axis + len(lead), "activation": clamp}, made)


def _cast(b: Builder, op: FileOperator) -> None:
    """Between equal types, which the checks of both ends leave."""
    x = b.operand(op, 0, "input", rowwise=True)
    b.add(op, "reshape", (x,), {}, b.file_shape(x))


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
