"""Sum over any axes but the batch, int8: the definition, its lowering and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import SINGLE, clamp_int8, quantize_multiplier, requantize
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import reduce
from .shared.checks import activation_inputs, require_int8
from .shared.operands import X

ATTRS = ("axes", "keep_dims", "in_zero", "multiplier", "shift", "out_zero", "rounding")
LIMIT = 2**30  # of a sum, shifted left as its multiplier asks


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("the sum", attrs, shapes[0])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """sum(x - in_zero), requantised."""
    x = inputs[0].astype(np.int64)
    total = (x - attrs["in_zero"]).sum(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))
    value = requantize(total, attrs["multiplier"], attrs["shift"], attrs["rounding"])
    return [clamp_int8(value, attrs["out_zero"], -128, 127)]


def overflows(count: int, shift: int) -> bool:
    """Whether a sum of `count` differences, shifted left as the multiplier asks, could leave 32 bits."""
    return (255 * count) << max(shift, 0) >= LIMIT


def validate(view: View) -> None:
    if overflows(reduce.count(view), view["shift"]):
        raise ModelError(f"the sum of {reduce.count(view)} values overflows 32 bits")


def lower(view: View) -> Lowered:
    require_int8(view)
    attrs = reduce.lower_axes(view)
    multiplier, shift = quantize_multiplier(view.x.q.scale / view.out.q.scale)
    count = math.prod(view.x.shape[a] for a in reduce.axes_of(attrs))
    if overflows(count, shift):
        raise UnsupportedError(f"sum of {count} values overflows 32 bits", where=view.node.name)
    attrs.update(in_zero=view.x.q.zero_point, multiplier=multiplier, shift=shift, out_zero=view.out.q.zero_point)
    return Lowered("sum", {**attrs, "rounding": SINGLE}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The rule is monotone: what `validate` lets through does not wrap."""
    attrs = {name: view[name] for name in ATTRS}
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


def params(view: View, rounding: int) -> dict[str, Param]:
    """Of `KERNEL`, for sums and for means."""
    values = {name: view[name] for name in ("multiplier", "shift", "in_zero", "out_zero")}
    return {**reduce.shape_params(view), **values, "rounding": rounding}


KERNEL = Kernel(
    symbol="ek_reduce_sum_s8",
    header="ek_reduce.h",
    struct="ek_reduce_sum_params",
    fields=(
        *reduce.SHAPE_FIELDS,
        *(("int32_t", name) for name in ("multiplier", "shift")),
        *(("int16_t", name) for name in ("in_zero", "out_zero")),
        ("uint8_t", "rounding"),
    ),
    params=lambda view: params(view, view["rounding"]),
    # An output lies at or before the first input that it needs, and no later output needs an earlier one.
    in_place=lambda view: (0,),
)


def cases(rng: np.random.Generator) -> list[Case]:
    def more(count: int) -> dict[str, int]:
        multiplier, shift = quantize_multiplier(float(np.exp(rng.uniform(-2, 2))) / count)
        zeros = dict(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
        return dict(multiplier=multiplier, shift=shift, rounding=int(rng.integers(2)), **zeros)

    return reduce.cases(rng, more)


OP = Op(
    name="sum",
    code=51,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(KERNEL,),
    macs=lambda view: math.prod(view.x.shape[1:]),
    ranges=ranges,
    validate=validate,
    channels=reduce.channels,
    cases=cases,
)
SOURCE = SourceOp(
    "sum",
    lower,
    FloatHalf(
        lambda view, operands: reduce.in_numpy(view, operands[0], np.sum),
        lambda torch, view, operands: reduce.in_torch(view, operands[0], torch.sum),
        reduce.ties,
        scales_along=True,
    ),
    clamps=False,
)
