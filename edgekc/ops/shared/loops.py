"""Which input bytes a move reads, in the order in which it writes them: a nest of loops over the bytes of one sample.

`out[i0, .., i5] = in[offset + i0 * step0 + .. + i5 * step5]`. Slices, transposed and reversed axes, repetitions and
blocks are all such nests, and so is a nest of a nest, more often than not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...graph.ir import Array
from ...graph.op import Shape

MAX_LOOPS = 6  # the C kernel's
_MOST_PAIRS = 1 << 20  # of an input and an output channel that are looked at one by one


@dataclass(frozen=True, slots=True)
class Loops:
    """The nest, outermost loop first; no loop has one pass, and none is the continuation of the one around it."""

    offset: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]  # of the input, in values; may be negative or 0

    @property
    def count(self) -> int:
        return math.prod(self.sizes)

    def is_whole(self, values: int) -> bool:
        """Whether it reads all values of a sample in their order."""
        return self.offset == 0 and self.count == values and self.steps in ((1,), ())

    def ends(self) -> tuple[int, int]:
        """The lowest and the highest value that is read."""
        spans = [(size - 1) * step for size, step in zip(self.sizes, self.steps, strict=True)]
        return self.offset + sum(min(s, 0) for s in spans), self.offset + sum(max(s, 0) for s in spans)

    def indices(self) -> Array:
        """int64 (count,): the value of the sample that each value of the output is."""
        found = np.array([self.offset], np.int64)
        for size, step in zip(self.sizes, self.steps, strict=True):
            found = (found[:, None] + step * np.arange(size, dtype=np.int64)).reshape(-1)
        return found

    def apply(self, x: Array) -> Array:
        """Samples of any shape, (n, ...), to (n, count)."""
        flat = np.ascontiguousarray(x).reshape(len(x), -1)
        steps = [step * flat.itemsize for step in self.steps]
        view = np.lib.stride_tricks.as_strided(
            flat[:, self.offset :], (len(flat), *self.sizes), (flat.strides[0], *steps), writeable=False
        )
        return np.ascontiguousarray(view).reshape(len(flat), self.count)

    def apply_in_torch(self, torch: Any, x: Any) -> Any:
        """The same of a tensor, with gradients."""
        return x.reshape(x.shape[0], -1).index_select(1, torch.from_numpy(self.indices()).to(x.device))

    def channels(self, inside: int, outside: int) -> tuple[Array, Array] | None:
        """All pairs (input channel, output channel) of which one is read for the other; None: too many to tell.

        Args:
            inside: channels of the input, its last axis.
            outside: channels of the output.
        """
        found: Array = np.array([[self.offset % inside], [0]], np.int64)
        at = self.count
        for size, step in zip(self.sizes, self.steps, strict=True):
            at //= size  # values of the output that one pass of this loop writes
            # Behind so many passes the two channels come again.
            period = math.lcm(inside // math.gcd(step, inside), outside // math.gcd(at, outside))
            passes = np.arange(min(size, period), dtype=np.int64)
            if found.shape[1] * len(passes) > _MOST_PAIRS:
                return None
            moved = np.stack([step * passes, at * passes])
            found = (found[:, :, None] + moved[:, None, :]).reshape(2, -1) % [[inside], [outside]]
            found = np.unique(found, axis=1)
        return found[0], found[1]


def merged(offset: int, sizes: Sequence[int], steps: Sequence[int]) -> Loops:
    """A nest without loops of one pass, and with those merged that run on from one another."""
    kept: list[tuple[int, int]] = []
    for size, step in zip(sizes, steps, strict=True):
        if size == 1:
            continue
        if kept and kept[-1][1] == step * size:
            kept[-1] = (kept[-1][0] * size, step)
        else:
            kept.append((size, step))
    return Loops(offset, tuple(size for size, _ in kept), tuple(step for _, step in kept))


def of_view(shape: Shape, move: Callable[[Array], Array], where: str = "") -> Loops:
    """The nest of a move that numpy does without a copy.

    Args:
        shape: of a sample.
        move: from an array of that shape to a view of it.
    """
    base = np.empty(shape, np.int8)  # its values are never looked at
    view = move(base)
    start = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    loops = merged(start, view.shape, view.strides)
    assert view.base is not None and 0 <= loops.ends()[0] <= loops.ends()[1] < base.size, "a copy, not a view"
    if len(loops.sizes) > MAX_LOOPS:
        raise UnsupportedError(f"a move of {len(loops.sizes)} nested loops (at most {MAX_LOOPS})", where=where)
    return loops


def of_indices(indices: Array) -> Loops | None:
    """The nest that reads these values; None where there is none of MAX_LOOPS loops. The inverse of `indices`."""
    sizes: list[int] = []
    steps: list[int] = []
    rest = np.asarray(indices, np.int64)
    while rest.size > 1:
        if len(sizes) == MAX_LOOPS:
            return None
        step = int(rest[1] - rest[0])
        breaks = np.flatnonzero(np.diff(rest) != step)
        size = int(breaks[0]) + 1 if breaks.size else rest.size
        # Where the next run happens to continue it, a run is longer than the loop: the loop is a divisor of it.
        size = next((d for d in _divisors(rest.size, size) if _is_loop(rest, d, step)), 0)
        if not size:
            return None
        sizes.insert(0, size)
        steps.insert(0, step)
        rest = rest[::size]
    return merged(int(rest[0]), sizes, steps)


def _divisors(of: int, most: int) -> list[int]:
    """Those from 2 to `most`, the largest first."""
    return [d for d in range(min(most, of), 1, -1) if of % d == 0]


def _is_loop(indices: Array, size: int, step: int) -> bool:
    rows = indices.reshape(-1, size)
    return bool((rows == rows[:, :1] + step * np.arange(size)).all())
