"""A recipe's steps, walked through by name before any of them takes its time: what a later one could not do is said.

What a step will really leave depends on weights and samples. So this knows which layers there may be, and which may be
packed, and refuses only what cannot be right in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..data import Dataset
from ..graph.ir import Graph
from .layers import layer_names

if TYPE_CHECKING:
    from ..recipe import Recipe


@dataclass(frozen=True, slots=True)
class Foresight:
    """What may be in front of a step.

    Attributes:
        graph: FLOAT, prepared: in front of the first step.
        dataset: what steps are given; None: made-up samples.
        where: the step's place in the recipe, for errors.
        names: of layers that there may be, in execution order.
        packed: of those, which an earlier step may have packed.
        templated: of those, which an earlier step may have made of templates.
        rebuilt: whether a step before takes other layers in the place of some.
        trained: whether a step before trains.
    """

    graph: Graph
    dataset: Dataset | None
    where: str
    names: tuple[str, ...]
    packed: frozenset[str] = frozenset()
    templated: frozenset[str] = frozenset()
    rebuilt: bool = False
    trained: bool = False


def foresee(recipe: Recipe, graph: Graph, dataset: Dataset | None) -> None:
    """UsageError where a step names no layer, comes too late, or lacks what it needs.

    Args:
        graph: FLOAT, prepared.
    """
    ahead = Foresight(graph, dataset, "", layer_names(graph))
    for i, step in enumerate(recipe.compress):
        ahead = step.foresee(replace(ahead, where=f"compress[{i}]"))
