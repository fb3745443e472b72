"""Fully connected layers in single precision, as small heads of int8 models have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array, Role, constant
from ...graph.op import Case, Constant, IntAttrs, Kernel, Lowered, Op, Operand, Param, Shape, View
from ..shared import single
from ..shared.operands import WEIGHTS, X

BIAS = Operand("bias", Constant.ALWAYS, Role.BIAS)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, weights, bias = shapes
    if len(x) < 2 or len(weights) != 2 or x[-1] != weights[1] or bias != weights[:1]:
        raise ModelError(f"a layer of weights {list(weights)} and bias {list(bias)} on {list(x)}")
    return [(*x[:-1], weights[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The sum of products from the first value to the last, and then the bias."""
    x, weights, bias = inputs
    total = np.zeros((*x.shape[:-1], len(weights)), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(x.shape[-1]):
            total = total + x[..., i : i + 1] * weights[:, i]
        return [single.clamped(total + bias, single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def lower(view: View) -> Lowered:
    single.require_single(view)
    weights, name = view.weights.value, view.node.name
    bias = view.bias.value.ravel() if view.has("bias") else np.zeros(len(weights), np.float32)
    constants = (constant(f"{name}/weights", weights, Role.WEIGHTS), constant(f"{name}/bias", bias, Role.BIAS))
    return Lowered("fully_connected_f32", single.limits(str(view.node.attrs["activation"])), (view.x.name,), constants)


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)


def _params(view: View) -> dict[str, Param]:
    units, depth = view.weights.shape
    values: dict[str, Param] = dict(weights=view.weights.name, bias=view.bias.name, units=units, depth=depth)
    return {**values, "rows": math.prod(view.x.shape[:-1]), "low": view["low"], "high": view["high"]}


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    kinds = (("head", (1, 12), 3), ("one", (1, 1), 1), ("rows", (1, 3, 5), 7), ("deep", (1, 300), 2))
    for k, (name, shape, units) in enumerate(kinds):
        for fill, x in single.reals(rng, shape):
            w = rng.normal(0, 0.3, (units, shape[-1])).astype(np.float32)
            bias = rng.normal(0, 1, units).astype(np.float32)
            activation = ("none", "relu", "relu6", "none")[k]
            out.append(Case(f"{name}-{fill}", single.limits(activation), (x, w, bias)))
    x = np.full((1, 9), 1000, np.float32)
    return [*out, Case("large", single.limits("none"), (x, np.full((2, 9), -3e3, np.float32), np.zeros(2, np.float32)))]


OP = Op(
    name="fully_connected_f32",
    code=107,
    attrs=("low", "high"),
    operands=(X, WEIGHTS, BIAS),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_fully_connected_f32",
            header="ek_f32.h",
            struct="ek_fully_connected_f32_params",
            fields=(
                *(("const float *", name) for name in ("weights", "bias")),
                *(("uint32_t", name) for name in ("rows", "units", "depth")),
                *(("int32_t", name) for name in ("low", "high")),
            ),
            params=_params,
        ),
    ),
    macs=lambda view: math.prod(view.out.shape[1:]) * view.weights.shape[1],
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {"fully_connected": lower}
