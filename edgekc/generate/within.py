"""A graph and the RAM that its buffers may take to a plan: the fastest that fits, by slower kernels or by rows."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnsupportedError
from ..graph.ir import Graph
from .choice import more_cost
from .plan import Plan, buffer_bytes, plan_within
from .row_search import find, smallest


@dataclass(frozen=True, slots=True)
class Within:
    """The plan, and why it is not the fastest."""

    plan: Plan
    slower: tuple[str, ...]  # layers with slower kernels of less scratch
    more_cycles: int  # about, on a Cortex-M4, than the fastest takes
    fits: bool


def plan_by_input_rows(
    graph: Graph, features: frozenset[str], arena_bytes: int | None, fastest: Plan | None = None
) -> Within:
    """As `plan_for`, with the network's input in rows: it is never whole in memory.

    Args:
        arena_bytes: None: no limit. No more than the arena of the fastest plan is taken, where that will do.
        fastest: as of `plan_for`.

    Raises:
        UnsupportedError: the first layers cannot run by rows, or the input is not one image.
    """
    usual = (fastest or fastest_plan(graph, features)).arena_bytes
    one = len(graph.inputs) == 1 and not graph.states
    for room in (usual,) if arena_bytes is None else (min(usual, arena_bytes), arena_bytes):
        found = find(graph, features, room, fed=True) if one else None
        if found is not None:
            return Within(found[0], (), round(found[1]), True)
    least = smallest(graph, features, fed=True) if one else None
    if least is None:
        raise UnsupportedError(
            "the input cannot come in rows: the first two layers do not run by rows, or there are more inputs",
            where=graph.name,
            fix="leave out --input-rows",
        )
    return Within(least, (), 0, arena_bytes is None)


def plan_for(graph: Graph, features: frozenset[str], arena_bytes: int | None, fastest: Plan | None = None) -> Within:
    """The plan that is estimated to cost least of those whose arena fits.

    Where none fits: the smallest that was found.

    Args:
        arena_bytes: None: no limit, and the fastest.
        fastest: `fastest_plan`, of whoever has it.
    """
    fastest = fastest or fastest_plan(graph, features)
    if arena_bytes is None or fastest.arena_bytes <= arena_bytes:
        return Within(fastest, (), 0, True)
    thrifty, slower = plan_within(graph, features, arena_bytes + buffer_bytes(fastest) - fastest.arena_bytes)
    fits, cost = thrifty.arena_bytes <= arena_bytes, more_cycles(fastest, thrifty)
    by_rows = find(graph, features, arena_bytes)
    if by_rows is not None and not (fits and cost <= by_rows[1]):
        usual = {step.view.node.name: step.kernel for step in fastest.steps}
        alone = [step for step in by_rows[0].steps if step.rows is None]
        others = tuple(s.view.node.name for s in alone if s.kernel is not usual[s.view.node.name])
        return Within(by_rows[0], others, round(by_rows[1]), True)
    if fits:
        return Within(thrifty, tuple(slower), round(cost), True)
    return Within(least_plan(graph, features), (), 0, False)


def fastest_plan(graph: Graph, features: frozenset[str]) -> Plan:
    """Layer by layer, whatever RAM that takes."""
    return plan_within(graph, features, None)[0]


def least_plan(graph: Graph, features: frozenset[str]) -> Plan:
    """The plan of the smallest arena that is known."""
    thrifty, _ = plan_within(graph, features, 0)
    by_rows = smallest(graph, features)
    return thrifty if by_rows is None else min(thrifty, by_rows, key=lambda p: p.arena_bytes)


def more_cycles(fastest: Plan, slower: Plan) -> float:
    """Estimated cycles that other kernels take more."""
    return sum(more_cost(a.view, b.kernel, a.kernel) for a, b in zip(fastest.steps, slower.steps, strict=True))
