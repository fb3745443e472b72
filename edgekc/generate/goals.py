"""What kernels are chosen for, speed, size or RAM, and the plan of a graph by that goal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, cast, get_args

from ..errors import UsageError
from ..graph.ir import Graph
from ..graph.op import Kernel, View, view_of
from ..ops import OPS
from ..ops.kernels.code_bytes import CODE_BYTES
from . import within
from .choice import accepting, choose_kernel
from .code_size import files_of, laid_out_bytes, linked_bytes, with_less_code
from .plan import Plan, plan
from .within import Within, fastest_plan, least_plan, more_cycles

# Of all multiply-accumulates: portable kernels take up to eight times the cycles, so all in all a sixth more.
_LIGHT = 0.02
_OF_A_VALUE = 4  # multiply-accumulates that count for an output byte of a layer with fewer
Goal = Literal["speed", "size", "ram"]


def check_goal(text: str) -> Goal:
    """Raises UsageError where there is no such goal."""
    if text not in get_args(Goal):
        raise UsageError(f"--optimise {text!r}; expected {', '.join(get_args(Goal))}")
    return cast(Goal, text)


def plan_for(
    goal: Goal, graph: Graph, features: frozenset[str], arena_bytes: int | None, fastest: Plan | None = None
) -> Within:
    """The plan by that goal.

    Args:
        goal: `speed`: fewest estimated cycles. `size`: few bytes of kernels that are linked. `ram`: the smallest
            arena that is found, and the fewest cycles in it.
        arena_bytes: as for `within.plan_for`; where the smallest code does not fit in it, RAM goes first.
        fastest: as for `within.plan_for`.
    """
    fastest = fastest or fastest_plan(graph, features)
    if goal == "ram":
        arena_bytes = least_plan(graph, features).arena_bytes
    if goal == "size":
        small = smallest(graph, features)
        found = plan(graph, features, lambda view, _: small.get(view.node.name) or choose_kernel(view, features))
        if arena_bytes is None or found.arena_bytes <= arena_bytes:
            return Within(found, (), round(more_cycles(fastest, found)), True)
    return within.plan_for(graph, features, arena_bytes, fastest)


def smallest(graph: Graph, features: frozenset[str]) -> dict[str, Kernel]:
    """A kernel for each layer, so that few bytes are linked: what several layers call counts once.

    Kernels for the core's extensions stay, but for layers that have next to none of the work: these may take any.

    One layer after the other takes what adds least to the others' kernels, until none can do better. That starts once
    from each layer's smallest kernel and once from the fastest ones; the better end is taken. Then each kernel is taken
    from all its layers together, as one layer alone saves nothing while another has it.
    """
    views = {node.name: view_of(graph, node) for node in graph.nodes if not OPS[node.op].view}
    fastest = {name: with_less_code(choose_kernel(view, features)) for name, view in views.items()}
    light = _light(views)
    options = {
        name: [with_less_code(k) for k in accepting(view, features) if name in light or k.needs == fastest[name].needs]
        for name, view in views.items()
    }
    alone = {name: min(kernels, key=partial(_added, views[name], {})) for name, kernels in options.items()}
    ends = [_settled(start, options, views) for start in (alone, fastest)]
    best = min(ends, key=partial(_bytes, views))
    while True:
        without = [_settled(best, others, views) for others in _each_left_out(best, options)]
        found = min(without, key=partial(_bytes, views), default=best)
        if _bytes(views, found) >= _bytes(views, best):
            return best
        best = found


def _each_left_out(
    chosen: Mapping[str, Kernel], options: Mapping[str, Sequence[Kernel]]
) -> Iterator[dict[str, list[Kernel]]]:
    """The options without one of the chosen kernels, for each of which all its layers have another."""
    for symbol in dict.fromkeys(kernel.symbol for kernel in chosen.values()):
        others = {name: [k for k in kernels if k.symbol != symbol] for name, kernels in options.items()}
        if all(others.values()):
            yield others


def _bytes(views: Mapping[str, View], chosen: Mapping[str, Kernel]) -> int:
    return linked_bytes([(views[name], kernel) for name, kernel in chosen.items()])


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


def _settled(
    start: Mapping[str, Kernel], options: Mapping[str, Sequence[Kernel]], views: Mapping[str, View]
) -> dict[str, Kernel]:
    """From `start`, each layer in turn takes the option that adds least, until none changes."""
    chosen, changed = dict(start), True
    linked = Counter(file for kernel in chosen.values() for file in files_of(kernel))
    while changed:
        changed = False
        for name, kernels in options.items():
            linked.subtract(files_of(chosen[name]))
            added = partial(_added, views[name], linked)
            best = min(kernels, key=added)
            # Ties go to the one that is chosen: else the two would take turns.
            if chosen[name] not in kernels or added(best) < added(chosen[name]):
                chosen[name], changed = best, True
            linked.update(files_of(chosen[name]))
    return chosen


def _added(view: View, linked: Mapping[str, int], kernel: Kernel) -> int:
    """Bytes that it adds to what is linked already."""
    code = sum(CODE_BYTES[file] for file in files_of(kernel) if linked.get(file, 0) <= 0)
    return code + laid_out_bytes(kernel, view)
