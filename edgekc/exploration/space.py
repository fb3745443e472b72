"""The ways in which each layer of a float graph can be compressed, by name, and a candidate to a recipe.

A choice is a name: `int8`; `clusterB`, B-bit indices and centers, assigned by second order; `stepsB`, B-bit centers on
steps, assigned by second order too, until training learns them; `templatesN` and `templatesN+pairsB`, N templates, and
B-bit pairs of them; `svdN`, rank N.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .. import recipe as rc
from ..compression import substitute
from ..compression.layers import layer_names
from ..compression.methods import lowrank
from ..compression.sizes import clustered_bytes, template_bytes
from ..errors import UsageError
from ..graph.ir import Graph, Node
from ..graph.op import view_of
from ..graph.source import Reads
from ..names import nearest
from ..ops import filters_of
from ..quantize.settings import Quantize
from ..quantize.to_int8 import prepare
from ..train.steps.prune import Prune
from .candidate import Candidate

DENSE = "int8"
_STEPS = "steps"
_CLUSTER_BITS = (7, 6, 5, 4, 3, 2, 1)  # 8 bits and centers take more than the weights
_STEP_BITS = (4, 3, 2)
_TEMPLATES = ((64, 7), (32, 6), (16, 5))  # and bits of pairs: 1.4 to 1 bits a weight of a 3x3 kernel
_PRUNED_STEPS = 100  # of each training while channels go, at least
KEEP = (0.75, 0.5)  # shares of the multiply-accumulates that pruning may leave
_RANKS = (2, 4, 8)  # of which the smaller side of a layer is so many times larger
_WORTH = 0.97  # of int8's bytes, at most: else a choice would cost code and gain nothing
_CHOICE = re.compile(r"(cluster|steps|templates|svd)([1-9][0-9]*)(?:\+pairs([1-8]))?")
_SECOND_ORDER = {"assignment": "second-order"}
_SCALED = {"row_scale": "rms", "scale_rounds": 2, **_SECOND_ORDER}


def choices(graph: Graph, *, epochs: int = 0) -> dict[str, tuple[str, ...]]:
    """The choices that suit each layer with weights, in the order of the graph; `int8` is always the first.

    Those are left out whose bytes are not below those of int8.

    Args:
        graph: FLOAT.
        epochs: of retraining; with 0 choices that training alone makes better than others (`stepsB`) are left out.
    """
    graph = prepare(graph)
    nodes = {node.name: node for node in graph.nodes}
    return {name: (DENSE, *_suiting(graph, nodes[name], epochs)) for name in layer_names(graph)}


def _suiting(graph: Graph, node: Node, epochs: int) -> list[str]:
    filters = filters_of(node)
    if filters is None:
        return []
    shape = view_of(graph, node).weights.shape
    count = math.prod(shape)
    found: dict[str, int] = {}
    if node.op in substitute.CLUSTERED:
        found |= {f"cluster{bits}": clustered_bytes(count, bits) for bits in _CLUSTER_BITS}
        found |= {f"steps{bits}": clustered_bytes(count, bits) for bits in _STEP_BITS if epochs}
    if node.op in substitute.TEMPLATED and filters.dense_window and (taps := shape[1] * shape[2]) > 1:
        kernels = shape[0] * shape[3]
        for templates, bits in _TEMPLATES:
            if 4 * templates <= kernels:
                name = f"templates{templates}+pairs{bits}"
                found[name] = template_bytes([kernels], taps, templates, bits)
    if filters.reads is Reads.ALL and (not filters.window or (filters.dense_window and shape[1:3] == (1, 1))):
        sides = shape[0], shape[-1]
        ranks = [r for part in _RANKS if (r := min(sides) // part) and lowrank.reduces(sides, r)]
        found |= {f"svd{rank}": rank * sum(sides) for rank in ranks}
    return [name for name, size in found.items() if size <= _WORTH * count]


def steps(choice: str, layers: Iterable[str], where: str = "choice") -> list[dict[str, Any]]:
    """The steps of a recipe that compress these layers so, as tables of its file.

    Raises:
        UsageError: there is no such choice.
    """
    if choice == DENSE:
        return []
    found = _CHOICE.fullmatch(choice)
    if found is None or (found[3] and found[1] != "templates"):
        what = f"no choice is called {choice!r}"
        raise UsageError(what, where=where, fix="int8, clusterB, stepsB, templatesN, templatesN+pairsB or svdN")
    named, number = {"layers": tuple(layers)}, int(found[2])
    if found[1] == "cluster":
        return [{"method": "cluster", **named, "bits": number, **_SCALED}]
    if found[1] == "steps":
        return [{"method": "cluster", **named, "bits": number, "centers": "steps", **_SECOND_ORDER}]
    if found[1] == "svd":
        return [{"method": "svd", **named, "rank": number, "of": "outputs"}]
    pairs = [{"method": "pairs", **named, "bits": int(found[3]), **_SECOND_ORDER}] if found[3] else []
    return [{"method": "codebook", **named, "templates": number}, *pairs]


def recipe(
    candidate: Candidate, graph: Graph, *, data_settings: Quantize | None = None, samples: int | None = None
) -> rc.Recipe:
    """A recipe by which `edgekc compress` makes the candidate's packed model.

    Layers of one choice share a step, and steps are in the order of their first layers. Pruning is in front of them,
    retraining behind. Where steps are learned, `statistics` lets training begin at the float network's sizes.

    Args:
        graph: FLOAT; the candidate's layers are its.
        data_settings: its [quantize]. Default: that of every recipe.
        samples: that it trains on: of few, pruning takes more epochs. None: many.

    Raises:
        UsageError: a choice that there is not, or a layer that the graph does not have.
    """
    names = layer_names(prepare(graph))
    for layer, _ in candidate.layers:
        if layer not in names:
            raise UsageError(f"no layer is called {layer!r}", where=graph.name, fix=nearest(layer, names, "layers"))
    table: list[dict[str, Any]] = []
    if candidate.keep < 1:
        # Kernels take channels by fours.
        epochs = 1 if samples is None else -(-_PRUNED_STEPS // max(samples // Prune.model_fields["batch"].default, 1))
        table.append({"method": "prune", "keep": candidate.keep, "multiple": 4, "epochs": epochs})
    for choice, layers in grouped(dict(candidate.layers)).items():
        table += steps(choice, layers, f"choice of {layers[0]}")
    if learns_steps(candidate):
        table.append({"method": "statistics"})
    if candidate.epochs:
        table.append({"method": "retrain", "epochs": candidate.epochs, "ema": "auto"})
    settings = data_settings or Quantize()
    return rc.from_table({"compress": table, "quantize": settings.model_dump(exclude_defaults=True)}, "candidate")


def stepped(own: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Layer -> its choices where steps are learned: `int8`, which is 8 bits, and `stepsB`."""
    return {name: tuple(c for c in all_ if c == DENSE or c.startswith(_STEPS)) for name, all_ in own.items()}


def learns_steps(candidate: Candidate) -> bool:
    """Whether training would learn the steps of some layer."""
    return any(choice.startswith(_STEPS) for _, choice in candidate.layers)


def grouped(layers: Mapping[str, str]) -> dict[str, list[str]]:
    """Choice -> its layers in their order, the choice of the first layer first; without `int8`."""
    found: dict[str, list[str]] = {}
    for layer, choice in layers.items():
        if choice != DENSE:
            found.setdefault(choice, []).append(layer)
    return found
