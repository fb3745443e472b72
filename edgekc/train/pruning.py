"""A recipe's pruning step to a smaller FLOAT graph: loss, importance of filters and fine-tuning come from PyTorch.

`compression/methods/prune.py` has the scheme that decides the order; here is what it asks for. The loss is the cross
entropy on a small calibration set of labelled samples. The criteria `apoz` and `taylor` look at the same samples: zeros
of a layer's output, and what the loss would change by without it. A layer without a rectifier has no zeros to count, so
that equal filters are told apart by their L1 norm, which alone decides there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know

from ..compression.layers import resolve
from ..compression.methods import prune
from ..data import UNLABELLED, Dataset, for_graph, portion
from ..errors import UsageError
from ..graph.ir import Array, Graph, Node
from ..progress import Log
from .loop import in_order
from .net import Net
from .place import ALONE, Place
from .steps.prune import Prune
from .windows import Inputs

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples on which filters are judged."""

    x: tuple[Inputs, ...]  # batches (n, *sample shape), real numbers; for a network with a state windows
    labels: tuple[torch.Tensor, ...]  # (n,)

    def __len__(self) -> int:
        return sum(int((y != UNLABELLED).sum()) for y in self.labels)


def calibration(
    graph: Graph, dataset: Dataset, count: int, seed: int, window: int | None = None, device: str | torch.device = "cpu"
) -> Calibration:
    """`count` labelled samples in the layout of the graph. UsageError: none there, no labels, or another shape.

    Args:
        window: of a network with a state, whose samples are the first ones: how many steps are looked at together.
        device: where they are looked at.
    """
    chosen = for_graph(portion(dataset, graph, count, seed), graph)
    labels = torch.from_numpy(np.asarray(chosen.labels, np.int64))
    here = Place(torch.device(device))  # every process looks at all of them: they are few, and decide
    pairs = list(in_order(chosen, window, _BATCH, here))
    return Calibration(
        tuple(x for x, _ in pairs), tuple(labels[torch.from_numpy(index)].to(device) for _, index in pairs)
    )


def loss_of(graph: Graph, samples: Calibration, bfloat16: bool) -> float:
    """Mean cross entropy of a FLOAT graph."""
    device = samples.labels[0].device
    net = Net(graph).to(device).eval()
    total = 0.0
    with torch.inference_mode(), Place(device).autocast(bfloat16):
        for x, y in zip(samples.x, samples.labels, strict=True):
            total += float(_loss(net(x), y))
    return total / len(samples)


def importance(graph: Graph, criterion: str, samples: Calibration) -> dict[str, Array]:
    """Layer to (oc,): how much each filter matters, by l1, l2, apoz or taylor."""
    if criterion in ("l1", "l2"):
        return prune.l1(graph) if criterion == "l1" else prune.l2(graph)
    norms = prune.l1(graph)
    net = _Seen(graph).to(samples.labels[0].device).eval()
    outputs = {node.name: node.outputs[0] for node in graph.nodes if node.name in norms}
    totals = {name: np.zeros(len(norm)) for name, norm in norms.items()}
    for x, y in zip(samples.x, samples.labels, strict=True):
        share = len(y) / sum(map(len, samples.labels))
        for name, score in _scores(net, outputs, criterion, x, y).items():
            totals[name] += share * score
    # Only among filters that are equal otherwise may the norm decide.
    return {name: total + 1e-9 * norms[name] / max(float(norms[name].max()), 1e-30) for name, total in totals.items()}


class _Seen(Net):
    """A net that remembers what its layers gave in each step of the last pass."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.steps: dict[str, list[torch.Tensor]] = {}

    def run_node(self, node: Node, inputs: list[torch.Tensor]) -> torch.Tensor:
        out = super().run_node(node, inputs)
        self.steps.setdefault(node.name, []).append(out)
        return out


def _scores(net: _Seen, outputs: Mapping[str, str], criterion: str, x: Inputs, y: torch.Tensor) -> Mapping[str, Array]:
    net.steps = {}
    loss = _loss(net.activations(x, outputs.values())[net.scores], y)
    # Rows without a sample say nothing; a step without any was not computed.
    there = None if isinstance(x, torch.Tensor) else [row for row in x.there if row.any()]

    def whole(parts: Sequence[torch.Tensor]) -> Array:
        rows = parts if there is None else [part[row] for part, row in zip(parts, there, strict=True)]
        return np.asarray(torch.cat(list(rows)).detach().cpu().numpy())

    seen = {name: net.steps[name] for name in outputs}
    if criterion == "apoz":
        return prune.apoz({name: whole(parts) for name, parts in seen.items()})
    flat = [part for parts in seen.values() for part in parts]
    gradients = iter(torch.autograd.grad(loss, flat, allow_unused=True))
    known = {}
    for name, parts in seen.items():
        found = [next(gradients) for _ in parts]
        if any(g is not None for g in found):
            known[name] = whole([torch.zeros_like(p) if g is None else g for p, g in zip(parts, found, strict=True)])
    return prune.taylor({name: whole(seen[name]) for name in known}, known)


def _loss(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The cross entropy of all samples that have a label."""
    return F.cross_entropy(scores.float().flatten(1), labels, reduction="sum", ignore_index=UNLABELLED)


def run(
    graph: Graph,
    step: Prune,
    where: str,
    dataset: Dataset,
    fine_tune: Callable[[Graph], Graph],
    log: Log,
    place: Place = ALONE,
) -> prune.Pruned:
    """Prune until the step's budget is met.

    Args:
        graph: FLOAT, as `quantize.prepare` returns it.
        where: the step's place in the recipe, for errors.
        dataset: labelled; the calibration set is taken from it.
        fine_tune: trains a graph further; called by the order-deciding scheme.
        log: is given a line for each round.
        place: where it computes; of several processes the first one's figures decide.

    Raises:
        UsageError: no samples, no labels, a pattern that names no layer, or layers that are not to be pruned.
    """
    allowed = frozenset(resolve(step.layers, graph, f"{where}.layers"))
    samples = calibration(graph, dataset, step.samples, step.seed, step.window, place.device)
    if step.measure == "macs":
        budget = prune.Budget(macs=int(step.keep * prune.macs(graph)))
    else:
        budget = prune.Budget(weight_bytes=int(step.keep * prune.weight_bytes(graph)))
    start = prune.macs(graph), prune.weight_bytes(graph)

    def say(made: prune.Round) -> None:
        left = f"{made.macs / start[0]:.1%} of multiply-accumulates, {made.weight_bytes / start[1]:.1%} of weights"
        tuned = ", fine-tuning" if made.fine_tuned else ""
        log(f"prune: {', '.join(made.layers)}: {made.removed} filters less; {left}; loss {made.loss:.4f}{tuned}")

    made = prune.prune_to_budget(
        graph,
        lambda g: float(place.agree_on(np.array(loss_of(g, samples, step.precision == "bfloat16")))),
        fine_tune,
        budget,
        prune.Schedule(step.step, step.least, step.multiple, step.tolerance),
        lambda g: {name: place.agree_on(each) for name, each in importance(g, step.criterion, samples).items()},
        allowed,
        say,
    )
    if not made.rounds and not made.reached:
        raise UsageError(
            "no filter of these layers can be removed", where=where, fix="name other layers, or lower least"
        )
    if not made.reached:
        log(f"warning: {where}: the layers that it names have nothing more to lose; {step.keep:.0%} is not reached")
    return made
