"""The keys of every step that trains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...compression.steps.step import TORCH, Package, Step
from ...data import Dataset, lengths
from ...errors import UsageError
from ...files.sections import Count, ShareOrAuto
from ...graph.ir import Graph


class Training(Step):
    """How it is trained; a step of this kind is given all samples, and `Job.trainer`."""

    package: ClassVar[Package | None] = TORCH
    trains: ClassVar[bool] = True
    needs_trainer: ClassVar[bool] = True
    sequences: ClassVar[bool] = True

    batch: Count = Field(default=128, description="samples of a step")
    window: Count | None = Field(
        default=None, description="steps that gradients go back, for a network that keeps a state; others have none"
    )
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="falls to 0 by a cosine; left out: found by short trainings"
    )
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="sgd: with Nesterov momentum of 0.9")
    weight_decay: Annotated[float, Field(ge=0)] = Field(default=0.0, description="decoupled, for adam")
    ema: ShareOrAuto | None = Field(
        default=None,
        description="decay of an average of the weights, judged beside them; auto: by the number of steps; else none",
    )
    distill: ShareOrAuto = Field(
        default="auto",
        description="share of the teacher's scores in the loss, the rest is the labels'; auto: 1 of a good teacher",
    )
    temperature: Annotated[float, Field(gt=0)] = Field(default=3.0, description="of distillation")
    teacher: str | None = Field(default=None, description="a model file; else the model as it came")
    flip: bool = Field(default=False, description="mirror half of the images left to right")
    shift: Annotated[int, Field(ge=0)] = Field(default=0, description="move images by up to so many pixels")
    mix: bool = Field(default=False, description="blend samples two by two; with distill = 1 only, labels do not blend")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16 is up to twice as fast where the processor has it"
    )

    def check(self, dataset: Dataset | None, graph: Graph, where: str) -> None:
        if not graph.states:
            if self.window is not None:
                fix = "leave it out"
                raise UsageError("the network keeps no state, so it has no sequences", where=f"{where}.window", fix=fix)
            return
        if self.window is None:
            fix = "say how many steps gradients go back, as in window = 16"
            raise UsageError("a network that keeps a state is trained over sequences", where=where, fix=fix)
        for key in ("flip", "shift", "mix"):
            if getattr(self, key):
                what = "the steps of a sequence cannot be changed one by one"
                raise UsageError(what, where=f"{where}.{key}", fix="leave it out")
        if self.batch < self.window:
            what = f"{self.batch} samples are less than a window of {self.window} steps"
            raise UsageError(what, where=f"{where}.batch", fix=f"set it to a multiple of {self.window}")
        if dataset is not None:
            _check_sequences(dataset, self.window, where)

    @model_validator(mode="after")
    def _decays(self) -> Training:
        if self.ema in (0, 1):
            raise ValueError('ema is "auto" or a number between 0 and 1')
        return self

    @model_validator(mode="after")
    def _labels_do_not_blend(self) -> Training:
        if self.mix and self.distill not in ("auto", 1):
            raise ValueError("mix needs distill = 1: labels do not blend")
        return self


def _check_sequences(dataset: Dataset, window: int, where: str) -> None:
    if dataset.starts is None:
        fix = "put an array starts beside x: true for each sample with which a sequence begins, false for others"
        raise UsageError("does not say where sequences begin, which training needs", where=dataset.where, fix=fix)
    longest = max(lengths(dataset))
    if window > longest:
        what = f"{window} steps are more than the longest sequence of {dataset.where} has, {longest}"
        raise UsageError(what, where=f"{where}.window", fix=f"at most {longest}")
