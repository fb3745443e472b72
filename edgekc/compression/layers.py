"""Names and patterns of a recipe to the layers of a graph that they mean."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from ..errors import UsageError
from ..graph.ir import Graph, Role
from ..names import nearest


def layer_names(graph: Graph) -> tuple[str, ...]:
    """Names of the nodes that have weights, which is what a step can be applied to, in execution order."""
    return tuple(n.name for n in graph.nodes if any(t.role is Role.BIAS for t in graph.of(n.inputs)))


def resolve(patterns: Iterable[str], graph: Graph, where: str = "layers") -> tuple[str, ...]:
    """The layers that patterns name, each once, in execution order.

    Raises:
        UsageError: a pattern matches no layer; names the nearest one.
    """
    return resolve_names(patterns, layer_names(graph), where)


def resolve_names(patterns: Iterable[str], names: Sequence[str], where: str) -> tuple[str, ...]:
    """As `resolve`, of names in execution order."""
    chosen: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern) if any(c in pattern for c in "*?[") else {pattern} & set(names)
        if not found:
            raise UsageError(f"no layer is called {pattern!r}", where=where, fix=nearest(pattern, names, "layers"))
        chosen.update(found)
    return tuple(name for name in names if name in chosen)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether any of the patterns names a layer."""
    return any(pattern == name or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
