"""Mean over any axes but the batch, int8: the definition, its lowering and its C kernels.

Two kernels see (outer, reduce, inner), so the reduced axes must be adjacent, and leave the last axis. Other means take
the kernel of sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, INT32_MAX, clamp_int8, requantize
from ..graph.ir import Array
from ..graph.op import MULTIPLIER, RIGHT_SHIFT, Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from . import mean_nearest, mean_s16
from .shared import int16, reduce
from .shared.anchored import NEAREST
from .shared.checks import activation_inputs, known, require_int8
from .shared.operands import X
from .shared.testing import fills
from .sum import KERNEL, overflows, params

ATTRS = ("axes", "keep_dims", "in_zero", "multiplier", "shift", "out_zero")  # axes: bit i is axis i
MOST_SHIFT = 30


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("the mean", attrs, shapes[0])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """sum(x - in_zero), requantised; the multiplier holds both the ratio of the scales and 1 / count."""
    x = inputs[0].astype(np.int64)
    total = (x - attrs["in_zero"]).sum(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))
    value = requantize(total, attrs["multiplier"], attrs["shift"], DOUBLE)
    return [clamp_int8(value, attrs["out_zero"], -128, 127)]


def _out_of_bounds(count: int, scales: IntAttrs) -> str:
    """Why 32 bits do not hold what is computed; empty where they do.

    A sum that a left shift takes out of 32 bits wraps, as LiteRT's does. From 31 bits on LiteRT's is not defined.
    """
    if overflows(count, 0):
        return f"mean of {count} values overflows 32 bits"
    if scales["shift"] > MOST_SHIFT:
        return f"mean of {count} values whose scale is 2^{scales['shift']} of the output's"
    if overflows(count, scales["shift"]) and scales["multiplier"] > INT32_MAX - 255:  # room for the zero point
        return f"mean of {count} values that overflows 32 bits by its zero point"
    return ""


def validate(view: View) -> None:
    if wrong := _out_of_bounds(reduce.count(view), {name: view[name] for name in ATTRS}):
        raise ModelError(f"the {wrong}")


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return mean_s16.lower(view)
    require_int8(view)
    if view.node.attrs.get(NEAREST):
        return mean_nearest.lower(view)
    attrs = reduce.lower_axes(view)
    count = math.prod(view.x.shape[a] for a in reduce.axes_of(attrs))
    scales = reduce.mean_scales(view.x.q.scale / view.out.q.scale, count)
    if wrong := _out_of_bounds(count, scales):
        raise UnsupportedError(wrong, where=view.node.name)
    attrs["in_zero"] = view.x.q.zero_point
    return Lowered("mean", {**attrs, **scales, "out_zero": view.out.q.zero_point}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The mean of values between two ends lies between the means of the ends, unless a sum wraps."""
    attrs = {name: view[name] for name in ATTRS}
    if overflows(reduce.count(view), view["shift"]):
        return known(view.out, None)
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


def _one_run(view: View) -> bool:
    """Whether the axes are adjacent, and the last axis is not among them."""
    axes = reduce.axes_of({"axes": view["axes"]})
    return axes[-1] - axes[0] == len(axes) - 1 and axes[-1] < len(view.x.shape) - 1


def _params(view: View) -> dict[str, Param]:
    shape, axes = view.x.shape, reduce.axes_of({"axes": view["axes"]})
    values: dict[str, Param] = dict(
        outer=math.prod(shape[: axes[0]]),
        reduce=math.prod(shape[a] for a in axes),
        inner=math.prod(shape[axes[-1] + 1 :]),
    )
    return {**values, **{name: view[name] for name in ("multiplier", "shift", "in_zero", "out_zero")}}


_MEAN = Kernel(
    symbol="ek_mean_s8",
    header="ek_mean.h",
    struct="ek_mean_params",
    fields=(
        *(("uint32_t", name) for name in ("outer", "reduce", "inner")),
        *(("int32_t", name) for name in ("multiplier", "shift")),
        *(("int16_t", name) for name in ("in_zero", "out_zero")),
    ),
    params=_params,
    accepts=_one_run,
    # Output (o, i) lies at or before input (o, 0, i), the first that it needs and the last to need it.
    in_place=lambda view: (0,),
)
KERNELS = (
    replace(
        _MEAN,
        symbol="ek_mean_s8_mve",
        needs=frozenset({"mve"}),
        # int8 values add up in 16 bits
        accepts=lambda view: _one_run(view) and reduce.count(view) <= 256 and not overflows(256, view["shift"]),
    ),
    _MEAN,
    replace(KERNEL, params=lambda view: params(view, DOUBLE)),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, Shape, tuple[int, ...], int]] = [
        ("global", (1, 5, 7, 9), (1, 2), 1),
        ("global-drop", (1, 8, 8, 4), (1, 2), 0),
        ("rows", (1, 3, 4, 5), (1,), 1),
        ("columns", (1, 3, 4, 5), (2,), 0),
        ("sequence", (1, 11, 6), (1,), 0),
        ("one-pixel", (1, 1, 1, 3), (1, 2), 1),
        ("channels", (1, 16, 16, 17), (1, 2), 0),  # as many pixels as 16 bits hold
        ("large", (1, 32, 33, 2), (1, 2), 0),
    ]
    out = []
    for name, shape, axes, keep in shapes:
        count = math.prod(shape[a] for a in axes)
        for i, (fill, x) in enumerate(fills(rng, shape)):
            ratio = 1.0 if i == 1 else float(np.exp(rng.uniform(-3, 2)))
            attrs = dict(axes=sum(1 << a for a in axes), keep_dims=keep, **reduce.mean_scales(ratio, count))
            attrs.update(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
            out.append(Case(f"{name}-{fill}", attrs, (x,)))

    def more(count: int) -> dict[str, int]:
        zeros = dict(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
        return {**reduce.mean_scales(float(np.exp(rng.uniform(-3, 2))), count), **zeros}

    out += [replace(case, name=f"any-{case.name}") for case in reduce.cases(rng, more)]
    for axis in (2, 3):  # sums that wrap
        for ratio in (1e7, 3e9):
            x = rng.integers(-128, 128, (1, 4, 6, 96)).astype(np.int8)
            attrs = dict(axes=1 << axis, keep_dims=1, in_zero=3, out_zero=-5)
            attrs.update(reduce.mean_scales(ratio, x.shape[axis]))
            out.append(Case(f"wrap-{axis}-{ratio}", attrs, (x,)))
    return out


def _real(view: View, operands: Sequence[Array]) -> Array:
    return reduce.in_numpy(view, operands[0], partial(np.mean, dtype=np.float32))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return reduce.in_torch(view, operands[0], torch.mean)


OP = Op(
    name="mean",
    code=8,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: math.prod(view.x.shape[1:]),
    ranges=ranges,
    validate=validate,
    channels=reduce.channels,
    learned=lambda view: dict(multiplier=MULTIPLIER, shift=RIGHT_SHIFT),
    cases=cases,
)
SOURCE = SourceOp("mean", lower, FloatHalf(_real, _in_torch, reduce.ties, scales_along=True))
