"""A model behind some steps of a recipe and its `retrain` step to the retrained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import recipe as rc
from ..compress.model import Model
from ..data import Dataset, check_labels
from ..errors import UsageError
from ..importers import import_model
from ..ir import Graph
from ..lower import lower
from ..passes import QUANTIZED_PASSES
from ..quantize import prepare
from .batches import Augment
from .device import DeviceNet
from .fit import Loss, Options, fit, frozen, reproduce_loss, scores_loss
from .net import Net

if TYPE_CHECKING:
    from ..compress.run import Job, State


def retrain(
    job: Job,
    state: State,
    step: rc.Retrain,
    where: str,
    quantized: Callable[[Model], Graph] | None,
    checkpoint: Path | None,
) -> Model:
    """Train all parameters of the model that the steps before left free.

    Args:
        quantized: makes the packed QUANTIZED graph of a model, for training on the device's arithmetic; None: real
            numbers.

    Raises:
        UsageError: no data, or no labels where the loss needs them.
    """
    if job.dataset is None:
        raise UsageError("retraining needs samples", where=where, fix="pass --data, or leave the step out")
    net = Net(state.model, latent=step.reassign > 0, train_books=state.train_books)
    options = Options(
        epochs=step.epochs, batch=step.batch, learning_rate=step.learning_rate, latent_rate=step.latent_rate,
        reassign=step.reassign, optimizer=step.optimizer, weight_decay=step.weight_decay,
        augment=Augment(step.flip, step.shift), precision=step.precision, seed=step.seed,
    )  # fmt: skip
    trained = net if quantized is None else DeviceNet(net, lambda model: integer(quantized(model)))
    title = f"{where}: retrain"
    fit(
        trained,
        job.samples,
        loss_of(job, step, where),
        options,
        report=lambda progress: job.report(title, progress),
        checkpoint=checkpoint,
    )
    return net.model()


def integer(quantized: Graph) -> Graph:
    """The INTEGER graph with the activations of the QUANTIZED one: no channel is folded away."""
    for _, run in QUANTIZED_PASSES:
        quantized, _ = run(quantized)
    return lower(quantized)


def loss_of(job: Job, step: rc.Retrain, where: str) -> Loss:
    """Labels and the teacher's scores; without labels and classes the teacher's outputs are reproduced."""
    source = job.source if step.teacher is None else prepare(import_model(Path(step.teacher), "teacher"))
    shape, wanted = (g.tensors[g.outputs[0]].shape for g in (source, job.source))
    if shape != wanted:
        raise UsageError(
            f"the teacher gives {list(shape)}, the model {list(wanted)}", where=f"{where}.teacher: {step.teacher}"
        )
    teacher = frozen(Net(source))
    if is_classifier(job.samples, job.source):
        if job.samples.y is None and step.distill < 1:
            raise UsageError(
                "the samples have no labels", where=f"{where}.distill", fix="set distill = 1 to learn from the teacher"
            )
        return scores_loss(teacher, step.distill, step.temperature)
    return reproduce_loss(teacher)


def is_classifier(samples: Dataset, graph: Graph) -> bool:
    """Whether outputs are scores of classes: the samples have labels, or the graph ends in a softmax."""
    last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
    if samples.y is None:
        return last.op == "softmax"
    check_labels(samples.y, graph.tensors[graph.outputs[0]].shape[-1], samples.where)
    return True
