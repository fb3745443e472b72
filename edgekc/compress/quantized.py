"""A model whose activations have fixed ranges to its QUANTIZED graph, weights still dense."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph.ir import Graph
from ..quantize.calibrate import Range
from ..quantize.post_training import input_quant
from ..quantize.to_int8 import quantize
from .model import Model
from .state import Job


def device_graph(job: Job, model: Model, ranges: Mapping[str, Range]) -> Graph:
    """The QUANTIZED graph of a model; its input takes the levels of the samples where those have some."""
    given = input_quant(job.samples) if job.dataset is not None else None
    return quantize(model.graph, ranges, {} if given is None else {job.source.inputs[0]: given})
