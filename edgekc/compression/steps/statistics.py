"""`statistics`: output channels get the mean and the size back that they have in the float network."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from ...data import portion, real_batches
from ...files.sections import Count, Seed
from ..changes import Layer
from ..layers import resolve
from ..state import Job, State
from ..statistics import reestimate
from .step import LayerStep

_FITTED = 0.75  # share of the samples that gains are fitted to; the others say whether they help


class Statistics(LayerStep):
    """A gain and an offset for each output channel, fitted on samples; free on the device, and without training."""

    method: Literal["statistics"]
    samples: Count = Field(default=512, description="of the calibration set; a quarter of them judges")
    seed: Seed = Field(default=0, description="picks them")

    def samples_wanted(self) -> int:
        return self.samples

    def apply(self, job: Job, state: State) -> State:
        names = resolve(self.layers, state.model.graph, f"{job.where}.layers")
        x = np.concatenate(list(real_batches(portion(job.samples, state.model.graph, self.samples, self.seed))))
        count = max(round(len(x) * _FITTED), 1)
        model, found = reestimate(state.model, names, x[:count], x[count:] if count < len(x) else x)
        layers = dict(state.layers)
        for each in found:
            if each.better:
                layers[each.layer] = _changed(layers.get(each.layer))
        errors = ", ".join(f"{each.layer} {each.before:.3f} to {each.after:.3f}" for each in found if each.better)
        job.log(f"{job.where}: statistics: output errors on held samples: {errors or 'none falls'}")
        return replace(state, model=model, layers=layers)


def _changed(layer: Layer | None) -> Layer:
    return Layer("statistics", None, None) if layer is None else replace(layer, method=f"{layer.method}, statistics")
