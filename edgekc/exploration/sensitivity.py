"""What the network loses when one layer alone is compressed, for every layer and choice.

The float reference computes with the weights that the compressed form stands for. Each layer is compressed by the
steps that a recipe would have. Only the layers behind it run anew.

How losses of single layers add up is the assumption of mixed precision by sensitivity (Dong et al., HAWQ-V2, NeurIPS
2020). The divergence of the answers is what adds up best; accuracy alone has steps of one sample.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..compression import front
from ..data import for_graph, subset
from ..errors import UsageError
from ..evaluate import accuracy_of, classes_of
from ..files.output import write_file
from ..graph.ir import Array, Graph, Node, dump
from ..graph.op import view_of
from ..ops import layer_filters
from ..parts import described
from ..progress import Progress, silent
from ..quantize import float_reference
from . import single, space
from .problem import Problem

_JUDGED = 512  # validation samples: each choice of each layer runs through the layers behind it
_HELD_BYTES = 2**29  # of one activation of all samples, at most
_LEAST_CALIBRATED = 64  # samples whose activations weigh the errors of a layer
_ROWS_A_TAP = 4  # windows of a layer's input for each of its taps, at least: see `front`
_CHUNK = 64
_FILE = "sensitivity.json"


@dataclass(frozen=True, slots=True)
class Loss:
    """What one layer's compression costs the network.

    Attributes:
        proxy: smooth: mean Kullback-Leibler divergence of the answers from the float model's, in nats; without labels
            the squared output error over the squared outputs.
        loss: points of accuracy below the float model; without labels percent of output error.
    """

    proxy: float
    loss: float


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """Losses of every layer and choice.

    Attributes:
        layers: layer -> choice -> loss; `int8` is the zero that the others are measured from.
        samples: validation samples that were looked at.
        accuracy: of the float model on them, a share; None without labels.
    """

    layers: Mapping[str, Mapping[str, Loss]]
    samples: int
    accuracy: float | None

    def proxy(self, layers: Mapping[str, str]) -> float:
        """Summed proxy of these choices (layer -> choice)."""
        return sum(self.layers[layer][choice].proxy for layer, choice in layers.items())

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def table(
    problem: Problem,
    choices: Mapping[str, tuple[str, ...]],
    *,
    on_progress: Progress = silent,
    folder: Path | None = None,
) -> SensitivityTable:
    """Measure every layer and choice.

    Args:
        choices: layer -> its choices, as `space.choices` gives them.
        on_progress: is told after each layer.
        folder: holds sensitivity.json, from which a killed run goes on; None: nothing is kept.

    Raises:
        UsageError: the folder holds the table of another model or other samples, or cannot be written.
    """
    graph = _scoring(problem)
    nodes = [node for node in graph.nodes if node.name in choices]
    largest = max(view_of(graph, node).out.nbytes for node in graph.nodes)
    judged = subset(problem.judging, max(1, min(_JUDGED, _HELD_BYTES // largest)), problem.seed)
    counts = {node.name: calibrated(graph, node) for node in nodes}
    most = max(1, min(max(counts.values()), _HELD_BYTES // largest))
    train = subset(for_graph(problem.parts.train, graph), most, problem.seed)
    key = hashlib.sha256(f"{__version__}{dump(graph)}".encode())
    for part, name in ((judged, "validation"), (train, "train")):
        key.update(described(name, part).sha256.encode())  # type: ignore[arg-type]
    kept = _Kept.open(folder, key.hexdigest())

    chooses, calibrates = front.start(graph, judged), front.start(graph, train)
    exact = _tail(graph, chooses)
    judge = _Judge(exact, judged.y)
    for at, node in enumerate(nodes):
        done = dict(kept.layers.get(node.name, {}))
        if missing := [choice for choice in choices[node.name] if choice not in done]:
            chooses, calibrates = (front.advance(f, graph, node.inputs[0]) for f in (chooses, calibrates))
            x = calibrates.values[node.inputs[0]][: counts[node.name]]
            for choice in missing:
                steps = space.steps(choice, (node.name,))
                found = judge.loss(_tail(single.compressed(graph, node, steps, x), chooses)) if steps else Loss(0, 0)
                done[choice] = found
            kept = kept.with_layer(node.name, done)
        on_progress("sensitivity of layers", at + 1, len(nodes))
    layers = {name: {choice: kept.layers[name][choice] for choice in own} for name, own in choices.items()}
    return SensitivityTable(layers, len(judged), judge.accuracy)


def between(problem: Problem, other: Problem) -> Loss:
    """What another network of the same inputs and classes loses against the problem's, in float."""
    judged = subset(problem.judging, _JUDGED, problem.seed)
    exact, found = (_tail(graph, front.start(graph, judged)) for graph in (_scoring(problem), _scoring(other)))
    return _Judge(exact, judged.y).loss(found)


