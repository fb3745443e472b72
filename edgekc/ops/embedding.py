"""Rows of a constant by whole numbers, as float models have them: in int8 the same look-up as of other rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array, Quant, Role, constant
from ..graph.op import Constant, Lowered, Operand, View
from ..graph.source import FloatHalf, SourceOp
from .dequantize import reals_of
from .lut import byte_values
from .shared.operands import X

_ROWS = Operand("rows", Constant.ALWAYS, Role.WEIGHTS)  # (rows, values)
MOST_ROWS = 256  # that a byte tells apart
BYTES = Quant((1.0,), (0,))  # each number is its byte


def lower(view: View) -> Lowered:
    """The row of each number, or of each byte: what no row is for gets the first or the last one."""
    rows, x = view.operand("rows"), view.x
    if x.dtype not in ("int8", "int32") or rows.q != view.out.q:
        raise UnsupportedError(f"rows by numbers of {x.dtype}, or in another scale", where=view.node.name)
    value = rows.value
    if x.dtype == "int8" and x.q != BYTES:
        reals = reals_of(byte_values("int8").astype(np.int8), x.q.scale, x.q.zero_point)
        value = value[_places(reals, len(value))]
    held = constant(f"{view.node.name}/rows", np.ascontiguousarray(value), Role.WEIGHTS)
    return Lowered("lookup", dict(offset=0), (x.name,), (held,))


def _places(numbers: Array, rows: int) -> Array:
    return np.clip(np.rint(numbers), 0, rows - 1).astype(np.int64)


def _quant_of(rows: int, where: str) -> Quant:
    """Of the numbers, so that int8 holds them all."""
    if rows > MOST_ROWS:
        raise UnsupportedError(
            f"{rows} rows by numbers of int8; supported: up to {MOST_ROWS} rows",
            where=where,
            fix="use fewer numbers, such as bytes or groups of them",
        )
    return BYTES if 2 * rows <= MOST_ROWS else Quant((1.0,), (-128,))


def _real(view: View, operands: Sequence[Array]) -> Array:
    x, rows = operands
    return np.asarray(rows[_places(x, len(rows))], np.float32)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, rows = operands
    return rows[torch.round(x).clamp(0, len(rows) - 1).long()]


SOURCE = SourceOp(
    "embedding",
    lower,
    FloatHalf(
        _real,
        _in_torch,
        shares_scale=True,
        apart=1,
        numbers=lambda view: _quant_of(view.operand("rows").shape[0], view.node.name),
    ),
    clamps=False,
    becomes="lookup",
    operands=(X, _ROWS),
)
