"""A layer and a core's features to the kernel that computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from ..errors import UnsupportedError
from ..graph.op import Kernel, View
from ..graph.scratch import scratch_bytes
from ..ops import OPS
from ..ops.kernels.cost import Cost

USUAL_MAC = 2.0  # cycles that a kernel without a count takes for a multiply-accumulate, about
SLOWER_MAC = 3.0  # cycles that a kernel without a count may take more for a multiply-accumulate
MORE_PASSES = 0.2  # the same where it is the usual one, which holds less at a time
Choice = Callable[[View, frozenset[str]], Kernel]


def choose_kernel(view: View, features: frozenset[str]) -> Kernel:
    """The best kernel that the core can run and that accepts the layer: the first, or one for the same core if cheaper.

    Cheaper is what `Kernel.counted_cost` says, where the first kernel has one.
    """
    kernels = accepting(view, features)
    if not kernels:
        raise UnsupportedError(f"no kernel of {view.node.op} accepts this layer on this core", where=view.node.name)
    if kernels[0].counted_cost is None:
        return kernels[0]
    alike = [k for k in kernels if k.needs == kernels[0].needs]
    counted = [(k.counted_cost(view), i) for i, k in enumerate(alike) if k.counted_cost is not None]
    return alike[min(counted)[1]]


def with_little_scratch(most_bytes: int, at_any_cost: bool = False) -> Choice:
    """As `choose_kernel`, among the kernels that have no more scratch, or that can do with no more.

    Where there is none, it is the one with the least. Kernels whose costs are not counted come into it where those of
    none are, or else no other has so little, `at_any_cost`; and for the least: with `most_bytes` 0.
    """

    def choose(view: View, features: frozenset[str]) -> Kernel:
        usual = choose_kernel(view, features)
        if scratch_of(usual, view) <= most_bytes:
            return usual
        every = accepting(view, features)
        kernels = [k for k in every if (k.counted_cost is None) == (usual.counted_cost is None)]
        fitting = [found for k in kernels if (found := confined(k, view, most_bytes)) is not None]
        others = [found for k in every if (found := confined(k, view, most_bytes)) is not None] if at_any_cost else []
        if not fitting and others:
            return others[0]
        if not fitting:  # 0 asks for the least, whatever it costs
            least = [k.within(1) for k in (kernels if most_bytes else every)]
            return min((k for k in least if k.accepts(view)), key=lambda k: scratch_of(k, view))
        return min(fitting, key=lambda k: more_cost(view, k, usual)) if usual.counted_cost is not None else fitting[0]

    return choose


def confined(kernel: Kernel, view: View, most_bytes: int) -> Kernel | None:
    """The kernel with no more scratch for this layer, and as much of that as it has use for; None: it needs more."""
    found, room = kernel, most_bytes
    while (over := scratch_of(found, view) - most_bytes) > 0:
        room -= over if found is not kernel else 0
        if room <= 0:
            return None
        found = kernel.within(room)
    return found if found.accepts(view) else None


def more_cost(view: View, kernel: Kernel, usual: Kernel) -> float:
    """About what a kernel costs more than another."""
    a, b = kernel.counted_cost, usual.counted_cost
    if kernel is usual:
        return 0.0
    if a is not None and b is not None:
        return a(view) - b(view)
    return (MORE_PASSES if kernel.symbol == usual.symbol else SLOWER_MAC) * OPS[view.node.op].macs(view)


def cost_of(view: View, kernel: Kernel) -> float:
    """About what a kernel costs."""
    return kernel.counted_cost(view) if kernel.counted_cost is not None else USUAL_MAC * OPS[view.node.op].macs(view)


def accepting(view: View, features: frozenset[str]) -> list[Kernel]:
    """Best first, with what they cost on the core."""
    return [on_core(k, features) for k in OPS[view.node.op].kernels if k.needs <= features and k.accepts(view)]


def on_core(kernel: Kernel, features: frozenset[str]) -> Kernel:
    """The kernel with what it costs on a core with these features: always the same record."""
    return _two_issue(kernel) if "dual" in features and isinstance(kernel.counted_cost, Cost) else kernel


@cache
def _two_issue(kernel: Kernel) -> Kernel:
    cost = kernel.counted_cost
    return replace(kernel, counted_cost=cost.on_two_issue()) if isinstance(cost, Cost) else kernel


def scratch_of(kernel: Kernel, view: View) -> int:
    """Bytes."""
    return scratch_bytes(kernel.scratch(view)) if kernel.scratch is not None else 0
