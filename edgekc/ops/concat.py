"""Concatenation along any axis but the batch: the definition, its lowering and its C kernels.

TFLite's int8 kernel wants the same scale and zero point everywhere, so that bytes are copied as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared import int16
from .shared.checks import (
    activation_inputs,
    channels_of,
    known,
    require_moved,
    require_one_width,
    require_same_quant,
    width,
)
from .shared.operands import PARTS
from .shared.testing import fills, in_float

ATTRS = ("axis",)
MAX_INPUTS = 4  # one C function for each number of inputs; a pass makes several nodes of more


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    axis, first = attrs["axis"], shapes[0]
    for shape in shapes:
        alike = len(shape) == len(first) and all(
            i == axis or a == b for i, (a, b) in enumerate(zip(first, shape, strict=True))
        )
        if not 1 <= axis < len(first) or not alike:
            raise ModelError(f"shapes {[list(s) for s in shapes]} do not concatenate along axis {axis}")
    return [(*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [np.concatenate(inputs, attrs["axis"])]


def lower(view: View) -> Lowered:
    require_moved(view)
    require_same_quant(view)
    where, axis = view.node.name, view["axis"] % len(view.out.shape)
    if view.node.attrs.get("activation", "none") != "none":
        raise UnsupportedError("concatenation with a fused activation", where=where)
    if axis == 0:
        raise UnsupportedError("concatenation along the batch axis", where=where)
    return Lowered("concat", dict(axis=axis), activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    parts = [known(t, i) for t, i in zip(view.inputs, inputs, strict=True)]
    if view["axis"] == len(view.out.shape) - 1:
        return Interval(np.concatenate([p.low for p in parts]), np.concatenate([p.high for p in parts]))
    return Interval(np.min([p.low for p in parts], axis=0), np.max([p.high for p in parts], axis=0))


def _params(view: View) -> dict[str, Param]:
    axis = view["axis"]
    values: dict[str, Param] = dict(rows=math.prod(view.out.shape[:axis]))
    for i in range(MAX_INPUTS):
        values[f"bytes{i}"] = math.prod(view.inputs[i].shape[axis:]) * width(view) if i < len(view.inputs) else 0
    return values


def _kernel(count: int) -> Kernel:
    return Kernel(
        symbol=f"ek_concat{count}_s8",
        header="ek_concat.h",
        struct="ek_concat_params",
        fields=tuple(("uint32_t", name) for name in ("rows", *(f"bytes{i}" for i in range(MAX_INPUTS)))),
        params=_params,
        accepts=lambda view: len(view.inputs) == count,
    )


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, int, list[Shape]]] = [
        ("channels", 3, [(1, 2, 3, 4), (1, 2, 3, 1)]),
        ("rows", 1, [(1, 2, 3, 4), (1, 1, 3, 4), (1, 3, 3, 4)]),
        ("columns", 2, [(1, 2, 3, 2), (1, 2, 1, 2), (1, 2, 2, 2), (1, 2, 5, 2)]),
        ("one", 1, [(1, 1)]),
        ("vectors", 1, [(1, 3), (1, 8)]),
    ]
    out = []
    for name, axis, parts in shapes:
        for i in range(3):
            arrays = [fills(rng, shape)[i] for shape in parts]
            out.append(Case(f"{name}-{arrays[0][0]}", dict(axis=axis), tuple(x for _, x in arrays)))
    return [*out, *int16.twins(rng, out), *in_float(out)]


def _ties(view: View) -> Sequence[Tie]:
    """A part's channels to those of the output where it lies, or to the same ones along another axis."""
    parts = [t for t in view.inputs if t.data is None]
    each = [np.arange(channels_of(t)) for t in parts]
    if view["axis"] % len(view.out.shape) != len(view.out.shape) - 1:
        return list(zip(parts, each, each, strict=True))
    starts = np.cumsum([0, *map(len, each)])
    return [(t, own, own + start) for t, own, start in zip(parts, each, starts.tolist(), strict=False)]


OP = Op(
    name="concat",
    code=13,
    attrs=ATTRS,
    operands=(PARTS,),
    infer=infer,
    reference=reference,
    kernels=tuple(_kernel(count) for count in range(1, MAX_INPUTS + 1)),
    ranges=ranges,
    validate=require_one_width,
    wide=True,
    moves=True,
    joins_at_most=MAX_INPUTS,
    cases=cases,
)
SOURCE = SourceOp(
    "concat",
    lower,
    FloatHalf(
        lambda view, operands: np.concatenate(operands, view["axis"]),
        lambda torch, view, operands: torch.cat(list(operands), view["axis"]),
        _ties,
        shares_scale=True,
    ),
    clamps=False,
)
IN_FLOAT = {"concat": lower}
