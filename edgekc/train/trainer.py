"""What the steps that train leave to a framework, as one record: the walk of a recipe is given it, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..compression.methods.prune import Pruned
from ..compression.model import Model
from ..compression.state import Job, State
from ..data import Dataset
from ..graph.ir import Graph
from ..progress import Log
from .steps.prune import Prune
from .steps.reconstruct import Reconstruct
from .steps.retrain import Retrain


class RetrainModel(Protocol):
    """Trains all parameters that the steps before left free; see `retrain.retrain`."""

    def __call__(
        self,
        job: Job,
        state: State,
        step: Retrain,
        quantized: Callable[[Model], Graph] | None,
        unchanged: Callable[[], Graph] | None = None,
    ) -> Model: ...


class ReconstructModel(Protocol):
    """Learns the rounding of clustered layers, block by block; see `reconstruct.reconstruct`."""

    def __call__(self, job: Job, model: Model, step: Reconstruct, names: Sequence[str]) -> Model: ...


class PruneGraph(Protocol):
    """Removes filters until a step's budget is met; see `pruning.run`."""

    def __call__(
        self, graph: Graph, step: Prune, where: str, dataset: Dataset, fine_tune: Callable[[Graph], Graph], log: Log
    ) -> Pruned: ...


@dataclass(frozen=True, slots=True)
class Trainer:
    """How a framework trains a model, and prunes one; `pytorch.trainer` makes the one that there is."""

    retrain: RetrainModel
    prune: PruneGraph
    reconstruct: ReconstructModel
    first: bool = True  # of the processes that train together, this one does what is done once
    agree: Callable[[Callable[[], bytes]], bytes] | None = None  # what the first makes, on all; None: there is one
