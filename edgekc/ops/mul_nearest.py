"""Products of int8 tensors, rounded once, ties to even, as PyTorch and ONNX define quantisation.

Models that ask for the nearest levels (`anchored.NEAREST`) have these: the definition and its C kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError
from ..graph.fixedpoint import INT32_MAX, clamp_int8
from ..graph.ir import Array, Tensor
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, Rows, View
from .shared import broadcast
from .shared import elementwise as ew
from .shared.channels import channelwise
from .shared.checks import require_activation
from .shared.linear import activation_range
from .shared.operands import A, B

ATTRS = ("a_zero", "b_zero", "multiplier", "left", "out_zero", "act_min", "act_max")
MOST_LEFT = 14  # a product, at most 255 * 255, times 2**14 stays within 32 bits


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """(a - a_zero) * (b - b_zero) * multiplier * 2**(left - 32), to the nearest integer, ties to even."""
    a, b = ew.aligned(inputs)
    wide = ((a - attrs["a_zero"]) * (b - attrs["b_zero"]) << attrs["left"]) * attrs["multiplier"]
    nearest = (wide + (2**31 - 1) + ((wide >> 32) & 1)) >> 32
    return [clamp_int8(nearest, attrs["out_zero"], attrs["act_min"], attrs["act_max"])]


def fixed(ratio: float) -> dict[str, int] | None:
    """`multiplier` and `left` of a positive ratio; None from 2**13 on: 32 bits do not hold the products."""
    left = max(math.frexp(ratio)[1] + 1, 0)
    multiplier = round(math.ldexp(ratio, 32 - left))
    if multiplier > INT32_MAX:
        left, multiplier = left + 1, 2**30
    return dict(multiplier=multiplier, left=left) if left <= MOST_LEFT else None


def lower(view: View, a: Tensor, b: Tensor) -> Lowered | None:
    """Of a QUANTIZED product of int8, whose constant is `b`; None: its ratio is beyond what kernels take."""
    quants = a.q, b.q, view.out.q
    scaled = fixed(a.q.scale * b.q.scale / view.out.q.scale)
    if scaled is None:
        return None
    attrs = dict(zip(("a_zero", "b_zero", "out_zero"), (q.zero_point for q in quants), strict=True)) | scaled
    attrs["act_min"], attrs["act_max"] = activation_range(view)
    return Lowered("mul_nearest", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))


def validate(view: View) -> None:
    if not 0 <= view["left"] <= MOST_LEFT or view["multiplier"] < 0:
        raise ModelError(f"left {view['left']} and multiplier {view['multiplier']} of a product leave 32 bits")
    require_activation(view)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """A product takes its extremes at the corners, and rounding is monotone."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


_FIELDS = (
    ("int32_t", "multiplier"),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
    ("uint8_t", "left"),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Ratios of all sizes; every third is a power of two, so that products are ties, and some are the largest."""
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        ratio = 2.0 ** -rng.integers(0, 12) if i % 3 == 0 else float(np.exp(rng.uniform(-9, 2)))
        scaled = fixed(2.0**12.99 if i % 17 == 1 else ratio)
        assert scaled is not None
        attrs = scaled | {k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")}
        attrs.update(ew.activation(attrs["out_zero"], 255 if i % 4 else 60))
        out.append(Case(name, attrs, (a, b)))
    return out


OP = Op(
    name="mul_nearest",
    code=38,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=broadcast.kernels("mul_nearest", _FIELDS, lambda view: {name: view[name] for name in ATTRS}),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
)
