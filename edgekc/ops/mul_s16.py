"""Product of int16 tensors: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, View
from .shared import broadcast, int16
from .shared import elementwise as ew
from .shared.channels import channelwise
from .shared.linear import activation_range
from .shared.operands import A, B

ATTRS = ("multiplier", "shift", *int16.CLAMP)
MAX_SHIFT = 0  # a product, at most 2**30, is not shifted left


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """a * b, scaled to the output."""
    a, b = ew.aligned(inputs)
    return [np.clip(ew.scaled(attrs, a * b, ""), attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED multiplication of int16. TFLite computes the ratio in float32, as for int8."""
    a, b = ew.operands(view)
    ratio = np.float32(a.q.scale) * np.float32(b.q.scale) / np.float32(view.out.q.scale)
    attrs = ew.fixed(float(ratio), "")
    if attrs["shift"] > MAX_SHIFT:
        raise UnsupportedError(f"a product of scales {ratio} times the output's", where=view.node.name)
    low, high = activation_range(view)
    attrs.update(clamp_min=low, clamp_max=high)
    return Lowered("mul_s16", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))


def validate(view: View) -> None:
    int16.require_types(view, 2)
    int16.require_clamp(view)
    if view["shift"] > MAX_SHIFT:
        raise ModelError(f"shift {view['shift']} of a product of int16 is above {MAX_SHIFT}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """A product takes its extremes at the corners, and requantisation is monotone."""
    attrs = {name: view[name] for name in ATTRS}
    return broadcast.corners(view, inputs, lambda a, b: reference(attrs, [a, b])[0])


FIELDS = (("int32_t", "multiplier"), ("int8_t", "shift"), *(("int16_t", name) for name in int16.CLAMP))


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        # Every fifth case has the largest multiplier, others such that products fill int16.
        real = 1 - 2.0**-31 if i % 5 == 1 else float(np.exp(rng.uniform(-12, -8)))
        clamp = int16.FULL if i % 3 else dict(clamp_min=-9000, clamp_max=8000)
        out.append(Case(name, {**ew.fixed(real, ""), **clamp}, (int16.widened(a, rng), int16.widened(b, rng))))
    return out


OP = Op(
    name="mul_s16",
    code=84,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=broadcast.kernels("mul", FIELDS, lambda view: {name: view[name] for name in ATTRS}, bits=16),
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise,
    cases=cases,
)
