"""A problem to narrower ones: the network without some of its channels, and all that a search knows of it.

`prune` decides the order in which channels go and trains where the loss has risen. What is left is a float network of
the same layers, so costs and losses of its choices are found as those of the whole one. Recipes of its candidates begin
with the same step; from the same checkpoints they take what it made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..compression.run import compress
from ..progress import Log, Progress
from ..train.pytorch import trainer
from . import costs, sensitivity, space
from .candidate import Candidate
from .problem import Problem

if TYPE_CHECKING:
    from ..compression.state import OnProgress


@dataclass(frozen=True, slots=True)
class Width:
    """One width of a network.

    Attributes:
        choices: layer -> its choices.
        cost: of each.
        losses: of each, against the network of this width.
        lost: what the width itself loses against the whole network, in units of the proxy.
    """

    choices: Mapping[str, tuple[str, ...]]
    cost: costs.CostTable
    losses: sensitivity.SensitivityTable
    lost: float = 0.0

    def proxy(self, candidate: Candidate) -> float | None:
        """What a candidate is expected to lose; None where a layer has a choice that only another width offers."""
        if any(choice not in self.choices.get(layer, ()) for layer, choice in candidate.layers):
            return None
        return self.lost + self.losses.proxy(dict(candidate.layers))


def whole(problem: Problem, epochs: int, *, folder: Path | None, on_progress: Progress) -> Width:
    """The network as it is.

    Args:
        epochs: of retraining, see `space.choices`.
        folder: see `sensitivity.table`.
    """
    choices = space.choices(problem.graph, epochs=epochs)
    on_progress("costs of every layer and choice", 0, 0)
    cost = costs.table(problem, choices)
    return Width(choices, cost, sensitivity.table(problem, choices, on_progress=on_progress, folder=folder))


def narrower(
    problem: Problem,
    keep: float,
    epochs: int,
    *,
    folder: Path,
    checkpoints: Path,
    on_training: OnProgress,
    on_progress: Progress,
    log: Log,
) -> Width:
    """The network that pruning leaves.

    Args:
        keep: share of the multiply-accumulates.
        checkpoints: those of the candidates of this width, which take the pruned network from there.

    Raises:
        UsageError: no channel can be removed, or there are no labels.
        ToolError: PyTorch is not installed.
    """
    recipe = problem.recipe(Candidate((), keep=keep))
    made = compress(
        problem.graph, recipe, problem.parts.train, log, validation=problem.parts.validation, on_progress=on_training,
        trainer=trainer, checkpoints=checkpoints,
    )  # fmt: skip
    narrow = replace(problem, graph=made.model.graph)
    found = whole(narrow, epochs, folder=folder, on_progress=on_progress)
    return replace(found, lost=sensitivity.between(problem, narrow).proxy)
