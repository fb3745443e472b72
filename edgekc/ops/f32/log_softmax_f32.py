"""The logarithm of softmax over the last axis in single precision: the definition and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, View
from ..shared import single
from ..shared.checks import activation_inputs
from ..shared.operands import X
from . import softmax_f32


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """x - max - log(sum of exp(x - max)); the sum is taken from the first value to the last."""
    x = inputs[0]
    most, total = x.max(-1, keepdims=True), np.zeros_like(x[..., :1])
    powers = single.exp(x - most)
    for i in range(x.shape[-1]):
        total = total + powers[..., i : i + 1]
    return [x - most - single.log(total)]


def lower(view: View) -> Lowered:
    single.require_single(view)
    return Lowered("log_softmax_f32", {}, activation_inputs(view))


def cases(rng: np.random.Generator) -> list[Case]:
    """Those of softmax."""
    return [Case(case.name, {}, case.inputs) for case in softmax_f32.cases(rng) if case.name.endswith("-1.0")]


OP = Op(
    name="log_softmax_f32",
    code=114,
    attrs=(),
    operands=(X,),
    infer=softmax_f32.infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_log_softmax_f32",
            header="ek_f32.h",
            struct="ek_log_softmax_f32_params",
            fields=(("uint32_t", "rows"), ("uint32_t", "depth")),
            params=lambda view: dict(rows=math.prod(view.x.shape[:-1]), depth=view.x.shape[-1]),
            in_place=lambda view: (0,),
            sources=("ek_exp_f32",),
        ),
    ),
    validate=single.check_all,
    cases=cases,
    single=True,
)
IN_FLOAT = {"log_softmax": lower}
