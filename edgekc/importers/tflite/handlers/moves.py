"""Operators that move values and compute none."""

from __future__ import annotations

import math

from ....errors import ModelError
from .. import shapes
from ..builder import MAX_DIM, Builder, Handler
from ..file import FileOperator
from .common import activation, rescaled


def _pad(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    pads = b.ints(op, 1, "paddings")
    if len(pads) != 2 * len(b.tensors[x].shape) or any(not 0 <= p <= MAX_DIM for p in pads):
        raise ModelError(f"paddings {pads} do not match shape {list(b.tensors[x].shape)}", where=b.at(op))
    if op.builtin == "PADV2":
        fill = b.file_tensor(op, 2, "value")
        zero = b.tensors[x].q.zero_point
        if fill.data is None or fill.data.size != 1 or int(fill.data.ravel()[0]) != zero:
            raise b.unsupported(op, f"value (tensor {fill.index} {fill.name[:60]!r})", f"the zero point, {zero}")
    b.add(op, "pad", (x,), {"pads": ",".join(map(str, pads))})


def _reshape(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input", rowwise=op.builtin == "RESHAPE")
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
    names = tuple(b.operand(op, i, f"input{i}") for i in range(len(op.inputs)))
    if not names:
        raise ModelError("no inputs", where=b.at(op))
    rank = len(b.tensors[names[0]].shape)
    axis = int(op.options["Axis"])
    if not -rank <= axis < rank or len(b.file_output(op).shape) != rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    names = tuple(rescaled(b, op, name, i) for i, name in enumerate(names))
    b.add(op, "concat", names, {"axis": axis % rank, "activation": activation(b, op)})


HANDLERS: dict[str, Handler] = {
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "EXPAND_DIMS": _reshape,
    "SQUEEZE": _reshape,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "CONCATENATION": _concat,
}
