"""Sum, mean, largest and smallest value and product over axes, in single precision: the definition and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..shared import reduce, single
from ..shared.checks import activation_inputs
from ..shared.operands import X

ATTRS = ("function", "axes", "keep_dims")
FUNCTIONS = (
    "sum",
    "mean",
    "reduce_max",
    "reduce_min",
    "reduce_prod",
)  # their places are their numbers, in ek_f32.h too


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("a reduction", attrs, shapes[0])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """One value after the other, the last axis fastest, from the first one on."""
    x, function = inputs[0], FUNCTIONS[attrs["function"]]
    axes = reduce.axes_of(attrs)
    kept = [i for i in range(x.ndim) if i not in axes]
    rows = x.transpose(*kept, *axes).reshape(*(x.shape[i] for i in kept), -1)
    value = rows[..., 0]
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(1, rows.shape[-1]):
            y = rows[..., i]
            if function == "reduce_max":
                value = np.where(y > value, y, value)
            elif function == "reduce_min":
                value = np.where(y < value, y, value)
            elif function == "reduce_prod":
                value = value * y
            else:
                value = value + y
    if function == "mean":
        value = value / np.float32(rows.shape[-1])
    return [np.asarray(value.reshape(len(x), *infer(attrs, [x.shape])[0][1:]), np.float32)]


def lower(view: View) -> Lowered:
    single.require_single(view)
    attrs = dict(function=FUNCTIONS.index(view.node.op), **reduce.lower_axes(view))
    return Lowered("reduce_f32", attrs, activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(view)
    if not 0 <= view["function"] < len(FUNCTIONS):
        raise ModelError(f"function {view['function']} of reduce_f32, expected 0 to {len(FUNCTIONS) - 1}")


def cases(rng: np.random.Generator) -> list[Case]:
    def real(k: int, x: Array) -> Array:
        return x.astype(np.float32) * np.float32((1.0, 0.173, 1e20)[k % 3])

    found = [
        Case(case.name, dict(function=k % len(FUNCTIONS), **case.attrs), (real(k, case.inputs[0]),))
        for k, case in enumerate(reduce.cases(rng, lambda count: {}))
    ]
    zeros = np.zeros((1, 3, 4, 5), np.float32)
    return [*found, Case("zeros", dict(function=1, axes=6, keep_dims=0), (zeros,))]


OP = Op(
    name="reduce_f32",
    code=105,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_reduce_f32",
            header="ek_f32.h",
            struct="ek_reduce_f32_params",
            fields=(*reduce.SHAPE_FIELDS, ("uint32_t", "function")),
            params=lambda view: {**reduce.shape_params(view), "function": view["function"]},
            # An output lies at or before the first input that it needs, and no later output needs an earlier one.
            in_place=lambda view: (0,),
        ),
    ),
    macs=lambda view: math.prod(view.x.shape[1:]),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = dict.fromkeys(FUNCTIONS, lower)
