"""A model behind some steps of a recipe and its `retrain` step to the retrained model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..compression.model import Model
from ..compression.state import Job, State
from ..data import Dataset, check_labels
from ..errors import UsageError
from ..graph.ir import Graph
from ..importers import import_model
from ..ops import source_of
from ..passes import QUANTIZED_PASSES, apply
from ..passes.lower import lower
from ..progress import unsaid
from ..quantize.to_int8 import prepare
from ..quantize.wide_states import words
from . import transfer
from .batches import Augment
from .device import DeviceNet
from .loop import Loss, Options, Scores, frozen, reproduce_loss, scores_loss, train
from .net import Net
from .steps.retrain import Retrain


def retrain(
    job: Job,
    state: State,
    step: Retrain,
    quantized: Callable[[Model], Graph] | None,
) -> Model:
    """Train all parameters of the model that the steps before left free.

    Args:
        quantized: makes the packed QUANTIZED graph of a model, for training on the device's arithmetic; None: real
            numbers.

    Raises:
        UsageError: no data, or no labels where the loss needs them.
    """
    where, checkpoint = job.where, job.training
    if job.dataset is None:
        raise UsageError("retraining needs samples", where=where, fix="pass --data, or leave the step out")
    net = Net(state.model, latent=step.reassign > 0, train_books=state.train_books)
    options = Options(
        epochs=step.epochs, batch=step.batch, learning_rate=step.learning_rate, latent_rate=step.latent_rate,
        reassign=step.reassign, optimizer=step.optimizer, weight_decay=step.weight_decay,
        augment=Augment(step.flip, step.shift, step.mix), precision=step.precision, seed=step.seed, window=step.window,
    )  # fmt: skip
    student: Net | DeviceNet = net
    if quantized is not None:
        held = words(net.source.graph, quantized(state.model))
        student = DeviceNet(net, lambda model: integer(quantized(model)), held)
    source = _teacher(job, step)
    title = f"{where}: retrain"
    if step.transfer == "none":
        loss = loss_of(job, frozen(Net(source)), step)
        train(student, job.samples, loss, options, on_progress=partial(job.on_progress, title), checkpoint=checkpoint)
        return net.model()
    if step.transfer == "kp" and not is_classifier(job.samples, job.source):
        raise UsageError(
            "pre-regression needs classes", where=f"{where}.transfer", fix='pass labelled samples, or use "hints"'
        )
    pairs = transfer.matching(
        source, state.model.graph, step.transfer_layers, step.transfer, f"{where}.transfer_layers"
    )
    teacher = transfer.Teacher(Net(source), [pair.teacher for pair in pairs])
    base = loss_of(job, teacher.scores, step)
    trained, shares = transfer.attach(step.transfer, student, teacher, pairs, job.samples, options)
    for i, pair in enumerate(pairs):
        knows = f", which knows {100 * shares[i]:.1f}% of the samples" if shares else ""
        job.log(f"{where}: {pair.student} learns from the teacher's {pair.teacher}{knows}")

    def with_transfer(base: Loss | None) -> Loss:
        return transfer.transfer_loss(base, teacher, step.transfer_weight, step.temperature)

    first, rest = transfer.stages(options, step.transfer_epochs)
    if first is not None:
        trained.opening = True
        train(
            trained, job.samples, with_transfer(None), first,
            on_progress=partial(job.on_progress, f"{title}, {step.transfer}"),
            checkpoint=None if checkpoint is None else checkpoint.with_suffix(".opening"),
        )  # fmt: skip
        trained.opening = False
    loss = base if first is not None else with_transfer(base)
    train(trained, job.samples, loss, rest, on_progress=partial(job.on_progress, title), checkpoint=checkpoint)
    return net.model()


def integer(quantized: Graph) -> Graph:
    """The INTEGER graph with the activations of the QUANTIZED one: no channel is folded away."""
    return lower(apply(quantized, QUANTIZED_PASSES, unsaid))


def _teacher(job: Job, step: Retrain) -> Graph:
    """The FLOAT graph that the step learns from."""
    source = job.source if step.teacher is None else prepare(import_model(Path(step.teacher), "teacher"))
    shape, wanted = (g.tensors[g.outputs[0]].shape for g in (source, job.source))
    if shape != wanted:
        raise UsageError(
            f"the teacher gives {list(shape)}, the model {list(wanted)}", where=f"{job.where}.teacher: {step.teacher}"
        )
    if source.states and not job.source.states:
        what = "the teacher keeps a state, the model none: they are given other samples"
        raise UsageError(what, where=f"{job.where}.teacher: {step.teacher}")
    return source


def loss_of(job: Job, teacher: Scores, step: Retrain) -> Loss:
    """Labels and the teacher's scores; without labels and classes the teacher's outputs are reproduced."""
    if is_classifier(job.samples, job.source):
        if job.samples.y is None and step.distill < 1:
            raise UsageError(
                "the samples have no labels",
                where=f"{job.where}.distill",
                fix="set distill = 1 to learn from the teacher",
            )
        return scores_loss(teacher, step.distill, step.temperature)
    return reproduce_loss(teacher)


def is_classifier(samples: Dataset, graph: Graph) -> bool:
    """Whether outputs are scores of classes: the samples have labels, or the graph ends in a softmax."""
    last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
    if samples.y is None:
        return source_of(last).makes_probabilities
    check_labels(samples.y, graph.tensors[graph.outputs[0]].shape[-1], samples.where)
    return True
