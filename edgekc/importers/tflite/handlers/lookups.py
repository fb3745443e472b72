"""Rows of constants by numbers that are computed: embeddings, and one-hot codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....errors import ModelError
from ....graph.ir import Array, Role, constant
from .. import numbers
from ..builder import QUANTISE, Builder, Handler, graph_shape, node_name
from ..file import FileOperator
from .common import Attrs, Shape


def is_lookup(b: Builder, op: FileOperator) -> bool:
    """Whether a GATHER takes rows of a constant by numbers that are not."""
    if len(op.inputs) < 2 or min(op.inputs[:2]) < 0:
        return False
    return b.model.tensors[op.inputs[0]].data is not None and b.model.tensors[op.inputs[1]].data is None


def rows_of_constant(b: Builder, op: FileOperator) -> None:
    _embed(b, op, 0, 1)


def _embedding_lookup(b: Builder, op: FileOperator) -> None:
    _embed(b, op, 1, 0)


def _embed(b: Builder, op: FileOperator, rows_at: int, numbers_at: int) -> None:
    t = b.file_tensor(op, rows_at, "rows")
    b.check_type(op, "rows", t, ("int8",))
    if t.data is not None and b.in_float and not np.isfinite(t.data).all():
        raise ModelError(f"rows (tensor {t.index}) hold NaN or infinity", where=b.at(op))
    out = b.file_output(op)
    if t.data is None or not t.shape:
        raise b.unsupported(op, f"rows (tensor {t.index}) that are computed at run time", "a constant")
    if int(op.options.get("Axis", 0)) or int(op.options.get("BatchDims", 0)):
        raise b.unsupported(op, "numbers along another axis than the first", "rows, axis 0")
    if not b.in_float and (out.quant is None or t.quant is None or replace(t.quant, axis=out.quant.axis) != out.quant):
        raise b.unsupported(op, "rows and output of different scales or zero points", "one scale", QUANTISE)
    _look_up(b, op, numbers_at, t.data.reshape(t.shape[0], -1), t.shape[1:], 0)


def _one_hot(b: Builder, op: FileOperator) -> None:
    """Rows of which one value is on; in front of them and behind them one that is off."""
    (depth,) = b.ints(op, 1, "depth")[:1] or [0]
    ends = [b.file_tensor(op, 2 + i, what) for i, what in enumerate(("on", "off"))]
    for t, what in zip(ends, ("on", "off"), strict=True):
        b.check_type(op, what, t, ("int8",))
        if t.data is None or t.data.size != 1:
            raise b.unsupported(op, f"{what} (tensor {t.index}) that is no constant of one value", "one")
    rank = len(b.file_tensor(op, 0, "numbers").shape)
    most = 256 if b.in_float else 4096
    if int(op.options["Axis"]) not in (-1, rank) or not 1 <= depth <= most:
        raise b.unsupported(
            op, f"axis {op.options['Axis']} with a depth of {depth}", f"the last axis, and up to {most}"
        )
    on, off = (t.data.ravel()[0] for t in ends if t.data is not None)
    rows = np.full((depth + 2, depth), off, np.float32 if b.in_float else np.int8)
    rows[np.arange(depth) + 1, np.arange(depth)] = on
    _look_up(b, op, 0, rows, (depth,), 1)


def _look_up(b: Builder, op: FileOperator, at: int, rows: Array, inner: Shape, offset: int) -> None:
    """`inner`: the shape of a row; `offset`: the row of the number 0."""
    t, out = b.file_tensor(op, at, "numbers"), b.file_output(op)
    b.check_type(op, "output", out, ("int8",))
    known = b.numbers.get(t.index)
    if known is not None:
        x = known.x
        if not b.in_float:
            rows, offset = rows[np.clip(known.values + offset, 0, len(rows) - 1)], 0
        elif not np.array_equal(known.values, numbers.every(known.x).values):
            raise b.unsupported(op, "numbers that are computed of whole ones in a float model", "plain ones")
    else:
        if t.index in b.model.inputs:
            fix = "give the network int8 or float32, and let it make whole numbers of that"
            raise b.unsupported(op, f"numbers (tensor {t.index}) that are an input of type {t.dtype}", "int8 ones", fix)
        x = b.written(op, t)
        if b.tensors[x].dtype != "int32":
            raise b.unsupported(op, f"numbers (tensor {t.index}) of type {t.dtype}", "what is computed of int8")
    if b.in_float:  # numbers below 0 have no row there
        rows, offset = rows[offset:], 0
    kind: str = "embedding" if b.in_float else "lookup"
    attrs: Attrs = {} if b.in_float else dict(offset=offset)
    shape = (*b.file_shape(x), *inner)
    name = f"{node_name(op)}/rows"
    b.tensors[name] = constant(name, np.ascontiguousarray(rows), Role.WEIGHTS, out.quant)
    if graph_shape(shape) == (*b.tensors[x].shape, rows.shape[1]):
        b.add(op, kind, (x, name), attrs, shape)
        return
    made = b.inner(op, "found", kind, (x, name), attrs, (*b.tensors[x].shape, rows.shape[1]))
    b.tensors[made] = replace(b.tensors[made], dtype=out.dtype, quant=out.quant)
    if np.prod(shape) != np.prod(b.tensors[made].shape):
        raise ModelError(f"rows of shape {list(inner)} of {rows.shape[1]} values", where=b.at(op))
    b.add(op, "reshape", (made,), {}, shape)


HANDLERS: dict[str, Handler] = {"ONE_HOT": _one_hot, "EMBEDDING_LOOKUP": _embedding_lookup}
