"""Sums and differences of int16 tensors: the definition, its lowering and its C kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, View
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared.channels import channelwise
from .shared.checks import is_constant
from .shared.linear import activation_range
from .shared.operands import A, B

LEFT_SHIFT = 15  # headroom in which both operands are brought to one scale
_PARTS = ("a_", "b_", "out_")
ATTRS = (
    *(f"{part}{name}" for part in _PARTS for name in ("multiplier", "shift")),
    *("a_sign", "b_sign"),  # 1 or -1
    *int16.CLAMP,
)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Each operand, times 2**15, is scaled and gets its sign; the sum is scaled to the output."""
    a, b = ew.aligned(inputs)
    left = ew.scaled(attrs, a << LEFT_SHIFT, "a_") * attrs["a_sign"]
    right = ew.scaled(attrs, b << LEFT_SHIFT, "b_") * attrs["b_sign"]
    y = ew.scaled(attrs, left + right, "out_")
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def _is_power_of_two(scale: float) -> bool:
    """As LiteRT sees it: the logarithm is within 0.001 of a whole number."""
    log = math.log2(scale)
    return abs(log - round(log)) < 1e-3


def lower(view: View) -> Lowered:
    """Of a QUANTIZED addition or subtraction of int16. A constant comes last, whichever of the two it is."""
    a, b = ew.operands(view)
    scales = (a.q.scale, b.q.scale, view.out.q.scale)
    if view.node.attrs.get("pot_scale", 0) and all(map(_is_power_of_two, scales)):
        raise UnsupportedError(
            f"{view.node.op} of int16 whose scales are powers of two, which LiteRT shifts",
            where=view.node.name,
            fix="convert the model anew: converters set pot_scale_int16 to false",
        )
    attrs = ew.sum_scales(*scales, LEFT_SHIFT)
    if attrs["out_shift"] > -1:
        raise UnsupportedError("the output scale is below 2**-13 of an input scale", where=view.node.name)
    signs = (1, -1 if view.node.op == "sub" else 1)
    low, high = activation_range(view)
    attrs.update(zip(("a_sign", "b_sign"), signs[::-1] if is_constant(view.inputs[0]) else signs, strict=True))
    attrs.update(clamp_min=low, clamp_max=high)
    return Lowered("add_s16", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    int16.require_types(view, 2)
    int16.require_clamp(view)
    for part in ("a_", "b_"):
        if view[f"{part}shift"] > 0 or (view[f"{part}shift"] == 0 and view[f"{part}multiplier"] > 2**30):
            raise ModelError("multipliers of an operand of an addition must be at most 1/2")
        if view[f"{part}sign"] not in (1, -1):
            raise ModelError(f"{part}sign is {view[f'{part}sign']}, expected 1 or -1")
    if view["out_shift"] > -1:
        raise ModelError("the output's multiplier of an addition must be below 1/2")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Monotone in both operands, either way."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


FIELDS = (
    *(("int32_t", f"{part}multiplier") for part in _PARTS),
    *(("int8_t", f"{part}shift") for part in _PARTS),
    *(("int8_t", f"{part}sign") for part in _PARTS[:2]),
    *(("int16_t", name) for name in int16.CLAMP),
)


HALF = (2**30, 0)  # the multiplier 1/2: that of the operand with the larger scale


def _whole(view: View) -> bool:
    """Activations of one shape, one of which takes no multiplication."""
    whole = all(t.data is None and t.shape == view.out.shape for t in view.inputs)
    return whole and HALF in [(view[f"{part}multiplier"], view[f"{part}shift"]) for part in ("a_", "b_")]


def _signs(view: View) -> int:
    """How many operands are added."""
    return (view["a_sign"], view["b_sign"]).count(1)


_PORTABLE = broadcast.kernels("add", FIELDS, lambda view: {name: view[name] for name in ATTRS}, bits=16)
KERNELS = (
    replace(
        _PORTABLE[0],
        symbol="ek_add_s16_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: _whole(view) and _signs(view) > 0,
    ),
    replace(
        _PORTABLE[0],
        symbol="ek_add_s16_dsp",
        needs=frozenset({"dsp"}),
        accepts=lambda view: _whole(view) and _signs(view) == 2,
    ),
    *_PORTABLE,
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        scale_a, scale_b = (float(s) for s in np.exp(rng.uniform(-6, 0, 2)))
        scale_out = (scale_a + scale_b) * float(rng.uniform(0.3, 1.5))
        if i % 5 == 0:  # powers of two make exact halves
            scale_a, scale_b, scale_out = 0.25, 0.125, 0.5
        if i % 7 == 3:  # so far apart that a multiplier is 0
            scale_a, scale_b = scale_a * 1e-7, scale_b * 1e5
        attrs = ew.sum_scales(scale_a, scale_b, max(scale_out, 1e-3 * scale_b), LEFT_SHIFT)
        attrs.update(a_sign=1 if i % 4 < 2 else -1, b_sign=-1 if i % 4 in (0, 3) else 1)
        attrs.update(int16.FULL if i % 3 else dict(clamp_min=-9000, clamp_max=8000))
        out.append(Case(name, attrs, (int16.widened(a, rng), int16.widened(b, rng))))
    return out + _signed(rng)


def _signed(rng: np.random.Generator) -> list[Case]:
    """One shape, each sign, operands at both ends: equal scales, those that make halves, and multipliers of 0."""
    kinds = [("equal", 0.5, 0.5, 0.75), ("halves", 0.125, 0.25, 0.5), ("small", 0.3, 0.2, 0.001)]
    kinds += [("no-a", 1e-8, 1e3, 2e3), ("no-b", 1e3, 1e-8, 2e3), ("no-sum", 1e-6, 1e-6, 1e3)]
    out = []
    for name, scale_a, scale_b, scale_out in kinds:
        for a_sign, b_sign in ((1, 1), (1, -1), (-1, 1)):
            a, b = rng.integers(int16.LOW, int16.HIGH + 1, (2, 1, 3, 13))
            a[0, 0, :4], b[0, 0, :4] = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]) * (2**16 - 1) + int16.LOW
            a[0, 1], b[0, 1] = a[0, 1] >> 11, b[0, 1] >> 11
            attrs = {
                **ew.sum_scales(scale_a, scale_b, scale_out, LEFT_SHIFT),
                **int16.FULL,
                "a_sign": a_sign,
                "b_sign": b_sign,
            }
            out.append(Case(f"{name}-{a_sign}-{b_sign}", attrs, (a.astype(np.int16), b.astype(np.int16))))
    return out


OP = Op(
    name="add_s16",
    code=83,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise,
    cases=cases,
)
