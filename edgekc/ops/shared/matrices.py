"""The geometry of products of matrices that are both computed at run time, whatever their types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import ModelError, UnsupportedError
from ...graph.op import IntAttrs, Operand, Param, Shape, View
from .operands import A

OPERANDS = (A, Operand("b"))
FIELDS = (
    *(("uint32_t", name) for name in ("batches", "rows", "columns", "depth")),
    *(("uint32_t", name) for name in ("a_batch", "a_row", "a_step", "b_batch", "b_column", "b_step")),
)


def _turned(shape: Shape, adjoint: int) -> tuple[int, int]:
    """(rows, columns) of a matrix, as it takes part in the product."""
    return (shape[-1], shape[-2]) if adjoint else (shape[-2], shape[-1])


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    a, b = shapes
    what = f"the product of matrices {list(a)} and {list(b)}"
    if len(a) != len(b) or len(a) < 3:
        raise UnsupportedError(f"{what}: both need a batch, and as many axes")
    (rows, depth), (other, columns) = _turned(a, attrs["adj_x"]), _turned(b, attrs["adj_y"])
    if depth != other:
        raise ModelError(f"{what}: {depth} columns meet {other} rows")
    left, right = a[1:-2], b[1:-2]
    if a[0] != b[0] or (left != right and math.prod(left) != 1 and math.prod(right) != 1):
        raise UnsupportedError(f"{what}: a part of their other axes broadcasts")
    return [(a[0], *(max(pair) for pair in zip(left, right, strict=True)), rows, columns)]


def turn(x: Any, adjoint: int) -> Any:
    """A matrix, of numpy or PyTorch, as it takes part in the product."""
    return x.swapaxes(-1, -2) if adjoint else x


def depth(view: View) -> int:
    """How many products each sum of an INTEGER node has."""
    return _turned(view.x.shape, view["adj_x"])[1]


def params(view: View) -> dict[str, Param]:
    """Values for FIELDS."""
    a, b = view.x.shape, view.operand("b").shape
    (rows, depth), (_, columns) = _turned(a, view["adj_x"]), _turned(b, view["adj_y"])
    values: dict[str, Param] = dict(batches=math.prod(view.out.shape[:-2]), rows=rows, columns=columns, depth=depth)
    a_row, a_step = (1, a[-1]) if view["adj_x"] else (a[-1], 1)
    b_column, b_step = (b[-1], 1) if view["adj_y"] else (1, b[-1])
    values.update(a_batch=0 if math.prod(a[:-2]) == 1 else a[-1] * a[-2], a_row=a_row, a_step=a_step)
    values.update(b_batch=0 if math.prod(b[:-2]) == 1 else b[-1] * b[-2], b_column=b_column, b_step=b_step)
    return values


def shapes() -> list[tuple[str, int, int, Shape, Shape, int]]:
    """For cases: name, adj_x, adj_y, the shapes of both operands, and how many products each sum has."""
    kinds: list[tuple[str, Shape, Shape, tuple[int, int, int]]] = [  # other axes of a, of b; rows, depth, columns
        ("one", (), (), (3, 5, 4)),
        ("heads", (2,), (2,), (4, 8, 6)),
        ("many", (2, 2), (2, 2), (5, 19, 3)),
        ("shared-b", (3,), (1,), (2, 17, 5)),
        ("shared-a", (1,), (2,), (3, 4, 2)),
        ("row", (), (), (1, 33, 7)),
        ("column", (), (), (6, 16, 1)),
        ("one-value", (1,), (1,), (1, 1, 1)),
    ]
    out = []
    for name, left, right, (rows, count, columns) in kinds:
        for adj_x, adj_y in ((0, 0), (0, 1), (1, 0), (1, 1)):
            a, b = (1, *left, *_turned((rows, count), adj_x)), (1, *right, *_turned((count, columns), adj_y))
            out.append((f"{name}-{adj_x}{adj_y}", adj_x, adj_y, a, b, count))
    return out
