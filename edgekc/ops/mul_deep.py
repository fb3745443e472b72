"""Products of int8 tensors whose axes alternate too often for the loops of `mul`: the record and its C kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.op import Case, Op
from . import mul
from .shared import broadcast

_FIELDS = (
    *(("int32_t", name) for name in ("multiplier", "shift")),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """The attributes of products, on operands that alternate, and on others."""
    pairs = broadcast.pairs_of_inputs(rng)[::-1]
    return [replace(case, inputs=(a, b)) for case, (_, a, b) in zip(mul.cases(rng), pairs, strict=False)]


OP: Op = replace(
    mul.OP,
    name="mul_deep",
    code=37,
    infer=broadcast.infer,
    kernels=broadcast.kernels("mul_deep", _FIELDS, lambda view: {name: view[name] for name in mul.ATTRS}),
    cases=cases,
)
