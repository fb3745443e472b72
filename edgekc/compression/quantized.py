"""A model to its QUANTIZED graph, weights still dense: with ranges that are fixed, or found by calibration."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph.ir import Graph
from ..progress import Log
from ..quantize.calibrate import Range
from ..quantize.post_training import input_quant, post_training
from ..quantize.to_int8 import quantize
from .model import Model
from .state import Job, State


def device_graph(job: Job, model: Model, ranges: Mapping[str, Range]) -> Graph:
    """The QUANTIZED graph of a model; its input takes the levels of the samples where those have some."""
    given = input_quant(job.samples) if job.dataset is not None else None
    return quantize(model.graph, ranges, {} if given is None else {job.source.inputs[0]: given})


def calibrated_graph(job: Job, state: State, log: Log) -> Graph:
    """The QUANTIZED graph of a model whose activations' ranges are found by calibration, weights still dense."""
    settings = job.recipe.quantize
    if state.layers and settings.equalise != "off":
        log("equalise: off, because it would change weights that are compressed")
        settings = settings.model_copy(update={"equalise": "off"})
    return post_training(state.model.graph, job.dataset, settings, log, state.model.exact())
