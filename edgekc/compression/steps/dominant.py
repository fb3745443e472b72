"""`dominant`: a convolution to a depthwise and a 1x1 one, which `edgekc/compression/methods/dominant.py` finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from ...data import real_batches, subset
from ...files.sections import Count, Seed
from ...ops import layer_filters
from ..changes import Layer, split
from ..foresight import Foresight
from ..methods import dominant
from ..state import Job, State
from .step import LayerStep, weights, with_graph


class Dominant(LayerStep):
    """A convolution into `rank` dominant kernels for each input channel, combined by a 1x1 convolution."""

    method: Literal["dominant"]
    rank: Count = Field(default=1, description="dominant kernels of each input channel, at most kh * kw")
    fit: Literal["weights", "responses"] = Field(
        default="weights", description="what the 1x1 convolution approximates; responses: on samples, layer by layer"
    )
    samples: Count = Field(default=128, description="for responses")
    seed: Seed = Field(default=0, description="picks them")

    def samples_wanted(self) -> int:
        return self.samples if self.fit == "responses" else 0

    def foresee(self, ahead: Foresight) -> Foresight:
        chosen = self.foreseen(ahead)
        names = [each for name in ahead.names for each in ((f"{name}_dk", name) if name in chosen else (name,))]
        return replace(ahead, names=tuple(names), rebuilt=True)

    def apply(self, job: Job, state: State) -> State:
        before, x = state.model.graph, np.zeros(0)
        if self.fit == "responses":
            x = np.concatenate(list(real_batches(subset(job.samples, self.samples, self.seed))))
        for node in self.free(job, state, lambda node: layer_filters(node).dense_window):
            w = weights(state, node).value
            oc, k_h, k_w, ic = w.shape
            if k_h * k_w == 1 or self.rank * ic * (oc + k_h * k_w) >= w.size:
                job.log(f"note: {node.name}: stays whole, rank {self.rank} would not reduce it")
                continue
            made = dominant.decompose(w, self.rank)
            graph, missed = dominant.rewrite(state.model.graph, node.name, made), ""
            if self.fit == "responses":
                graph, error = dominant.fit_responses(graph, node.name, dominant.responses(before, node.name, x), x)
                missed = f", {error:.4f} of the responses"
            layers = split(
                state.layers, state.model.graph, graph, Layer(f"dominant rank {self.rank}", made.relative_error, None)
            )
            state = replace(with_graph(state, graph), layers=layers)
            job.log(f"{node.name}: rank {self.rank}, relative error {made.relative_error:.4f}{missed}")
        return state
