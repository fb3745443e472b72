"""Mean over any axes but the batch of a function of int8, rounded once, ties to even: definition, lowering, C kernel.

The function is a table of 256 numbers of 32 bits, so that hardly anything of its values is lost before they are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import clamp_int8, quantize_multiplier
from ..graph.ir import Array, Quant, Role, Tensor, constant
from ..graph.op import (
    MULTIPLIER,
    RIGHT_SHIFT,
    Case,
    ChannelRule,
    IntAttrs,
    Interval,
    Kernel,
    Learned,
    Lowered,
    Op,
    Param,
    Shape,
    View,
)
from ..graph.source import SourceOp
from .shared import reduce
from .shared.channels import channelwise_shared
from .shared.checks import channels_of, require_int8
from .shared.operands import TABLE, X

ATTRS = ("axes", "keep_dims", "multiplier", "shift", "out_zero")
_MOST = 2**30  # of the magnitude of a sum


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if shapes[1] != (256,):
        raise ModelError(f"a table of shape {list(shapes[1])}, expected [256]")
    return reduce.infer("the mean", attrs, shapes[0])


def _rounded(attrs: IntAttrs, total: Array) -> Array:
    right = 31 - attrs["shift"]
    wide = total * attrs["multiplier"]
    return clamp_int8((wide + (1 << right - 1) - 1 + ((wide >> right) & 1)) >> right, attrs["out_zero"], -128, 127)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The sum of table[x], x as an unsigned byte, times multiplier * 2**(shift - 31), to nearest, ties to even."""
    values = inputs[1].astype(np.int64)[inputs[0].view(np.uint8)]
    return [_rounded(attrs, values.sum(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"])))]


def entries(name: str, real: Array, count: int) -> Tensor:
    """A table of a function's finite values (256,), in order of the unsigned bytes, for means of `count` of them.

    Its unit is the smallest power of two with which 31 bits hold the sums.
    """
    most = max(float(np.abs(real).max()) * count, 2.0**-60)
    unit = math.ldexp(1.0, math.frexp(most)[1] - 29)
    return constant(name, np.rint(real / unit).astype(np.int32), Role.REQUANT, Quant((unit,), (0,)))


def lower(view: View) -> Lowered:
    """Of a QUANTIZED mean of a table's entries, whose scale is their unit."""
    x, table = view.x, view.operand("table")
    require_int8(replace(view, inputs=(x,)))
    attrs = reduce.lower_axes(view)
    count = math.prod(x.shape[a] for a in reduce.axes_of(attrs))
    multiplier, shift = quantize_multiplier(table.q.scale / view.out.q.scale / count)
    if shift > 0:
        raise UnsupportedError(f"mean of {count} values of which one is many levels", where=view.node.name)
    attrs.update(multiplier=multiplier, shift=shift, out_zero=view.out.q.zero_point)
    data = constant(f"{view.node.name}/table", table.value, Role.REQUANT)
    return Lowered("lut_mean", attrs, (x.name,), (data,))


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit sums and 64-bit products rest."""
    most, count = int(np.abs(view.operand("table").value.astype(np.int64)).max()), reduce.count(view)
    if most * count > _MOST:
        raise ModelError(f"the sum of {count} values of up to {most} overflows 32 bits")
    if not -31 <= view["shift"] <= 0:
        raise ModelError(f"shift {view['shift']} of a mean")


def _learned(view: View) -> dict[str, Learned]:
    most = _MOST // reduce.count(view)
    return dict(multiplier=MULTIPLIER, shift=RIGHT_SHIFT, table=Learned(-most, most))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Between what the least and the most of the entries give; rounding is monotone."""
    attrs, table = {name: view[name] for name in ATTRS}, view.operand("table").value.astype(np.int64)
    ends = (np.array(f(table) * reduce.count(view)) for f in (np.min, np.max))
    return Interval(*(np.full(channels_of(view.out), _rounded(attrs, end), np.int64) for end in ends))


def channels(view: View) -> ChannelRule | None:
    """Channels can go while the last axis stays."""
    last = len(view.x.shape) - 1
    return None if last in reduce.axes_of({"axes": view["axes"]}) else channelwise_shared(view)


def _params(view: View) -> dict[str, Param]:
    values = {name: view[name] for name in ("multiplier", "shift", "out_zero")}
    return {"table": view.operand("table").name, **reduce.shape_params(view), **values}


KERNELS = (
    Kernel(
        symbol="ek_lut_mean_s8",
        header="ek_lut_mean.h",
        struct="ek_lut_mean_params",
        fields=(
            ("const int32_t *", "table"),
            *reduce.SHAPE_FIELDS,
            *(("int32_t", name) for name in ("multiplier", "shift")),
            ("int16_t", "out_zero"),
        ),
        params=_params,
        # An output lies at or before the first input that it needs, and no later output needs an earlier one.
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Any entries, and those of a straight line whose means are ties."""
    scales: list[tuple[Array, dict[str, int]]] = []

    def more(count: int) -> dict[str, int]:
        line = len(scales) % 3 == 0
        real = np.arange(256) - 128.0 if line else rng.normal(0, 5, 256)
        table = entries("table", real, count)
        ratio = 1.0 if line else float(np.exp(rng.uniform(0, 3)))
        multiplier, shift = quantize_multiplier(table.q.scale * ratio / count)
        scales.append((table.value, dict(multiplier=multiplier, shift=shift, out_zero=int(rng.integers(-128, 128)))))
        return scales[-1][1]

    found = reduce.cases(rng, more)
    return [Case(c.name, c.attrs, (*c.inputs, table)) for c, (table, _) in zip(found, scales, strict=True)]


OP = Op(
    name="lut_mean",
    code=120,
    attrs=ATTRS,
    operands=(X, TABLE),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: math.prod(view.x.shape[1:]),
    ranges=ranges,
    validate=validate,
    channels=channels,
    learned=_learned,
    cases=cases,
)
SOURCE = SourceOp("mean_of_table", lower, operands=(X, TABLE))
