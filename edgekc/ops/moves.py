"""What source models call the copies of `strided_copy`: transposes, slices, repetitions and blocks.

Each is a view of one sample, which numpy describes: `_MOVES` has them, and everything else follows from it. Axes count
the batch as axis 0, which no move touches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import View
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared.checks import channels_of
from .shared.loops import Loops, of_view
from .shared.operands import X
from .shared.ties import channelwise, flattened
from .strided_copy import lowered

Move = Callable[[View, Array], Array]  # of a sample, to a view of it


def _numbers(view: View, key: str) -> list[int]:
    """A list with one number for each axis of the input."""
    values = [int(v) for v in str(view.node.attrs[key]).split(",")]
    if len(values) != len(view.x.shape):
        raise ModelError(f"{key} {values} of a tensor of shape {list(view.x.shape)}", where=view.node.name)
    return values


def _whole_batch(view: View, whole: bool) -> None:
    if not whole:
        raise UnsupportedError(f"{view.node.op} of the batch axis", where=view.node.name)


def _makes(view: View, *sizes: int) -> None:
    if view.out.shape[1:] != sizes:
        raise ModelError(
            f"{view.node.op} of {list(view.x.shape)} makes a sample of {list(sizes)}, not {list(view.out.shape[1:])}",
            where=view.node.name,
        )


def _transpose(view: View, x: Array) -> Array:
    perm = _numbers(view, "perm")
    if sorted(perm) != list(range(len(perm))):
        raise ModelError(f"perm {perm} is no order of {len(perm)} axes", where=view.node.name)
    _whole_batch(view, perm[0] == 0)
    _makes(view, *(view.x.shape[axis] for axis in perm[1:]))
    return x.transpose([axis - 1 for axis in perm[1:]])


def _strided_slice(view: View, x: Array) -> Array:
    begins, steps = _numbers(view, "begins"), _numbers(view, "strides")
    sizes = view.out.shape  # as the attribute says, less the channels that pruning took
    if len(sizes) != len(begins) or len(_numbers(view, "sizes")) != len(sizes):
        raise ModelError(f"a slice of {list(view.x.shape)} to {list(sizes)}", where=view.node.name)
    for axis, (begin, size, step, there) in enumerate(zip(begins, sizes, steps, view.x.shape, strict=True)):
        last = begin + (size - 1) * step
        if not (0 <= begin < there and 0 <= last < there) or step == 0:
            raise ModelError(f"axis {axis} of {there} has no values {begin} to {last}", where=view.node.name)
    _whole_batch(view, (begins[0], steps[0]) == (0, 1))
    for axis in range(x.ndim):
        begin, step = begins[axis + 1], steps[axis + 1]
        end = begin + sizes[axis + 1] * step
        x = x[(*(slice(None),) * axis, slice(begin, None if end < 0 else end, step))]
    return x


def _tile(view: View, x: Array) -> Array:
    repeats = _numbers(view, "repeats")
    if min(repeats) < 1:
        raise ModelError(f"repeats {repeats}: must be positive", where=view.node.name)
    _whole_batch(view, repeats[0] == 1)
    _makes(view, *(times * size for times, size in zip(repeats[1:], x.shape, strict=True)))
    pairs = [axis for pair in zip((1,) * x.ndim, x.shape, strict=True) for axis in pair]
    wanted = [axis for pair in zip(repeats[1:], x.shape, strict=True) for axis in pair]
    return np.broadcast_to(x.reshape(pairs), wanted)


def _broadcast_to(view: View, x: Array) -> Array:
    shape, rank = view.out.shape[1:], len(view.out.shape) - 1
    fits = x.ndim <= rank and all(a in (1, b) for a, b in zip(x.shape[::-1], shape[::-1], strict=False))
    if not fits:
        raise ModelError(f"{list(view.x.shape)} does not broadcast to {list(view.out.shape)}", where=view.node.name)
    return np.broadcast_to(x, shape)


def _image(view: View) -> tuple[int, int, int, int]:
    """(height, width, channels) of the input, and the block."""
    if len(view.x.shape) != 4 or view["block"] < 1:
        raise UnsupportedError(
            f"{view.node.op} of shape {list(view.x.shape)} by blocks of {view['block']}", where=view.node.name
        )
    _, h, w, c = view.x.shape
    return h, w, c, view["block"]


def _depth_to_space(view: View, x: Array) -> Array:
    h, w, c, block = _image(view)
    if c % (block * block):
        raise ModelError(f"{c} channels do not fill blocks of {block} by {block}", where=view.node.name)
    _makes(view, h * block, w * block, c // (block * block))
    return x.reshape(h, w, block, block, -1).transpose(0, 2, 1, 3, 4)


def _space_to_depth(view: View, x: Array) -> Array:
    h, w, c, block = _image(view)
    if h % block or w % block:
        raise ModelError(f"{h} by {w} pixels do not divide into blocks of {block}", where=view.node.name)
    _makes(view, h // block, w // block, c * block * block)
    return x.reshape(h // block, block, w // block, block, c).transpose(0, 2, 1, 3, 4)


def _loops(view: View, move: Move) -> Loops:
    return of_view(view.x.shape[1:], lambda x: move(view, x), view.node.name)


def _ties_of_transpose(view: View) -> Sequence[Tie] | None:
    """None where the channels become another axis."""
    return channelwise(view) if _numbers(view, "perm")[-1] == len(view.x.shape) - 1 else None


def _ties_of_slice(view: View) -> Sequence[Tie] | None:
    """None where channels are chosen: the slice says which by their numbers."""
    whole = (_numbers(view, "begins")[-1], _numbers(view, "strides")[-1]) == (0, 1)
    return channelwise(view) if whole and channels_of(view.x) == channels_of(view.out) else None


def _source(
    name: str, move: Move, ties: Callable[[View], Sequence[Tie] | None], *, scales_along: bool = False
) -> SourceOp:
    def compute(view: View, operands: Sequence[Array]) -> Array:
        return _loops(view, move).apply(operands[0]).reshape(-1, *view.out.shape[1:])

    def in_torch(torch: object, view: View, operands: Sequence[object]) -> object:
        return _loops(view, move).apply_in_torch(torch, operands[0]).reshape(-1, *view.out.shape[1:])

    return SourceOp(
        name,
        lambda view: lowered(view, lambda x: move(view, x)),
        FloatHalf(compute, in_torch, ties, shares_scale=True, scales_along=scales_along),
        clamps=False,
        becomes="strided_copy",
        operands=(X,),
    )


SOURCES = (
    _source("transpose", _transpose, _ties_of_transpose),
    _source("strided_slice", _strided_slice, _ties_of_slice),
    # A channel keeps its place where there are as many behind it as before.
    _source("tile", _tile, flattened, scales_along=True),
    _source("broadcast_to", _broadcast_to, channelwise, scales_along=True),
    _source("depth_to_space", _depth_to_space, flattened),
    _source("space_to_depth", _space_to_depth, flattened),
)
IN_FLOAT = {source.name: source.lower for source in SOURCES}
