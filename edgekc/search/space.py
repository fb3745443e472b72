"""The ways in which each layer of a float graph can be compressed, by name, and a candidate to a recipe.

A choice is a name: `int8`; `clusterB`, B-bit indices and centers, assigned by second order; `stepsB`, B-bit centers on
learned steps; `templatesN` and `templatesN+pairsB`, N templates, and B-bit pairs of them; `svdN`, rank N.
"""

from __future__ import annotations

from ..graph.ir import Graph
from ..quantize.settings import Quantize
from ..recipe import Recipe
from .candidate import Candidate


def choices(graph: Graph, *, epochs: int = 0) -> dict[str, tuple[str, ...]]:
    """The choices that suit each layer with weights, in the order of the graph; `int8` is always the first.

    Args:
        graph: FLOAT.
        epochs: of retraining; with 0 choices that only training makes good (`stepsB`) are left out.
    """
    raise NotImplementedError


def recipe(candidate: Candidate, graph: Graph, *, data_settings: Quantize | None = None) -> Recipe:
    """A recipe by which `edgekc compress` makes the candidate's packed model.

    Args:
        graph: FLOAT; the candidate's layers are its.
        data_settings: its [quantize]. Default: that of every recipe.

    Raises:
        UsageError: a choice that there is not, or a layer that the graph does not have.
    """
    raise NotImplementedError
