"""Addition of int8 tensors with different scales: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import MULTIPLIER, Case, IntAttrs, Interval, Kernel, Learned, Lowered, Op, Param, Rows, View
from ..graph.scratch import Region, Regions
from ..graph.source import FloatHalf, SourceOp
from . import add_s16, binary_nearest_s16
from .kernels.vector import VECTOR
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import channels_of, is_constant, known, require_activation, spread
from .shared.linear import activation_range
from .shared.operands import A, B
from .shared.ties import channelwise as channelwise_ties

LEFT_SHIFT = 20  # headroom in which both operands are brought to one scale
ATTRS = (
    *("a_zero", "a_multiplier", "a_shift", "b_zero", "b_multiplier", "b_shift"),
    *("out_multiplier", "out_shift", "out_zero", "act_min", "act_max"),
)
HALF = (2**30, 0)  # the multiplier 1/2: always that of the operand with the larger scale


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Each operand, less its zero point and times 2**20, is scaled; the sum is scaled to the output."""
    a, b = ew.aligned(inputs)
    left = ew.scaled(attrs, (a - attrs["a_zero"]) << LEFT_SHIFT, "a_")
    right = ew.scaled(attrs, (b - attrs["b_zero"]) << LEFT_SHIFT, "b_")
    return [ew.to_output(attrs, left + right, "out_")]


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        if view.out.dtype == "int8":
            return binary_nearest_s16.lower(view)
        return add_s16.lower(view)
    a, b = ew.operands(view)
    scales = ew.sum_scales(a.q.scale, b.q.scale, view.out.q.scale, LEFT_SHIFT)
    if scales["out_shift"] > -1:
        raise UnsupportedError("the output scale is below 2**-18 of an input scale", where=view.node.name)
    act_min, act_max = activation_range(view)
    attrs = dict(a_zero=a.q.zero_point, b_zero=b.q.zero_point, **scales)
    attrs.update(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max)
    if ew.alternates(view, a, b):
        attrs.update(a_sign=1, b_sign=1)
        return Lowered("add_signed", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))
    return Lowered("add", attrs, *ew.lowered_inputs(view, a, b))


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    scales = [(view[p + "multiplier"], view[p + "shift"]) for p in ("a_", "b_")]
    if HALF not in scales or any(pair != HALF and pair[1] > -1 for pair in scales) or view["out_shift"] > -1:
        raise ModelError("multipliers of an addition must be 1/2 for one operand, and at most 1/2 for the other")
    require_activation(view)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Monotone in both operands."""
    ends = [spread(known(t, i), channels_of(view.out)) for t, i in zip(view.inputs, (*inputs, None), strict=False)]
    attrs = {name: view[name] for name in ATTRS}
    low = reference(attrs, [e.low[None] for e in ends])[0][0]
    high = reference(attrs, [e.high[None] for e in ends])[0][0]
    return Interval(low.astype(np.int64), high.astype(np.int64))


def _params(view: View) -> dict[str, Param]:
    """The kernel's x is the operand whose multiplier is exactly 1/2: it needs no multiplication."""
    x, y = ("a_", "b_") if _is_half(view, "a_") else ("b_", "a_")
    loops = ew.loops(view)
    values: dict[str, Param] = {name: loops[name] for name in ("outer", "mid", "inner")}
    for name in ("outer", "mid", "inner"):
        values[f"x_{name}"], values[f"y_{name}"] = loops[x + name], loops[y + name]
    exact = _is_half(view, y)
    # The kernel divides by 2**y_right with y_right >= 1, so 1/2 is written as 1 / 2.
    values.update(y_negative=-(2**31) if exact else -view[y + "multiplier"])
    values.update(y_right=1 if exact else -view[y + "shift"], x_zero=view[x + "zero"], y_zero=view[y + "zero"])
    values.update(out_multiplier=view["out_multiplier"], out_right=-view["out_shift"])
    values.update({name: view[name] for name in ("out_zero", "act_min", "act_max")})
    values["swap"] = int(x == "b_")
    return values


def _is_half(view: View, prefix: str) -> bool:
    return (view[prefix + "multiplier"], view[prefix + "shift"]) == HALF


