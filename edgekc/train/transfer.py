"""A teacher's activations to a student's loss: FitNets' hints, and DK2PNet's knowledge pre-regression.

Both compare activations of the teacher with activations of the student, pair by pair, beside the loss of the
labels:

- hints (FitNets, Romero et al., ICLR 2015, arXiv 1412.6550): a regressor, a 1x1 convolution, takes the student's
  activation to the teacher's width; the term is the squared Euclidean distance, here over the teacher's own mean
  square, so that layers of different size count alike.
- kp (Wang et al., DK2PNet, ECCV 2016, doi 10.1007/978-3-319-46484-8_32): the activations are regressed to the classes
  before they are compared. A head, global average pooling and a linear layer, is fitted to the teacher's activation
  and the labels first; the student's activation has a head of its own, and learns the scores of the teacher's head by
  cross entropy at a temperature. The paper's exact form is not known to us; this reading asks of the student what its
  activation says about the classes, not how it says it.

Heads and regressors are trained with the student and dropped afterwards. They start where a student that is made of
its teacher's layers wants them: at the identity, and at the teacher's head; only where the widths differ, at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor, nn

from ..data import Dataset
from ..errors import UsageError
from ..graph.ir import Graph
from ..names import nearest
from ..ops import source_of
from .device import DeviceNet
from .loop import Loss, Options, Trainable, in_order, soft_cross_entropy
from .net import Net
from .place import ALONE, Place
from .possible import activations
from .windows import Inputs

Kind: TypeAlias = Literal["hints", "kp"]
_RIDGE = 1e-4  # of a head's weights on standardised features: keeps the fit finite where classes are separable
_FITTING_STEPS = 200  # of L-BFGS; the problem is convex and has (channels + 1) * classes unknowns


@dataclass(frozen=True, slots=True)
class Pair:
    """Activations that are compared, by tensor name."""

    teacher: str
    student: str


class Teacher:
    """A trained net that is only asked: no gradient, nothing of it changes. One pass per batch serves all questions."""

    def __init__(self, net: Net, keep: Sequence[str]) -> None:
        self.net = net.eval().requires_grad_(False)
        self.keep = tuple(keep)
        self._batch: Inputs | None = None
        self._values: dict[str, Tensor] = {}

    def scores(self, x: Inputs) -> Tensor:
        """(n, ...) float32."""
        return self.activations(x)[self.net.scores].float()

    @torch.no_grad()
    def activations(self, x: Inputs) -> dict[str, Tensor]:
        """The kept activations and the scores of a batch."""
        if x is not self._batch:
            self._batch, self._values = x, self.net.activations(x, self.keep)
        return self._values


class Transfer(Trainable):
    """A student with what compares its activations with the teacher's.

    Args:
        student: on real numbers or on the device's arithmetic; it stays the caller's and is trained in place.
        heads: one for each pair, from the student's channels to what is compared.
        taught: for kp the teacher's heads, which stay as they are; empty for hints.
    """

    def __init__(
        self, student: Net | DeviceNet, pairs: Sequence[Pair], heads: Sequence[nn.Linear], taught: Sequence[nn.Linear]
    ) -> None:
        super().__init__()
        self.student = student
        self.pairs = tuple(pairs)
        self.heads = nn.ModuleList(heads)
        self.taught = nn.ModuleList(taught).requires_grad_(False)
        self.opening = False  # whether this is the first of two stages, after which indices are still chosen
        self._seen: dict[str, Tensor] = {}

    def forward(self, x: Inputs) -> Tensor:
        """The student's scores (n, ...); what `term` needs of this pass is kept for it."""
        self._seen = self.student.activations(x, [pair.student for pair in self.pairs])
        return self._seen[self.student.scores].float()

    def term(self, teacher: dict[str, Tensor], temperature: float, place: Place = ALONE) -> Tensor:
        """The mean of all pairs' terms, for the batch of the last forward pass, whose processes share it."""
        terms = []
        for i, pair in enumerate(self.pairs):
            wanted, found = teacher[pair.teacher].float(), self._seen[pair.student].float()
            if self.taught:
                scores = place.gather(self.taught[i](pooled(wanted)).float())
                answers = place.gather(self.heads[i](pooled(found)).float())
                terms.append(soft_cross_entropy(answers, scores, temperature))
            else:
                wanted = place.gather(wanted)
                distance = F.mse_loss(place.gather(self.heads[i](found).float()), wanted)
                terms.append(distance / wanted.square().mean().clamp_min(1e-12))
        return torch.stack(terms).mean()

    def reassign(self) -> float:
        return self.student.reassign()

    def freeze_indices(self) -> None:
        if not self.opening:
            self.student.freeze_indices()


