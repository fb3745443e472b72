"""Softmax over the last axis, int8, in fixed point: the definition, its lowering and its C kernel.

Numbers with i integer bits are held in 32 bits, so that raw = value * 2**(31 - i) ("Qi").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import INT32_MAX, quantize_multiplier, rounding_divide_by_pot, rounding_doubling_high_mul
from ..graph.ir import Array
from ..graph.op import MULTIPLIER, Case, IntAttrs, Kernel, Learned, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from . import softmax_s16
from .shared import int16
from .shared.checks import activation_inputs, require_int8
from .shared.floats import UNIT
from .shared.operands import X
from .shared.testing import fills

ATTRS = ("multiplier", "shift", "diff_min")
DIFF_BITS = 5  # integer bits of the scaled difference to the row's maximum
_FARTHEST = (2**DIFF_BITS - 1) << (31 - DIFF_BITS)  # of such a difference
SUM_BITS = 12  # integer bits of the sum of exponentials
MAX_DEPTH = 2**SUM_BITS - 1  # each exponential is at most 1

EXP_EIGHTH = 1895147668  # exp(-1/8) in Q0
THIRD = 715827883  # 1/3 in Q0
EXP_POWERS = tuple(math.floor(math.exp(-(2.0**k)) * 2.0**31 + 0.5) for k in range(-2, DIFF_BITS))  # Q0
RECIPROCAL_48_17, RECIPROCAL_32_17 = 1515870810, -1010580540  # 48/17 and -32/17 in Q2


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes[0]) < 2 or not 1 <= shapes[0][-1] <= MAX_DEPTH:
        raise ModelError(f"softmax over the last axis of {list(shapes[0])}; its size must be 1 to {MAX_DEPTH}")
    return [tuple(shapes[0])]


def exp_negative(a: Array) -> Array:
    """exp(a) in Q0 of a <= 0 in Q5: a polynomial within a quarter, times a power per remaining bit."""
    quarter = 1 << (31 - DIFF_BITS - 2)
    fraction = (a & (quarter - 1)) - quarter  # in [-1/4, 0)
    mul = rounding_doubling_high_mul
    x = (fraction << DIFF_BITS) + (1 << 28)  # Q0, shifted by 1/8 to be centred on 0
    x2 = mul(x, x)
    x3, x4 = mul(x2, x), mul(x2, x2)
    tail = rounding_divide_by_pot(mul(rounding_divide_by_pot(x4, 2) + x3, THIRD) + x2, 1)
    result = EXP_EIGHTH + mul(x + tail, EXP_EIGHTH)
    remainder = fraction - a
    for bit, power in enumerate(EXP_POWERS):
        result = np.where(remainder & (quarter << bit), mul(result, power), result)
    return np.where(a == 0, INT32_MAX, result)


def reciprocal(x: Array) -> tuple[Array, Array]:
    """(1 / y in Q0, e) with x = y * 2**e, 1 <= y < 2, of x > 0 in Q12; three Newton steps."""
    bits = np.frexp(x.astype(np.float64))[1]  # exact: x < 2**31
    headroom = 32 - bits
    half = (x << headroom) - (1 << 31)  # y - 1 in Q0
    half = (half + INT32_MAX + 1) >> 1  # (1 + (y - 1)) / 2, rounded up: never negative
    mul = rounding_doubling_high_mul
    guess = RECIPROCAL_48_17 + mul(half, RECIPROCAL_32_17)
    for _ in range(3):
        error = (1 << 29) - mul(half, guess)  # 1 - half * guess in Q2, at most 1/17
        guess = guess + (mul(guess, error) << 2)
    return np.minimum(guess << 1, INT32_MAX), SUM_BITS - headroom


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """exp(x - max) / sum of exp(x - max), in units of 1/256 from -128; what lies below diff_min counts as 0."""
    x = inputs[0].astype(np.int64)
    diff = x - x.max(-1, keepdims=True)
    near = diff >= attrs["diff_min"]
    scaled = rounding_doubling_high_mul(np.where(near, diff, 0) << attrs["shift"], attrs["multiplier"])
    exps = exp_negative(scaled)
    total = np.where(near, rounding_divide_by_pot(exps, SUM_BITS), 0).sum(-1, keepdims=True)
    scale, exponent = reciprocal(total)
    value = rounding_divide_by_pot(rounding_doubling_high_mul(exps, scale), exponent + 31 - 8)
    return [np.where(near, np.clip(value - 128, -128, 127), -128).astype(np.int8)]


def scale_attrs(real: float) -> dict[str, int]:
    """Attributes from beta times the input scale; that times 2**26 must be at least 1."""
    multiplier, shift = quantize_multiplier(min(real * 2.0 ** (31 - DIFF_BITS), 2.0**31 - 1.0))
    radius = math.floor((2**DIFF_BITS - 1) * 2.0 ** (31 - DIFF_BITS) / 2.0**shift)
    return dict(multiplier=multiplier, shift=shift, diff_min=-radius)


def validate(view: View) -> None:
    """Differences must keep within 5 integer bits once they are scaled."""
    if view["shift"] < 0 or not 0 <= -view["diff_min"] << view["shift"] <= _FARTHEST:
        raise ModelError(f"softmax with shift {view['shift']} and diff_min {view['diff_min']}")


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return softmax_s16.lower(view)
    require_int8(view)
    out, beta = view.out.q, float(view.node.attrs["beta"])
    if (out.scale, out.zero_point) != (1 / 256, -128):
        raise UnsupportedError(
            f"softmax output with scale {out.scale} and zero point {out.zero_point}, not 1/256 and -128",
            where=view.node.name,
        )
    real = beta * view.x.q.scale
    if real * 2.0 ** (31 - DIFF_BITS) <= 1.0:
        raise UnsupportedError(f"softmax with beta * scale = {real}", where=view.node.name)
    if not view.x.shape:
        raise UnsupportedError("softmax of a tensor without dimensions", where=view.node.name)
    if view.x.shape[-1] > MAX_DEPTH:
        raise UnsupportedError(f"softmax over {view.x.shape[-1]} values (at most {MAX_DEPTH})", where=view.node.name)
    return Lowered("softmax", scale_attrs(real), activation_inputs(view))


def _params(view: View) -> dict[str, Param]:
    depth = view.x.shape[-1]
    values: dict[str, Param] = dict(rows=math.prod(view.x.shape[:-1]), depth=depth)
    return {**values, "multiplier": view["multiplier"], "shift": view["shift"], "diff_min": view["diff_min"]}


KERNELS = (
    Kernel(
        symbol="ek_softmax_s8",
        header="ek_softmax.h",
        struct="ek_softmax_params",
        fields=(
            *(("uint32_t", name) for name in ("rows", "depth")),
            *(("int32_t", name) for name in ("multiplier", "shift", "diff_min")),
        ),
        params=_params,
        # A row's maximum and sum are taken before its first value is written.
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (
        ("ten", (1, 10)),
        ("one", (1, 1)),
        ("two", (1, 2)),
        ("pixels", (1, 3, 2, 5)),
        ("wide", (1, 999)),
    ):
        for fill, x in fills(rng, shape):
            out.append(Case(f"{name}-{fill}", scale_attrs(float(np.exp(rng.uniform(-6, -1)))), (x,)))
        narrow = (rng.integers(-128, 128, shape) // 16).astype(np.int8)
        out.append(Case(f"{name}-coarse", scale_attrs(4.0), (narrow,)))
        out.append(Case(f"{name}-fine", scale_attrs(1e-4), (narrow,)))
    return out


def _beta(view: View) -> float:
    beta = view.node.attrs["beta"]
    assert isinstance(beta, (int, float))
    return beta


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0] * np.float32(_beta(view))
    exps = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(exps / exps.sum(-1, keepdims=True))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.nn.functional.softmax(operands[0] * _beta(view), -1)


OP = Op(
    name="softmax",
    code=10,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    validate=validate,
    learned=lambda view: dict(
        multiplier=MULTIPLIER, shift=Learned(0, 30), diff_min=Learned(-_FARTHEST, 0, left="shift", most=_FARTHEST)
    ),
    cases=cases,
)
SOURCE = SourceOp("softmax", lower, FloatHalf(_real, _in_torch, fixed_quant=UNIT), makes_probabilities=True)
