"""Reals to levels, behind what an int8 model computes in float: the definition and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..quantize import levels_of
from ..shared import single
from ..shared.checks import activation_inputs
from ..shared.operands import X


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [levels_of(inputs[0], float(single.of_bits(attrs["scale"])), attrs["out_zero"], "int8")]


def lower(view: View) -> Lowered:
    if (view.x.dtype, view.out.dtype) != ("float32", "int8"):
        raise UnsupportedError(f"quantize of {view.x.dtype} to {view.out.dtype}", where=view.node.name)
    q = view.out.q
    return Lowered("quantize_f32", dict(scale=single.bits_of(q.scale), out_zero=q.zero_point), activation_inputs(view))


def validate(view: View) -> None:
    if (view.x.dtype, view.out.dtype) != ("float32", "int8"):
        raise ModelError(f"quantize_f32 from {view.x.dtype} to {view.out.dtype}, not from float32 to int8")
    if not 0 < single.of_bits(view["scale"]) < math.inf:
        raise ModelError(f"a scale of {single.of_bits(view['scale'])}")


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for shape in ((1, 1), (1, 3, 5, 7)):
        for (fill, x), scale in zip(single.reals(rng, shape), (0.0123, 1.7e-20, 300.5, 0.5), strict=True):
            attrs = dict(scale=single.bits_of(scale), out_zero=int(rng.integers(-128, 128)))
            out.append(Case(f"{len(shape)}-{fill}", attrs, (x,)))
    halves = (np.arange(-600, 600, dtype=np.float32) / 2)[None]
    beside = np.nextafter(halves, np.float32(0))
    for name, x in (("halves", halves), ("beside-halves", beside), ("far", halves * np.float32(1e30))):
        out.append(Case(name, dict(scale=single.bits_of(1.0), out_zero=int(rng.integers(-20, 20))), (x,)))
    return out


OP = Op(
    name="quantize_f32",
    code=104,
    attrs=("scale", "out_zero"),
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_quantize_f32",
            header="ek_f32.h",
            struct="ek_quantize_f32_params",
            fields=(("uint32_t", "count"), ("int32_t", "scale"), ("int32_t", "out_zero")),
            params=lambda view: dict(count=math.prod(view.x.shape), scale=view["scale"], out_zero=view["out_zero"]),
            in_place=lambda view: (0,),
        ),
    ),
    validate=validate,
    learned=lambda view: dict(scale=single.POSITIVE),
    cases=cases,
    single=True,
)
IN_FLOAT = {"quantize": lower}
