"""The place of the largest or smallest number along an axis, float32 to int32: the definition and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from .. import arg_max
from ..shared.checks import activation_inputs
from ..shared.operands import X

ATTRS = ("axis", "least")  # least: 1 for the smallest
_LEAST = {"arg_max": 0, "arg_min": 1}


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Of equal numbers the first."""
    x, axis = inputs[0], attrs["axis"]
    return [(x.argmin(axis) if attrs["least"] else x.argmax(axis)).astype(np.int32)]


def lower(view: View) -> Lowered:
    axis = view["axis"] % len(view.x.shape)
    if axis == 0:
        raise UnsupportedError(f"{view.node.op} over the batch axis", where=view.node.name)
    return Lowered("arg_max_f32", dict(axis=axis, least=_LEAST[view.node.op]), activation_inputs(view))


def validate(view: View) -> None:
    if (view.x.dtype, view.out.dtype) != ("float32", "int32"):
        raise ModelError(f"arg_max_f32 from {view.x.dtype} to {view.out.dtype}, not from float32 to int32")
    if view["least"] not in (0, 1):
        raise ModelError(f"least is {view['least']}, expected 0 or 1")


def _params(view: View) -> dict[str, Param]:
    shape, axis = view.x.shape, view["axis"]
    sizes: dict[str, Param] = dict(outer=math.prod(shape[:axis]), depth=shape[axis], inner=math.prod(shape[axis + 1 :]))
    return {**sizes, "least": view["least"]}


def cases(rng: np.random.Generator) -> list[Case]:
    """Those of int8 as numbers: ties, and all the same."""
    found = []
    for k, case in enumerate(arg_max.cases(rng)):
        x = case.inputs[0].astype(np.float32) * np.float32(1.37)
        found.append(Case(case.name, {**case.attrs, "least": k % 2}, (x,)))
    return [*found, Case("zeros", dict(axis=1, least=0), (np.zeros((1, 5), np.float32),))]


OP = Op(
    name="arg_max_f32",
    code=109,
    attrs=ATTRS,
    operands=(X,),
    infer=arg_max.infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_arg_max_f32",
            header="ek_f32.h",
            struct="ek_arg_max_f32_params",
            fields=tuple(("uint32_t", name) for name in ("outer", "depth", "inner", "least")),
            params=_params,
        ),
    ),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = dict.fromkeys(_LEAST, lower)
