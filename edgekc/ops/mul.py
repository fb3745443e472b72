"""Product of int8 tensors: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import MULTIPLIER, Case, IntAttrs, Interval, Learned, Lowered, Op, Param, Rows, View
from ..graph.source import FloatHalf, SourceOp
from . import binary_nearest_s16, mul_nearest, mul_s16
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.anchored import NEAREST
from .shared.channels import channelwise
from .shared.checks import channels_of, known, require_activation, spread
from .shared.linear import activation_range
from .shared.operands import A, B
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("a_zero", "b_zero", "multiplier", "shift", "out_zero", "act_min", "act_max")
MAX_SHIFT = 14  # a product, at most 255 * 255, times 2**14 stays within 32 bits


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """(a - a_zero) * (b - b_zero), scaled to the output."""
    a, b = ew.aligned(inputs)
    return [ew.to_output(attrs, (a - attrs["a_zero"]) * (b - attrs["b_zero"]), "")]


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        if view.out.dtype == "int8":
            return binary_nearest_s16.lower(view)
        return mul_s16.lower(view)
    a, b = ew.operands(view)
    if view.node.attrs.get(NEAREST) and (once := mul_nearest.lower(view, a, b)):
        return once
    # TFLite computes this ratio in float32; the order of a and b does not matter.
    ratio = np.float32(a.q.scale) * np.float32(b.q.scale) / np.float32(view.out.q.scale)
    if ratio >= 2.0**MAX_SHIFT:
        raise UnsupportedError(f"a product of scales {ratio} times the output's", where=view.node.name)
    act_min, act_max = activation_range(view)
    attrs = dict(a_zero=a.q.zero_point, b_zero=b.q.zero_point, **ew.fixed(float(ratio), ""))
    attrs.update(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max)
    if ew.alternates(view, a, b):
        return Lowered("mul_deep", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))
    return Lowered("mul", attrs, *ew.lowered_inputs(view, a, b))


def validate(view: View) -> None:
    if view["shift"] > MAX_SHIFT:
        raise ModelError(f"shift {view['shift']} of a product is above {MAX_SHIFT}")
    require_activation(view)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """A product takes its extremes at the corners, and requantisation is monotone."""
    a, b = (spread(known(t, i), channels_of(view.out)) for t, i in zip(view.inputs, (*inputs, None), strict=False))
    attrs = {name: view[name] for name in ATTRS}
    corners = np.stack([reference(attrs, [x[None], y[None]])[0][0] for x in (a.low, a.high) for y in (b.low, b.high)])
    return Interval(corners.min(0).astype(np.int64), corners.max(0).astype(np.int64))


def _params(view: View) -> dict[str, Param]:
    return {**ew.loops(view), **{name: view[name] for name in ATTRS}}


FIELDS = (
    *ew.LOOP_FIELDS,
    *(("int32_t", name) for name in ("multiplier", "shift")),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(ew.pairs_of_inputs(rng)):
        # Every fifth case has a multiplier above one, which takes the left shift.
        attrs = ew.fixed(float(rng.uniform(1.0, 9.0) if i % 5 == 1 else np.exp(rng.uniform(-9, -5))), "")
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")})
        attrs.update(ew.activation(attrs["out_zero"], 255 if i % 3 else 60))
        out.append(Case(name, attrs, (a, b)))
    return out


def real(view: View, operands: Sequence[Any]) -> Any:
    """Of numpy or PyTorch."""
    a, b = fl.aligned(operands)
    return a * b


OP = Op(
    name="mul",
    code=5,
    attrs=ATTRS,
    operands=(A, B),
    infer=ew.infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=ew.kernels("mul", FIELDS, _params),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    learned=lambda view: dict(multiplier=MULTIPLIER, shift=Learned(-31, MAX_SHIFT)),
    cases=cases,
)
SOURCE = SourceOp("mul", lower, FloatHalf(real, lambda torch, view, operands: real(view, operands), channelwise_ties))
