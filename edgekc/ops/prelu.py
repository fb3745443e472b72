"""Leaky ReLU with a slope for each channel or element: the definition, its lowering and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role
from ..graph.op import MULTIPLIER, Case, Constant, IntAttrs, Interval, Learned, Lowered, Op, Operand, Rows, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import broadcast
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.operands import X
from .shared.ties import channelwise as channelwise_ties

ATTRS = (
    *("x_zero", "alpha_zero", "out_zero", "multiplier", "shift"),  # of what is not below zero
    *("steep_multiplier", "steep_shift"),  # of x times alpha, below zero
)
MAX_SHIFT, MAX_STEEP = 22, 14  # 255 times 2**22 and 255 * 255 times 2**14 stay within 32 bits
OPERANDS = (X, Operand("alpha", Constant.ALWAYS, Role.WEIGHTS))


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    (out,) = broadcast.infer(attrs, shapes)
    if out != tuple(shapes[0]):
        raise ModelError(f"slopes of shape {list(shapes[1])} for an input of {list(shapes[0])}")
    return [out]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """x - x_zero, times alpha - alpha_zero where it is negative, scaled to the output."""
    x, alpha = ew.aligned(inputs)
    x, alpha = x - attrs["x_zero"], alpha - attrs["alpha_zero"]
    value = np.where(x >= 0, ew.scaled(attrs, x, ""), ew.scaled(attrs, x * alpha, "steep_"))
    return [np.clip(value + attrs["out_zero"], -128, 127).astype(np.int8)]


def lower(view: View) -> Lowered:
    x, alpha = ew.operands(view)
    if alpha is not view.inputs[1] or alpha.data is None:
        raise UnsupportedError("prelu whose slopes are computed at run time", where=view.node.name)
    attrs = dict(x_zero=x.q.zero_point, alpha_zero=alpha.q.zero_point, out_zero=view.out.q.zero_point)
    attrs.update(ew.fixed(x.q.scale / view.out.q.scale, ""))
    attrs.update(ew.fixed(x.q.scale * alpha.q.scale / view.out.q.scale, "steep_"))
    if attrs["shift"] > MAX_SHIFT or attrs["steep_shift"] > MAX_STEEP:
        raise UnsupportedError("prelu whose outputs leave 32 bits in their scale", where=view.node.name)
    return broadcast.as_table(
        view, Lowered("prelu", attrs, *ew.lowered_inputs(view, x, alpha, broadcast.infer)), reference
    )


def validate(view: View) -> None:
    if view["shift"] > MAX_SHIFT or view["steep_shift"] > MAX_STEEP:
        raise ModelError(f"shifts {view['shift']}, {view['steep_shift']} of prelu: above {MAX_SHIFT}, {MAX_STEEP}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """On either side of zero the extremes are at the ends."""
    attrs = {name: view[name] for name in ATTRS}
    zero = view["x_zero"]
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0], (zero, zero - 1))


FIELDS = (
    *(("int32_t", name) for name in ("multiplier", "steep_multiplier")),
    *(("int8_t", name) for name in ("shift", "steep_shift")),
    *(("int16_t", name) for name in ("x_zero", "alpha_zero", "out_zero")),
)
_KERNEL = broadcast.kernels("prelu", FIELDS, lambda view: {name: view[name] for name in ATTRS})[0]


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, x, alpha) in enumerate(broadcast.pairs_of_inputs(rng)):
        if np.broadcast_shapes(x.shape, alpha.shape) != x.shape:
            continue
        attrs = {
            **ew.fixed(float(np.exp(rng.uniform(-2, 3))), ""),
            **ew.fixed(float(np.exp(rng.uniform(-8, 0))), "steep_"),
        }
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("x_zero", "alpha_zero", "out_zero")})
        if i % 4 == 0:
            attrs["alpha_zero"] = 0
        out.append(Case(name, attrs, (x, alpha)))
    return out


def real_numpy(view: View, operands: Sequence[Any]) -> Any:
    x, alpha = fl.aligned(operands)
    return np.where(x >= 0, x, x * alpha)


def real_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, alpha = fl.aligned(operands)
    return torch.where(x >= 0, x, x * alpha)


OP = Op(
    name="prelu",
    code=36,
    attrs=ATTRS,
    operands=OPERANDS,
    infer=infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=(replace(_KERNEL, symbol="ek_prelu_s8", accepts=lambda view: True),),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    learned=lambda view: {
        **dict(multiplier=MULTIPLIER, shift=Learned(-31, MAX_SHIFT)),
        **dict(steep_multiplier=MULTIPLIER, steep_shift=Learned(-31, MAX_STEEP)),
    },
    cases=cases,
)
SOURCE = SourceOp(
    "prelu",
    lower,
    FloatHalf(real_numpy, real_torch, channelwise_ties, scales_along=True),
    operands=OPERANDS,
)
