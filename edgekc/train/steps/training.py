"""The keys of every step that trains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...compression.steps.step import TORCH, Package, Step
from ...files.sections import Count


class Training(Step):
    """How it is trained; a step of this kind is given all samples, and `Job.trainer`."""

    package: ClassVar[Package | None] = TORCH
    trains: ClassVar[bool] = True

    batch: Count = Field(default=128, description="samples of a step")
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="falls to 0 by a cosine; left out: found by short trainings"
    )
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="sgd: with Nesterov momentum of 0.9")
    weight_decay: Annotated[float, Field(ge=0)] = Field(default=0.0, description="decoupled, for adam")
    distill: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.7, description="share of the teacher's scores in the loss; the rest is the labels'"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(default=3.0, description="of distillation")
    teacher: str | None = Field(default=None, description="a model file; else the model as it came")
    flip: bool = Field(default=False, description="mirror half of the images left to right")
    shift: Annotated[int, Field(ge=0)] = Field(default=0, description="move images by up to so many pixels")
    mix: bool = Field(default=False, description="blend samples two by two; with distill = 1 only, labels do not blend")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16 is several times faster where the processor has it"
    )

    @model_validator(mode="after")
    def _labels_do_not_blend(self) -> Training:
        if self.mix and self.distill < 1:
            raise ValueError("mix needs distill = 1: labels do not blend")
        return self
