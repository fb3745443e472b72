"""`cluster`: weights to 16-bit centers and indices of a few bits, found by `methods/cluster.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ... import affordable
from ...files.sections import Count, Seed
from ...graph.ir import Array, Graph
from ...graph.op import view_of
from ...ops import filters_of, layer_filters
from .. import front, substitute
from ..changes import Layer, behind
from ..methods import cluster, moments, second_order, steps
from ..sizes import clustered_bytes
from ..state import Job, State
from .step import Packing, versus, weights


class Cluster(Packing):
    """k-means clustering of weights: 16-bit fixed-point centers, indices of a few bits."""

    sequences: ClassVar[bool] = True
    method: Literal["cluster"]
    bits: Annotated[int, Field(ge=1, le=8)] = Field(default=4, description="of an index; 2**bits centers a layer")
    first_bits: Annotated[int, Field(ge=1, le=8)] | None = Field(
        default=None, description="of the network's first layer, which reads the input; else as the others"
    )
    last_bits: Annotated[int, Field(ge=1, le=8)] | None = Field(
        default=None, description="of its last layer, which gives the scores; else as the others"
    )
    centers: Literal["optimal", "sklearn", "linear", "steps"] = Field(
        default="optimal",
        description="dynamic programming, k-means++, Lloyd from equal steps, or equal steps that `retrain` learns",
    )
    row_scale: Literal["none", "rms", "max"] = Field(
        default="none", description="what the weights of an output channel are divided by first"
    )
    scale_rounds: Annotated[int, Field(ge=0)] = Field(
        default=0, description="times that row scales and centers are fitted to each other"
    )
    assignment: Literal["nearest", "second-order"] = Field(
        default="nearest", description="second-order compensates a weight's error in those not yet assigned"
    )
    restarts: Count = Field(default=4, description="of sklearn")
    seed: Seed = Field(default=0, description="of sklearn's first centers")

    @model_validator(mode="after")
    def _steps(self) -> Cluster:
        if self.centers == "steps":
            if self.row_scale != "none" or self.scale_rounds:
                raise ValueError('centers = "steps" has a step for each row: leave row_scale and scale_rounds out')
            if min(self.bits, self.first_bits or 8, self.last_bits or 8) < 2:
                raise ValueError('centers = "steps" takes 2 to 8 bits')
        return self

    def samples_wanted(self) -> int:
        return front.MOST_SAMPLES if self.assignment == "second-order" else 0

    def apply(self, job: Job, state: State) -> State:
        model, layers = state.model, dict(state.layers)
        nodes = self.packable(job, state, lambda node: substitute.CLUSTERED.get(node.op) is not None)
        ahead = (
            front.before(job.samples, model.graph, nodes, front.MOMENT_SAMPLES)
            if self.assignment == "second-order"
            else None
        )
        bits = self._bits(model.graph)
        for i, node in enumerate(nodes):
            job.log(f"{job.where}: cluster layer {i + 1} of {len(nodes)}, {node.name}")
            w, axis, width = weights(state, node).value, layer_filters(node).axis, bits.get(node.name, self.bits)
            if (size := clustered_bytes(w.size, width)) >= w.size:
                job.log(f"note: {node.name}: stays dense, {width}-bit indices and centers take {versus(size, w.size)}")
                continue
            record = self._clustered(w, axis, width)
            taps = w.size // w.shape[axis]
            if ahead is not None and taps > affordable.MOST_TAPS:
                job.log(f"note: {node.name}: nearest centers, {taps:,} taps are too many for second-order assignment")
            elif ahead is not None:
                # The bias takes the mean of the error, so the assignment has to care for its variance only.
                ahead = front.advance(ahead, model.graph, node.inputs[0])
                known = moments.of_layer(model.graph, node, ahead.values[node.inputs[0]])
                mean, covariance = known.mean, known.covariance
                del known  # as large as the covariance
                record = second_order.compensate(w, record, covariance, second_order.Options())
                rows, stored = (cluster.to_rows(each, axis) for each in (w, cluster.reconstruct(record)))
                bias = view_of(model.graph, node).bias
                moved = bias.value + moments.bias_shift(rows, stored, mean)
                model = model.with_value(bias.name, moved)
            model = model.with_cluster(node.name, record)
            method = behind(layers, node.name, f"cluster {width} bits")
            layers[node.name] = Layer(method, record.relative_error, record.output_error)
        return replace(state, model=model, layers=layers)

    def _bits(self, graph: Graph) -> dict[str, int]:
        """Layers that have bits of their own: the first and the last of all that have weights."""
        names = [node.name for node in graph.nodes if filters_of(node) is not None]
        asked = {} if not names else {names[0]: self.first_bits, names[-1]: self.last_bits}
        return {name: bits for name, bits in asked.items() if bits is not None}

    def _clustered(self, weights: Array, axis: int, bits: int) -> cluster.Clustered:
        """One layer's weights by themselves."""
        if self.centers == "steps":
            return steps.cluster_steps(weights, bits, axis)
        options = cluster.Options(
            method=self.centers, row_scale=self.row_scale, scale_rounds=self.scale_rounds, channel_axis=axis,
            seed=self.seed, restarts=self.restarts,
        )  # fmt: skip
        return cluster.cluster(weights, 2**bits, options)
