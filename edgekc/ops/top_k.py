"""The largest values of the last axis in falling order, int8, or their places, int32: definition, lowering, C kernel.

Of equal values the first one comes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .arg_max import COUNTS
from .shared.checks import activation_inputs, known, require_int8, require_same_quant
from .shared.operands import X
from .shared.testing import fills

ATTRS = ("count", "places")  # places: 1 for the places, 0 for the values


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, count = shapes[0], attrs["count"]
    if len(x) < 2 or not 1 <= count <= x[-1]:
        raise ModelError(f"the {count} largest values of a tensor of shape {list(x)}")
    return [(*x[:-1], count)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x = inputs[0]
    order = np.argsort(-x.astype(np.int64), axis=-1, kind="stable")[..., : attrs["count"]]
    return [order.astype(np.int32) if attrs["places"] else np.take_along_axis(x, order, -1)]


def lower(view: View) -> Lowered:
    require_int8(view)
    require_same_quant(view)
    return _lowered(view, 0)


def lower_places(view: View) -> Lowered:
    require_int8(View(view.node, view.inputs, ()))
    return _lowered(view, 1)


def _lowered(view: View, places: int) -> Lowered:
    if len(view.x.shape) < 2:
        raise UnsupportedError("the largest values of the batch axis", where=view.node.name)
    return Lowered("top_k", dict(count=view["count"], places=places), activation_inputs(view))


def validate(view: View) -> None:
    if view["places"] not in (0, 1) or view.out.dtype != ("int8", "int32")[view["places"]]:
        raise ModelError(f"places is {view['places']} for an output of {view.out.dtype}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """What any of the values can be; places from 0 on."""
    x, ones = known(view.x, inputs[0]), np.ones(view["count"], np.int64)
    if view["places"]:
        return Interval(0 * ones, ones * (view.x.shape[-1] - 1))
    return Interval(x.low.min() * ones, x.high.max() * ones)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape, count in (
        ("scores", (1, 10), 3),
        ("one", (1, 1), 1),
        ("all", (1, 3, 7), 7),
        ("pixels", (1, 3, 4, 5), 2),
        ("long", (1, 300), 5),
    ):
        ties = rng.choice(np.array([-128, 0, 127], np.int8), shape)
        for fill, x in (*fills(rng, shape), ("ties", ties)):
            out += [Case(f"{name}-{fill}-{k}", dict(count=count, places=k), (x,)) for k in (0, 1)]
    return out


OP = Op(
    name="top_k",
    code=65,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_top_k_s8",
            header="ek_top_k.h",
            struct="ek_top_k_params",
            fields=(*(("uint32_t", name) for name in ("rows", "depth", "count")), ("uint8_t", "places")),
            params=lambda view: dict(
                rows=math.prod(view.x.shape[:-1]),
                depth=view.x.shape[-1],
                count=view["count"],
                places=view["places"],
            ),
        ),
    ),
    ranges=ranges,
    validate=validate,
    cases=cases,
)


def _order(view: View, operands: Sequence[Array]) -> Array:
    return np.argsort(-operands[0], axis=-1, kind="stable")[..., : view["count"]]


def _order_in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.sort(operands[0], dim=-1, descending=True, stable=True).indices[..., : view["count"]]


SOURCES = (
    SourceOp(
        "top_k",
        lower,
        FloatHalf(
            lambda view, operands: np.take_along_axis(operands[0], _order(view, operands), -1),
            lambda torch, view, operands: operands[0].gather(-1, _order_in_torch(torch, view, operands)),
            shares_scale=True,
        ),
        clamps=False,
    ),
    SourceOp(
        "top_k_places",
        lower_places,
        FloatHalf(
            lambda view, operands: _order(view, operands).astype(np.float32),
            lambda torch, view, operands: _order_in_torch(torch, view, operands).to(operands[0].dtype),
            fixed_quant=COUNTS,
            counts=True,
        ),
        clamps=False,
        becomes="top_k",
        operands=(X,),
    ),
)
