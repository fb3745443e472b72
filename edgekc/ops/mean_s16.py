"""Mean of int16 over any axes but the batch: the definition, its lowering and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, requantize
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from .shared import int16, reduce
from .shared.checks import activation_inputs
from .shared.operands import X

ATTRS = ("axes", "keep_dims", "multiplier", "shift")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("the mean", attrs, shapes[0])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The sum, requantised; the multiplier holds both the ratio of the scales and 1 / count."""
    total = inputs[0].astype(np.int64).sum(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))
    value = requantize(total, attrs["multiplier"], attrs["shift"], DOUBLE)
    return [np.clip(value, int16.LOW, int16.HIGH).astype(np.int16)]


def _overflows(count: int, shift: int) -> bool:
    """Whether a sum of `count` values, shifted left as the multiplier asks, could leave 32 bits."""
    return (count << 15) << max(shift, 0) >= 2**31


def validate(view: View) -> None:
    int16.require_types(view)
    if _overflows(reduce.count(view), view["shift"]):
        raise ModelError(f"the mean of {reduce.count(view)} values of int16 overflows 32 bits")


def lower(view: View) -> Lowered:
    """Of a QUANTIZED mean of int16."""
    int16.require_wide(view)
    attrs = reduce.lower_axes(view)
    count = math.prod(view.x.shape[a] for a in reduce.axes_of(attrs))
    scales = reduce.mean_scales(view.x.q.scale / view.out.q.scale, count)
    if _overflows(count, scales["shift"]):
        raise UnsupportedError(f"mean of {count} values of int16 overflows 32 bits", where=view.node.name)
    return Lowered("mean_s16", {**attrs, **scales}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The mean of values between two ends lies between the means of the ends: the rule is monotone."""
    attrs = {name: view[name] for name in ATTRS}
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


KERNELS = (
    Kernel(
        symbol="ek_mean_s16",
        header="ek_mean_s16.h",
        struct="ek_mean_s16_params",
        fields=(*reduce.SHAPE_FIELDS, ("int32_t", "multiplier"), ("int32_t", "shift")),
        params=lambda view: _params(view),
        # An output lies at or before the first input that it needs, and no later output needs an earlier one.
        in_place=lambda view: (0,),
    ),
)


def _params(view: View) -> dict[str, Param]:
    return {**reduce.shape_params(view), "multiplier": view["multiplier"], "shift": view["shift"]}


def cases(rng: np.random.Generator) -> list[Case]:
    def more(count: int) -> dict[str, int]:
        return reduce.mean_scales(float(np.exp(rng.uniform(-3, 2))), count)

    return [Case(case.name, case.attrs, (int16.widened(case.inputs[0], rng),)) for case in reduce.cases(rng, more)]


OP = Op(
    name="mean_s16",
    code=86,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: math.prod(view.x.shape[1:]),
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=reduce.channels,
    cases=cases,
)
