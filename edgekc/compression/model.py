"""A float network on its way to a packed one: the graph, and what the weights of compressed layers are made of.

The graph holds the reconstruction of every compressed layer as dense weights, so that whatever runs a FLOAT graph
(calibration, the float reference, bias correction) sees what the device will compute with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Tensor, constant
from ..graph.op import view_of
from ..ops import layer_filters
from .methods import cluster, codebook
from .methods.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Templates:
    """A convolution on template kernels: W[o, :, :, i] = a[o, i] * book[index[o, i]] + b[o, i].

    Of a depthwise convolution, whose weights are (1, kh, kw, oc), W is what `codebook.from_depthwise` makes of them.
    """

    kernels: codebook.LayerKernels
    book: str  # the name of its templates in `Model.books`
    pairs: Pairs | None  # what a and b are made of; None: each kernel has its own
    unclustered: Array | None = None  # (oc, ic, 2) a and b before they were clustered: where retraining starts


@dataclass(frozen=True, slots=True)
class Model:
    """A FLOAT graph and the records of its compressed layers, by layer name."""

    graph: Graph
    clusters: dict[str, cluster.Clustered] = field(default_factory=dict)
    templates: dict[str, Templates] = field(default_factory=dict)
    books: dict[str, Array] = field(default_factory=dict)  # (T, kh, kw) float32
    originals: dict[str, Tensor] = field(default_factory=dict)  # constants as they were before a step packed them

    def packed(self, layer: str) -> bool:
        """Whether a step has given the layer a compressed form already."""
        return layer in self.clusters or layer in self.templates

    def exact(self) -> Graph:
        """The graph with the original values of compressed layers: what bias correction aims at."""
        return replace(self.graph, tensors={**self.graph.tensors, **self.originals})

    def with_value(self, name: str, value: Array) -> Model:
        """The model with another value of a constant of the graph; the first value is remembered."""
        old = self.graph.tensors[name]
        new = constant(name, np.asarray(value, np.float32), old.role)
        return replace(
            self,
            graph=replace(self.graph, tensors={**self.graph.tensors, name: new}),
            originals={name: old, **self.originals},
        )

    def with_cluster(self, layer: str, record: cluster.Clustered) -> Model:
        """The model with one layer made of clustered weights."""
        model = self.with_value(self.weights(layer), cluster.reconstruct(record))
        return replace(model, clusters={**model.clusters, layer: record})

    def with_templates(self, layer: str, record: Templates, book: Array) -> Model:
        """The model with one layer made of template kernels."""
        dense = codebook.reconstruct(record.kernels, book)
        depthwise = layer_filters(self.node(layer)).depthwise
        model = self.with_value(self.weights(layer), codebook.to_depthwise(dense) if depthwise else dense)
        return replace(
            model,
            templates={**model.templates, layer: record},
            books={**model.books, record.book: np.asarray(book, np.float32)},
        )

    def weights(self, layer: str) -> str:
        """The name of a layer's weights."""
        return view_of(self.graph, self.node(layer)).weights.name

    def node(self, layer: str) -> Node:
        """The layer's node."""
        return next(node for node in self.graph.nodes if node.name == layer)

    def settled(self, names: Collection[str]) -> Model:
        """The model with what these constants are now as their originals: what they lost has been made up for."""
        return replace(self, originals={name: t for name, t in self.originals.items() if name not in names})

    def retrained(self) -> Model:
        """The model with what it is now as its original: retraining has made up for what the steps before lost."""
        return replace(self, originals={})
