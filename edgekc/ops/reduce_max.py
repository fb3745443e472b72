"""The largest value over any axes but the batch, int8: the definition, its lowering and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import reduce
from .shared.checks import activation_inputs, require_int8, require_same_quant
from .shared.operands import X

ATTRS = ("axes", "keep_dims")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return reduce.infer("the extreme", attrs, shapes[0])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].max(reduce.axes_of(attrs), keepdims=bool(attrs["keep_dims"]))]


def lower(view: View) -> Lowered:
    """Of the operator that is called as the node."""
    require_int8(view)
    require_same_quant(view)
    return Lowered(view.node.op, reduce.lower_axes(view), activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    attrs = {name: view[name] for name in ATTRS}
    return reduce.ranges(view, inputs[0], lambda x: reference(attrs, [x])[0])


def _params(view: View, flip: int) -> dict[str, Param]:
    return {**reduce.shape_params(view), "flip": flip}


def kernel(flip: int) -> Kernel:
    """`flip`: 0 for the largest value, -1 for the smallest, which is the largest of all bits turned over."""
    return Kernel(
        symbol="ek_reduce_max_s8",
        header="ek_reduce.h",
        struct="ek_reduce_max_params",
        fields=(*reduce.SHAPE_FIELDS, ("int8_t", "flip")),
        params=lambda view: _params(view, flip),
        # As sums: an output lies at or before the first input that it needs.
        in_place=lambda view: (0,),
    )


def cases(rng: np.random.Generator) -> list[Case]:
    return reduce.cases(rng, lambda count: {})


OP = Op(
    name="reduce_max",
    code=52,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(kernel(0),),
    ranges=ranges,
    channels=reduce.channels,
    cases=cases,
)
SOURCE = SourceOp(
    "reduce_max",
    lower,
    FloatHalf(
        lambda view, operands: reduce.in_numpy(view, operands[0], np.max),
        lambda torch, view, operands: reduce.in_torch(view, operands[0], torch.amax),
        reduce.ties,
        shares_scale=True,
        scales_along=True,
    ),
    clamps=False,
)
