"""`retrain`: what the steps before have left free is trained; `edgekc/train/retrain.py` has the part of PyTorch."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...compression import substitute
from ...compression.foresight import Foresight
from ...compression.model import Model
from ...compression.quantized import calibrated_graph, device_graph
from ...compression.state import Job, State
from ...data import portion
from ...files.sections import Count, Seed
from ...graph.ir import Graph
from ...progress import unsaid
from ...quantize.post_training import calibrated_ranges
from .training import Training


class Retrain(Training):
    """Trains what the steps before have left free, all layers together; needs PyTorch."""

    method: Literal["retrain"]
    epochs: Count = Field(description="passes over the training samples")
    latent_rate: Annotated[float, Field(gt=0)] = Field(
        default=1e-4, description="learning rate of latent weights, where indices are assigned anew"
    )
    reassign: Annotated[int, Field(ge=0)] = Field(
        default=0, description="times that indices are chosen anew, evenly over four fifths of the steps; 0: never"
    )
    gradient_scaling: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="of weights on learned steps, by what rounding leaves over (EWGS); 0: straight through"
    )
    arithmetic: Literal["float", "device"] = Field(
        default="float", description="device: forward passes compute with the integers that the device will have"
    )
    transfer: Literal["none", "hints", "kp"] = Field(
        default="none", description="what is learned from the teacher's activations: FitNets' hints, or pre-regression"
    )
    transfer_weight: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="of the transfer's term, which is added to the loss"
    )
    transfer_layers: (
        Annotated[tuple[str | Annotated[tuple[str, str], Field(strict=False)], ...], Field(min_length=1, strict=False)]
        | None
    ) = Field(
        default=None, description="layers, or pairs of the teacher's and its own; else the last of each spatial size"
    )
    transfer_epochs: Annotated[int, Field(ge=0)] = Field(
        default=0, description="so many of the epochs come first and learn the transfer alone; 0: all learn all at once"
    )
    seed: Seed = Field(default=0, description="of the order of samples and what changes them")

    @model_validator(mode="after")
    def _transfers(self) -> Retrain:
        if self.transfer == "none" and (self.transfer_layers is not None or self.transfer_epochs):
            raise ValueError('transfer_layers and transfer_epochs need transfer = "hints" or "kp"')
        if self.transfer_epochs >= self.epochs:
            raise ValueError("transfer_epochs must be below epochs")
        return self

    def foresee(self, ahead: Foresight) -> Foresight:
        from ..possible import check_retrain  # imports the importers, which few recipes need

        check_retrain(self, ahead)
        return replace(ahead, trained=True)

    def apply(self, job: Job, state: State) -> State:
        assert job.trainer is not None  # see `check_possible`
        ranges = state.ranges
        if self.arithmetic == "device" and ranges is None:
            settings = job.recipe.quantize
            chosen = portion(job.samples, state.model.graph, settings.samples, settings.seed)
            ranges = calibrated_ranges(state.model.graph, chosen, settings)
        elif self.arithmetic == "float":
            ranges = None  # weights change, and with them the ranges

        def quantized(model: Model) -> Graph:
            assert ranges is not None
            return substitute.pack_layers(model, device_graph(job, model, ranges))[0]

        def unchanged() -> Graph:
            return substitute.pack_layers(state.model, calibrated_graph(job, state, unsaid))[0]

        on_device = self.arithmetic == "device"
        model = job.trainer.retrain(
            job, state, self, quantized if on_device else None,
            unchanged if on_device and state.ranges is None and job.validation is not None else None,
        )  # fmt: skip
        if model is state.model:  # rolled back: all stays as it was, the ranges too
            return state
        return replace(state, model=model.retrained(), ranges=ranges)
