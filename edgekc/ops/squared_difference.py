"""The square of the difference of int8 tensors: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, Rows, View
from ..graph.source import FloatHalf, SourceOp
from .shared import broadcast
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import channels_of, known, spread
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.ties import channelwise as channelwise_ties

LEFT_SHIFT = 7  # headroom in which both operands are brought to one scale, so that the square fits 32 bits
ATTRS = (
    *("a_zero", "a_multiplier", "a_shift", "b_zero", "b_multiplier", "b_shift"),
    *("out_multiplier", "out_shift", "out_zero"),
)


def _difference(attrs: IntAttrs, a: Array, b: Array) -> Array:
    left = ew.scaled(attrs, (a - attrs["a_zero"]) << LEFT_SHIFT, "a_")
    return np.asarray(left - ew.scaled(attrs, (b - attrs["b_zero"]) << LEFT_SHIFT, "b_"))


def _squared(attrs: IntAttrs, difference: Array) -> Array:
    return ew.to_output({**attrs, "act_min": -128, "act_max": 127}, difference * difference, "out_")


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Each operand, less its zero point and times 2**7, is scaled; the square of the difference is scaled again."""
    return [_squared(attrs, _difference(attrs, *ew.aligned(inputs)))]


def scale_attrs(a: float, b: float, out: float) -> dict[str, int]:
    """Multipliers of operands and output from their scales: twice the larger scale is the common one."""
    twice = 2.0 * max(a, b)
    ratios = {"a_": a / twice, "b_": b / twice, "out_": twice * twice / (2.0 ** (2 * LEFT_SHIFT) * out)}
    return {key: value for prefix, ratio in ratios.items() for key, value in ew.fixed(ratio, prefix).items()}


def lower(view: View) -> Lowered:
    a, b = ew.operands(view)  # the square is the same either way
    attrs = scale_attrs(a.q.scale, b.q.scale, view.out.q.scale)
    if attrs["out_shift"] > 0:
        raise UnsupportedError("the output scale is below 2**-13 of the square of an input scale", where=view.node.name)
    attrs.update(a_zero=a.q.zero_point, b_zero=b.q.zero_point, out_zero=view.out.q.zero_point)
    return broadcast.as_table(
        view, Lowered("squared_difference", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer)), reference
    )


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    for prefix in ("a_", "b_"):
        multiplier, shift = view[f"{prefix}multiplier"], view[f"{prefix}shift"]
        if shift > 0 or (shift == 0 and multiplier > 2**30):
            raise ModelError("multipliers of an operand of a squared difference must be at most 1/2")
    if view["out_shift"] > 0:
        raise ModelError("the output's multiplier of a squared difference must be below 1")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """From the square of the difference that is nearest to 0 to that of the one furthest from it."""
    attrs = {name: view[name] for name in ATTRS}
    a, b = (spread(known(t, i), channels_of(view.out)) for t, i in zip(view.inputs, (*inputs, None), strict=False))
    low, high = _difference(attrs, a.low, b.high), _difference(attrs, a.high, b.low)
    nearest = np.where((low <= 0) & (high >= 0), 0, np.minimum(np.abs(low), np.abs(high)))
    ends = [_squared(attrs, end).astype(np.int64) for end in (nearest, np.maximum(np.abs(low), np.abs(high)))]
    return Interval(ends[0], ends[1])


FIELDS = (
    *(("int32_t", f"{prefix}multiplier") for prefix in ("a_", "b_", "out_")),
    *(("int8_t", f"{prefix}shift") for prefix in ("a_", "b_", "out_")),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero")),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        scale_a, scale_b = (float(v) for v in np.exp(rng.uniform(-6, 0, 2)))
        if i % 3 == 0:
            scale_b = scale_a
        rate = 1.0 if i % 7 == 0 else float(np.exp(rng.uniform(2, 10)))
        attrs = scale_attrs(scale_a, scale_b, max(scale_a, scale_b) ** 2 * rate)
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")})
        out.append(Case(name, attrs, (a, b)))
    return out


def real(view: View, operands: Sequence[Any]) -> Any:
    """Of numpy or PyTorch."""
    a, b = fl.aligned(operands)
    return (a - b) * (a - b)


OP = Op(
    name="squared_difference",
    code=34,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=broadcast.kernels("squared_difference", FIELDS, lambda view: {name: view[name] for name in ATTRS}),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
)
SOURCE = SourceOp(
    "squared_difference",
    lower,
    FloatHalf(real, lambda torch, view, operands: real(view, operands), channelwise_ties),
    operands=(EITHER_A, EITHER_B),
)
