"""What kernels are chosen for, speed, size or RAM, and the plan of a graph by that goal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, cast, get_args

from ..errors import UsageError
from ..graph.ir import Graph
from ..graph.op import Kernel, View, view_of
from ..ops import OPS
from ..ops.kernels.code_bytes import CODE_BYTES
from .plan import Plan, choose_kernel, plan, plan_within

# Of all multiply-accumulates: portable kernels take up to eight times the cycles, so all in all a sixth more.
_LIGHT = 0.02
_OF_A_VALUE = 4  # multiply-accumulates that count for an output byte of a layer with fewer
Goal = Literal["speed", "size", "ram"]


def check_goal(text: str) -> Goal:
    """Raises UsageError where there is no such goal."""
    if text not in get_args(Goal):
        raise UsageError(f"--optimise {text!r}; expected {', '.join(get_args(Goal))}")
    return cast(Goal, text)


def plan_for(goal: Goal, graph: Graph, features: frozenset[str], most_bytes: int | None) -> tuple[Plan, list[str]]:
    """The plan by that goal.

    Args:
        goal: `speed`: fewest estimated cycles. `size`: few bytes of kernels that are linked. `ram`: the smallest
            arena that is found, and the fastest kernels in it.
        most_bytes: as for `plan_within`; where the smallest code does not fit in it, RAM goes first.

    Returns:
        As `plan_within`.
    """
    if goal == "ram":
        return plan_within(graph, features, 0)
    if goal == "size":
        small = smallest(graph, features)
        found = plan(graph, features, lambda view, _: small.get(view.node.name) or choose_kernel(view, features))
        needed = found.arena_bytes + found.input_bytes + found.output_bytes + found.state_bytes
        if most_bytes is None or needed <= most_bytes:
            return found, []
    return plan_within(graph, features, most_bytes)


def smallest(graph: Graph, features: frozenset[str]) -> dict[str, Kernel]:
    """A kernel for each layer, so that few bytes are linked: what several layers call counts once.

    Kernels for the core's extensions stay, but for layers that have next to none of the work: these may take any.

    One layer after the other takes what adds least to the others' kernels, until none can do better. That starts once
    from each layer's smallest kernel and once from the fastest ones; the better end is taken.
    """
    views = {node.name: view_of(graph, node) for node in graph.nodes if not OPS[node.op].view}
    fastest = {name: choose_kernel(view, features) for name, view in views.items()}
    light = _light(views)
    options = {
        name: [k for k in _accepting(view, features) if name in light or k.needs == fastest[name].needs]
        for name, view in views.items()
    }
    alone = {name: min(kernels, key=partial(_added, views[name], {})) for name, kernels in options.items()}
    ends = [_settled(start, options, views) for start in (alone, fastest)]
    return min(ends, key=lambda chosen: linked_bytes([(kernel, views[name]) for name, kernel in chosen.items()]))


def _light(views: Mapping[str, View]) -> set[str]:
    """The layers of least work that together have no more than `_LIGHT` of all."""
    work = {name: max(OPS[view.node.op].macs(view), _OF_A_VALUE * view.out.nbytes) for name, view in views.items()}
    most, light = _LIGHT * sum(work.values()), set()
    for name in sorted(work, key=work.__getitem__):
        most -= work[name]
        if most < 0:
            break
        light.add(name)
    return light


def linked_bytes(chosen: Sequence[tuple[Kernel, View]]) -> int:
    """Bytes of all sources, once each, and of what is laid out for kernels, by the table of `code_bytes.py`."""
    sources = {stem for kernel, _ in chosen for stem in _stems(kernel)}
    return sum(map(CODE_BYTES.__getitem__, sources)) + sum(_laid_out(kernel, view) for kernel, view in chosen)


def _settled(
    start: Mapping[str, Kernel], options: Mapping[str, Sequence[Kernel]], views: Mapping[str, View]
) -> dict[str, Kernel]:
    chosen, changed = dict(start), True
    linked = Counter(stem for kernel in chosen.values() for stem in _stems(kernel))
    while changed:
        changed = False
        for name, kernels in options.items():
            linked.subtract(_stems(chosen[name]))
            added = partial(_added, views[name], linked)
            best = min(kernels, key=added)
            # Ties go to the one that is chosen: else the two would take turns.
            if added(best) < added(chosen[name]):
                chosen[name], changed = best, True
            linked.update(_stems(chosen[name]))
    return chosen


def _accepting(view: View, features: frozenset[str]) -> list[Kernel]:
    return [k for k in OPS[view.node.op].kernels if k.needs <= features and k.accepts(view)]


def _added(view: View, linked: Mapping[str, int], kernel: Kernel) -> int:
    """Bytes that it adds to what is linked already."""
    code = sum(CODE_BYTES[stem] for stem in _stems(kernel) if linked.get(stem, 0) <= 0)
    return code + _laid_out(kernel, view)


def _stems(kernel: Kernel) -> tuple[str, ...]:
    return (kernel.symbol, *kernel.sources)


def _laid_out(kernel: Kernel, view: View) -> int:
    return kernel.lays_out(view).nbytes if kernel.lays_out is not None else 0
