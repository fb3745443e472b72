"""`svd`: a matrix to a chain of smaller ones, which `edgekc/compression/methods/lowrank.py` finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...files.sections import Count, Fraction, exactly_one
from ...graph.ir import Node
from ...graph.op import view_of
from ...graph.source import Reads
from ...ops import layer_filters
from .. import front
from ..changes import Layer, split
from ..foresight import Foresight
from ..methods import lowrank, moments
from ..state import Job, State
from .step import LayerStep, weights, with_graph


class Svd(LayerStep):
    """Truncated singular value decomposition of a fully connected layer into a chain of smaller ones."""

    sequences: ClassVar[bool] = True
    method: Literal["svd"]
    rank: Count | None = Field(default=None, description="kept singular values")
    energy: Fraction | None = Field(default=None, description="instead: smallest rank with this share of the energy")
    of: Literal["weights", "outputs"] = Field(
        default="weights", description="whose error is least; outputs: on samples, the bias takes its mean"
    )
    parts: Annotated[int, Field(ge=2, le=4)] = Field(default=2, description="layers that take the place of one")

    @model_validator(mode="after")
    def _one_target(self) -> Svd:
        exactly_one(self, "rank", "energy")
        return self

    def samples_wanted(self) -> int:
        return front.MOST_SAMPLES if self.of == "outputs" else 0

    def foresee(self, ahead: Foresight) -> Foresight:
        chosen = self.foreseen(ahead)
        names = [
            each
            for name in ahead.names
            for each in ((*(f"{name}_{i}" for i in range(self.parts - 1)), name) if name in chosen else (name,))
        ]
        return replace(ahead, names=tuple(names), rebuilt=True)

    def apply(self, job: Job, state: State) -> State:
        nodes = self.free(job, state, lambda node: layer_filters(node).reads is Reads.ALL)
        nodes = [n for n in nodes if not layer_filters(n).window or self._pointwise(state, n)]
        ahead = (
            front.before(job.samples, state.model.graph, nodes, front.MOST_SAMPLES) if self.of == "outputs" else None
        )
        for node in nodes:
            w = weights(state, node).value
            flat, known = (w.shape[0], w.shape[-1]), None
            if ahead is not None:
                ahead = front.advance(ahead, state.model.graph, node.inputs[0])
                known = moments.of_layer(state.model.graph, node, ahead.values[node.inputs[0]])
            moment = None if known is None else known.covariance
            rank = self.rank if self.rank is not None else lowrank.rank_for_energy(w, self.energy or 1.0, moment)
            if not lowrank.reduces(flat, rank):
                job.log(f"note: {node.name}: stays whole, rank {rank} of {flat[0]}x{flat[1]} would not reduce it")
                continue
            low = lowrank.truncate(w, rank, self.parts, moment)
            if known is not None:
                bias = view_of(state.model.graph, node).bias
                moved = bias.value + moments.bias_shift(w.reshape(flat), lowrank.product(low.factors), known.mean)
                state = replace(state, model=state.model.with_value(bias.name, moved).retrained())
            graph = lowrank.rewrite(state.model.graph, node.name, low)
            done = Layer(f"svd rank {rank}", low.relative_error, low.output_error)
            layers = split(state.layers, state.model.graph, graph, done)
            state = replace(with_graph(state, graph), layers=layers)
            error = low.relative_error if low.output_error is None else low.output_error
            job.log(f"{node.name}: rank {rank} of {min(flat)}, relative error of {self.of} {error:.4f}")
        return state

    @staticmethod
    def _pointwise(state: State, node: Node) -> bool:
        return layer_filters(node).dense_window and weights(state, node).shape[1:3] == (1, 1)
