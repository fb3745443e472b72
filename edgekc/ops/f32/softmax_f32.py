"""Softmax over the last axis in single precision: the definition and its C kernel."""

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


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes[0]) < 2:
        raise ModelError(f"softmax over the last axis of {list(shapes[0])}")
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """exp(beta * (x - max)) / sum; the sum is taken from the first value to the last."""
    x = inputs[0]
    most, total = x[..., :1], np.zeros_like(x[..., :1])
    for i in range(1, x.shape[-1]):
        most = np.where(x[..., i : i + 1] > most, x[..., i : i + 1], most)
    powers = single.exp((x - most) * single.of_bits(attrs["beta"]))
    for i in range(x.shape[-1]):
        total = total + powers[..., i : i + 1]
    return [powers / total]


def lower(view: View) -> Lowered:
    single.require_single(view)
    beta = view.node.attrs["beta"]
    assert isinstance(beta, (int, float))
    return Lowered("softmax_f32", dict(beta=single.bits_of(beta)), activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(view)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (("ten", (1, 10)), ("one", (1, 1)), ("pixels", (1, 3, 2, 5)), ("wide", (1, 999))):
        for beta in (1.0, 0.3):
            out += [
                Case(f"{name}-{fill}-{beta}", dict(beta=single.bits_of(beta)), (x,))
                for fill, x in single.reals(rng, shape)
            ]
    return out


OP = Op(
    name="softmax_f32",
    code=101,
    attrs=("beta",),
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_softmax_f32",
            header="ek_f32.h",
            struct="ek_softmax_f32_params",
            fields=(("uint32_t", "rows"), ("uint32_t", "depth"), ("int32_t", "beta")),
            params=lambda view: dict(rows=math.prod(view.x.shape[:-1]), depth=view.x.shape[-1], beta=view["beta"]),
            in_place=lambda view: (0,),
            sources=("ek_exp_f32",),
        ),
    ),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {"softmax": lower}
