"""Mean over any axes but the batch, int8, rounded once, ties to even: the definition, its lowering and its C kernel.

Models that ask for the nearest levels (`anchored.NEAREST`) have it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..graph.fixedpoint import SINGLE, clamp_int8, quantize_multiplier
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, View
from . import sum as sums
from .shared import reduce
from .shared.checks import activation_inputs

ATTRS = sums.ATTRS[:-1]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """sum(x - in_zero) * multiplier * 2**(shift - 31), to the nearest integer, ties to even."""
    x = inputs[0].astype(np.int64)
    total = (x - attrs["in_zero"]).sum(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))
    wide, right = total * attrs["multiplier"], 31 - attrs["shift"]
    nearest = (wide + (1 << right - 1) - 1 + ((wide >> right) & 1)) >> right
    return [clamp_int8(nearest, attrs["out_zero"], -128, 127)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED mean of int8: the division is part of the multiplier."""
    attrs = reduce.lower_axes(view)
    count = math.prod(view.x.shape[a] for a in reduce.axes_of(attrs))
    multiplier, shift = quantize_multiplier(view.x.q.scale / view.out.q.scale / count)
    if sums.overflows(count, shift):
        raise UnsupportedError(f"mean of {count} values overflows 32 bits", where=view.node.name)
    attrs.update(in_zero=view.x.q.zero_point, multiplier=multiplier, shift=shift, out_zero=view.out.q.zero_point)
    return Lowered("mean_nearest", attrs, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    attrs = {name: view[name] for name in ATTRS}
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


def cases(rng: np.random.Generator) -> list[Case]:
    """Every second one of equal scales, so that sums are ties where the count is even."""
    drawn = iter(range(10**6))

    def more(count: int) -> dict[str, int]:
        ratio = 1.0 if next(drawn) % 2 else float(np.exp(rng.uniform(-2, 2)))
        multiplier, shift = quantize_multiplier(ratio / count)
        zeros = dict(in_zero=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
        return dict(multiplier=multiplier, shift=shift, **zeros)

    return reduce.cases(rng, more)


OP: Op = replace(
    sums.OP,
    name="mean_nearest",
    code=39,
    attrs=ATTRS,
    reference=reference,
    kernels=(replace(sums.KERNEL, symbol="ek_mean_nearest_s8", params=lambda view: sums.params(view, SINGLE)),),
    ranges=ranges,
    cases=cases,
)
