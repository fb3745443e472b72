"""A layer to kernels of less scratch: other kernels, and the same ones with less that they hold at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..graph.op import Kernel, View
from .choice import accepting, scratch_of

# Bytes that a kernel may hold at a time. Less makes more passes, in each of which weights are decoded again.
_ROOMS = (24576, 16384, 12288, 10240, 8192, 7168, 6144, 5120, 4096, 3072, 2048, 1024, 768, 512, 256)


@dataclass(frozen=True, slots=True)
class Offer:
    """A kernel for one layer."""

    kernel: Kernel
    scratch_bytes: int
    cost: float  # as `Kernel.counted_cost`; infinite where nothing is known
    order: int  # among the operator's kernels, the fastest first


def offers(view: View, features: frozenset[str]) -> tuple[Offer, ...]:
    """Each kernel as it is fastest, and with less room, where that takes less scratch."""
    found: list[Offer] = []
    for order, kernel in enumerate(accepting(view, features)):
        least = math.inf
        for variant in (kernel, *map(kernel.within, _ROOMS)):
            scratch = scratch_of(variant, view)
            if scratch < least and variant.accepts(view):
                least = scratch
                cost = math.inf if variant.counted_cost is None else variant.counted_cost(view)
                found.append(Offer(variant, scratch, cost, order))
    return tuple(found)


def thriftier(choice: tuple[Offer, ...], now: int, wanted: int) -> Offer | None:
    """The cheapest with at most `wanted` bytes of scratch; where there is none, the one with least, below `now`."""
    less = [offer for offer in choice if offer.scratch_bytes < now]
    enough = [offer for offer in less if offer.scratch_bytes <= wanted]
    if enough:
        return min(enough, key=lambda offer: (offer.cost, offer.order, -offer.scratch_bytes))
    return min(less, key=lambda offer: (offer.scratch_bytes, offer.cost, offer.order), default=None)
