"""Clustered layers to layers whose blocks answer as the float network's do: rounding is learned, block by block.

Li et al. 2021, BRECQ (arXiv 2102.05426): the layers of a block are rounded together, so that its output on some samples
is the float network's. A block is given what the blocks in front of it, which are done, really give it. Parts of that
are, by chance, the float network's instead (as QDrop, Wei et al. 2022, arXiv 2203.05740, has them), so that a few
hundred samples are not learned by heart. Beside a block's own outputs, it counts what the float network behind the
block would answer (the prediction difference of PD-Quant, Liu et al. 2023, arXiv 2212.07048). No labels are used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..compression.model import Model
from ..compression.state import Job, Progress
from ..data import portion, real_batches
from ..errors import EdgekcError, UsageError
from ..files import records
from ..files.output import write_file
from ..graph.ir import Graph
from ..graph.op import view_of
from ..ops import legal, source_of
from . import operators
from .blocks import Block, blocks
from .loop import soft_cross_entropy
from .possible import is_classifier
from .rounding import Rounded
from .steps.reconstruct import Reconstruct
from .tensors import as_array, as_tensor

_CHUNK = 64  # samples that a block is run on at a time, where nothing is learned
_FLOAT = 0.5  # share of a block's inputs that are the float network's while choices are soft
# Share of the iterations after which each weight is at a center, and answers count too. Their gradients differ much
# from batch to batch: choices that are made by them hardly leave where they start.
_SOFT = 0.6
_WARM = 0.2  # share of those, at their start, in which nothing drives choices to either end
_POWERS = (20.0, 2.0)  # of the regulariser, from first to last: equation 24 of AdaRound
_REGULARISER = 50.0  # its mean over a block's weights, beside an error of its outputs that is 1 at the start
_HARD = 0.2  # share of the learning rate that choices have in the end
_SLOW = 0.02  # share of the learning rate that scales, centers and biases have

Values = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class _Done:
    """What a checkpoint holds."""

    blocks: int
    model: Model


def reconstruct(job: Job, model: Model, step: Reconstruct, names: Sequence[str]) -> Model:
    """The model with the rounding, scales, centers and biases of some layers learned anew.

    A block whose loss on the samples would not be less than it is stays as it is.

    Args:
        names: of clustered layers whose original weights `model.originals` has.

    Raises:
        UsageError: a checkpoint that cannot be read.
    """
    graph, exact = model.graph, _constants(model.exact())
    wanted = frozenset(names)
    parts = blocks(graph, wanted)
    left = [part for part in parts if wanted & {node.name for node in part.nodes}]
    done = _load(job.training, model)
    if done is not None:
        model = done.model
    samples = torch.from_numpy(np.concatenate(list(real_batches(portion(job.samples, graph, step.samples, step.seed)))))
    classes = is_classifier(job.samples, job.source)
    ours = floats = samples
    started, first = time.monotonic(), 0 if done is None else done.blocks
    for i, part in enumerate(parts):
        targets = _outputs(part, graph, floats, exact)
        at = left.index(part) if part in left else -1
        if at >= first:
            goal = _goal(graph, parts[i:], targets, exact, step.prediction, classes)
            progress = _Told(job, at, len(left), first, step.iterations, started)
            model = _learn(_Task(part, model, wanted, (ours, floats), goal), step, i, job, progress)
            _save(job.training, _Done(at + 1, model))
        if i + 1 < len(parts):
            ours = _outputs(part, graph, ours, _constants(model.graph))[part.gives[0]]
            floats = targets[part.gives[0]]
    return model


@dataclass(frozen=True, slots=True)
class _Goal:
    """What a block's outputs are to be.

    Attributes:
        outputs: those of the float network, (n, values) side by side.
        rest: what is behind the block, up to the scores; None: nobody asks, or the network has several outputs.
        answers: scores of the float network, (n, ...).
        weight: of the answers, beside the outputs, which count 1.
        classes: whether scores are those of classes.
    """

    graph: Graph
    part: Block
    outputs: Tensor
    rest: Block | None
    exact: Mapping[str, Tensor]
    answers: Tensor
    weight: float
    classes: bool

    def distances(self, values: Values, chosen: Tensor | slice, ask: bool = True) -> Tensor:
        """Mean squared error of the outputs of some samples, and how far answers are off where they are asked: (2,)."""
        outputs = (_flat(values, self.part) - self.outputs[chosen]).square().mean()
        if self.rest is None or not ask:
            return torch.stack([outputs, outputs.new_zeros(())])
        found = _run(self.rest, self.graph, values[self.rest.reads], self.exact)[self.rest.gives[0]]
        if self.classes:
            answers = soft_cross_entropy(found.flatten(1), self.answers[chosen].flatten(1), 1.0)
        else:
            answers = (found - self.answers[chosen]).square().mean()
        return torch.stack([outputs, answers])

    def shares(self, start: Tensor) -> Tensor:
        """What distances are multiplied by, (2,), so that those at the start become 1 and the weight of the answers."""
        return torch.where(start > 0, torch.tensor([1.0, self.weight]) / start.where(start > 0, 1.0), 0.0)


def _goal(graph: Graph, parts: Sequence[Block], targets: Values, exact: Values, weight: float, classes: bool) -> _Goal:
    """Of the first of the blocks that are left."""
    part = parts[0]
    outputs = _flat(targets, part)
    if len(graph.outputs) > 1 or weight == 0:
        return _Goal(graph, part, outputs, None, exact, outputs[:, :0], weight, classes)
    behind = [node for each in parts[1:] for node in each.nodes if not source_of(node).makes_probabilities]
    scores = behind[-1].outputs[0] if behind else part.gives[0]
    rest = Block(tuple(behind), part.gives[0], (scores,))
    answers = _outputs(rest, graph, targets[rest.reads], exact)[scores]
    return _Goal(graph, part, outputs, rest, exact, answers, weight, classes)


@dataclass(frozen=True, slots=True)
class _Task:
    """What a block is to learn, and from which inputs (n, ...): behind what is done, and those of the float network."""

    part: Block
    model: Model
    wanted: frozenset[str]
    inputs: tuple[Tensor, Tensor]
    goal: _Goal

    @property
    def names(self) -> list[str]:
        """The layers that learn."""
        return [node.name for node in self.part.nodes if node.name in self.wanted]

    def distances(self, model: Model) -> Tensor:
        """Of all samples."""
        constants, x = _constants(model.graph), self.inputs[0]
        total = torch.zeros(2, dtype=torch.float64)
        with torch.no_grad():
            for at in range(0, len(x), _CHUNK):
                few = slice(at, min(at + _CHUNK, len(x)))
                values = _run(self.part, model.graph, x[few], constants)
                total += self.goal.distances(values, few).double() * (few.stop - few.start) / len(x)
        return total.float()


class _Learner(nn.Module):
    """The parameters of a block."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self.task, self.constants = task, _constants(task.model.graph)
        model, graph = task.model, task.model.graph
        nodes = [model.node(name) for name in task.names]
        self.weights = [model.weights(name) for name in task.names]
        self.biases = [view_of(graph, node).bias.name for node in nodes]
        self.rounded = [
            Rounded(model.clusters[name], model.originals[own].value)
            for name, own in zip(task.names, self.weights, strict=True)
        ]
        self.layers = nn.ModuleList(self.rounded)  # whose parameters are the module's
        # In units of the block's outputs, by which Adam then moves them.
        self.unit = float(task.goal.outputs.abs().mean()) or 1.0
        self.moved = nn.ParameterList(torch.zeros_like(self.constants[name]) for name in self.biases)

    def forward(self, x: Tensor) -> Values:
        learned = {name: layer() for name, layer in zip(self.weights, self.rounded, strict=True)}
        return _run(self.task.part, self.task.model.graph, x, {**self.constants, **learned, **self._biases()})

    def undecided(self, power: float) -> Tensor:
        """The mean of the regulariser over all weights."""
        total = sum(layer.choice.numel() for layer in self.rounded)
        return torch.stack([layer.undecided(power) for layer in self.rounded]).sum() / total

    def harden(self) -> None:
        """From now on each weight is at a center."""
        for layer in self.rounded:
            layer.harden()

    def groups(self) -> list[dict[str, Any]]:
        """The choices, and the rest, as an optimiser takes them."""
        named = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        return [{"params": [p for name, p in named if name.endswith(".choice") is own]} for own in (True, False)]

    def model(self) -> Model:
        """With what was learned."""
        model = self.task.model
        for name, layer in zip(self.task.names, self.rounded, strict=True):
            model = model.with_cluster(name, layer.record())
        for name, value in self._biases().items():
            model = model.with_value(name, as_array(value))
        return model.settled([*self.weights, *self.biases])

    def _biases(self) -> Values:
        return {n: self.constants[n] + self.unit * moved for n, moved in zip(self.biases, self.moved, strict=True)}


