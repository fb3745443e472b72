"""Matrix products of two int16 activations: the definition, its lowering and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import INT32_MAX, quantize_multiplier
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from .shared import int16, matrices
from .shared import linear as lin
from .shared.checks import activation_inputs

ATTRS = ("adj_x", "adj_y", "multiplier", "shift", *int16.CLAMP)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc = sum over k of a[i, k] * b[k, j]."""
    a, b = (x.astype(np.int64) for x in inputs)
    acc = np.matmul(matrices.turn(a, attrs["adj_x"]), matrices.turn(b, attrs["adj_y"]))
    y = int16.requantize(acc, np.array(attrs["multiplier"]), np.array(attrs["shift"]))
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED matrix product of int16."""
    names = activation_inputs(view)
    int16.require_wide(view)
    a, b = view.inputs
    multiplier, shift = quantize_multiplier(a.q.scale * b.q.scale / view.out.q.scale)
    if shift > int16.HIGHEST_SHIFT:
        raise UnsupportedError(f"a multiplier of 2**{int16.HIGHEST_SHIFT} or more", where=view.node.name)
    low, high = lin.activation_range(view)
    attrs = dict(adj_x=view["adj_x"], adj_y=view["adj_y"], multiplier=int(int16.reduced(np.array(multiplier))))
    return Lowered("batch_matmul_s16", {**attrs, "shift": shift, "clamp_min": low, "clamp_max": high}, names)


def validate(view: View) -> None:
    """The bounds on which the kernel's arithmetic rests."""
    int16.require_types(view, 2)
    int16.require_clamp(view)
    if view["multiplier"] >= int16.REDUCED_LIMIT or view["shift"] > int16.HIGHEST_SHIFT:
        raise ModelError(f"multiplier {view['multiplier']} and shift {view['shift']} of a product of int16")
    depth = matrices.depth(view)
    most = (depth << 30) * view["multiplier"] >> 15 - view["shift"]
    if depth << 30 >= int16.ACCUMULATOR_LIMIT or most >= INT32_MAX:
        raise ModelError(f"a sum of {depth} products of int16 could leave 32 bits")


def _params(view: View) -> dict[str, Param]:
    return {**matrices.params(view), **{name: view[name] for name in ATTRS[2:]}}


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, (name, adj_x, adj_y, a_shape, b_shape, depth) in enumerate(matrices.shapes()):
        fills = zip(int16.fills(rng, a_shape), reversed(int16.fills(rng, b_shape)), strict=True)
        for i, ((fill, a), (_, b)) in enumerate(fills):
            multiplier, shift = quantize_multiplier(float(rng.uniform(0.2, 3)) / (30000 * math.sqrt(depth)))
            attrs = dict(adj_x=adj_x, adj_y=adj_y, multiplier=int(int16.reduced(np.array(multiplier))), shift=shift)
            attrs.update(int16.FULL if (k + i) % 2 else dict(clamp_min=-9000, clamp_max=8000))
            out.append(Case(f"{name}-{fill}", attrs, (a, b)))
    return out


OP = Op(
    name="batch_matmul_s16",
    code=90,
    attrs=ATTRS,
    operands=matrices.OPERANDS,
    infer=matrices.infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_batch_matmul_s16",
            header="ek_batch_matmul_s16.h",
            struct="ek_batch_matmul_s16_params",
            fields=(
                *matrices.FIELDS,
                *(("int32_t", name) for name in ("multiplier", "shift")),
                *(("int16_t", name) for name in int16.CLAMP),
            ),
            params=_params,
        ),
    ),
    macs=lambda view: math.prod(view.out.shape[1:]) * matrices.depth(view),
    validate=validate,
    wide=True,
    cases=cases,
)
