"""Rows of a constant by numbers that are computed: embeddings and one-hot codes; definition, lowering and C kernel.

A number is the value of an int32, or the byte of an int8 read without a sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, Constant, IntAttrs, Interval, Kernel, Lowered, Op, Operand, Shape, View
from ..graph.source import SourceOp
from .shared.operands import X

ATTRS = ("offset",)  # is added to each number: 0 or 1
_ROWS = Operand("rows", Constant.ALWAYS, Role.WEIGHTS)  # int8 (rows, values)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, rows = shapes
    if len(rows) != 2:
        raise ModelError(f"rows of shape {list(rows)}")
    return [(*x, rows[1])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """What no row is for gets the first or the last one."""
    x, rows = inputs
    index = (x.view(np.uint8) if x.dtype == np.int8 else x).astype(np.int64)
    return [rows[np.clip(index + attrs["offset"], 0, len(rows) - 1)]]


def lower(view: View) -> Lowered:
    rows = view.operand("rows")
    if view.x.dtype not in ("int8", "int32") or rows.dtype != "int8" or view.out.dtype != "int8":
        types = ", ".join(t.dtype for t in (view.x, rows, view.out))
        raise UnsupportedError(f"rows by numbers of types {types}", where=view.node.name)
    if (rows.q.scale, rows.q.zero_point) != (view.out.q.scale, view.out.q.zero_point):
        raise UnsupportedError("rows and output of different scales or zero points", where=view.node.name)
    held = constant(f"{view.node.name}/rows", rows.value, Role.WEIGHTS)
    return Lowered("lookup", dict(offset=view["offset"]), (view.x.name,), (held,))


def validate(view: View) -> None:
    if view.x.dtype not in ("int8", "int32") or view.operand("rows").dtype != "int8":
        raise ModelError(f"rows of {view.operand('rows').dtype} by numbers of {view.x.dtype}")
    if view["offset"] not in (0, 1):
        raise ModelError(f"offset is {view['offset']}, expected 0 or 1")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    rows = view.operand("rows").value.astype(np.int64)
    return Interval(rows.min(0), rows.max(0))


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape, rows in (("one", (1,), (1, 1)), ("words", (1, 7), (50, 6)), ("image", (1, 3, 4), (9, 17))):
        table = rng.integers(-128, 128, rows).astype(np.int8)
        numbers = [(kind, rng.integers(low, high, shape)) for kind, low, high in (
            ("inside", 0, rows[0]), ("around", -2 * rows[0], 2 * rows[0]))]  # fmt: skip
        for offset in (0, 1):
            for kind, x in (*numbers, ("far", rng.choice(np.array([-(2**31), 2**31 - 1]), shape))):
                out.append(Case(f"{name}-{kind}-{offset}", dict(offset=offset), (x.astype(np.int32), table)))
    every = rng.integers(-128, 128, (256, 5)).astype(np.int8)
    for fill, x in (
        ("low", np.full((1, 9), -128)),
        ("high", np.full((1, 9), 127)),
        ("all", np.arange(-128, 128)[None]),
    ):
        out.append(Case(f"bytes-{fill}", dict(offset=0), (x.astype(np.int8), every)))
    return out


OP = Op(
    name="lookup",
    code=66,
    attrs=ATTRS,
    operands=(X, _ROWS),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_lookup_s8",
            header="ek_lookup.h",
            struct="ek_lookup_params",
            fields=(
                ("const int8_t *", "rows"),
                *(("uint32_t", name) for name in ("numbers", "count", "size")),
                *(("uint8_t", name) for name in ("wide", *ATTRS)),
            ),
            params=lambda view: dict(
                rows=view.operand("rows").name,
                numbers=math.prod(view.x.shape),
                count=view.operand("rows").shape[0],
                size=view.operand("rows").shape[1],
                wide=int(view.x.dtype == "int32"),
                offset=view["offset"],
            ),
        ),
    ),
    ranges=ranges,
    validate=validate,
    cases=cases,
)
SOURCE = SourceOp("lookup", lower, clamps=False, operands=(X, _ROWS))
