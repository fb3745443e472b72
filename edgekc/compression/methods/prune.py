"""Structured pruning: filters and rows are removed together with everything that depends on them.

Hsiao et al. (2019, see cluster.py): iterative pruning of convolution filters and rows of fully connected layers,
in proportion to each layer's computation, with a scheme that decides the order and so saves fine-tuning time. The
criterion and the order rule are not known to us. The choices here:

- criteria: L1 (Li et al., "Pruning Filters", ICLR 2017) and L2 norm of a filter, APoZ (Hu et al., "Network
  Trimming", 2016) and the Taylor expansion of the loss (Molchanov et al., ICLR 2017);
- each round every layer is tried: its least important filters are removed, more where it has more of the
  computation (a layer that has little of it a quarter of the step, so that wide fully connected layers do not
  take hundreds of rounds), and the loss is looked at on a small calibration set. The round goes to the layer with
  the most multiply-accumulates (or bytes) saved per rise of the loss;
- fine-tuning only where the loss has risen by `Schedule.tolerance` since the last, and at the end.

Loss and fine-tuning are the caller's: nothing here knows a training framework. Filters whose outputs meet in a
residual add, or otherwise stand for the same channels, are one group and removed together (`tied.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ... import affordable
from ...errors import UsageError
from ...graph.ir import Array, Graph, Node
from ...graph.op import view_of
from ...ops import layer_filters
from .tied import Groups, groups, makes_channels, node_of, removable, remove, weighted

_LEAST_SHARE = 0.25  # of Schedule.step, for layers with little of the computation
Score = Callable[[Graph], Mapping[str, Array]]  # layer -> (oc,) how much each filter matters


@dataclass(frozen=True, slots=True)
class Schedule:
    step: float = 0.1  # fraction of the filters of the layer with the most computation that a round tries to remove
    least: int = 4  # filters that a layer always keeps
    multiple: int = 1  # numbers of filters stay divisible by it (4 suits SIMD kernels); 1: any number
    tolerance: float = 0.05  # rise of the loss since the last fine-tuning that asks for the next; absolute
    max_rounds: int = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """Where pruning stops; None: no such limit. At least one is given."""

    macs: int | None = None  # multiply-accumulates of one inference
    weight_bytes: int | None = None  # of weights and biases, float32


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did."""

    layers: tuple[str, ...]  # the layers whose filters went: one, or those that a residual add ties
    removed: int  # filters of each of them
    macs: int  # after the round
    weight_bytes: int  # after the round
    loss: float  # after the round, before fine-tuning
    fine_tuned: bool


@dataclass(frozen=True, slots=True)
class Pruned:
    graph: Graph
    rounds: tuple[Round, ...]
    reached: bool  # False: no layer had anything left to remove above the budget


def remove_filters(graph: Graph, layer: str, filters: Array) -> Graph:
    """The FLOAT graph without these output channels (indices) of a layer and all that is tied to them.

    The remaining outputs are those of the net with these filters and biases set to 0, where operators between
    here and the next layers map 0 to 0 (a logistic does not: what it made of the 0 goes too).

    Raises:
        UsageError: no such layer or filter, or the channels reach the graph's output.
    """
    tied = groups(graph)
    labels = tied.labels[node_of(graph, layer).outputs[0]]
    chosen = np.asarray(filters, np.int64).reshape(-1)
    if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(labels)):
        raise UsageError(f"filters {chosen.min()} to {chosen.max()} of {len(labels)}", where=layer)
    return remove(graph, tied, np.unique(labels[chosen]))


def l1(graph: Graph) -> dict[str, Array]:
    """Layer to (oc,): sum of the filter's magnitudes."""
    return {node.name: np.abs(_filters(graph, node)).sum(1) for node in _layers(graph)}


def l2(graph: Graph) -> dict[str, Array]:
    """Layer to (oc,): root of the sum of the filter's squares."""
    return {node.name: np.sqrt(np.square(_filters(graph, node)).sum(1)) for node in _layers(graph)}


def apoz(activations: Mapping[str, Array]) -> dict[str, Array]:
    """Layer to (oc,): 1 - average percentage of zeros (0..1) of its outputs (n, ..., oc) after their ReLU."""
    return {name: (x != 0).reshape(-1, x.shape[-1]).mean(0) for name, x in activations.items()}


def taylor(activations: Mapping[str, Array], gradients: Mapping[str, Array]) -> dict[str, Array]:
    """Layer to (oc,): |sum over positions of output * d loss / d output|, mean over samples (n, ..., oc)."""
    scores = {}
    for name, x in activations.items():
        product = np.asarray(x, np.float64) * gradients[name]
        scores[name] = np.abs(product.reshape(len(x), -1, x.shape[-1]).sum(1)).mean(0)
    return scores


def macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference in all layers that may lose filters."""
    return sum(layer_macs(graph).values())


def layer_macs(graph: Graph) -> dict[str, int]:
    """Layer to its multiply-accumulates."""
    counts = affordable.layer_macs(graph)
    return {node.name: counts[node.name] for node in _layers(graph)}


def weight_bytes(graph: Graph) -> int:
    """Bytes of all constants as they are stored here (float32)."""
    return sum(t.nbytes for t in graph.tensors.values() if t.data is not None)


def prune_to_budget(
    graph: Graph,
    loss: Callable[[Graph], float],
    fine_tune: Callable[[Graph], Graph],
    budget: Budget,
    schedule: Schedule,
    score: Score,
    allowed: frozenset[str] | None = None,
    done: Callable[[Round], None] = lambda made: None,
) -> Pruned:
    """Removes filters until the budget is met, in the order that the module's description says.

    Args:
        loss: of a graph on a small calibration set; called once for each layer in each round.
        fine_tune: a graph with the same shapes, trained further.
        score: which filters of a layer matter (`l1`, `l2`, or a function that measures APoZ or Taylor scores).
        allowed: the layers that may lose filters; one that is tied to another one stays whole. None: all.
        done: is told of each round.
    """
    if budget.macs is None and budget.weight_bytes is None:
        raise UsageError("pruning needs a budget of multiply-accumulates or bytes")
    rounds: list[Round] = []
    settled = now = loss(graph)  # at the last fine-tuning, at present
    dirty = False
    while _over(graph, budget) and len(rounds) < schedule.max_rounds:
        best: tuple[float, Graph, float, tuple[str, ...], int] | None = None
        scores, tied, before = score(graph), groups(graph), _cost(graph, budget)
        for layers, share in _candidates(graph, tied):
            if allowed is not None and not allowed.issuperset(layers):
                continue
            gone = _weakest(graph, tied, layers, scores, share * schedule.step, schedule)
            if gone.size == 0:
                continue
            trial = remove(graph, tied, gone)
            value = loss(trial)
            # A loss that does not rise (or is not a number) is ordered by what is saved alone, or last.
            rise = max(value - now, 1e-9) if math.isfinite(value) else math.inf
            gain = (before - _cost(trial, budget)) / rise
            if best is None or gain > best[0]:
                best = (gain, trial, value, layers, gone.size)
        if best is None:
            break
        _, graph, now, layers, removed = best
        tune = not now <= settled + schedule.tolerance
        rounds.append(Round(layers, removed, macs(graph), weight_bytes(graph), now, tune))
        done(rounds[-1])
        dirty = not tune
        if tune:
            graph = fine_tune(graph)
            settled = now = loss(graph)
    if dirty:
        graph = fine_tune(graph)
    return Pruned(graph, tuple(rounds), not _over(graph, budget))


def _layers(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if weighted(node)]


def _filters(graph: Graph, node: Node) -> Array:
    weights = np.moveaxis(view_of(graph, node).weights.value, layer_filters(node).axis, 0)
    return weights.reshape(len(weights), -1).astype(np.float64)


def _over(graph: Graph, budget: Budget) -> bool:
    return (budget.macs is not None and macs(graph) > budget.macs) or (
        budget.weight_bytes is not None and weight_bytes(graph) > budget.weight_bytes
    )


def _cost(graph: Graph, budget: Budget) -> int:
    """What a round shall save: computation while that is over its budget, bytes otherwise."""
    return macs(graph) if budget.macs is not None and macs(graph) > budget.macs else weight_bytes(graph)


def _candidates(graph: Graph, tied: Groups) -> list[tuple[tuple[str, ...], float]]:
    """Layers that share tie groups, and the part of a step that they are offered, by their computation."""
    sets: list[tuple[set[int], list[str]]] = []
    for node in graph.nodes:
        if not makes_channels(node):
            continue
        own, names = set(removable(graph, tied, node.name).tolist()), [node.name]
        if not own:
            continue
        for other in [s for s in sets if s[0] & own]:
            own, names = own | other[0], other[1] + names
            sets.remove(other)
        sets.append((own, names))
    counts = layer_macs(graph)
    totals = [sum(counts[name] for name in names) for _, names in sets]
    shares = [max(total / max(totals), _LEAST_SHARE) for total in totals]
    return [(tuple(names), share) for (_, names), share in zip(sets, shares, strict=True)]


def _weakest(
    graph: Graph, tied: Groups, layers: tuple[str, ...], scores: Mapping[str, Array], fraction: float, rule: Schedule
) -> Array:
    """The tie groups of least summed score, of these layers and of the depthwise layers tied to them."""
    free = np.unique(np.concatenate([removable(graph, tied, name) for name in layers]))
    total = np.zeros(len(tied.pinned))
    for node in _layers(graph):
        if node.name in scores:
            np.add.at(total, tied.labels[node.outputs[0]], scores[node.name])
    widths = [graph.tensors[node_of(graph, name).outputs[0]].shape[-1] for name in layers]
    count = max(round(fraction * min(widths)), 1)
    count += (min(widths) - count) % rule.multiple
    room = min(min(widths) - rule.least, len(free))
    while count > room:
        count -= rule.multiple
    if count <= 0:
        return np.zeros(0, np.int64)
    return np.asarray(free[np.argsort(total[free], kind="stable")[:count]])
