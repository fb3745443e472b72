"""A trainable net and samples to a trained one: the loop, its loss, and checkpoints that a killed run resumes from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor, nn

from ..compression.state import Progress
from ..data import Dataset, lengths
from ..errors import ModelError, UsageError
from ..files import records
from ..files.output import write_file
from ..graph.ir import Array
from .average import Average, decay_for
from .batches import Augment, batches
from .choice import Choice, in_batches
from .place import ALONE, Place
from .windows import Inputs, window_count, windows

# Net, samples, labels (n,) or None to the loss, and the scores (n, classes) where there are classes. A label of -1 is
# none: only the ends of sequences may have some. Of several processes each is given its samples and all labels.
Loss = Callable[["Trainable", Inputs, Tensor | None], tuple[Tensor, Tensor | None]]
Scores = Callable[[Inputs], Tensor]  # samples to scores or outputs (n, ...)


class Trainable(nn.Module):
    """What `train` trains: any module; one with indices overrides these."""

    def reassign(self) -> float:
        """Choose indices anew; the share that changed."""
        return 0.0

    def freeze_indices(self) -> None:
        """From now on indices stay."""


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how fast. The learning rate falls by a cosine to 0 after a short warm-up."""

    epochs: int
    batch: int
    learning_rate: float
    latent_rate: float  # learning rate of latent weights, which decide indices; unused where there are none
    reassign: int  # times that indices are chosen anew, evenly over the first four fifths; 0: never
    optimizer: Literal["adam", "sgd"]
    weight_decay: float
    augment: Augment
    precision: Literal["float32", "bfloat16"]  # of convolutions and products; parameters stay float32
    seed: int
    window: int | None = None  # steps that gradients go back, for nets with a state; None: samples have no order
    place: Place = ALONE
    ema: float | Literal["auto"] | None = None  # decay of an average of the weights, see average.py; None: none is kept


