"""`codebook`: kernels to a * template + b, which `edgekc/compression/methods/codebook.py` finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from ...errors import UsageError
from ...files.sections import Count, Fraction, Seed, exactly_one
from ...graph.ir import Array, Node
from ...graph.op import view_of
from ...ops import layer_filters
from .. import substitute
from ..changes import Layer, behind
from ..foresight import Foresight
from ..layers import matches
from ..methods import codebook
from ..model import Templates
from ..sizes import template_bytes
from ..state import Job, State
from .pairs import Pairs
from .step import Packing, versus, weights


class Codebook(Packing):
    """Kernels as a * template + b: templates clustered by Pearson correlation, indices, pairs (a, b)."""

    sequences: ClassVar[bool] = True
    method: Literal["codebook"]
    templates: Annotated[int, Field(ge=1, le=65536)] | None = Field(default=None, description="of each codebook")
    error: Fraction | None = Field(default=None, description="instead: fewest templates with this weighted residual")
    scope: Literal["layer", "network"] = Field(default="layer", description="what shares one codebook")
    weighting: Literal["energy", "equal"] = Field(
        default="energy", description="equal: every kernel counts alike, whatever its size"
    )
    offset: bool = Field(default=True, description="false: b = 0")
    train_templates: bool = Field(default=False, description="the paper keeps them frozen")
    restarts: Count = Field(default=4, description="starts of the search, of which the best is taken")
    seed: Seed = Field(default=0, description="of the search's starts")

    @model_validator(mode="after")
    def _one_target(self) -> Codebook:
        exactly_one(self, "templates", "error")
        return self

    def foresee(self, ahead: Foresight) -> Foresight:
        named = set(self.foreseen(ahead)) - ahead.packed
        nodes = {node.name: node for node in ahead.graph.nodes if node.name in named}
        takes = {
            name: view_of(ahead.graph, node).weights.shape[1:3]
            for name, node in nodes.items()
            if substitute.TEMPLATED.get(node.op) is not None
        }
        sizes = {
            size for name, size in takes.items() if np.prod(size) > 1 and (self.depthwise or not _few(nodes[name]))
        }
        if self.scope == "network" and len(sizes) > 1 and not ahead.rebuilt:
            raise UsageError("layers of different kernel sizes cannot share templates", where=ahead.where)
        may = {name for name in named if name not in nodes or (name in takes and np.prod(takes[name]) > 1)}
        return replace(super().foresee(ahead), templated=ahead.templated | may)

    def apply(self, job: Job, state: State) -> State:
        nodes = self.packable(job, state, lambda node: substitute.TEMPLATED.get(node.op) is not None)
        nodes = [node for node in nodes if np.prod(weights(state, node).shape[1:3]) > 1]
        options = codebook.Options(seed=self.seed, restarts=self.restarts, weighting=self.weighting, offset=self.offset)
        groups = [nodes] if self.scope == "network" else [[node] for node in nodes]
        model, layers, trained = state.model, dict(state.layers), set(state.train_books)
        for group in filter(None, groups):
            ws = [_kernels(state, node) for node in group]
            kernels = sum(w.shape[0] * w.shape[3] for w in ws)
            most = min(256, kernels // 2)
            if most < 1 or (self.templates or 1) > most:
                wanted = f"{self.templates or 'any'} templates"
                job.log(f"note: {_names(group)}: stays dense, {kernels} kernels are too few for {wanted}")
                continue
            if len({w.shape[1:3] for w in ws}) > 1:
                raise UsageError("layers of different kernel sizes cannot share templates", where=job.where)
            if self.templates is not None:
                book = codebook.find(ws, self.templates, options)
            else:
                assert self.error is not None
                book = codebook.find_to_error(ws, self.error, most, options)
            dense, each = sum(w.size for w in ws), [w.shape[0] * w.shape[3] for w in ws]
            size = template_bytes(each, book.templates[0].size, len(book.templates), _pair_bits(job, self, group[0]))
            if size >= dense:
                job.log(
                    f"note: {_names(group)}: stays dense, {len(book.templates)} templates take {versus(size, dense)}"
                )
                continue
            name = f"{group[0].name}/book"
            trained.update({name} if self.train_templates else ())
            for node, layer in zip(group, book.layers, strict=True):
                model = model.with_templates(node.name, Templates(layer, name, None), book.templates)
                method = behind(layers, node.name, f"codebook {len(book.templates)}")
                layers[node.name] = Layer(method, layer.relative_error, None)
        return replace(state, model=model, layers=layers, train_books=frozenset(trained))


def _pair_bits(job: Job, step: Codebook, node: Node) -> int | None:
    """Bits of the indices that a later step gives a layer's pairs; None: each kernel has its own pair."""
    later = job.recipe.compress[job.recipe.compress.index(step) + 1 :]
    found = [s.bits for s in later if isinstance(s, Pairs) and matches(s.layers, node.name)]
    return found[0] if found else None


def _few(node: Node) -> bool:
    return layer_filters(node).depthwise


def _names(group: list[Node]) -> str:
    return ", ".join(node.name for node in group)


def _kernels(state: State, node: Node) -> Array:
    """A convolution's weights (oc, kh, kw, ic), ic being 1 in a depthwise one."""
    w = weights(state, node).value
    return codebook.from_depthwise(w) if layer_filters(node).depthwise else w
