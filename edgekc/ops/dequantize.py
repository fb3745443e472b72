"""Levels to reals: dropped at a model's outputs; in front of operators that compute in float it is a C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..graph.source import SourceOp
from .shared import single
from .shared.checks import activation_inputs
from .shared.operands import X
from .shared.testing import fills


def reals_of(levels: Array, scale: float, zero_point: int) -> Array:
    """Levels to reals, float32; what is real already stays as it is."""
    if levels.dtype == np.float32:
        return levels
    return np.asarray((scale * (levels.astype(np.int64) - zero_point)).astype(np.float32))


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [reals_of(inputs[0], float(single.of_bits(attrs["scale"])), attrs["in_zero"])]


def lower(view: View) -> Lowered:
    if view.x.dtype != "int8":
        raise UnsupportedError(f"dequantize of {view.x.dtype} ({view.x.name})", where=view.node.name)
    q = view.x.q
    return Lowered("dequantize", dict(scale=single.bits_of(q.scale), in_zero=q.zero_point), activation_inputs(view))


def validate(view: View) -> None:
    if (view.x.dtype, view.out.dtype) != ("int8", "float32"):
        raise ModelError(f"dequantize from {view.x.dtype} to {view.out.dtype}, not from int8 to float32")


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for shape in ((1, 1), (1, 3, 5, 7)):
        for (fill, x), scale in zip(fills(rng, shape), (0.0123, 1.7e-20, 300.5), strict=True):
            attrs = dict(scale=single.bits_of(scale), in_zero=int(rng.integers(-128, 128)))
            out.append(Case(f"{len(shape)}-{fill}", attrs, (x,)))
    return out


OP = Op(
    name="dequantize",
    code=100,
    attrs=("scale", "in_zero"),
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_dequantize_f32",
            header="ek_f32.h",
            struct="ek_dequantize_f32_params",
            fields=(("uint32_t", "count"), ("int32_t", "scale"), ("int32_t", "in_zero")),
            params=lambda view: dict(count=math.prod(view.x.shape), scale=view["scale"], in_zero=view["in_zero"]),
        ),
    ),
    validate=validate,
    learned=lambda view: dict(scale=single.POSITIVE),
    cases=cases,
    single=True,
)
SOURCE = SourceOp(
    "dequantize", lower, direct=lambda view, x: reals_of(x, view.x.q.scale, view.x.q.zero_point), operands=(X,)
)
