"""Integers that are computed of one int8 tensor, element by element: known for each of its 256 bytes, on import.

Keras writes an embedding so: DEQUANTIZE, CAST to int32, and what lets numbers below 0 count from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...graph.ir import Array
from ...ops.dequantize import reals_of
from ...ops.lut import byte_values

if TYPE_CHECKING:
    from .builder import Builder
    from .file import FileOperator

_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "MINIMUM": np.minimum,
    "MAXIMUM": np.maximum,
    "SELECT": np.where,
    "SELECT_V2": np.where,
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of each element of an activation of the graph."""

    x: str  # the activation, int8
    values: Array  # int64 (256,): by the element's byte, read without a sign, or by the number


def every(x: str) -> Numbers:
    """Of an activation of whole numbers in a float model: `values` are by the number, up to 255."""
    return Numbers(x, np.arange(256))


def compute(b: Builder, op: FileOperator) -> bool:
    """Note what the operator gives, where it computes such numbers; False where it does not."""
    if len(op.outputs) != 1:
        return False
    found = _cast(b, op) if op.builtin == "CAST" else _combined(b, op)
    if found is None:
        return False
    b.numbers[op.outputs[0]] = found
    return True


def _cast(b: Builder, op: FileOperator) -> Numbers | None:
    """What is real becomes whole towards 0."""
    out = b.model.tensors[op.outputs[0]]
    given = b.names.get(op.inputs[0], "") if op.inputs else ""
    node = next((node for node in b.nodes if node.outputs == (given,)), None)
    if out.dtype not in ("int32", "int64"):
        return None
    if b.in_float and given and b.tensors[given].dtype == "float32":
        return every(given)
    if node is None or node.op != "dequantize":
        known = b.numbers.get(op.inputs[0]) if op.inputs else None
        return known
    x = b.tensors[node.inputs[0]]
    if x.dtype != "int8":
        return None
    reals = reals_of(byte_values("int8").astype(np.int8), x.q.scale, x.q.zero_point)
    return Numbers(x.name, np.clip(np.trunc(reals), -(2**31), 2**31 - 1).astype(np.int64))


def _combined(b: Builder, op: FileOperator) -> Numbers | None:
    """Of numbers of one activation, and of single constants."""
    parts = [b.numbers.get(i) for i in op.inputs]
    activations = {part.x for part in parts if part is not None}
    if op.builtin not in _OPERATORS or len(activations) != 1:
        return None
    values = []
    for i, part in zip(op.inputs, parts, strict=True):
        data = part.values if part is not None else b.values.get(i, b.model.tensors[i].data) if i >= 0 else None
        if data is None or (part is None and data.size != 1) or data.dtype.kind not in "iub":
            return None
        values.append(data.astype(np.int64).ravel())
    if op.builtin.startswith("SELECT"):
        values[0] = values[0] != 0
    try:
        result = np.asarray(_OPERATORS[op.builtin](*values)).astype(np.int32).astype(np.int64)  # 32 bits wrap
    except (TypeError, ValueError):  # not so many operands
        return None
    return Numbers(activations.pop(), np.broadcast_to(result, 256))
