"""The logarithm of softmax over the last axis, int8, in fixed point: the definition, its lowering and its C kernel.

Numbers with i integer bits are held in 32 bits, so that raw = value * 2**(31 - i) ("Qi"), as softmax has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import (
    DOUBLE,
    INT32_MAX,
    INT32_MIN,
    quantize_multiplier,
    requantize,
    rounding_divide_by_pot,
    rounding_doubling_high_mul,
)
from ..graph.ir import Array, Quant
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from ..graph.source import FloatHalf, SourceOp
from . import softmax
from .shared.checks import activation_inputs, require_int8
from .shared.operands import X

BACK = ("back_multiplier", "back_shift")  # from a difference in Q5 to levels of the input
ATTRS = (*softmax.ATTRS, *BACK)
LEVELS = Quant((1 / 16,), (127,))  # of the output, from -16 to 0: what TensorFlow Lite fixes
LOG_TWO, ROOT_HALF, FOURTH_ROOT_HALF = 1488522236, 1518500250, 1805811301  # log(2), 2**-1/2, 2**-1/4 in Q0
# 11 / 240 * r, r / 20, 2 / r - r and r / 4 of r = 2**1/4, in Q0
ALPHA_N, ALPHA_D, ALPHA_I, ALPHA_F = 117049297, 127690142, 1057819769, 638450708
ACCUMULATED = 6  # integer bits of the logarithm while it is summed
QUARTER = 1 << (31 - 2 - ACCUMULATED)


def _one_over(x: Array) -> Array:
    """1 / (1 + x) in Q0 of 0 <= x < 1 in Q0: three Newton steps."""
    mul = rounding_doubling_high_mul
    half = (x + INT32_MAX + 1) >> 1
    guess = softmax.RECIPROCAL_48_17 + mul(half, softmax.RECIPROCAL_32_17)
    for _ in range(3):
        guess = guess + (mul(guess, (1 << 29) - mul(half, guess)) << 2)
    return np.asarray(np.minimum(guess << 1, INT32_MAX))


def logarithm(x: Array) -> Array:
    """log(x) in Q5 of x >= 1 in Q12."""
    mul = rounding_doubling_high_mul
    headroom = 31 - np.frexp(x.astype(np.float64))[1]  # exact: x < 2**31
    first = np.minimum(mul(x << headroom, ROOT_HALF) << 1, INT32_MAX)
    high = ((softmax.SUM_BITS - headroom - 1) << (31 - ACCUMULATED)) + QUARTER
    other = 31 - np.frexp(mul(x, ROOT_HALF).astype(np.float64))[1]
    second = np.minimum(x << other, INT32_MAX)
    low = ((softmax.SUM_BITS - other) << (31 - ACCUMULATED)) - QUARTER
    r, power = np.minimum(first, second), np.maximum(high, low)
    p = (r + FOURTH_ROOT_HALF + 1) >> 1
    q = (r - FOURTH_ROOT_HALF) * 2
    square = mul(q, q)
    numerator = mul(q, r) + mul(mul(q, square), ALPHA_N)
    denominator = mul(p, ALPHA_I + q + mul(square, ALPHA_D)) + mul(q, ALPHA_F)
    fraction = mul(rounding_divide_by_pot(numerator, ACCUMULATED), _one_over(denominator))
    return np.asarray((mul(power, LOG_TWO) + fraction) << 1)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """x - max - log(sum of exp(x - max)), in units of 1/16 from -16 to 0."""
    x = inputs[0].astype(np.int64)
    diff = x - x.max(-1, keepdims=True)

    def scaled(kept: Array) -> Array:
        return rounding_doubling_high_mul(np.where(kept, diff, 0) << attrs["shift"], attrs["multiplier"])

    near = diff >= attrs["diff_min"]
    exps = rounding_divide_by_pot(softmax.exp_negative(scaled(near)), softmax.SUM_BITS)
    log = logarithm(np.where(near, exps, 0).sum(-1, keepdims=True))
    lowest = requantize(log + INT32_MIN, attrs["back_multiplier"], attrs["back_shift"], DOUBLE)
    kept = diff > np.maximum(attrs["diff_min"] - 1, lowest)
    value = rounding_divide_by_pot(scaled(kept) - log, 31 - softmax.DIFF_BITS - 4) + 127
    return [np.where(kept, np.clip(value, -128, 127), -128).astype(np.int8)]


def scale_attrs(scale: float) -> dict[str, int]:
    """Attributes from the input scale; that times 2**26 must be above 1."""
    attrs = softmax.scale_attrs(scale)
    multiplier, shift = quantize_multiplier(2.0 ** (31 - attrs["shift"]) / attrs["multiplier"])
    return {**attrs, "back_multiplier": multiplier, "back_shift": shift}


def validate(view: View) -> None:
    softmax.validate(view)
    if view["back_shift"] > 0:
        raise ModelError(f"log_softmax with back_shift {view['back_shift']}")


def lower(view: View) -> Lowered:
    require_int8(view)
    if not view.x.shape:
        raise UnsupportedError("log_softmax of a tensor without dimensions", where=view.node.name)
    out, scale, depth = view.out.q, view.x.q.scale, view.x.shape[-1]
    if (out.scale, out.zero_point) != (LEVELS.scale, LEVELS.zero_point):
        text = f"log_softmax output with scale {out.scale} and zero point {out.zero_point}, not 1/16 and 127"
        raise UnsupportedError(text, where=view.node.name)
    if scale * 2.0 ** (31 - softmax.DIFF_BITS) <= 1.0 or depth > softmax.MAX_DEPTH:
        text = f"log_softmax over {depth} values (at most {softmax.MAX_DEPTH}) of scale {scale}"
        raise UnsupportedError(text, where=view.node.name)
    return Lowered("log_softmax", scale_attrs(scale), activation_inputs(view))


def _params(view: View) -> dict[str, Param]:
    depth = view.x.shape[-1]
    return dict(rows=math.prod(view.x.shape[:-1]), depth=depth, **{name: view[name] for name in ATTRS})


KERNELS = (
    Kernel(
        symbol="ek_log_softmax_s8",
        header="ek_log_softmax.h",
        struct="ek_log_softmax_params",
        fields=(("uint32_t", "rows"), ("uint32_t", "depth"), *(("int32_t", name) for name in ATTRS)),
        params=_params,
        # A row's maximum and sum are taken before its first value is written.
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for case in softmax.cases(rng):
        scale = float(np.exp(rng.uniform(-7, 1)))
        out.append(Case(case.name, scale_attrs(scale), case.inputs))
    return out


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0] - operands[0].max(-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(-1, keepdims=True)))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.nn.functional.log_softmax(operands[0], -1)


OP = Op(
    name="log_softmax",
    code=58,
    attrs=ATTRS,
    operands=(X,),
    infer=softmax.infer,
    reference=reference,
    kernels=KERNELS,
    validate=validate,
    cases=cases,
)
SOURCE = SourceOp(
    "log_softmax", lower, FloatHalf(_real, _in_torch, fixed_quant=LEVELS), clamps=False, makes_probabilities=True
)
