"""Mean over spatial axes, int8: the definition, its lowering and its C kernel.

The kernel sees (outer, reduce, inner), so the reduced axes must be adjacent; the batch axis and the channel
axis are never reduced, which keeps the operator channel-wise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, clamp_int8, quantize_multiplier, requantize
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared.channels import channelwise
from .shared.checks import activation_inputs, known, require_int8
from .shared.operands import X
from .shared.testing import fills
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("axes", "keep_dims", "in_zero", "multiplier", "shift", "out_zero")  # axes: bit i is axis i


def _axes(attrs: IntAttrs) -> tuple[int, ...]:
    return tuple(i for i in range(attrs["axes"].bit_length()) if attrs["axes"] >> i & 1)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, axes = shapes[0], _axes(attrs)
    if not axes or axes[0] < 1 or axes[-1] > len(x) - 2:
        raise ModelError(f"mean over axes {list(axes)} of a tensor of shape {list(x)}")
    if axes[-1] - axes[0] != len(axes) - 1:
        raise ModelError(f"mean over axes that are not adjacent ({list(axes)})")
    keep = attrs["keep_dims"]
    return [tuple(1 if i in axes else size for i, size in enumerate(x) if keep or i not in axes)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """sum(x - in_zero), requantised; the multiplier holds both the ratio of the scales and 1 / count."""
    x = inputs[0].astype(np.int64)
    total = (x - attrs["in_zero"]).sum(_axes(attrs), keepdims=bool(attrs["keep_dims"]))
    value = requantize(total, attrs["multiplier"], attrs["shift"], DOUBLE)
    return [clamp_int8(value, attrs["out_zero"], -128, 127)]


def scale_attrs(ratio: float, count: int) -> dict[str, int]:
    """Multiplier and shift of ratio / count, in TFLite's way: an integer division that keeps 31 bits."""
    multiplier, shift = quantize_multiplier(ratio)
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return dict(multiplier=(multiplier << headroom) // count, shift=shift - headroom)


def _overflows(count: int, shift: int) -> bool:
    """Whether a sum of `count` differences, shifted left as the multiplier asks, could leave 32 bits."""
    return (255 * count) << max(shift, 0) >= 2**30


def validate(view: View) -> None:
    count = math.prod(view.x.shape[a] for a in _axes({"axes": view["axes"]}))
    if _overflows(count, view["shift"]):
        raise ModelError(f"the mean of {count} values overflows 32 bits")


def lower(view: View) -> Lowered:
    require_int8(view)
    rank = len(view.x.shape)
    axes = sorted({int(a) % rank for a in str(view.node.attrs["axes"]).split(",")})
    if axes[0] == 0 or axes[-1] == rank - 1:
        raise UnsupportedError(f"mean over the batch or channel axis (axes {axes})", where=view.node.name)
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise UnsupportedError(f"mean over axes that are not adjacent ({axes})", where=view.node.name)
    count = math.prod(view.x.shape[a] for a in axes)
    scales = scale_attrs(view.x.q.scale / view.out.q.scale, count)
    if _overflows(count, scales["shift"]):
        raise UnsupportedError(f"mean of {count} values overflows 32 bits", where=view.node.name)
    attrs = dict(axes=sum(1 << a for a in axes), keep_dims=view["keep_dims"], in_zero=view.x.q.zero_point)
    return Lowered("mean", {**attrs, **scales, "out_zero": view.out.q.zero_point}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The mean of values between two ends lies between the means of the ends: the rule is monotone."""
    x = known(view.x, inputs[0])
    attrs = {name: view[name] for name in ATTRS}
    shape = view.x.shape
    low, high = (reference(attrs, [np.broadcast_to(end, shape)])[0] for end in (x.low, x.high))
    channels = shape[-1]
    return Interval(*(end.reshape(-1, channels)[0].astype(np.int64) for end in (low, high)))


def _params(view: View) -> dict[str, Param]:
    shape, axes = view.x.shape, _axes({"axes": view["axes"]})
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
    # Output (o, i) lies at or before input (o, 0, i), the first that it needs and the last to need it.
    in_place=lambda view: (0,),
)
KERNELS = (
    replace(
        _MEAN,
        symbol="ek_mean_s8_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: int(str(_params(view)["reduce"])) <= 256,  # int8 values add up in 16 bits
    ),
    _MEAN,
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
            attrs = dict(axes=sum(1 << a for a in axes), keep_dims=keep, **scale_attrs(ratio, count))
            attrs.update(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
            out.append(Case(f"{name}-{fill}", attrs, (x,)))
    return out


def _real_axes(view: View, rank: int) -> tuple[int, ...]:
    return tuple(int(a) % rank for a in str(view.node.attrs["axes"]).split(","))


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    return np.asarray(x.mean(_real_axes(view, x.ndim), dtype=np.float32, keepdims=bool(view["keep_dims"])))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x = operands[0]
    return x.mean(_real_axes(view, x.ndim), keepdim=bool(view["keep_dims"]))


def _ties(view: View) -> Sequence[Tie] | None:
    rank = len(view.x.shape)
    return channelwise_ties(view) if rank - 1 not in _real_axes(view, rank) else None


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
    channels=channelwise,
    cases=cases,
)
SOURCE = SourceOp("mean", lower, FloatHalf(_real, _in_torch, _ties, scales_along=True))