def pooled(x: Tensor) -> Tensor:
    """(n, ..., c) to (n, c), the mean over all positions."""
    return x.flatten(1, -2).mean(1) if x.ndim > 2 else x


def transfer_loss(
    base: Loss | None, teacher: Teacher, weight: float, temperature: float, place: Place = ALONE
) -> Loss:  # fmt: skip
    """The loss of a `Transfer`: `base` plus `weight` times its term; without base the term alone."""

    def loss(net: Trainable, x: Inputs, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        assert isinstance(net, Transfer)
        if base is None:
            scores = place.gather(net(x).detach().flatten(1))
            return weight * net.term(teacher.activations(x), temperature, place), scores
        total, found = base(net, x, labels)
        return total + weight * net.term(teacher.activations(x), temperature, place), found

    return loss


def stages(options: Options, opening: int) -> tuple[Options | None, Options]:
    """The epochs of a training as FitNets' two stages: `opening` epochs, and the rest; no first stage for 0."""
    if opening == 0:
        return None, options
    turns = round(options.reassign * opening / options.epochs)
    first = replace(options, epochs=opening, reassign=turns, ema=None)  # no one judges it
    # At least one turn is left where there were any: latent values end with the turns of the second stage.
    rest = max(options.reassign - turns, min(options.reassign, 1))
    return first, replace(options, epochs=options.epochs - opening, reassign=rest)


def attach(
    kind: Kind, student: Net | DeviceNet, teacher: Teacher, pairs: Sequence[Pair], samples: Dataset, options: Options
) -> tuple[Transfer, tuple[float, ...]]:
    """A student with heads, ready to be trained.

    Args:
        samples: kp fits the teacher's heads to their labels, or to the teacher's scores where they have none.

    Returns:
        For kp also the share of samples, 0..1, on which each of the teacher's heads has the right class.
    """
    # Heads that start at random depend on the seed alone, whatever ran before.
    torch.manual_seed(options.seed)
    inner = student.net if isinstance(student, DeviceNet) else student
    widths = [
        (teacher.net.source.graph.tensors[p.teacher].shape[-1], inner.source.graph.tensors[p.student].shape[-1])
        for p in pairs
    ]
    if kind == "hints":
        regressors = [_regressor(s, t) for t, s in widths]
        return Transfer(student, pairs, regressors, ()).to(options.place.device), ()
    taught, shares = pre_regression(teacher, [p.teacher for p in pairs], samples, options)
    heads = []
    for head, (t, s) in zip(taught, widths, strict=True):
        heads.append(nn.Linear(s, head.out_features))
        if s == t:
            heads[-1].load_state_dict(head.state_dict())
    return Transfer(student, pairs, heads, taught).to(options.place.device), shares


def _regressor(channels: int, wanted: int) -> nn.Linear:
    """A 1x1 convolution; activations are (n, h, w, c), so that it is a linear layer."""
    made = nn.Linear(channels, wanted)
    if channels == wanted:
        nn.init.eye_(made.weight)
        nn.init.zeros_(made.bias)
    return made


def pre_regression(
    teacher: Teacher, names: Sequence[str], samples: Dataset, options: Options
) -> tuple[list[nn.Linear], tuple[float, ...]]:
    """Linear heads that tell the classes from a teacher's pooled activations, and their shares of right answers.

    Each is the multinomial logistic regression on all samples as they are, not augmented: one pass of the teacher,
    then L-BFGS (Liu, Nocedal 1989) on a convex loss, so that nothing is drawn at random.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    scores, order, place = [], [], options.place
    for x, chosen in in_order(samples, options.window, 256, place):
        with place.autocast(options.precision == "bfloat16"):
            values = teacher.activations(x)
        scores.append(place.gather(teacher.scores(x).flatten(1)).cpu())
        order.append(chosen)
        for name in names:
            parts[name].append(place.gather(pooled(values[name].float())).cpu())
    answers = torch.cat(scores)
    right = answers.argmax(1) if samples.y is None else torch.from_numpy(samples.y[np.concatenate(order)])
    known = right >= 0
    right = right[known]
    target = F.softmax(answers, 1) if samples.y is None else right
    heads, shares = [], []
    for name in names:
        features = torch.cat(parts[name])[known]
        head = _logistic(features, target, answers.shape[1])
        with torch.no_grad():
            shares.append(float((head(features).argmax(1) == right).float().mean()))
        heads.append(head)
    return heads, tuple(shares)


def _logistic(features: Tensor, target: Tensor, classes: int) -> nn.Linear:
    """Multinomial logistic regression of (n, c) features; targets are classes (n,) or probabilities (n, classes)."""
    mean, spread = features.mean(0), features.std(0, correction=0).clamp_min(1e-6)
    scaled = (features - mean) / spread
    weight = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_FITTING_STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(scaled, weight, bias), target) + _RIDGE * weight.square().sum()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    head = nn.Linear(features.shape[1], classes)
    with torch.no_grad():
        head.weight.copy_(weight / spread)
        head.bias.copy_(bias - head.weight @ mean)
    return head


def matching(
    teacher: Graph,
    student: Graph,
    layers: Sequence[str | tuple[str, str]] | None,
    kind: Kind,
    where: str,
) -> tuple[Pair, ...]:
    """The activations to compare.

    Args:
        teacher, student: FLOAT graphs.
        layers: names of layers or tensors, one for both graphs or (teacher's, student's). None: of each spatial
            size that both have, the last activation that has the same name in both, or else the last of each; sizes
            of one position only where there are no others, and never the scores.

    Raises:
        UsageError: a name that a graph does not have, or maps of different size to be compared by hints.
    """
    if layers is None:
        pairs = _automatic(teacher, student)
        if not pairs:
            raise UsageError("teacher and student have no activations of one spatial size", where=where)
        return pairs
    pairs = tuple(
        Pair(_tensor(teacher, first, f"{where}: teacher"), _tensor(student, second, f"{where}: student"))
        for first, second in ((entry, entry) if isinstance(entry, str) else entry for entry in layers)
    )
    for pair in pairs:
        sizes = [_positions(graph, name) for graph, name in ((teacher, pair.teacher), (student, pair.student))]
        if kind == "hints" and sizes[0] != sizes[1]:
            what = f"{pair.teacher} of the teacher is {list(sizes[0])}, {pair.student} of the student {list(sizes[1])}"
            raise UsageError(what, where=where, fix='hints need maps of one size; transfer = "kp" does not')
    return pairs


def _automatic(teacher: Graph, student: Graph) -> tuple[Pair, ...]:
    first, second = _by_size(teacher), _by_size(student)
    common = [size for size in first if size in second]
    maps = [size for size in common if any(n > 1 for n in size)] or common
    pairs = []
    for size in maps:
        same = [name for name in first[size] if name in second[size]]
        pairs.append(Pair(same[-1], same[-1]) if same else Pair(first[size][-1], second[size][-1]))
    return tuple(pairs)


def _hidden(graph: Graph) -> list[str]:
    """Activations that are neither input nor scores nor what is made of the scores, in execution order."""
    names = [node.outputs[0] for node in graph.nodes]
    last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
    scores = last.inputs[0] if source_of(last).makes_probabilities else graph.outputs[0]
    return [name for name in names if name not in (scores, graph.outputs[0])]


def _by_size(graph: Graph) -> dict[tuple[int, ...], list[str]]:
    sizes: dict[tuple[int, ...], list[str]] = {}
    for name in _hidden(graph):
        sizes.setdefault(_positions(graph, name), []).append(name)
    return sizes


def _positions(graph: Graph, name: str) -> tuple[int, ...]:
    return graph.tensors[name].shape[1:-1]


def _tensor(graph: Graph, name: str, where: str) -> str:
    """The activation that a user calls by its own name or by its layer's."""
    known = activations(graph)
    if name not in known:
        raise UsageError(f"no layer is called {name!r}", where=where, fix=nearest(name, list(known), "layers"))
    return known[name]
