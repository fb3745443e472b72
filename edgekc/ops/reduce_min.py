"""The smallest value over any axes but the batch, int8: as the largest one, with its kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Interval, Op, View
from ..graph.source import FloatHalf, SourceOp
from . import reduce_max
from .shared import reduce
from .shared.operands import X


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].min(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))]


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    attrs = {name: view[name] for name in reduce_max.ATTRS}
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


OP = Op(
    name="reduce_min",
    code=53,
    attrs=reduce_max.ATTRS,
    operands=(X,),
    infer=reduce_max.infer,
    reference=reference,
    kernels=(reduce_max.kernel(-1),),
    ranges=ranges,
    channels=reduce.channels,
    cases=reduce_max.cases,
)
SOURCE = SourceOp(
    "reduce_min",
    reduce_max.lower,
    FloatHalf(
        lambda view, operands: reduce.in_numpy(view, operands[0], np.min),
        lambda torch, view, operands: reduce.in_torch(view, operands[0], torch.amin),
        reduce.ties,
        shares_scale=True,
        scales_along=True,
    ),
    clamps=False,
)
