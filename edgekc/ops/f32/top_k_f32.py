"""The largest numbers of the last axis in falling order, float32, or their places, int32: definition and C kernel.

Of equal numbers the first one comes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, View
from .. import top_k
from ..shared import single
from ..shared.checks import activation_inputs
from ..shared.operands import X


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x = inputs[0]
    order = np.argsort(-x, axis=-1, kind="stable")[..., : attrs["count"]]
    return [order.astype(np.int32) if attrs["places"] else np.take_along_axis(x, order, -1)]


def lower(view: View) -> Lowered:
    single.require_single(view)
    return _lowered(view, 0)


def lower_places(view: View) -> Lowered:
    single.require_single(View(view.node, view.inputs, ()))
    return _lowered(view, 1)


def _lowered(view: View, places: int) -> Lowered:
    if len(view.x.shape) < 2:
        raise UnsupportedError("the largest values of the batch axis", where=view.node.name)
    return Lowered("top_k_f32", dict(count=view["count"], places=places), activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(View(view.node, view.inputs, ()))
    if view["places"] not in (0, 1) or view.out.dtype != ("float32", "int32")[view["places"]]:
        raise ModelError(f"places is {view['places']} for an output of {view.out.dtype}")


def cases(rng: np.random.Generator) -> list[Case]:
    """Those of int8 as numbers, and both zeros, which are equal."""
    found = [
        Case(case.name, case.attrs, (case.inputs[0].astype(np.float32) * np.float32(-1.37e20),))
        for case in top_k.cases(rng)
    ]
    zeros = np.array([[-0.0, 0.0, -0.0, 0.0]], np.float32)
    return [*found, *(Case(f"zeros-{k}", dict(count=3, places=k), (zeros,)) for k in (0, 1))]


OP = Op(
    name="top_k_f32",
    code=116,
    attrs=top_k.ATTRS,
    operands=(X,),
    infer=top_k.infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_top_k_f32",
            header="ek_f32.h",
            struct="ek_top_k_f32_params",
            fields=tuple(("uint32_t", name) for name in ("rows", "depth", "count", "places")),
            params=lambda view: dict(
                rows=math.prod(view.x.shape[:-1]),
                depth=view.x.shape[-1],
                count=view["count"],
                places=view["places"],
            ),
        ),
    ),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {"top_k": lower, "top_k_places": lower_places}
