"""Values of one axis in an order that the model holds, int8: the definition, its lowering and its C kernel.

An order of even steps is a `strided_copy`, which needs no list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role, constant
from ..graph.op import (
    Case,
    ChannelRule,
    Constant,
    IntAttrs,
    Interval,
    Kernel,
    Learned,
    Lowered,
    Op,
    Operand,
    Param,
    Shape,
    View,
)
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared import int16
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known, require_moved, require_one_width, require_same_quant, width
from .shared.loops import merged
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import channelwise
from .strided_copy import copied

# 16 bits each, which are read as unsigned; in source models integers of any width.
_INDICES = Operand("indices", Constant.ALWAYS, Role.REQUANT)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    shape, indices, axis = shapes[0], shapes[1], attrs["axis"]
    if not 1 <= axis < len(shape) or len(indices) != 1:
        raise ModelError(f"indices of shape {list(indices)} along axis {axis} of shape {list(shape)}")
    return [(*shape[:axis], indices[0], *shape[axis + 1 :])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [np.take(inputs[0], inputs[1].view(np.uint16), attrs["axis"])]


def validate(view: View) -> None:
    require_one_width(view)
    indices, size = view.indices.value, view.x.shape[view["axis"]]
    if indices.dtype != np.int16 or indices.view(np.uint16).max() >= size:
        raise ModelError(f"an index outside of the {size} values of axis {view['axis']}")


def _learned(view: View) -> dict[str, Learned]:
    """Indices of 16 bits with a sign; others are any, since the kernel bounds them."""
    size = view.x.shape[view["axis"]]
    return {"indices": Learned(0, size - 1)} if size <= 1 << 15 else {}


def _axis(view: View) -> int:
    rank, axis = len(view.x.shape), view["axis"]
    if not -rank <= axis < rank:
        raise ModelError(f"axis {axis} of {rank} dimensions", where=view.node.name)
    return axis % rank


def lower(view: View) -> Lowered:
    x, out, axis = view.x, view.out, _axis(view)
    require_moved(View(view.node, (x,), view.outputs))
    require_same_quant(View(view.node, (x,), view.outputs))
    (name,) = activation_inputs(View(view.node, (x,), view.outputs))
    indices = view.indices.value.ravel().astype(np.int64)
    if axis == 0:
        raise UnsupportedError("take of the batch axis", where=view.node.name)
    if indices.min() < 0 or indices.max() >= x.shape[axis]:
        raise ModelError(f"indices {indices.min()} to {indices.max()} of {x.shape[axis]} values", where=view.node.name)
    step = int(indices[1] - indices[0]) if indices.size > 1 else 0
    if (np.diff(indices) == step).all():
        before, inner = math.prod(x.shape[1:axis]), math.prod(x.shape[axis + 1 :])
        sizes, steps = (before, indices.size, inner), (x.shape[axis] * inner, step * inner, 1)
        return copied(View(view.node, (x,), view.outputs), merged(int(indices[0]) * inner, sizes, steps), out.shape)
    stored = constant(f"{view.node.name}/indices", indices.astype(np.uint16).view(np.int16), Role.REQUANT)
    return Lowered("take", dict(axis=axis), (name,), (stored,))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    x = known(view.x, inputs[0])
    if view["axis"] < len(view.x.shape) - 1:
        return x
    indices = view.indices.value.view(np.uint16)
    return Interval(x.low[indices], x.high[indices])


def _order(view: View) -> Array:
    shape = view.x.shape
    places = np.arange(math.prod(shape[1:]), dtype=np.int64).reshape(1, *shape[1:])
    return np.take(places, view.indices.value.view(np.uint16), view["axis"]).reshape(-1)


def _channels(view: View) -> ChannelRule | None:
    return channelwise_shared(view) if view["axis"] < len(view.x.shape) - 1 else None


def _params(view: View) -> dict[str, Param]:
    shape, axis = view.x.shape, view["axis"]
    return dict(
        indices=view.indices.name,
        outer=math.prod(shape[:axis]),
        size=shape[axis],
        count=view.out.shape[axis],
        inner=math.prod(shape[axis + 1 :]) * width(view),
    )


KERNELS = (
    Kernel(
        symbol="ek_take_s8",
        header="ek_take.h",
        struct="ek_take_params",
        fields=(("const ek_s16 *", "indices"), *(("uint32_t", name) for name in ("outer", "size", "count", "inner"))),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    kinds: list[tuple[str, Shape, int, list[int]]] = [
        ("channels", (1, 2, 3, 4), 3, [3, 0, 0, 2, 1]),
        ("rows", (1, 5, 3, 2), 1, [4, 1, 1, 0]),
        ("columns", (1, 2, 6, 3), 2, [5, 0, 4]),
        ("one-pixel", (1, 1, 1, 6), 3, [5, 5, 0, 3]),
        ("vector", (1, 9), 1, [8, 0, 7, 1, 6]),
        ("far", (1, 40000), 1, [39999, 0, 32768, 32767]),
    ]
    out = []
    for name, shape, axis, places in kinds:
        for fill, x in fills(rng, shape):
            out.append(Case(f"{name}-{fill}", dict(axis=axis), (x, np.array(places, np.uint16).view(np.int16))))
    return [*out, *int16.twins(rng, out), *in_float(out)]


def _real(view: View, operands: Sequence[Array]) -> Array:
    return np.take(operands[0], view.indices.value.ravel(), _axis(view))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    indices = torch.from_numpy(view.indices.value.ravel().astype(np.int64)).to(operands[0].device)
    return operands[0].index_select(_axis(view), indices)


def _ties(view: View) -> Sequence[Tie] | None:
    """None where channels are chosen: the indices are their numbers."""
    return channelwise(view) if _axis(view) < len(view.x.shape) - 1 else None


OP = Op(
    name="take",
    code=41,
    attrs=("axis",),
    operands=(X, _INDICES),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    channels=_channels,
    validate=validate,
    wide=True,
    moves=True,
    order=_order,
    learned=_learned,
    cases=cases,
)
SOURCE = SourceOp("take", lower, FloatHalf(_real, _in_torch, _ties, shares_scale=True), clamps=False)
IN_FLOAT = {"take": lower}
