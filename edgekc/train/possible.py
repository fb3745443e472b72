"""What a `retrain` step asks of samples, teacher and layers, said before anything trains; without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..compression.foresight import Foresight
from ..data import Dataset, check_labels
from ..errors import UsageError
from ..graph.ir import Graph
from ..importers import import_model
from ..names import nearest
from ..ops import source_of
from ..quantize.to_int8 import prepare

if TYPE_CHECKING:
    from .steps.retrain import Retrain


def check_retrain(step: Retrain, ahead: Foresight) -> None:
    """UsageError where the step lacks samples, labels or a teacher, or names a layer that nobody has."""
    where = ahead.where
    if ahead.dataset is None:
        raise UsageError("retraining needs samples", where=where, fix="pass --data, or leave the step out")
    classifies = is_classifier(ahead.dataset, ahead.graph)
    if classifies and ahead.dataset.y is None and step.distill not in ("auto", 1):
        fix = "set distill = 1 to learn from the teacher"
        raise UsageError("the samples have no labels", where=f"{where}.distill", fix=fix)
    if step.transfer == "kp" and not classifies:
        fix = 'pass labelled samples, or use "hints"'
        raise UsageError("pre-regression needs classes", where=f"{where}.transfer", fix=fix)
    teacher = teacher_of(step, ahead.graph, where)
    for entry in step.transfer_layers or ():
        first, second = (entry, entry) if isinstance(entry, str) else entry
        _check_activation(teacher, first, f"{where}.transfer_layers: teacher")
        if not ahead.rebuilt:
            _check_activation(ahead.graph, second, f"{where}.transfer_layers: student")


def _check_activation(graph: Graph, name: str, where: str) -> None:
    known = activations(graph)
    if name not in known:
        raise UsageError(f"no layer is called {name!r}", where=where, fix=nearest(name, list(known), "layers"))


def activations(graph: Graph) -> dict[str, str]:
    """The activations of a graph by their own names and by those of their layers."""
    outputs = {node.name: node.outputs[0] for node in graph.nodes}
    return {**{tensor: tensor for tensor in outputs.values()}, **outputs}


def teacher_of(step: Retrain, source: Graph, where: str) -> Graph:
    """The FLOAT graph that the step learns from: `source`, or the file that the step names."""
    if step.teacher is None:
        return source
    found = prepare(import_model(Path(step.teacher), "teacher"))
    for does, mine, its in (("takes", found.inputs, source.inputs), ("gives", found.outputs, source.outputs)):
        given, wanted = ([list(t.shape) for t in g.of(names)] for g, names in ((found, mine), (source, its)))
        if given != wanted:
            shapes = " and ".join(map(str, given)), " and ".join(map(str, wanted))
            raise UsageError(
                f"the teacher {does} {shapes[0]}, the model {shapes[1]}", where=f"{where}.teacher: {step.teacher}"
            )
    if found.states and not source.states:
        what = "the teacher keeps a state, the model none: they are given other samples"
        raise UsageError(what, where=f"{where}.teacher: {step.teacher}")
    return found


def is_classifier(samples: Dataset, graph: Graph) -> bool:
    """Whether outputs are scores of classes: the samples have labels, or the graph ends in a softmax."""
    last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
    if samples.y is None:
        return source_of(last).makes_probabilities
    check_labels(samples.y, graph.tensors[graph.outputs[0]].shape[-1], samples.where)
    return True