def _learn(task: _Task, step: Reconstruct, index: int, job: Job, progress: Callable[[int, float], None]) -> Model:
    """The model with a learned block, or as it was where that has no less loss."""
    start = task.distances(task.model)
    shares = task.goal.shares(start)
    net = _Learner(task)
    optimizer = torch.optim.Adam(net.groups(), betas=(0.9, 0.99))
    draws = torch.Generator().manual_seed(int(np.random.SeedSequence((step.seed, index)).generate_state(1)[0]))
    ours, floats = task.inputs
    soft, total = round(_SOFT * step.iterations), step.iterations
    warm = _WARM * soft
    for now in range(total):
        fast = 1.0 if now < soft else _HARD * _cosine((now - soft) / (total - soft))
        for group, share in zip(optimizer.param_groups, (fast, _SLOW * _cosine(now / total)), strict=True):
            group["lr"] = step.learning_rate * share
        if now == soft:
            net.harden()
        chosen = torch.randint(len(ours), (min(step.batch, len(ours)),), generator=draws)
        x = ours[chosen]
        if now < soft:
            x = torch.where(torch.rand(x.shape, generator=draws) < _FLOAT, floats[chosen], x)
        loss = (task.goal.distances(net(x), chosen, ask=now >= soft) * shares).sum()
        shown = loss.item()
        if warm <= now < soft:
            high, low = _POWERS
            loss = loss + _REGULARISER * net.undecided(low + (high - low) * _cosine((now - warm) / (soft - warm)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(now, shown)
    made = net.model()
    before, after = (float((distances * shares).sum()) for distances in (start, task.distances(made)))
    better = after < before
    said = f"{after / before:.3f} of the loss" if better else "no less loss, left as it was"
    job.log(f"{job.where}: {', '.join(task.names)}: {said}")
    return made if better else task.model


def _cosine(share: float) -> float:
    """From 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * share))


class _Told:
    """Tells the job how far a block is."""

    def __init__(self, job: Job, block: int, count: int, first: int, steps: int, started: float) -> None:
        self.job, self.block, self.count, self.first, self.steps, self.started = (
            job, block, count, first, steps, started
        )  # fmt: skip
        self.losses = 0.0

    def __call__(self, now: int, loss: float) -> None:
        self.losses += loss
        done = (self.block - self.first) * self.steps + now + 1
        spent = time.monotonic() - self.started
        seconds = spent / done * ((self.count - self.first) * self.steps - done)
        told = Progress(self.block, self.count, now, self.steps, self.losses / (now + 1), None, seconds, "block")
        self.job.on_progress(f"{self.job.where}: reconstruct", told)


def _constants(graph: Graph) -> Values:
    return {name: as_tensor(t.value) for name, t in graph.tensors.items() if t.data is not None}


def _run(part: Block, graph: Graph, x: Tensor, constants: Mapping[str, Tensor]) -> Values:
    """What a block gives for its input (n, ...)."""
    values = {part.reads: x}
    for node in part.nodes:
        operands = [values[name] if name in values else constants[name] for name in node.inputs]
        values[node.outputs[0]] = operators.run(node, view_of(graph, node), operands)
    return {name: values[name] for name in part.gives}


def _outputs(part: Block, graph: Graph, x: Tensor, constants: Mapping[str, Tensor]) -> Values:
    """As `_run`, without gradients, and of few samples at a time."""
    with torch.no_grad():
        found = [_run(part, graph, x[at : at + _CHUNK], constants) for at in range(0, len(x), _CHUNK)]
    return {name: torch.cat([values[name] for values in found]) for name in part.gives}


def _flat(values: Mapping[str, Tensor], part: Block) -> Tensor:
    """All outputs of a block side by side, (n, values)."""
    return torch.cat([values[name].flatten(1) for name in part.gives], 1)


def _load(path: Path | None, model: Model) -> _Done | None:
    """What a checkpoint of this model holds; None where there is none."""
    if path is None or not path.exists():
        return None
    try:
        done: _Done = records.load(path.read_bytes(), _Done, str(path))
        legal.check(done.model.graph)
        if done.model.graph.nodes != model.graph.nodes or done.model.clusters.keys() != model.clusters.keys():
            raise UsageError("it is of another model")
    except EdgekcError as error:
        raise UsageError(f"is no checkpoint of this step ({error.what})", where=str(path), fix="delete it") from error
    return done


def _save(path: Path | None, done: _Done) -> None:
    if path is not None:
        write_file(path, records.dump(done, _Done))
