"""Reshape: the same bytes under another shape; a copy only where the planner could not share the buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Lowered, Op, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import int16
from .shared.channels import CHANNELWISE
from .shared.checks import activation_inputs, channels_of, known, require_one_width, require_same_quant, spread
from .shared.floats import reshaped
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import flattened

MAX_RANK = 6
DIMS = tuple(f"dim{i}" for i in range(1, MAX_RANK))
ATTRS = ("rank", *DIMS)  # the sizes after the leading axis, 1 where there is none; the leading one follows from them


def _tail(attrs: IntAttrs) -> Shape:
    return tuple(attrs[name] for name in DIMS[: attrs["rank"] - 1])


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tail, total = _tail(attrs), math.prod(shapes[0])
    size = math.prod(tail)
    if not 1 <= attrs["rank"] <= MAX_RANK or size < 1 or total % size:
        raise ModelError(f"{total} values do not reshape to (any, {', '.join(map(str, tail))})")
    return [(total // size, *tail)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].reshape(infer(attrs, [inputs[0].shape])[0])]


def lower(view: View) -> Lowered:
    require_same_quant(view)
    shape = view.out.shape
    if not 1 <= len(shape) <= MAX_RANK:
        raise UnsupportedError(f"reshape to {len(shape)} dimensions", where=view.node.name)
    tail = dict(zip(DIMS, (*shape[1:], *(1,) * MAX_RANK), strict=False))
    return Lowered("reshape", dict(rank=len(shape), **tail), activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Channels stay what they are while the last axis keeps its size."""
    x = known(view.x, inputs[0])
    return spread(x, channels_of(view.out))


def _channels(view: View) -> ChannelRule | None:
    """Channels can go while the last axis stays an axis of channels."""
    if not view.x.shape or view.x.shape[-1:] != view.out.shape[-1:]:
        return None
    last = f"dim{len(view.out.shape) - 1}"
    return replace(CHANNELWISE, attrs=lambda v, kept: {last: kept} if last in DIMS else {})


KERNELS = (
    Kernel(
        symbol="ek_copy_s8",
        header="ek_copy.h",
        struct="ek_copy_params",
        fields=(("uint32_t", "bytes"),),
        params=lambda view: dict(bytes=view.x.nbytes),
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, Shape, Shape]] = [
        ("flatten", (1, 3, 5, 2), (1, 30)),
        ("split", (1, 24), (1, 2, 3, 4)),
        ("move-batch", (1, 4, 6), (4, 6)),
        ("one-value", (1, 1, 1, 1), (1,)),
    ]
    out = []
    for name, x_shape, shape in shapes:
        tail = dict(zip(DIMS, (*shape[1:], *(1,) * MAX_RANK), strict=False))
        for fill, x in fills(rng, x_shape):
            out.append(Case(f"{name}-{fill}", dict(rank=len(shape), **tail), (x,)))
    return [*out, *int16.twins(rng, out), *in_float(out)]


OP = Op(
    name="reshape",
    code=9,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    channels=_channels,
    validate=require_one_width,
    wide=True,
    moves=True,
    view=True,
    cases=cases,
)
SOURCE = SourceOp(
    "reshape",
    lower,
    FloatHalf(
        lambda view, operands: reshaped(view, operands[0]),
        lambda torch, view, operands: reshaped(view, operands[0]),
        flattened,
        shares_scale=True,
        scales_along=True,
    ),
    view=True,
)
IN_FLOAT = {"reshape": lower}
