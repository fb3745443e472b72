"""Average and max pooling in single precision: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from ..shared import linear as lin
from ..shared import pool, single
from ..shared.checks import activation_inputs
from ..shared.operands import X

ATTRS = ("function", *lin.WINDOW, "filter_h", "filter_w", "low", "high")
FUNCTIONS = ("average_pool", "max_pool")  # their places are their numbers, in ek_pool_f32.h too


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Of the pixels inside the image, row by row: their sum by their number, or the first of the largest.

    0 and -0 are equal, and which of them numpy's own maximum takes depends on the machine.
    """
    x, sizes = inputs[0], (attrs["filter_h"], attrs["filter_w"])
    if attrs["function"]:
        seen = lin.windows(attrs, x, *sizes, -np.inf)
        value = np.full((*seen.shape[:3], x.shape[3]), np.finfo(np.float32).min, np.float32)
        for i, j in np.ndindex(*sizes):
            value = np.where(seen[:, :, :, i, j] > value, seen[:, :, :, i, j], value)
    else:
        seen = lin.windows(attrs, x, *sizes, 0)
        count = lin.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.float32), *sizes, 0).sum((3, 4))
        value = np.zeros((*seen.shape[:3], x.shape[3]), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for i, j in np.ndindex(*sizes):
                value = value + seen[:, :, :, i, j]
            value = value / count
    return [single.clamped(value, single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def lower(view: View) -> Lowered:
    single.require_single(view)
    if view["dilation_h"] != 1 or view["dilation_w"] != 1:
        raise single.unsupported(view, "dilated pooling")
    attrs = {name: view[name] for name in (*lin.WINDOW, "filter_h", "filter_w")}
    limits = single.limits(str(view.node.attrs["activation"]))
    return Lowered("pool_f32", dict(function=FUNCTIONS.index(view.node.op), **attrs, **limits), activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)
    if view["function"] not in (0, 1):
        raise ModelError(f"function {view['function']} of pool_f32, expected 0 or 1")
    if view["dilation_h"] != 1 or view["dilation_w"] != 1:
        raise ModelError("pool_f32 with a dilation")


def _params(view: View) -> dict[str, Param]:
    window = lin.window_params(view, view["filter_h"], view["filter_w"])
    return {**window, **{name: view[name] for name in ("function", "low", "high")}}


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, case in enumerate(pool.cases(rng)):
        attrs = {name: value for name, value in case.attrs.items() if name in ATTRS}
        limits = single.limits(("none", "relu6", "none", "relu")[k // 2 % 4])
        values = single.reals(rng, case.inputs[0].shape)[k % 4][1]
        out.append(Case(case.name, {"function": k % 2, **attrs, **limits}, (values,)))
    return out


OP = Op(
    name="pool_f32",
    code=111,
    attrs=ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_pool_f32",
            header="ek_pool_f32.h",
            struct="ek_pool_f32_params",
            fields=(lin.WINDOW_FIELD, ("uint32_t", "function"), *(("int32_t", name) for name in ("low", "high"))),
            params=_params,
            in_place=pool.in_place,
        ),
    ),
    macs=pool.macs,
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = dict.fromkeys(FUNCTIONS, lower)
