"""A model behind some steps of a recipe and its `retrain` step to the retrained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..compression.model import Model
from ..compression.state import Job, State
from ..data import Dataset
from ..errors import ModelError
from ..graph.ir import Graph
from ..passes import QUANTIZED_PASSES, apply
from ..passes.lower import lower
from ..progress import unsaid
from ..quantize.wide_states import words
from . import transfer
from .batches import Augment
from .choice import Choice, Judge, Score, judge_by
from .device import DeviceNet
from .loop import Loss, Options, Scores, Trainable, frozen, in_order, rate_of, reproduce_loss, scores_loss, train
from .net import Net
from .place import ALONE, Place
from .possible import is_classifier, teacher_of
from .rates import MOST_SAMPLES, find_rate, of_whole, some, usual_rate
from .steps.retrain import Retrain

_GOOD_TEACHER = 0.5  # share of right answers; a model that has fewer is hardly trained, or for something else


def retrain(
    job: Job,
    state: State,
    step: Retrain,
    quantized: Callable[[Model], Graph] | None,
    unchanged: Callable[[], Graph] | None = None,
    place: Place = ALONE,
) -> Model:
    """Train all parameters of the model that the steps before left free.

    With validation samples the best epoch is what is left, or `state.model` itself where no epoch is better than it.

    Args:
        quantized: makes the packed QUANTIZED graph of a model, for training on the device's arithmetic; None: real
            numbers.
        unchanged: makes that of the model as it is, by which the device's arithmetic is to be judged before training;
            None: `quantized` does.
        place: where it computes, and with which other processes.

    Raises:
        UsageError: no data, or no labels where the loss needs them.
    """
    where, checkpoint = job.where, job.training
    net = Net(state.model, latent=step.reassign > 0, train_books=state.train_books, scaling=step.gradient_scaling)
    options = Options(
        epochs=step.epochs, batch=step.batch, learning_rate=step.learning_rate or usual_rate(step.optimizer),
        latent_rate=step.latent_rate,
        reassign=step.reassign, optimizer=step.optimizer, weight_decay=step.weight_decay,
        augment=Augment(step.flip, step.shift, step.mix), precision=step.precision, seed=step.seed, window=step.window,
        ema=step.ema, place=place,
    )  # fmt: skip
    student: Net | DeviceNet = net
    if quantized is not None:
        held = words(net.source.graph, quantized(state.model))
        student = DeviceNet(net, lambda model: integer(quantized(model)), held)
    source = teacher_of(step, job.source, where)
    share = _share(job, source, source is state.model.graph, step, place)
    title = f"{where}: retrain"
    if step.transfer == "none":
        loss = loss_of(job, frozen(Net(source).to(place.device)), step, share, place)
        chooser = _Chooser(job, step, loss, place)
        options = chooser.with_rate(student, loss, options)
        choice, before = chooser.start(_untrained(student, unchanged))
        train(
            student, job.samples, loss, options, on_progress=partial(job.on_progress, title), checkpoint=checkpoint,
            choice=choice,
        )  # fmt: skip
        return net.model() if chooser.keeps(choice, before, options.epochs) else state.model
    pairs = transfer.matching(
        source, state.model.graph, step.transfer_layers, step.transfer, f"{where}.transfer_layers"
    )
    teacher = transfer.Teacher(Net(source).to(place.device), [pair.teacher for pair in pairs])
    base = loss_of(job, teacher.scores, step, share, place)
    trained, shares = transfer.attach(step.transfer, student, teacher, pairs, job.samples, options)
    for i, pair in enumerate(pairs):
        knows = f", which knows {100 * shares[i]:.1f}% of the samples" if shares else ""
        job.log(f"{where}: {pair.student} learns from the teacher's {pair.teacher}{knows}")

    def with_transfer(base: Loss | None) -> Loss:
        return transfer.transfer_loss(base, teacher, step.transfer_weight, step.temperature, place)

    loss = base if step.transfer_epochs else with_transfer(base)
    chooser = _Chooser(job, step, base, place)
    options = chooser.with_rate(trained, loss, options)
    choice, before = chooser.start(_untrained(student, unchanged))
    first, rest = transfer.stages(options, step.transfer_epochs)
    if first is not None:
        trained.opening = True
        try:
            train(
                trained, job.samples, with_transfer(None), first,
                on_progress=partial(job.on_progress, f"{title}, {step.transfer}"),
                checkpoint=None if checkpoint is None else checkpoint.with_suffix(".opening"),
            )  # fmt: skip
        except ModelError:
            if choice is None or not chooser.failed(choice, before, first.epochs):
                raise
            return state.model
        trained.opening = False
    train(
        trained, job.samples, loss, rest, on_progress=partial(job.on_progress, title), checkpoint=checkpoint,
        choice=choice,
    )  # fmt: skip
    return net.model() if chooser.keeps(choice, before, rest.epochs) else state.model


def _untrained(student: Net | DeviceNet, unchanged: Callable[[], Graph] | None) -> Trainable:
    """What would run without the training."""
    if unchanged is None or isinstance(student, Net):
        return student
    before = unchanged()
    ready = integer(before)
    return DeviceNet(student.net, lambda model: ready, words(student.net.source.graph, before))


@dataclass(frozen=True, slots=True)
class _Chooser:
    """What validation samples decide of one retraining, and what is said about it.

    Attributes:
        loss: by which nets are judged: what is asked of the model, without the terms of a transfer.
    """

    job: Job
    step: Retrain
    loss: Loss
    place: Place

    def judge(self, samples: Dataset) -> Judge:
        step, place = self.step, self.place
        return judge_by(
            samples,
            self.loss,
            step.precision == "bfloat16",
            lambda data, size: in_order(data, step.window, size, place),
            place,
        )

    def with_rate(self, net: Trainable, loss: Loss, options: Options) -> Options:
        """The options with a learning rate that is found, where the step names none."""
        if self.step.learning_rate is not None:
            return options
        known = rate_of(self.job.training, self.place)
        if known is not None:
            return replace(options, learning_rate=known)
        held = self.job.samples if self.job.validation is None else self.job.validation
        found, tried = find_rate(net, self.job.samples, loss, options, self.judge, held)
        listed = ", ".join(f"{each:.1e}: {value:.4f}" for each, value in sorted(tried))
        rate = of_whole(found, net, len(self.job.samples), options)
        third = "" if rate == found else f", a third of {found:.1e}, because steps are learned:"
        self.job.log(
            f"note: {self.job.where}: learning rate {rate:.1e}{third or ','} found by short trainings "
            f"(loss by rate {listed})"
        )
        return replace(options, learning_rate=rate)

    def start(self, net: Trainable) -> tuple[Choice | None, Score | None]:
        """What chooses among epochs, and the score of the net as it is; None without validation samples."""
        if self.job.validation is None:
            return None, None
        choice = Choice(self.judge(self.job.validation))
        return choice, choice.judge(net)

    def failed(self, choice: Choice, before: Score | None, epochs: int) -> bool:
        """Whether the first of two stages, which nobody judges, is taken back, because it came to no number."""
        choice.stopped = epochs
        return not self.keeps(choice, before, epochs)

    def keeps(self, choice: Choice | None, before: Score | None, epochs: int) -> bool:
        """Whether the best epoch is better than the model was."""
        if choice is None or before is None:
            return True
        where = self.job.where
        if choice.stopped:
            self.job.log(
                f"warning: {where}: training stopped by epoch {choice.stopped}: weights left all bounds; a lower "
                "learning_rate helps, or none: then one is found"
            )
        if choice.best is not None and choice.best.better(before):
            averaged = ", its weights averaged" if choice.averaged else ""
            self.job.log(
                f"note: {where}: validation {before} before, {choice.best} after epoch {choice.epoch} of {epochs}"
                f"{averaged}"
            )
            return True
        best = "" if choice.best is None else f", {choice.best} after its best epoch"
        chosen = self.step.learning_rate is not None
        advice = "leave learning_rate out to have one found" if chosen else "train for more epochs"
        self.job.log(
            f"warning: {where}: retraining made validation worse and is rolled back: {before} before{best}; "
            f"{advice}, or leave the step out"
        )
        return False


def integer(quantized: Graph) -> Graph:
    """The INTEGER graph with the activations of the QUANTIZED one: no channel is folded away."""
    return lower(apply(quantized, QUANTIZED_PASSES, unsaid))


def loss_of(job: Job, teacher: Scores, step: Retrain, share: float, place: Place = ALONE) -> Loss:
    """Labels and the teacher's scores; without labels and classes the teacher's outputs are reproduced.

    Args:
        share: of the teacher's scores, 0..1.
    """
    if is_classifier(job.samples, job.source):
        return scores_loss(teacher, share, step.temperature, place)
    return reproduce_loss(teacher, place)


def _share(job: Job, teacher: Graph, same: bool, step: Retrain, place: Place) -> float:
    """What the teacher's scores count in the loss of a classifier: as the step says, or by what the teacher knows.

    Args:
        same: the model is its own teacher, which has nothing to tell it unless its arithmetic is another one.
    """
    if step.distill != "auto":
        return step.distill
    samples = job.samples
    if samples.y is None or step.mix or not is_classifier(samples, job.source):
        return 1.0  # nothing else could teach
    if same and step.arithmetic == "float":
        job.log(f"note: {job.where}: distill: the model is as it came, so the labels alone teach")
        return 0.0
    judge = judge_by(
        some(samples, MOST_SAMPLES, step.seed), scores_loss(None, 0.0, step.temperature, place),
        step.precision == "bfloat16", lambda data, size: in_order(data, step.window, size, place), place,
    )  # fmt: skip
    right = judge(Net(teacher)).accuracy or 0.0
    what = "its scores teach" if right >= _GOOD_TEACHER else "the labels alone teach"
    job.log(f"note: {job.where}: distill: the teacher has {right:.1%} of training samples right, so {what}")
    return 1.0 if right >= _GOOD_TEACHER else 0.0
