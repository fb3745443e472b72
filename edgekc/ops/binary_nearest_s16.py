"""Sums and products of two int16 tensors as int8, rounded once, ties to even: the definition, its lowering, its kernel.

What a quantised source adds or multiplies in float before it quantises the result has this; see `importers.wide`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import INT32_MAX, clamp_int8
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, Operand, Param, View
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared.channels import channelwise
from .shared.checks import activation_inputs
from .shared.linear import activation_range
from .shared.operands import A

ATTRS = ("product", "a_multiplier", "b_multiplier", "right", "out_zero", "act_min", "act_max")
# With fewer a result could leave 31 bits: operands have 16 bits, a product 31, a multiplier 31, and sums one more.
LEAST_RIGHT = {0: 17, 1: 31}  # by `product`
MOST_RIGHT = 62


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """(a * a_multiplier + b * b_multiplier) / 2**right, or a * b * a_multiplier / 2**right, rounded, ties to even."""
    a, b = ew.aligned(inputs)
    wide = a * b * attrs["a_multiplier"] if attrs["product"] else a * attrs["a_multiplier"] + b * attrs["b_multiplier"]
    right = attrs["right"]
    nearest = (wide + (1 << right - 1) - 1 + ((wide >> right) & 1)) >> right
    return [clamp_int8(nearest, attrs["out_zero"], attrs["act_min"], attrs["act_max"])]


def fixed(op: str, a: float, b: float, out: float) -> dict[str, int] | None:
    """Attributes of `op`, "add" or "mul", of three scales; None: its ratio is beyond what the kernel takes."""
    product = int(op == "mul")
    ratios = (a * b / out, 0.0) if product else (a / out, b / out)
    right = min(31 - math.frexp(max(ratios))[1], MOST_RIGHT)
    first, second = (round(math.ldexp(ratio, right)) for ratio in ratios)
    if max(first, second) > INT32_MAX:
        first, second, right = -(-first // 2), -(-second // 2), right - 1
    if right < LEAST_RIGHT[product]:
        return None
    return dict(product=product, a_multiplier=first, b_multiplier=second, right=right)


def lower(view: View) -> Lowered:
    """Of a QUANTIZED sum or product of int16 tensors whose output is int8."""
    int16.require_wide(view, *view.inputs)
    (a, b), out = view.inputs, view.out
    scaled = fixed(view.node.op, a.q.scale, b.q.scale, out.q.scale)
    if scaled is None:
        what = f"{view.node.op} of int16 with scales {a.q.scale:g} and {b.q.scale:g} to {out.q.scale:g}"
        raise UnsupportedError(what, where=view.node.name)
    low, high = activation_range(view)
    attrs = {**scaled, "out_zero": out.q.zero_point, "act_min": low, "act_max": high}
    broadcast.infer({}, [a.shape, b.shape])
    return Lowered("binary_nearest_s16", attrs, activation_inputs(view))


def validate(view: View) -> None:
    """The bounds on which the kernel's 64-bit arithmetic rests."""
    if [t.dtype for t in (*view.inputs, view.out)] != ["int16", "int16", "int8"]:
        raise ModelError(f"binary_nearest_s16 of {view.inputs[0].dtype} and {view.inputs[1].dtype} to {view.out.dtype}")
    if view["product"] not in LEAST_RIGHT:
        raise ModelError(f"product is {view['product']}, expected 0 or 1")
    if not LEAST_RIGHT[view["product"]] <= view["right"] <= MOST_RIGHT:
        raise ModelError(f"right {view['right']} of a sum or product of int16")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Both take their extremes at the corners, and rounding is monotone."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


_FIELDS = (
    *(("int32_t", name) for name in ("a_multiplier", "b_multiplier")),
    *(("int16_t", name) for name in ("out_zero", "act_min", "act_max")),
    *(("uint8_t", name) for name in ("product", "right")),
)


def _params(view: View) -> dict[str, Param]:
    return {name: view[name] for name in ATTRS}


def cases(rng: np.random.Generator) -> list[Case]:
    """Ratios of all sizes, those that make ties, and the largest that each takes."""
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        for op, most in (("add", 2.0**13.9), ("mul", 0.99)):
            scales = float(np.exp(rng.uniform(-8, -2))), float(np.exp(rng.uniform(-8, -2)))
            wanted = max(scales) * 2.0**7 if op == "add" else scales[0] * scales[1] * 2.0**20
            if i % 3 == 0:
                scales, wanted = (0.25, 0.5), 64.0 if op == "add" else 2.0**12
            elif i % 17 == 1:
                scales, wanted = (most, most / 3) if op == "add" else (most, 1.0), 1.0
            scaled = fixed(op, *scales, wanted)
            assert scaled is not None
            attrs = {**scaled, "out_zero": int(rng.integers(-128, 128))}
            attrs.update(ew.activation(attrs["out_zero"], 255 if i % 4 else 60))
            out.append(Case(f"{name}-{op}", attrs, (int16.widened(a, rng), int16.widened(b, rng))))
    return out


OP = Op(
    name="binary_nearest_s16",
    code=118,
    attrs=ATTRS,
    operands=(A, Operand("b")),
    infer=broadcast.infer,
    reference=reference,
    kernels=broadcast.kernels("binary_nearest", _FIELDS, _params, bits=16)[:1],
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise,
    cases=cases,
)
