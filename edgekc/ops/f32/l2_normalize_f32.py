"""Vectors of length one in single precision: each divided by its length along the last axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..shared import single
from ..shared.checks import activation_inputs
from ..shared.operands import X

LEAST = np.float32(1e-6)  # that a shorter length is taken for


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes[0]) < 2:
        raise ModelError(f"the length along the last axis of {list(shapes[0])}")
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """x / root of the sum of squares, which is taken from the first value to the last."""
    x = inputs[0]
    total = np.zeros_like(x[..., :1])
    for i in range(x.shape[-1]):
        total = total + x[..., i : i + 1] * x[..., i : i + 1]
    return [x / np.maximum(single.sqrt(total), LEAST)]


def lower(view: View) -> Lowered:
    single.require_single(view)
    return Lowered("l2_normalize_f32", {}, activation_inputs(view))


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (("ten", (1, 10)), ("one", (1, 1)), ("pixels", (1, 3, 2, 5)), ("wide", (1, 400))):
        out += [Case(f"{name}-{fill}", {}, (x,)) for fill, x in single.reals(rng, shape)]
    return [*out, Case("large", {}, (np.full((1, 7), 1e6, np.float32),))]


OP = Op(
    name="l2_normalize_f32",
    code=106,
    attrs=(),
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_l2_normalize_f32",
            header="ek_f32.h",
            struct="ek_l2_normalize_f32_params",
            fields=(("uint32_t", "rows"), ("uint32_t", "depth")),
            params=lambda view: dict(rows=math.prod(view.x.shape[:-1]), depth=view.x.shape[-1]),
            in_place=lambda view: (0,),
            sources=("ek_sqrt_f32",),
        ),
    ),
    macs=lambda view: 2 * math.prod(view.x.shape[1:]),
    validate=single.check_all,
    cases=cases,
    single=True,
)
IN_FLOAT = {"l2_normalize": lower}