def scores_loss(teacher: Scores | None, share: float, temperature: float, place: Place = ALONE) -> Loss:
    """Cross entropy with the labels, and with a teacher's softened scores.

    Hinton, Vinyals, Dean 2015 (arXiv 1503.02531): the soft term is multiplied by the square of the temperature,
    so that its gradient keeps its size.

    Args:
        teacher: None: labels alone.
        share: of the teacher's term, 0..1; 1 needs no labels.
        place: whose processes share the batch; labels are those of all of it.
    """
    share = 0.0 if teacher is None else share

    def loss(net: Trainable, x: Inputs, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        scores = place.gather(net(x).flatten(1).float())
        total = scores.new_zeros(())
        if teacher is not None and share > 0:
            taught = place.gather(teacher(x).flatten(1).float())
            total = total + share * soft_cross_entropy(scores, taught, temperature)
        if share < 1:
            assert labels is not None  # `train` has checked
            total = total + (1 - share) * cross_entropy(scores, labels)
        return total, scores.detach()

    return loss


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean over all samples with a label; 0 where none has one."""
    known = labels >= 0
    if known.all():
        return F.cross_entropy(scores, labels)
    return F.cross_entropy(scores[known], labels[known]) if known.any() else scores.new_zeros(())


def soft_cross_entropy(scores: Tensor, teacher_scores: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence from softened teacher scores (n, classes), times temperature squared."""
    soft = F.softmax(teacher_scores / temperature, 1)
    return temperature**2 * F.kl_div(F.log_softmax(scores / temperature, 1), soft, reduction="batchmean")


def reproduce_loss(teacher: Scores, place: Place = ALONE) -> Loss:
    """Mean squared difference from the teacher's outputs, over their mean square: for nets without classes."""

    def loss(net: Trainable, x: Inputs, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        wanted, found = place.gather(teacher(x).float()), place.gather(net(x).float())
        return F.mse_loss(found, wanted) / wanted.square().mean().clamp_min(1e-12), None

    return loss


def frozen(net: nn.Module) -> Scores:
    """A net as a teacher: no gradient, nothing of it changes."""
    net.eval()

    def scores(x: Inputs) -> Tensor:
        with torch.no_grad():
            out: Tensor = net(x)
        return out

    return scores


def train(
    net: Trainable,
    dataset: Dataset,
    loss: Loss,
    options: Options,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    checkpoint: Path | None = None,
    choice: Choice | None = None,
) -> None:
    """Train `net` in place.

    Args:
        dataset: in the layout of the net's input (`data.for_graph`); labels as the loss needs them.
        checkpoint: a file that is written after each epoch and, if it is there, resumed from; the result is
            that of a run which was never interrupted. None: none is written.
        choice: looks at the net after each epoch, and at it with averaged weights where `options.ema` asks for these;
            the best one is what is left, also where the training ends early because the loss is not a number any
            more. None: that of the last epoch, with averaged weights where there are some.

    Raises:
        UsageError: no samples. ModelError: the loss is not a number any more, and there is no choice.
    """
    if len(dataset) == 0:
        raise UsageError("holds no samples", where=dataset.where)
    torch.manual_seed(options.seed)
    place = options.place
    net.to(place.device)
    optimizer = _optimizer(net, options)
    # Steps in front of each epoch, and all: with sequences their number depends on the order that is drawn.
    before = list(accumulate((_steps(dataset, options, epoch) for epoch in range(options.epochs)), initial=0))
    total = before[-1]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    turns = _turns(total, options.reassign)
    average = None if options.ema is None else Average(net, decay_for(options.ema, total))
    first = _resume(
        checkpoint, net, optimizer, schedule, lambda epochs: _freezes(options, before[epochs] - 1, total), choice,
        average, place,
    )  # fmt: skip
    started = time.monotonic()
    labels = None if dataset.y is None or options.augment.mix else torch.from_numpy(dataset.y)
    for epoch in range(first, options.epochs):
        steps = before[epoch + 1] - before[epoch]
        losses, told, right, seen = 0.0, 0, 0, 0
        place.same(net)
        net.train()
        for step, (x, chosen) in enumerate(_epoch(dataset, options, epoch)):
            now = before[epoch] + step
            if now in turns:
                net.reassign()
            if _freezes(options, now, total):
                net.freeze_indices()
            y = None if labels is None else labels[torch.from_numpy(chosen)].to(place.device)
            try:
                with place.autocast(options.precision == "bfloat16"):
                    value, scores = loss(net, x, y)
            except ModelError:  # weights that the device's integers cannot hold
                if choice is None:
                    raise
                choice.stopped = epoch + 1
                break
            optimizer.zero_grad(set_to_none=True)
            if value.requires_grad:  # else no step of these windows has a label, and nothing is learned
                told += 1
                value.backward()
                place.add_gradients(net)
            optimizer.step()
            schedule.step()
            if average is not None:
                average.add(net)
            losses += value.item()
            if not math.isfinite(losses):
                if choice is None:
                    raise ModelError(f"the loss is not a number in epoch {epoch + 1}; lower the learning rate")
                choice.stopped = epoch + 1
                break
            if y is not None and scores is not None:
                right += int((scores.argmax(1) == y).sum())
                seen += int((y >= 0).sum())
            left = (time.monotonic() - started) / (now + 1 - before[first]) * (total - now - 1)
            accuracy = right / seen if seen else None
            on_progress(Progress(epoch, options.epochs, step, steps, losses / max(told, 1), accuracy, left))
        if choice is not None:
            if choice.stopped:
                break
            choice.look(net, epoch + 1)
            if average is not None:
                with average.within(net):
                    choice.look(net, epoch + 1, averaged=True)
        if place.first:
            _save(checkpoint, epoch + 1, net, optimizer, schedule, options.learning_rate, choice, average)
    if choice is not None:
        choice.restore(net)
    elif average is not None:
        average.into(net)
    net.eval()


def _draws(options: Options, epoch: int) -> np.random.Generator:
    """Each epoch has its own stream, so that a resumed run draws what the first one would have drawn."""
    return np.random.default_rng((options.seed, epoch))


def _steps(dataset: Dataset, options: Options, epoch: int) -> int:
    if options.window is None:
        return max(len(dataset) // options.batch, 1)
    return window_count(dataset, options.window, _lanes(dataset, options.window, options.batch), _draws(options, epoch))


def _epoch(dataset: Dataset, options: Options, epoch: int) -> Iterator[tuple[Inputs, Array]]:
    """What each step is given of its batch, and which samples all of the batch has."""
    rng, place = _draws(options, epoch), options.place
    if options.window is not None:
        yield from _windows(dataset, options.window, options.batch, rng, place)
        return
    for x, chosen in batches(dataset, options.batch, options.augment, rng, place):
        place.shared(len(chosen))
        yield place.put(torch.from_numpy(x)), chosen


def in_order(
    dataset: Dataset, window: int | None, size: int, place: Place = ALONE
) -> Iterator[tuple[Inputs, Array]]:  # fmt: skip
    """All samples as a net is given them, about `size` at a time, sequences as they come, and which they are.

    Of several processes each is given its part of a batch, and which samples all of it has.
    """
    if window is not None:
        yield from _windows(dataset, window, size, None, place)
        return
    yield from in_batches(dataset, size, place)


def _windows(
    dataset: Dataset, window: int, size: int, rng: np.random.Generator | None, place: Place
) -> Iterator[tuple[Inputs, Array]]:
    for found, chosen in windows(dataset, window, _lanes(dataset, window, size), rng):
        own, index = place.window(found, chosen)
        yield place.put(own), index


def _lanes(dataset: Dataset, window: int, size: int) -> int:
    """How many sequences run side by side, so that a window of each is about `size` samples."""
    return min(max(size // window, 1), len(lengths(dataset)))


def rate_of(checkpoint: Path | None, place: Place = ALONE) -> float | None:
    """The learning rate of the training that a checkpoint is of; None where there is none."""
    data = _read(checkpoint, place)
    if not data:
        return None
    state = records.load(data, Any, str(checkpoint))
    rate = state.get("rate") if isinstance(state, dict) else None
    return rate if isinstance(rate, float) else None


def _optimizer(net: Trainable, options: Options) -> torch.optim.Optimizer:
    named = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for name, p in named if not name.endswith(".latent")], "lr": options.learning_rate},
        {"params": [p for name, p in named if name.endswith(".latent")], "lr": options.latent_rate},
    ]
    groups = [group for group in groups if group["params"]]
    if options.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=options.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=options.weight_decay)


def _rate(step: int, total: int) -> float:
    """Warm-up over 2% of the steps, then a cosine."""
    warm = max(total // 50, 1)
    return min((step + 1) / warm, 1.0) * 0.5 * (1 + math.cos(math.pi * min(step, total) / total))


def _settled(total: int) -> int:
    """The step after which indices stay."""
    return total * 4 // 5


def _freezes(options: Options, step: int, total: int) -> bool:
    return options.reassign > 0 and step >= _settled(total)


def _turns(total: int, count: int) -> frozenset[int]:
    return frozenset(round(_settled(total) * (i + 1) / count) for i in range(count))


def _save(
    path: Path | None,
    epochs: int,
    net: Trainable,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    rate: float,
    choice: Choice | None,
    average: Average | None,
) -> None:
    """Write the checkpoint: a file that is there is whole."""
    if path is None:
        return
    state = {
        "epochs": epochs, "net": net.state_dict(), "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(), "rate": rate, "choice": None if choice is None else choice.state(),
        "average": None if average is None else average.state(),
    }  # fmt: skip
    write_file(path, records.dump(_arrays(state), Any))


def _arrays(state: Any) -> Any:
    """The same tree with arrays in place of tensors."""
    if isinstance(state, Mapping):
        return {key: _arrays(item) for key, item in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_arrays(item) for item in state)
    return state.detach().cpu().numpy() if isinstance(state, Tensor) else state


def _tensors(state: Any) -> Any:
    """The same tree with tensors in place of arrays."""
    if isinstance(state, dict):
        return {key: _tensors(item) for key, item in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_tensors(item) for item in state)
    return torch.from_numpy(state) if isinstance(state, np.ndarray) else state


def _read(path: Path | None, place: Place) -> bytes:
    """The checkpoint that the first process has; empty where there is none."""
    return b"" if path is None else place.agree(lambda: path.read_bytes() if path.exists() else b"")


def _resume(
    path: Path | None,
    net: Trainable,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    frozen: Callable[[int], bool],
    choice: Choice | None,
    average: Average | None,
    place: Place,
) -> int:
    """The number of epochs that are done; 0 without a checkpoint."""
    data = _read(path, place)
    if not data:
        return 0
    state = _tensors(records.load(data, Any, str(path)))
    try:
        epochs = int(state["epochs"])
        if frozen(epochs):
            net.freeze_indices()
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        if choice is not None:
            choice.resume(state["choice"])
        if average is not None:
            average.resume(state["average"])
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise UsageError(
            f"is no checkpoint of this training ({type(error).__name__}: {line})", where=str(path), fix="delete it"
        ) from error
    return epochs
