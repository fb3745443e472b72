"""`prune`: whole filters go, round by round; `edgekc/train/pruning.py` has the part of PyTorch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ...compression.changes import shrunk
from ...compression.foresight import Foresight
from ...compression.model import Model
from ...compression.state import Job, State
from ...compression.steps.step import LayerStep
from ...data import Dataset
from ...errors import UsageError
from ...files.sections import Count, Fraction, Seed
from ...graph.ir import Graph
from .retrain import Retrain
from .training import Training


class Prune(LayerStep, Training):
    """Removes whole filters and rows, round by round, until the budget is met; needs PyTorch and labels."""

    method: Literal["prune"]
    keep: Fraction = Field(description="budget: share of `measure` that may remain")
    measure: Literal["macs", "weights"] = Field(default="macs", description="what the budget is counted in")
    criterion: Literal["l1", "l2", "apoz", "taylor"] = Field(default="l1", description="which filters go first")
    step: Fraction = Field(default=0.1, description="share of a layer's filters that one round removes")
    least: Count = Field(default=4, description="filters that a layer always keeps")
    multiple: Count = Field(default=1, description="numbers of filters stay divisible by it")
    tolerance: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="rise of the loss after which is fine-tuned"
    )
    samples: Count = Field(default=512, description="of the calibration set that decides the order")
    epochs: Count = Field(default=1, description="of each fine-tuning")
    seed: Seed = Field(default=0, description="of the order of samples and the fine-tuning")

    @property
    def fine_tuning(self) -> Retrain:
        """What happens where the loss has risen by `tolerance`, and at the end."""
        keys = {key: getattr(self, key) for key in ("epochs", "seed", *Training.model_fields)}
        return Retrain(method="retrain", **keys)

    def check(self, dataset: Dataset | None, graph: Graph, where: str) -> None:
        super().check(dataset, graph, where)
        if dataset is not None:
            _ = dataset.labels

    def foresee(self, ahead: Foresight) -> Foresight:
        if ahead.dataset is None:
            raise _no_samples(ahead.where)
        if ahead.packed and ahead.trained:
            raise _packed_already(min(ahead.packed), ahead.where)
        self.foreseen(ahead)
        self.fine_tuning.foresee(ahead)
        return replace(ahead, trained=True)

    def apply(self, job: Job, state: State) -> State:
        if packed := sorted({**state.model.clusters, **state.model.templates}):
            raise _packed_already(packed[0], job.where)
        if job.dataset is None:
            raise _no_samples(job.where)
        assert job.trainer is not None  # see `check_possible`
        trainer, alone = job.trainer, replace(job, training=None)

        def fine_tune(graph: Graph) -> Graph:
            return trainer.retrain(alone, State(Model(graph)), self.fine_tuning, None).graph

        made = trainer.prune(state.model.graph, self, job.where, job.samples, fine_tune, job.log)
        after = replace(state, model=Model(made.graph), ranges=None)
        method = f"prune to {self.keep:.0%} of all {self.measure}"
        return replace(after, layers=shrunk(state.layers, state.model.graph, made.graph, method))


def _no_samples(where: str) -> UsageError:
    return UsageError("pruning needs labelled samples", where=where, fix="pass --data, or leave the step out")


def _packed_already(name: str, where: str) -> UsageError:
    fix = "put the prune step in front of those that pack layers"
    return UsageError(f"{name} is packed already and cannot lose filters", where=where, fix=fix)
