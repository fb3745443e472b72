"""`pairs`: the pairs (a, b) of template layers to a few, which `edgekc/compression/methods/pairs.py` finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ...errors import UsageError
from ...files.sections import Seed
from ...graph.ir import Array
from ...graph.op import view_of
from ...ops import layer_filters
from .. import front
from ..changes import Layer, behind
from ..foresight import Foresight
from ..layers import resolve
from ..methods import moments, pair_assignment, pairs
from ..model import Model, Templates
from ..sizes import coded_pair_bytes
from ..state import Job, State
from .step import SKLEARN, LayerStep, Package


class Pairs(LayerStep):
    """Clusters the pairs (a, b) of template layers: an index of a few bits a kernel in place of two float16."""

    package: ClassVar[Package | None] = SKLEARN

    sequences: ClassVar[bool] = True
    method: Literal["pairs"]
    bits: Annotated[int, Field(ge=1, le=8)] = Field(default=7, description="of an index; 2**bits pairs a layer")
    assignment: Literal["nearest", "second-order"] = Field(
        default="nearest", description="second-order chooses template and pair together, for the outputs' sake"
    )
    seed: Seed = Field(default=0, description="of the clustering")

    def samples_wanted(self) -> int:
        return front.MOST_SAMPLES if self.assignment == "second-order" else 0

    def foresee(self, ahead: Foresight) -> Foresight:
        if not ahead.templated & set(self.foreseen(ahead)):
            raise _nothing_to_pair(ahead.where)
        return ahead

    def apply(self, job: Job, state: State) -> State:
        model, layers = state.model, dict(state.layers)
        chosen = [n for n in resolve(self.layers, model.graph, f"{job.where}.layers") if n in model.templates]
        if not chosen:
            raise _nothing_to_pair(job.where)
        ahead: front.Front | None = None
        for name in chosen:
            model = _canonical(model, model.templates[name].book)
            record = model.templates[name]
            kernels = record.kernels.index.size
            if record.pairs is not None or coded_pair_bytes(kernels, self.bits) >= 4 * kernels:
                job.log(f"note: {name}: its {kernels} pairs stay, {self.bits}-bit indices would not reduce them")
                continue
            nearest = pairs.cluster(record.kernels, model.books[record.book][0].size, 2**self.bits, self.seed)
            before, error = _original(model, name), None
            node = model.node(name)
            if self.assignment == "second-order" and layer_filters(node).dense_window:
                ahead = ahead or front.before(
                    job.samples, model.graph, [model.node(n) for n in chosen], front.MOMENT_SAMPLES
                )
                ahead = front.advance(ahead, model.graph, node.inputs[0])
                known = moments.of_layer(model.graph, node, ahead.values[node.inputs[0]])
                model, error = _compensated_pairs(model, name, nearest, before, known)
            else:
                if self.assignment == "second-order":
                    job.log(f"note: {name}: its pairs are the nearest ones, second-order is for convolutions")
                free = np.stack([record.kernels.a, record.kernels.b], -1)
                model = _with_pairs(model, name, record.kernels.index, nearest, free)
            off = model.graph.tensors[model.weights(name)].value - before
            missed = float(np.square(off).sum() / max(np.square(before).sum(), 1e-300))
            layers[name] = Layer(behind(layers, name, f"pairs {self.bits} bits"), missed, error)
        return replace(state, model=model, layers=layers)


def _nothing_to_pair(where: str) -> UsageError:
    return UsageError("no layer that it names is made of templates", where=where, fix="put a codebook step before it")


def _with_pairs(model: Model, layer: str, index: Array, chosen: pairs.Pairs, free: Array | None) -> Model:
    record = model.templates[layer]
    a, b = chosen.expanded()
    fitted = replace(record.kernels, index=index, a=a, b=b)
    return model.with_templates(layer, Templates(fitted, record.book, chosen, free), model.books[record.book])


def _compensated_pairs(
    model: Model, layer: str, nearest: pairs.Pairs, before: Array, known: moments.Moments
) -> tuple[Model, float | None]:
    """The model with a convolution's templates and pairs chosen for its outputs' sake, and what these miss."""
    record, node = model.templates[layer], model.node(layer)
    found = pair_assignment.compensate(
        before, model.books[record.book], record.kernels.index, nearest, known.covariance, pair_assignment.Options()
    )
    model = _with_pairs(model, layer, found.index, found.pairs, None)
    oc, stored = len(before), model.graph.tensors[model.weights(layer)].value
    bias = view_of(model.graph, node).bias
    moved = bias.value + moments.bias_shift(before.reshape(oc, -1), stored.reshape(oc, -1), known.mean)
    return model.with_value(bias.name, moved), found.output_error


def _canonical(model: Model, book: str) -> Model:
    """The model with one codebook of zero-mean templates of norm 1, where no layer of it has its pairs yet."""
    sharing = {name: record for name, record in model.templates.items() if record.book == book}
    if any(record.pairs is not None for record in sharing.values()):
        return model
    templates = model.books[book]
    for name, record in sharing.items():
        same = replace(record, kernels=pairs.canonical(record.kernels, templates))
        model = model.with_templates(name, same, pairs.normalised(templates))
    return model


def _original(model: Model, layer: str) -> Array:
    name = model.weights(layer)
    return model.originals.get(name, model.graph.tensors[name]).value