def _scoring(problem: Problem) -> Graph:
    """The network up to its scores, or its outputs where there are no labels."""
    return replace(problem.prepared, outputs=(problem.scores,) if problem.labelled else problem.prepared.outputs)


def calibrated(graph: Graph, node: Node) -> int:
    """Samples that a layer is compressed by: so many windows for each tap, as `front` takes, or a few more."""
    view, filters = view_of(graph, node), layer_filters(node)
    taps = view.weights.data.size // view.weights.shape[filters.axis] if view.weights.data is not None else 1
    windows = int(np.prod(view.out.shape[1:-1]))
    return max(_LEAST_CALIBRATED, min(-(-_ROWS_A_TAP * taps // windows), front.MOST_SAMPLES))


def _tail(graph: Graph, at: front.Front) -> Array:
    """The first output from where the walk is: what nodes that it did not get past compute, (n, *shape)."""
    rest = tuple(node for node in graph.nodes if node.outputs[0] not in at.done)
    read = {name for node in rest for name in node.inputs}
    live = tuple(name for name in at.values if name in read)
    behind = replace(graph, nodes=rest, inputs=live)
    return float_reference.outputs(behind, [at.values[name] for name in live], _CHUNK)[0]


class _Judge:
    """Outputs of a compressed network beside those of the float one."""

    def __init__(self, exact: Array, labels: Array | None) -> None:
        self._exact, self._labels = exact.reshape(len(exact), -1).astype(np.float64), labels
        self._right = None if labels is None else accuracy_of(classes_of(exact), labels)
        self._power = max(float(np.square(self._exact).sum()), 1e-30)
        self._answers = _log_softmax(self._exact)

    @property
    def accuracy(self) -> float | None:
        return None if self._right is None else self._right.right / self._right.total

    def loss(self, scores: Array) -> Loss:
        found = scores.reshape(len(scores), -1).astype(np.float64)
        if self._labels is None or self._right is None:
            missed = float(np.square(found - self._exact).sum()) / self._power
            return Loss(missed, 100 * missed**0.5)
        divergence = (np.exp(self._answers) * (self._answers - _log_softmax(found))).sum(1).mean()
        return Loss(float(divergence), self._right.percent - accuracy_of(classes_of(scores), self._labels).percent)


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is measured so far, in a file that is written after each layer."""

    path: Path | None
    key: str  # of the model and the samples
    layers: Mapping[str, Mapping[str, Loss]]

    @staticmethod
    def open(folder: Path | None, key: str) -> _Kept:
        path = None if folder is None else folder / _FILE
        if path is None or not path.exists():
            return _Kept(path, key, {})
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            layers = {n: {c: Loss(**loss) for c, loss in own.items()} for n, own in found["layers"].items()}
            same = found["key"] == key
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UsageError("is no table of sensitivities", where=str(path), fix="delete it") from error
        if not same:
            what = "is of another model, other samples or another version"
            raise UsageError(what, where=str(path), fix="delete it, or take another folder")
        return _Kept(path, key, layers)

    def with_layer(self, name: str, losses: Mapping[str, Loss]) -> _Kept:
        kept = replace(self, layers={**self.layers, name: losses})
        if kept.path is not None:
            kept.path.parent.mkdir(parents=True, exist_ok=True)
            plain = {
                "key": kept.key,
                "layers": {n: {c: asdict(x) for c, x in o.items()} for n, o in kept.layers.items()},
            }
            write_file(kept.path, f"{json.dumps(plain, indent=1)}\n".encode())
        return kept
