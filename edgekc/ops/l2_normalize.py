"""Vectors of length one, int8: each divided by its length along the last axis; the definition and its C kernel.

The reciprocal of a square root is found as TFLite's reference kernel finds it: by Newton steps in fixed point. Numbers
with i integer bits are held in 32 bits, so that raw = value * 2**(31 - i) ("Qi").
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
    clamp_int8,
    requantize,
    rounding_divide_by_pot,
    rounding_doubling_high_mul,
)
from ..graph.ir import Array, Quant
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared.checks import activation_inputs, is_unsigned, require_int8
from .shared.operands import X
from .shared.testing import fills

ATTRS = ("in_zero",)
MAX_DEPTH = INT32_MAX // 255**2  # values of a vector: the sum of their squares fits 32 bits
STEPS = 5  # of Newton's method
ONE, HALF_THREE = 1 << 28, 3 << 27  # 1 and 3/2 in Q3
HALF_ROOT_TWO = 1518500250  # in Q0
UNIT = Quant((1 / 128,), (0,))  # the only quantisation of the output that TFLite has
UNSIGNED = "l2_normalize_unsigned"  # the same with the rounding of uint8 models
EPSILON = 1e-6  # that a length of nothing but zeros is taken for


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes[0]) < 2 or not 1 <= shapes[0][-1] <= MAX_DEPTH:
        raise ModelError(f"the length along the last axis of {list(shapes[0])}; its size must be 1 to {MAX_DEPTH}")
    return [tuple(shapes[0])]


def inverse_root(total: Array) -> tuple[Array, Array]:
    """(multiplier, shift) with 1 / sqrt(total) ~ multiplier * 2**(shift - 31), of 0 <= total < 2**31."""
    small = total <= 1  # 0 and 1 have no steps: both give 1
    x = np.where(small, 2, total)
    shift = np.full(x.shape, -11)
    for _ in range(2):  # below 2**29
        large = x >= 1 << 29
        x, shift = np.where(large, x // 4, x), shift - large
    pairs = (31 - np.frexp(x.astype(np.float64))[1]) // 2 - 1  # of bits that are free, but for one
    x, shift = x << 2 * pairs, shift + pairs
    mul = rounding_doubling_high_mul
    half = rounding_divide_by_pot(x >> 1, 1)  # x in [1/4, 1) of Q3, halved
    root = np.full(x.shape, ONE)
    for _ in range(STEPS):
        cube = np.minimum(mul(mul(root, root), root) << 6, INT32_MAX)
        root = (mul(root, HALF_THREE) - mul(half, cube)) << 3
    root = mul(root, HALF_ROOT_TWO) << np.maximum(shift, 0)
    return np.where(small, INT32_MAX, root), np.where(small, 0, np.minimum(shift, 0))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """(x - in_zero) / length, in units of 1/128."""
    x = inputs[0].astype(np.int64) - attrs["in_zero"]
    multiplier, shift = inverse_root((x * x).sum(-1, keepdims=True))
    return [clamp_int8(requantize(x, multiplier, shift + 7, DOUBLE), 0, -128, 127)]


def lower(view: View) -> Lowered:
    require_int8(view)
    if not view.x.shape:
        raise UnsupportedError("l2_normalize of a tensor without dimensions", where=view.node.name)
    out, depth = view.out.q, view.x.shape[-1]
    if (out.scale, out.zero_point) != (UNIT.scale, UNIT.zero_point):
        text = f"an output of unit length with scale {out.scale} and zero point {out.zero_point}, not 1/128 and 0"
        raise UnsupportedError(text, where=view.node.name)
    if depth > MAX_DEPTH:
        raise UnsupportedError(f"the length of {depth} values (at most {MAX_DEPTH})", where=view.node.name)
    name = UNSIGNED if is_unsigned(view) else "l2_normalize"
    return Lowered(name, {"in_zero": view.x.q.zero_point}, activation_inputs(view))


def _params(view: View) -> dict[str, Param]:
    depth, left = view.x.shape[-1], 7 if view.node.op == UNSIGNED else 0
    return dict(rows=math.prod(view.x.shape[:-1]), depth=depth, in_zero=view["in_zero"], left=left)


KERNELS = (
    Kernel(
        symbol="ek_l2_normalize_s8",
        header="ek_l2_normalize.h",
        struct="ek_l2_normalize_params",
        fields=(("uint32_t", "rows"), ("uint32_t", "depth"), ("int16_t", "in_zero"), ("uint8_t", "left")),
        params=_params,
        # A vector's length is known before its first value is written.
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (("ten", (1, 10)), ("one", (1, 1)), ("pixels", (1, 3, 2, 5)), ("long", (1, 2, 400))):
        for fill, x in fills(rng, shape):
            out.append(Case(f"{name}-{fill}", {"in_zero": int(rng.integers(-128, 128))}, (x,)))
        for zero in (-128, 0, 127):
            near = np.clip(zero + rng.integers(-1, 2, shape), -128, 127).astype(np.int8)
            out.append(Case(f"{name}-near-{zero}", {"in_zero": zero}, (near,)))
            out.append(Case(f"{name}-nothing-{zero}", {"in_zero": zero}, (np.full(shape, zero, np.int8),)))
    longest = np.full((1, MAX_DEPTH), -128, np.int8)
    return [*out, Case("longest", {"in_zero": 127}, (longest,))]


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    return np.asarray(x / np.maximum(np.sqrt((x * x).sum(-1, keepdims=True)), np.float32(EPSILON)))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.nn.functional.normalize(operands[0], dim=-1, eps=EPSILON)


OP = Op(
    name="l2_normalize",
    code=55,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: 2 * math.prod(view.x.shape[1:]),
    cases=cases,
)
SOURCE = SourceOp("l2_normalize", lower, FloatHalf(_real, _in_torch, fixed_quant=UNIT), clamps=False)
