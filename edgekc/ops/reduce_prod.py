"""Product over any axes but the batch, int8: the definition, its lowering and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import clamp_int8, quantize_multiplier, wrap_int32
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import reduce
from .shared.checks import activation_inputs, require_int8
from .shared.operands import X

ATTRS = ("axes", "keep_dims", "in_zero", "multiplier", "shift", "out_zero")
MAX_SHIFT = 7  # the most with which LiteRT scales numbers of more than 32 bits


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("the product", attrs, shapes[0])


def _scaled(attrs: IntAttrs, value: Array) -> Array:
    """value * multiplier * 2**(shift - 31) with a multiplier of 15 bits; 32 bits of it."""
    right = 15 - attrs["shift"]
    return wrap_int32((value * _short(attrs["multiplier"]) + (1 << (right - 1))) >> right)


def _short(multiplier: int) -> int:
    """A multiplier of 31 bits in 15, to nearest."""
    return min((multiplier + (1 << 15)) >> 16, 2**15 - 1)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The first value, less its zero point, times each other one, scaled after each product; and once more."""
    x, axes = inputs[0].astype(np.int64) - attrs["in_zero"], reduce.axes_of(attrs)
    values = np.moveaxis(x, axes, range(len(axes)))
    values = values.reshape(-1, *values.shape[len(axes) :])
    total = values[0]
    for value in values[1:]:
        total = _scaled(attrs, total * value)
    out = clamp_int8(_scaled(attrs, total), attrs["out_zero"], -128, 127)
    return [np.expand_dims(out, axes) if attrs["keep_dims"] else out]


def validate(view: View) -> None:
    if view["shift"] > MAX_SHIFT:
        raise ModelError(f"shift {view['shift']} of a product is above {MAX_SHIFT}")


def lower(view: View) -> Lowered:
    require_int8(view)
    attrs = reduce.lower_axes(view)
    count = math.prod(view.x.shape[a] for a in reduce.axes_of(attrs))
    multiplier, shift = quantize_multiplier(view.x.q.scale / view.out.q.scale ** (1.0 / count))
    if shift > MAX_SHIFT:
        text = f"a product of {count} values whose output scale is too small for LiteRT's arithmetic"
        raise UnsupportedError(text, where=view.node.name, fix="quantise the model with representative data")
    attrs.update(in_zero=view.x.q.zero_point, multiplier=multiplier, shift=shift, out_zero=view.out.q.zero_point)
    return Lowered("reduce_prod", attrs, activation_inputs(view))


def _params(view: View) -> dict[str, Param]:
    zeros = {name: view[name] for name in ("in_zero", "out_zero")}
    return {**reduce.shape_params(view), **zeros, "multiplier": _short(view["multiplier"]), "right": 15 - view["shift"]}


KERNEL = Kernel(
    symbol="ek_reduce_prod_s8",
    header="ek_reduce_prod.h",
    struct="ek_reduce_prod_params",
    fields=(
        *reduce.SHAPE_FIELDS,
        *(("int16_t", name) for name in ("multiplier", "in_zero", "out_zero")),
        ("uint8_t", "right"),
    ),
    params=_params,
)


def cases(rng: np.random.Generator) -> list[Case]:
    def more(count: int) -> dict[str, int]:
        # Of differences of about 74, such that the product stays in int8, or wraps.
        multiplier, shift = quantize_multiplier(float(np.exp(rng.uniform(-1, 1))) / 74 if rng.random() < 0.8 else 60.0)
        zeros = dict(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
        return dict(multiplier=multiplier, shift=shift, **zeros)

    return reduce.cases(rng, more)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    found = operands[0]
    for axis in reversed(reduce.real_axes(view)):
        found = found.prod(dim=axis, keepdim=bool(view["keep_dims"]))
    return found


OP = Op(
    name="reduce_prod",
    code=64,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(KERNEL,),
    macs=lambda view: math.prod(view.x.shape[1:]),
    validate=validate,
    channels=reduce.channels,
    cases=cases,
)
SOURCE = SourceOp(
    "reduce_prod",
    lower,
    FloatHalf(lambda view, operands: reduce.in_numpy(view, operands[0], np.prod), _in_torch, reduce.ties),
    clamps=False,
)
