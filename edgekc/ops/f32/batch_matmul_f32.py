"""Matrix products of two activations in single precision: the definition and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...graph.ir import Array, Role, constant
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from ..shared import single
from ..shared.checks import is_constant
from ..shared.matrices import FIELDS, OPERANDS, depth, infer, params, shapes, turn

ATTRS = ("adj_x", "adj_y", "low", "high")


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Sums of products from the first column of a, and row of b, to the last."""
    a, b = turn(inputs[0], attrs["adj_x"]), turn(inputs[1], attrs["adj_y"])
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    total = np.zeros((*shape, a.shape[-2], b.shape[-1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(a.shape[-1]):
            total = total + a[..., k : k + 1] * b[..., k : k + 1, :]
    return [single.clamped(total, single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def lower(view: View) -> Lowered:
    single.require_single(view)
    a, b = view.inputs
    if is_constant(a):
        raise single.unsupported(view, f"a constant ({a.name}) times an activation")
    if not is_constant(b):
        attrs = dict(adj_x=view["adj_x"], adj_y=view["adj_y"], **single.limits("none"))
        return Lowered("batch_matmul_f32", attrs, (a.name, b.name))
    if view["adj_x"] or math.prod(b.shape[:-2]) != 1:
        raise single.unsupported(view, "a matrix product with several constants, or of a turned activation with one")
    matrix = b.value.reshape(b.shape[-2:])
    w = np.ascontiguousarray(matrix if view["adj_y"] else matrix.T)
    name = view.node.name
    zeros = constant(f"{name}/bias", np.zeros(len(w), np.float32), Role.BIAS)
    constants = (constant(f"{name}/weights", w, Role.WEIGHTS), zeros)
    return Lowered("fully_connected_f32", single.limits("none"), (a.name,), constants)


def lower_fully_connected(view: View) -> Lowered:
    """Of weights (oc, ic) that are an activation."""
    single.require_single(view)
    attrs = dict(adj_x=0, adj_y=1, **single.limits(str(view.node.attrs["activation"])))
    return Lowered("batch_matmul_f32", attrs, tuple(t.name for t in view.inputs))


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)


def _params(view: View) -> dict[str, Param]:
    return {**params(view), "low": view["low"], "high": view["high"]}


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, (name, adj_x, adj_y, a, b, _) in enumerate(shapes()):
        limits = single.limits(("none", "relu6")[k % 2])
        for (fill, x), (_, y) in zip(single.reals(rng, a), reversed(single.reals(rng, b)), strict=True):
            out.append(Case(f"{name}-{fill}", dict(adj_x=adj_x, adj_y=adj_y, **limits), (x, y)))
    return out


OP = Op(
    name="batch_matmul_f32",
    code=112,
    attrs=ATTRS,
    operands=OPERANDS,
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_batch_matmul_f32",
            header="ek_batch_matmul_f32.h",
            struct="ek_batch_matmul_f32_params",
            fields=(*FIELDS, *(("int32_t", name) for name in ("low", "high"))),
            params=_params,
        ),
    ),
    macs=lambda view: math.prod(view.out.shape[1:]) * depth(view),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT: dict[str, Callable[[View], Lowered]] = {
    "batch_matmul": lower,
    "dynamic_fully_connected": lower_fully_connected,
}
