"""What operators over axes share: which axes, the shapes they leave, and the runs of axes that kernels see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.fixedpoint import quantize_multiplier
from ...graph.ir import Array
from ...graph.op import Case, ChannelRule, Field, IntAttrs, Interval, Param, Shape, View
from ...graph.source import Tie
from .channels import channelwise
from .checks import known
from .testing import fills
from .ties import channelwise as channelwise_ties

RUNS = ("outer", "first", "middle", "second", "inner")  # kept, reduced, kept, reduced, kept
SHAPE_FIELDS: tuple[Field, ...] = tuple(("uint32_t", name) for name in RUNS)


def axes_of(attrs: IntAttrs) -> tuple[int, ...]:
    """Axes of an INTEGER node: bit i is axis i."""
    return tuple(i for i in range(attrs["axes"].bit_length()) if attrs["axes"] >> i & 1)


def real_axes(view: View) -> tuple[int, ...]:
    """Axes of a FLOAT or QUANTIZED node, ascending."""
    rank = len(view.x.shape)
    return tuple(sorted({int(a) % rank for a in str(view.node.attrs["axes"]).split(",")}))


def runs(shape: Shape, axes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of the runs of axes that are alike, in the order of RUNS, with ones at the end; may be more than five."""
    sizes = [1]
    for i, size in enumerate(shape):
        if size == 1:
            continue  # belongs to either neighbour
        if (i in axes) != (len(sizes) % 2 == 0):
            sizes.append(1)
        sizes[-1] *= size
    return (*sizes, *(1,) * (len(RUNS) - len(sizes)))


def infer(name: str, attrs: IntAttrs, shape: Shape) -> list[Shape]:
    axes = axes_of(attrs)
    if attrs["axes"] <= 0 or axes[0] < 1 or axes[-1] >= len(shape):
        raise ModelError(f"{name} over axes {list(axes)} of a tensor of shape {list(shape)}")
    if len(runs(shape, axes)) > len(RUNS):
        raise ModelError(f"{name} over more than two runs of axes ({list(axes)} of {list(shape)})")
    keep = attrs["keep_dims"]
    return [tuple(1 if i in axes else size for i, size in enumerate(shape) if keep or i not in axes)]


def lower_axes(view: View) -> dict[str, int]:
    """The attributes `axes` and `keep_dims` of an INTEGER node; UnsupportedError where kernels do not see such axes."""
    name, axes, shape = view.node.op, real_axes(view), view.x.shape
    if axes[0] == 0:
        raise UnsupportedError(f"{name} over the batch axis (axes {list(axes)})", where=view.node.name)
    if len(runs(shape, axes)) > len(RUNS):
        text = f"{name} over more than two runs of axes ({list(axes)} of shape {list(shape)})"
        raise UnsupportedError(text, where=view.node.name)
    return dict(axes=sum(1 << a for a in axes), keep_dims=view["keep_dims"])


def count(view: View) -> int:
    """Values that make one, of an INTEGER node."""
    return math.prod(view.x.shape[a] for a in axes_of({"axes": view["axes"]}))


def mean_scales(ratio: float, count: int) -> dict[str, int]:
    """Multiplier and shift of ratio / count, in TFLite's way: an integer division that keeps 31 bits."""
    exponent = 16 if ratio >= 2.0**30 else 0  # beyond what `quantize_multiplier` has, while the quotient may be below
    multiplier, shift = quantize_multiplier(ratio * 2.0**-exponent)
    shift += exponent
    headroom = min(count.bit_length() - 1, 32, 31 + shift)
    return dict(multiplier=(multiplier << headroom) // count, shift=shift - headroom)


def shape_params(view: View) -> dict[str, Param]:
    """Values for SHAPE_FIELDS."""
    return dict(zip(RUNS, runs(view.x.shape, axes_of({"axes": view["axes"]})), strict=True))


def ranges(view: View, interval: Interval | None, reduced: Callable[[Array], Array]) -> Interval:
    """Of an operator that does not fall where its inputs do not: `reduced` of the input's ends."""
    x, channels = known(view.x, interval), view.out.shape[-1]
    low, high = (reduced(np.broadcast_to(end, view.x.shape)).reshape(-1, channels) for end in (x.low, x.high))
    return Interval(low.min(0).astype(np.int64), high.max(0).astype(np.int64))


def channels(view: View) -> ChannelRule | None:
    """Channels can go while the last axis stays."""
    return None if len(view.x.shape) - 1 in axes_of({"axes": view["axes"]}) else channelwise(view)


def ties(view: View) -> Sequence[Tie] | None:
    return None if len(view.x.shape) - 1 in real_axes(view) else channelwise_ties(view)


def in_numpy(view: View, x: Array, how: Callable[..., Any]) -> Array:
    """`how` is np.sum or another; the batch may be of any size."""
    return np.asarray(how(x, axis=real_axes(view), keepdims=bool(view["keep_dims"])), np.float32)


def in_torch(view: View, x: Any, how: Callable[..., Any]) -> Any:
    return how(x, dim=real_axes(view), keepdim=bool(view["keep_dims"]))


def cases(rng: np.random.Generator, more: Callable[[int], dict[str, int]]) -> list[Case]:
    """`more`: of so many values that make one, the attributes beside `axes` and `keep_dims`."""
    shapes: list[tuple[str, Shape, tuple[int, ...]]] = [
        ("image", (1, 5, 7, 9), (1, 2)),
        ("channels", (1, 3, 4, 5), (3,)),
        ("rows", (1, 3, 4, 5), (1,)),
        ("columns-and-channels", (1, 3, 4, 5), (2, 3)),
        ("rows-and-channels", (1, 3, 4, 5), (1, 3)),
        ("everything", (1, 4, 3, 2), (1, 2, 3)),
        ("two-runs", (1, 3, 2, 4, 3, 2), (2, 4)),
        ("sequence", (1, 11, 6), (1,)),
        ("vector", (1, 17), (1,)),
        ("one-value", (1, 1, 1, 1), (1, 3)),
        ("long", (1, 300, 3), (1,)),
    ]
    out = []
    for k, (name, shape, axes) in enumerate(shapes):
        for fill, x in fills(rng, shape):
            attrs = dict(axes=sum(1 << a for a in axes), keep_dims=k % 2)
            out.append(Case(f"{name}-{fill}", {**attrs, **more(math.prod(shape[a] for a in axes))}, (x,)))
    return out
