"""`gap`: pooling in front of the first fully connected layer, which `edgekc/compress/methods/gap.py` puts there."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..changes import shrunk
from ..methods import gap
from ..state import Job, State
from .step import Step, with_graph


class Gap(Step):
    """Global average pooling in front of the first fully connected layer, whose rows are merged accordingly."""

    method: Literal["gap"]

    def apply(self, job: Job, state: State) -> State:
        graph, notes = gap.run(state.model.graph)
        for note in notes:
            job.log(f"gap: {note}")
        return replace(with_graph(state, graph), layers=shrunk(state.layers, state.model.graph, graph, "gap"))
