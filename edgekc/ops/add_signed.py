"""Sums of int8 tensors, each taken with either sign: subtraction, and additions whose axes alternate often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, View
from ..graph.source import FloatHalf, SourceOp
from . import add, add_s16
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import is_constant, require_activation
from .shared.linear import activation_range
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.ties import channelwise as channelwise_ties

ATTRS = (*add.ATTRS, "a_sign", "b_sign")  # signs: 1 or -1


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As `add`; each operand gets its sign once it is scaled."""
    a, b = ew.aligned(inputs)
    left = ew.scaled(attrs, (a - attrs["a_zero"]) << add.LEFT_SHIFT, "a_") * attrs["a_sign"]
    right = ew.scaled(attrs, (b - attrs["b_zero"]) << add.LEFT_SHIFT, "b_") * attrs["b_sign"]
    return [ew.to_output(attrs, left + right, "out_")]


def lower(view: View) -> Lowered:
    """Subtraction. A constant comes last, whichever of the two it is."""
    if int16.is_wide(view):
        return add_s16.lower(view)
    a, b = ew.operands(view)
    first, second = (-1, 1) if is_constant(view.inputs[0]) else (1, -1)
    scales = ew.sum_scales(a.q.scale, b.q.scale, view.out.q.scale, add.LEFT_SHIFT)
    if scales["out_shift"] > -1:
        raise UnsupportedError("the output scale is below 2**-18 of an input scale", where=view.node.name)
    act_min, act_max = activation_range(view)
    attrs = dict(a_zero=a.q.zero_point, b_zero=b.q.zero_point, a_sign=first, b_sign=second, **scales)
    attrs.update(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max)
    return broadcast.as_table(
        view, Lowered("add_signed", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer)), reference
    )


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    for prefix in ("a_", "b_"):
        multiplier, shift = view[f"{prefix}multiplier"], view[f"{prefix}shift"]
        if shift > 0 or (shift == 0 and multiplier > 2**30):
            raise ModelError("multipliers of an operand of a signed addition must be at most 1/2")
        if view[f"{prefix}sign"] not in (1, -1):
            raise ModelError(f"{prefix}sign is {view[f'{prefix}sign']}, expected 1 or -1")
    if view["out_shift"] > -1:
        raise ModelError("the output's multiplier of a signed addition must be below 1/2")
    require_activation(view)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Monotone in both operands, either way."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


FIELDS = (
    *(("int32_t", f"{prefix}multiplier") for prefix in ("a_", "b_", "out_")),
    *(("int8_t", f"{prefix}shift") for prefix in ("a_", "b_", "out_")),
    *(("int8_t", f"{prefix}sign") for prefix in ("a_", "b_")),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        scale_a, scale_b = np.exp(rng.uniform(-6, 0, 2))
        scale_out = (scale_a + scale_b) * rng.uniform(0.3, 1.5)
        if i % 5 == 0:  # powers of two make exact halves
            scale_a, scale_b, scale_out = 0.25, 0.125, 0.5
        attrs = ew.sum_scales(float(scale_a), float(scale_b), float(scale_out), add.LEFT_SHIFT)
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")})
        attrs.update(ew.activation(attrs["out_zero"], 255 if i % 3 else 60))
        attrs.update(a_sign=1 if i % 4 < 2 else -1, b_sign=-1 if i % 4 in (0, 3) else 1)
        out.append(Case(name, attrs, (a, b)))
    return out


def real(view: View, operands: Sequence[Any]) -> Any:
    """Of numpy or PyTorch."""
    a, b = fl.aligned(operands)
    return a - b


OP = Op(
    name="add_signed",
    code=32,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=broadcast.kernels("add_signed", FIELDS, lambda view: {name: view[name] for name in ATTRS}),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    cases=cases,
)
SOURCE = SourceOp(
    "sub",
    lower,
    FloatHalf(real, lambda torch, view, operands: real(view, operands), channelwise_ties),
    becomes="add_signed",
    operands=(EITHER_A, EITHER_B),
)
