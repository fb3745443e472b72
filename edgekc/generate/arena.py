"""Sizes and lifetimes to arena offsets; knows nothing of tensors or operators."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

ALIGNMENT = 4  # bytes; the arena itself is 16-byte aligned
_TRIES, _CHANGES = 400, 600


@dataclass(frozen=True, slots=True)
class Span:
    """`size` bytes, in use at every step from `first` to `last`, both included."""

    size: int
    first: int
    last: int


# Spans that begin at the same byte: a tensor, and what is written over it in place.
Block = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    offsets: tuple[int, ...]  # one per block
    total: int  # bytes
    lower_bound: int  # bytes: the most that is in use at any one step
    peak_step: int  # a step where that much is in use


def allocate(blocks: Sequence[Block]) -> Allocation:
    """Place blocks so that those in use at the same step do not overlap; offsets are multiples of ALIGNMENT.

    Greedy, lowest free offset first, over several orders of the blocks, then random ones from a fixed seed, then the
    best of these with one block after the other in another place of it. Stops at the lower bound. Deterministic.
    """
    bound, peak = lower_bound(blocks)
    largest = [max(s.size for s in b) for b in blocks]
    duration = [max(s.last for s in b) - min(s.first for s in b) for b in blocks]
    index = list(range(len(blocks)))
    orders = [
        sorted(index, key=lambda i: -largest[i]),
        sorted(index, key=lambda i: (min(s.first for s in blocks[i]), -largest[i])),
        sorted(index, key=lambda i: (-duration[i], -largest[i])),
        sorted(index, key=lambda i: -largest[i] * (duration[i] + 1)),
    ]
    rng = random.Random(0)
    best: tuple[int, ...] = ()
    best_total, best_order = -1, index
    for attempt in range(_TRIES + _CHANGES):
        if attempt < len(orders):
            order = orders[attempt]
        elif attempt < _TRIES:
            # Near-greedy: large blocks tend to go first, with noise.
            order = sorted(index, key=lambda i: -largest[i] * rng.uniform(0.2, 1.0))
        else:
            order = list(best_order)
            order.insert(rng.randrange(len(order)), order.pop(rng.randrange(len(order))))
        offsets = _place(blocks, order)
        total = max((offsets[i] + largest[i] for i in index), default=0)
        if best_total < 0 or total < best_total or (attempt >= _TRIES and total == best_total):
            best, best_total, best_order = offsets, total, order
        if best_total <= bound:
            break
    return Allocation(best, best_total if blocks else 0, bound, peak)


def lower_bound(blocks: Sequence[Block]) -> tuple[int, int]:
    """(bytes, step): the largest sum of sizes in use at one step; no plan can be smaller."""
    sums = [(size, step) for step, size in usage(blocks).items()]
    return max(sums, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))


def usage(blocks: Sequence[Block]) -> dict[int, int]:
    """Bytes in use, by the steps at which any comes into use."""
    steps = sorted({s.first for b in blocks for s in b})
    alive = [(min(s.first for s in b), max(s.last for s in b), b) for b in blocks if b]
    return {step: sum(_size_at(b, step) for first, last, b in alive if first <= step <= last) for step in steps}


def _size_at(block: Block, step: int) -> int:
    return max((s.size for s in block if s.first <= step <= s.last), default=0)


def _place(blocks: Sequence[Block], order: Sequence[int]) -> tuple[int, ...]:
    meetings = _meetings(tuple(blocks))
    offsets = [-1] * len(blocks)  # of blocks that are not placed yet
    for i in order:
        # Offsets at which block i would collide with placed block j: an open interval per pair of spans.
        taken = sorted((offsets[j] - own, offsets[j] + other) for j, own, other in meetings[i] if offsets[j] >= 0)
        offset = 0
        for low, high in taken:
            if low < offset < high:
                offset = -(-high // ALIGNMENT) * ALIGNMENT
        offsets[i] = offset
    return tuple(offsets)


@lru_cache(maxsize=1)  # all orders are of one network, and few blocks of it meet
def _meetings(blocks: tuple[Block, ...]) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """For each block the pairs of a span of it and one of another block in use at the same step: (other, sizes)."""
    return tuple(
        tuple(
            (j, a.size, b.size)
            for j, other in enumerate(blocks)
            if j != i
            for a in block
            for b in other
            if a.size and b.size and a.first <= b.last and b.first <= a.last
        )
        for i, block in enumerate(blocks)
    )
