"""The keys of a recipe's [quantize]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..files.sections import Count, Section, Seed


class Quantize(Section):
    """[quantize]: post-training quantisation of activations and of all weights that stay dense."""

    method: Literal["min-max", "percentile", "mse"] = Field(
        default="mse", description="how ranges of activations are chosen"
    )
    percentile: Annotated[float, Field(gt=50, le=100)] = Field(
        default=99.99, description="per cent of values that keep their place; for method percentile"
    )
    samples: Count = Field(
        default=512, description="calibration samples; by default fewer of a large network, and 512 of most"
    )
    seed: Seed = Field(
        default=0, description="picks the calibration samples, and makes the synthetic ones without data"
    )
    input_range: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None, description="lowest and highest real input; without data, synthetic samples fill it"
    )
    input_quant: Annotated[tuple[float, int], Field(strict=False)] | None = Field(
        default=None, description="scale and zero point of int8 samples that do not state them; the model's input too"
    )
    equalise: Literal["off", "on", "auto"] = Field(
        default="auto", description="cross-layer equalisation; auto keeps it if it lowers the output error"
    )
    bias_correction: bool = Field(
        default=True, description="cancel each channel's mean error; costs no byte on the device"
    )

    @property
    def counted(self) -> bool:
        """Whether the recipe says how many samples it wants, whatever they cost."""
        return "samples" in self.model_fields_set

    @model_validator(mode="after")
    def _ascending(self) -> Quantize:
        if self.input_range is not None and self.input_range[0] >= self.input_range[1]:
            raise ValueError("the first number of input_range must be below the second")
        if self.input_quant is not None and not (self.input_quant[0] > 0 and -128 <= self.input_quant[1] <= 127):
            raise ValueError("input_quant is a positive scale and a zero point from -128 to 127")
        return self