def _learned(view: View) -> dict[str, Learned]:
    """Which operand has the larger scale is code where the two are broadcast differently: the loops say it too."""
    loops, right = ew.loops(view), Learned(1, 31)
    found = dict(y_negative=Learned(-(2**31), 0), y_right=right, out_multiplier=MULTIPLIER, out_right=right)
    alike = all(loops[f"a_{axis}"] == loops[f"b_{axis}"] for axis in ("outer", "mid", "inner"))
    return {**found, "swap": Learned(0, 1)} if alike else found


FIELDS = (
    *(("uint32_t", name) for name in ("outer", "mid", "inner")),
    *(("uint32_t", f"{side}_{axis}") for side in ("x", "y") for axis in ("outer", "mid", "inner")),
    *(("int32_t", name) for name in ("y_negative", "out_multiplier")),
    *(("uint8_t", name) for name in ("y_right", "out_right", "swap")),
    *(("int16_t", name) for name in ("x_zero", "y_zero", "out_zero", "act_min", "act_max")),
)


def _same_shape(view: View) -> bool:
    loops = ew.loops(view)
    alike = all(loops[name] == 1 for name in ("outer", "mid", "a_inner", "b_inner"))
    return alike and not is_constant(view.operand("b"))


TABLE = 1024  # elements from which a table of y pays: EK_ADD_TABLE


def _table(view: View) -> Regions:
    return (Region("table", 1024 if view.out.nbytes >= TABLE else 0, "int32 (256): what each value of y becomes"),)


def _dsp(portable: Kernel) -> Kernel:
    """The kernel for the DSP extension; a clamp to int8 is its SSAT, and out_zero * 2**out_right has to fit 32 bits."""

    def accepts(view: View) -> bool:
        whole = all(t.data is None and t.shape == view.out.shape for t in view.inputs)
        return whole and (view["act_min"], view["act_max"]) == (-128, 127) and view["out_shift"] >= -22

    dsp = frozenset({"dsp"})
    return replace(portable, symbol="ek_add_s8_dsp", needs=dsp, accepts=accepts, sources=(), scratch=_table)


_PORTABLE = ew.kernels("add", FIELDS, _params)
_VECTOR = replace(_PORTABLE[0], symbol="ek_add_s8_vec", needs=VECTOR, accepts=_same_shape)
_HELIUM = replace(
    _PORTABLE[0],
    symbol="ek_add_s8_mve",
    needs=frozenset({"mve"}),
    accepts=_same_shape,
    scratch=_table,
)
KERNELS: tuple[Kernel, ...] = (_HELIUM, _VECTOR, _dsp(_PORTABLE[0]), *_PORTABLE)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(ew.pairs_of_inputs(rng)):
        scale_a, scale_b = np.exp(rng.uniform(-6, 0, 2))
        if i % 4 == 0:
            scale_b = scale_a
        scale_out = (scale_a + scale_b) * rng.uniform(0.3, 1.5)
        if i % 5 == 0:  # powers of two make exact halves
            scale_a, scale_b, scale_out = 0.25, 0.125, 0.5
        attrs = ew.sum_scales(float(scale_a), float(scale_b), float(scale_out), LEFT_SHIFT)
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")})
        attrs.update(ew.activation(attrs["out_zero"], 255 if i % 3 else 60))
        out.append(Case(name, attrs, (a, b)))
    # Scales so far apart that a multiplier is 0: of one operand, of the other, of the sum.
    _, a, b = ew.pairs_of_inputs(rng)[0]
    for name, *scales in (("no_b", 1e3, 1e-8, 2e3), ("no_a", 1e-8, 1e3, 2e3), ("no_sum", 1e-6, 1e-6, 1e3)):
        attrs = {
            **ew.sum_scales(scales[0], scales[1], scales[2], LEFT_SHIFT),
            "a_zero": -7,
            "b_zero": 12,
            "out_zero": 3,
            "act_min": -128,
            "act_max": 127,
        }
        out.append(Case(name, attrs, (a, b)))
    return out


def real(view: View, operands: Sequence[Any]) -> Any:
    """Of numpy or PyTorch."""
    a, b = fl.aligned(operands)
    return a + b


OP = Op(
    name="add",
    code=4,
    attrs=ATTRS,
    operands=(A, B),
    infer=ew.infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    learned=_learned,
    cases=cases,
)
SOURCE = SourceOp(
    "add", lower, FloatHalf(real, lambda torch, view, operands: real(view, operands), channelwise_ties, masks="added")
)
