"""`reconstruct`: clustered layers are rounded anew, block by block; `edgekc/train/reconstruct.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ...compression.changes import Layer, behind
from ...compression.foresight import Foresight
from ...compression.layers import resolve
from ...compression.model import Model
from ...compression.state import Job, State
from ...compression.steps.step import TORCH, LayerStep, Package
from ...errors import UsageError
from ...files.sections import Count, Seed
from ...graph.ir import Node, Tensor
from ...ops import filters_of


class Reconstruct(LayerStep):
    """Learns which center each weight takes, so that blocks answer as the float network's do; without labels."""

    package: ClassVar[Package | None] = TORCH
    needs_trainer: ClassVar[bool] = True
    sequences: ClassVar[bool] = True

    method: Literal["reconstruct"]
    samples: Count = Field(default=512, description="of the training samples that blocks are fitted to")
    iterations: Count = Field(default=400, description="of each block")
    batch: Count = Field(default=32, description="samples of an iteration")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        default=0.05, description="of choices; scales, centers and biases have a fiftieth of it, in units of their size"
    )
    prediction: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="weight of what the float network would answer behind a block, beside its own error"
    )
    seed: Seed = Field(default=0, description="of the samples and their order")

    def samples_wanted(self) -> int:
        return self.samples

    def foresee(self, ahead: Foresight) -> Foresight:
        if ahead.dataset is None:
            fix = "pass --data, or leave the step out"
            raise UsageError("block reconstruction needs samples", where=ahead.where, fix=fix)
        if not ahead.packed & set(self.foreseen(ahead)):
            fix = "put a cluster step in front of it"
            raise UsageError("no layer that it names is clustered", where=ahead.where, fix=fix)
        return ahead

    def apply(self, job: Job, state: State) -> State:
        assert job.trainer is not None  # see `check_possible`
        if state.model.graph.states:
            job.log(f"note: {job.where}: the network keeps a state: its layers are left as they are")
            return state
        names = self._learning(job, state.model)
        if not names:
            job.log(f"note: {job.where}: none of the layers that it names can be learned")
            return state
        model = job.trainer.reconstruct(job, state.model, self, names)
        layers = dict(state.layers)
        for name in names:
            if model.clusters[name] is not state.model.clusters[name]:
                error = model.clusters[name].relative_error
                layers[name] = Layer(behind(layers, name, "reconstruct"), error, None)
        return replace(state, model=model, layers=layers, ranges=None)  # weights change, and with them the ranges

    def _learning(self, job: Job, model: Model) -> list[str]:
        """The layers that it names and can do something for; of the others a note says why not."""
        found = []
        for name in resolve(self.layers, model.graph, f"{job.where}.layers"):
            if name not in model.clusters:
                continue
            if model.weights(name) not in model.originals:
                job.log(f"note: {name}: left as it is by {job.where}: its weights before clustering are not known")
            elif (other := _sharing(model, name)) is not None:
                job.log(f"note: {name}: left as it is by {job.where}: {other} has the same weights")
            else:
                found.append(name)
        return found


def _sharing(model: Model, name: str) -> str | None:
    """Another layer that was made of the same weights, as the steps of an unrolled recurrence are; None: there is none.

    They are one layer that is used several times, and stored once.
    """
    own = _original(model, model.weights(name))
    for node in _with_weights(model):
        other = _original(model, node.inputs[1])
        if node.name != name and own.shape == other.shape and np.array_equal(own.value, other.value):
            return node.name
    return None


def _original(model: Model, name: str) -> Tensor:
    return model.originals.get(name, model.graph.tensors[name])


def _with_weights(model: Model) -> Sequence[Node]:
    graph = model.graph
    return [n for n in graph.nodes if filters_of(n) is not None and graph.tensors[n.inputs[1]].data is not None]
