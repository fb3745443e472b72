"""A uint8 model of older TensorFlow to one of int8 inside: every level less 128, edges as the file has them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from .file import FileModel, FileOperator, FileTensor

_CASTS = ("QUANTIZE", "DEQUANTIZE")  # take uint8 at the edges of int8 models
_FLIP = np.uint8(0x80)  # a level less 128, in the same bits


def computes(model: FileModel) -> frozenset[int]:
    """Indices of the operators that compute in uint8."""
    return frozenset(
        op.index
        for op in model.operators
        if op.builtin not in _CASTS
        if any(_moves(model.tensors[i]) for i in (*op.inputs, *op.outputs) if i >= 0)
    )


def signed(model: FileModel) -> FileModel:
    """The same model in int8; as it is where nothing computes in uint8.

    Exact, because real values are `scale * (level - zero point)`, and both lose 128.
    Behind each uint8 input and in front of each uint8 output is a QUANTIZE, so that users see the file's own edges.
    Weights keep a zero point where theirs is not 128.
    """
    unsigned = computes(model)
    if not unsigned:
        return model
    edges = {i for i in (*model.inputs, *model.outputs) if _moves(model.tensors[i])}
    tensors = [_signed(t) if _moves(t) else t for t in model.tensors]
    inside: dict[int, int] = {}
    numbers = itertools.count(1 + max(op.index for op in model.operators))
    for i in sorted(edges):
        outside = model.tensors[i]
        inside[i] = len(tensors)
        tensors.append(replace(tensors[i], index=len(tensors)))
        tensors[i] = outside
    operators = [
        replace(op, inputs=_renamed(op.inputs, inside), outputs=_renamed(op.outputs, inside)) for op in model.operators
    ]
    before = [_cast(next(numbers), i, inside[i]) for i in dict.fromkeys(model.inputs) if i in edges]
    after = [
        _cast(next(numbers), inside[i], i) for i in dict.fromkeys(model.outputs) if i in edges and i not in model.inputs
    ]
    return replace(model, tensors=tuple(tensors), operators=(*before, *operators, *after), unsigned=unsigned)


def _moves(t: FileTensor) -> bool:
    return t.dtype == "uint8" and t.quant is not None


def _signed(t: FileTensor) -> FileTensor:
    assert t.quant is not None
    quant = replace(t.quant, zero_points=tuple(z - 128 for z in t.quant.zero_points))
    data = None if t.data is None else (t.data ^ _FLIP).view(np.int8)
    return replace(t, dtype="int8", quant=quant, data=data)


def _renamed(indices: tuple[int, ...], inside: dict[int, int]) -> tuple[int, ...]:
    return tuple(inside.get(i, i) for i in indices)


def _cast(index: int, source: int, target: int) -> FileOperator:
    return FileOperator(index, "QUANTIZE", (source,), (target,), {})
