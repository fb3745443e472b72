"""A copy of values in another order, int8: what transposes, slices, repetitions and blocks become.

Each sample is read by a nest of at most six loops (`shared/loops.py`), and written from its start to its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from .reshape import DIMS, MAX_RANK
from .shared import int16
from .shared.channels import CHANNELWISE
from .shared.checks import (
    activation_inputs,
    channels_of,
    known,
    require_moved,
    require_one_width,
    require_same_quant,
    spread,
    width,
)
from .shared.loops import MAX_LOOPS, Loops, merged, of_view
from .shared.operands import X
from .shared.testing import fills, in_float

SIZES = tuple(f"size{i}" for i in range(MAX_LOOPS))
STEPS = tuple(f"step{i}" for i in range(MAX_LOOPS))
# The output's shape as in `reshape`, its leading axis that of the input; then the loops, the innermost last.
ATTRS = ("rank", *DIMS, "offset", *SIZES, *STEPS)
_INT32 = 2**31 - 1


def _loops(attrs: IntAttrs) -> Loops:
    return merged(attrs["offset"], [attrs[n] for n in SIZES], [attrs[n] for n in STEPS])


def _stored(loops: Loops, tail: Shape) -> dict[str, int]:
    """The attributes of these loops, whose output has this shape behind the batch axis."""
    missing = MAX_LOOPS - len(loops.sizes)
    attrs = dict(rank=len(tail) + 1, **dict(zip(DIMS, (*tail, *(1,) * MAX_RANK), strict=False)))
    attrs["offset"] = loops.offset
    attrs.update(zip(SIZES, (*(1,) * missing, *loops.sizes), strict=True))
    attrs.update(zip(STEPS, (*(0,) * missing, *loops.steps), strict=True))
    return attrs


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    shape = shapes[0]
    rank = attrs["rank"]
    if not shape or not 1 <= rank <= MAX_RANK:
        raise ModelError(f"a copy of a tensor of {len(shape)} dimensions to one of {rank}")
    tail, values = tuple(attrs[name] for name in DIMS[: rank - 1]), math.prod(shape[1:])
    sizes = [attrs[name] for name in SIZES]
    if min((*tail, *sizes)) < 1 or math.prod(tail) != math.prod(sizes):
        raise ModelError(f"loops of {sizes} passes do not write a sample of shape {list(tail)}")
    low, high = _loops(attrs).ends()
    if not 0 <= low <= high < values:
        raise ModelError(f"it reads the values {low} to {high} of {values}")
    # A loop's counter goes one step further than what it reads.
    spans = [attrs[size] * attrs[step] for size, step in zip(SIZES, STEPS, strict=True)]
    if sum(map(abs, spans)) + attrs["offset"] > _INT32:
        raise ModelError("the steps of its loops leave 32 bits")
    return [(shape[0], *tail)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x = inputs[0]
    return [_loops(attrs).apply(x).reshape(infer(attrs, [x.shape])[0])]


def lowered(view: View, move: Callable[[Array], Array]) -> Lowered:
    """A QUANTIZED node that moves the values of a sample (see `of_view`); a reshape where they keep their order."""
    require_moved(view)
    require_same_quant(view)
    shape = view.out.shape
    return copied(view, of_view(view.x.shape[1:], move, view.node.name), shape)


def copied(view: View, loops: Loops, shape: Shape) -> Lowered:
    """A node whose output of this shape is read by these loops; UnsupportedError where the kernel cannot do it."""
    if not 1 <= len(shape) <= MAX_RANK:
        raise UnsupportedError(f"{view.node.op} with an output of {len(shape)} dimensions", where=view.node.name)
    if not fits(loops, view):
        raise UnsupportedError(
            f"{view.node.op} of {view.x.dtype} by {len(loops.sizes)} nested loops (at most {MAX_LOOPS - 1})",
            where=view.node.name,
        )
    op, attrs = copy_of(loops, view.x.shape, shape)
    return Lowered(op, attrs, activation_inputs(view))


def fits(loops: Loops, view: View) -> bool:
    """Whether the kernel has a loop for each of these, and one for the bytes of a value."""
    return len(_of_bytes(loops, width(view)).sizes) <= MAX_LOOPS


def _of_bytes(loops: Loops, bytes_each: int) -> Loops:
    """The nest that moves bytes, of one that moves values."""
    steps = (*(step * bytes_each for step in loops.steps), 1)
    return merged(loops.offset * bytes_each, (*loops.sizes, bytes_each), steps)


def validate(view: View) -> None:
    require_one_width(view)
    loops = _loops(_attrs(view))
    if not fits(loops, view):
        raise ModelError(f"a copy of {view.x.dtype} by {len(loops.sizes)} loops, of {MAX_LOOPS - 1} at most")
    spans = [size * step for size, step in zip(loops.sizes, loops.steps, strict=True)]
    if width(view) * (sum(map(abs, spans)) + loops.offset) > _INT32:
        raise ModelError("the steps of its loops leave 32 bits")


def copy_of(loops: Loops, x: Shape, shape: Shape) -> tuple[str, dict[str, int]]:
    """The INTEGER operator, with its attributes, that reads a tensor of shape `x` so; a reshape where no byte moves."""
    if loops.is_whole(math.prod(x[1:])):
        tail = dict(zip(DIMS, (*shape[1:], *(1,) * MAX_RANK), strict=False))
        return "reshape", dict(rank=len(shape), **tail)
    return "strided_copy", _stored(loops, shape[1:])


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """A channel has the values of all that it is made of."""
    x, channels = known(view.x, inputs[0]), channels_of(view.out)
    if len(view.out.shape) < 2:
        return spread(x, channels)
    pairs = _loops(_attrs(view)).channels(channels_of(view.x), channels)
    if pairs is None:
        return spread(Interval(x.low.min(keepdims=True), x.high.max(keepdims=True)), channels)
    low, high = np.full(channels, np.iinfo(np.int64).max), np.full(channels, np.iinfo(np.int64).min)
    np.minimum.at(low, pairs[1], x.low[pairs[0]])
    np.maximum.at(high, pairs[1], x.high[pairs[0]])
    return Interval(low, high)


def _attrs(view: View) -> dict[str, int]:
    return {name: view[name] for name in ATTRS}


def _channels(view: View) -> ChannelRule | None:
    """Channels can go where pixels move as a whole, so that each channel stays what it is."""
    loops, channels = _loops(_attrs(view)), channels_of(view.x)
    rank = len(view.out.shape)
    if rank < 2 or channels_of(view.out) != channels or not loops.sizes or loops.offset % channels:
        return None
    outer = loops.steps[:-1]
    if loops.steps[-1] != 1 or loops.sizes[-1] % channels or any(step % channels for step in outer):
        return None

    def attrs(view: View, kept: int) -> dict[str, int]:
        sizes = (*loops.sizes[:-1], loops.sizes[-1] // channels * kept)
        steps = (*(step // channels * kept for step in outer), 1)
        fewer = merged(loops.offset // channels * kept, sizes, steps)
        return _stored(fewer, (*view.out.shape[1:-1], kept))

    return replace(CHANNELWISE, attrs=attrs)


def _params(view: View) -> dict[str, Param]:
    stored = _stored(_of_bytes(_loops(_attrs(view)), width(view)), ())
    return {name: stored[name] for name in ("offset", *SIZES, *STEPS)}


KERNELS = (
    Kernel(
        symbol="ek_strided_copy_s8",
        header="ek_strided_copy.h",
        struct="ek_strided_copy_params",
        fields=(
            ("int32_t", "offset"),
            *(("uint32_t", name) for name in SIZES),
            *(("int32_t", name) for name in STEPS),
        ),
        params=_params,
    ),
)


def _six_loops(x: Array) -> Array:
    return x.reshape(2, 2, 3, 2, 4, 3)[::-1, :, ::2].transpose(3, 0, 5, 1, 4, 2)


def cases(rng: np.random.Generator) -> list[Case]:
    moves: list[tuple[str, Shape, Callable[[Array], Array]]] = [
        ("transpose", (1, 3, 5, 2), lambda x: x.transpose(2, 0, 1)),
        ("swap-height-and-width", (1, 4, 3, 6), lambda x: x.transpose(1, 0, 2)),
        ("rows", (1, 6, 3, 4), lambda x: x[1:5]),
        ("channels", (1, 3, 3, 8), lambda x: x[..., 2:6]),
        ("one-channel", (1, 4, 4, 3), lambda x: x[..., 1:2]),
        ("every-second-pixel", (1, 5, 7, 3), lambda x: x[::2, 1::2]),
        ("reverse", (1, 2, 5, 3), lambda x: x[:, ::-1]),
        ("reverse-all", (1, 2, 5, 3), lambda x: x[::-1, ::-1, ::-1]),
        ("repeat", (1, 2, 1, 3), lambda x: np.broadcast_to(x[:, :, None], (2, 1, 4, 3))),
        ("one-value", (1, 1, 1, 1), lambda x: np.broadcast_to(x, (3, 5, 2))),
        ("one-pixel", (1, 1, 1, 7), lambda x: x.transpose(2, 0, 1)[1:6]),
        ("blocks", (1, 2, 3, 8), lambda x: x.reshape(2, 3, 2, 2, 2).transpose(0, 2, 1, 3, 4)),
        ("six-loops", (1, 2, 2, 3, 2, 12), _six_loops),
        ("vector", (1, 17), lambda x: x[3:14:3]),
        ("vector-to-one-value", (1, 17), lambda x: x[4:5]),
    ]
    out = []
    for name, shape, move in moves:
        loops = of_view(shape[1:], move)
        tail = move(np.empty(shape[1:], np.int8)).shape[: MAX_RANK - 1]
        tail = tail if math.prod(tail) == loops.count else (loops.count,)
        for fill, x in fills(rng, shape):
            out.append(Case(f"{name}-{fill}", _stored(loops, tail), (x,)))
    few = [case for case in out if not case.name.startswith("six")]  # one loop is for the bytes of a value
    return [*out, *int16.twins(rng, few), *in_float(few)]


OP = Op(
    name="strided_copy",
    code=40,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    moves=True,
    channels=_channels,
    order=lambda view: _loops(_attrs(view)).indices(),
    cases=cases,
)
