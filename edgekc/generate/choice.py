"""A layer and a core's features to the kernel that computes it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnsupportedError
from ..graph.op import Kernel, View
from ..graph.scratch import scratch_bytes
from ..ops import OPS

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


def with_little_scratch(most_bytes: int) -> Choice:
    """As `choose_kernel`, among the kernels whose costs are counted and that have no more scratch.

    Where there is none, the one of them with the least.
    """

    def choose(view: View, features: frozenset[str]) -> Kernel:
        usual = choose_kernel(view, features)
        if usual.counted_cost is None or scratch_of(usual, view) <= most_bytes:
            return usual
        costs = [(k, scratch_of(k, view), k.counted_cost(view)) for k in accepting(view, features) if k.counted_cost]
        fitting = [(cost, i) for i, (_, scratch, cost) in enumerate(costs) if scratch <= most_bytes]
        least = min((scratch, i) for i, (_, scratch, _) in enumerate(costs))
        return costs[min(fitting)[1] if fitting else least[1]][0]

    return choose


def counted_more(view: View, kernel: Kernel, usual: Kernel) -> float:
    """What a kernel costs more than another, where both are counted."""
    a, b = kernel.counted_cost, usual.counted_cost
    return a(view) - b(view) if kernel is not usual and a is not None and b is not None else 0.0


def accepting(view: View, features: frozenset[str]) -> list[Kernel]:
    return [k for k in OPS[view.node.op].kernels if k.needs <= features and k.accepts(view)]


def scratch_of(kernel: Kernel, view: View) -> int:
    """Bytes."""
    return scratch_bytes(kernel.scratch(view)) if kernel.scratch is not None else 0
