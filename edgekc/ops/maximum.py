"""The larger or the smaller of two int8 tensors of one scale: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, Rows, View
from ..graph.source import FloatHalf, SourceOp
from .shared import broadcast
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import require_same_quant
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("least",)  # 1: the smaller


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    a, b = ew.aligned(inputs)
    return [(np.minimum(a, b) if attrs["least"] else np.maximum(a, b)).astype(np.int8)]


def _lower(least: int) -> Callable[[View], Lowered]:
    def lower(view: View) -> Lowered:
        a, b = ew.operands(view)
        require_same_quant(view)
        return broadcast.as_table(
            view, Lowered("maximum", dict(least=least), *ew.lowered_inputs(view, a, b, broadcast.infer)), reference
        )

    return lower


def validate(view: View) -> None:
    if view["least"] not in (0, 1):
        raise ModelError(f"least is {view['least']}, expected 0 or 1")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Monotone in both operands."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


def cases(rng: np.random.Generator) -> list[Case]:
    pairs = broadcast.pairs_of_inputs(rng)
    return [Case(name, dict(least=i % 2), (a, b)) for i, (name, a, b) in enumerate(pairs)]


OP = Op(
    name="maximum",
    code=33,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    # Of the bytes with all bits flipped the larger one is the smaller.
    rows=Rows.SAME,
    kernels=broadcast.kernels("maximum", (("int8_t", "flip"),), lambda view: dict(flip=-view["least"])),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
)


def _source(name: str, least: int) -> SourceOp:
    def compute(view: View, operands: Sequence[Array]) -> Array:
        a, b = fl.aligned(operands)
        return np.asarray(np.minimum(a, b) if least else np.maximum(a, b))

    def torch_(torch: Any, view: View, operands: Sequence[Any]) -> Any:
        return getattr(torch, name)(*fl.aligned(operands))

    half = FloatHalf(compute, torch_, channelwise_ties, shares_scale=True)
    return SourceOp(name, _lower(least), half, becomes="maximum", operands=(EITHER_A, EITHER_B))


SOURCES = (_source("maximum", 0), _source("minimum", 1))
