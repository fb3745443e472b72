"""A float model with compressed layers to a trainable PyTorch module, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..compression.model import Model
from ..errors import UnsupportedError
from ..graph.ir import Array, Graph, Node, Role, constant
from ..graph.op import view_of
from ..ops import layer_filters, source_of
from . import operators
from .loop import Trainable
from .parameters import Clustered, Dense, TemplateKernels
from .steps_learned import Stepped


class Net(Trainable):
    """The graph as a module. Input (n, *sample shape) real numbers, NHWC; any batch.

    Args:
        model: what to train; a bare FLOAT graph, as `quantize.prepare` returns it, has no compressed layers.
        latent: give compressed layers latent values, so that indices can be chosen anew.
        train_books: names of codebooks that are trained too; the others stay as they are, as in the paper.
        scaling: of the gradients of weights that are rounded to learned steps (`steps_learned.Stepped`).
    """

    def __init__(
        self, model: Model | Graph, *, latent: bool = False, train_books: Collection[str] = (), scaling: float = 0.0
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.source = model if isinstance(model, Model) else Model(model)
        graph = self.source.graph
        if graph.states:
            raise UnsupportedError("a network that keeps a state cannot be trained", where=graph.name)
        self.books = nn.ParameterDict()
        self.layers = nn.ModuleDict()  # weights of a layer
        self.biases = nn.ParameterDict()
        self._keys: dict[str, str] = {}  # layer or codebook -> its key; PyTorch allows no dots
        for name, book in self.source.books.items():
            self.books[self._key(name)] = nn.Parameter(torch.from_numpy(book.copy()), requires_grad=name in train_books)
        for node in graph.nodes:
            if source_of(node).floats is None:
                raise UnsupportedError(f"{node.op} cannot be trained", where=node.name)
            if _has_weights(graph, node):
                self._add_layer(node, latent)
        for name, t in graph.tensors.items():  # constants that are not a layer's: operands of add and mul
            if t.data is not None and name not in self._layer_constants():
                self.register_buffer(self._key(name), torch.from_numpy(np.array(t.value, np.float32)))

    def _add_layer(self, node: Node, latent: bool) -> None:
        model, key, view = self.source, self._key(node.name), view_of(self.source.graph, node)
        before = model.originals.get(view.weights.name, view.weights).value
        start = before if latent else None
        clustered = model.clusters.get(node.name)
        if clustered is not None and clustered.steps:
            self.layers[key] = Stepped(clustered, before, self.scaling)
        elif clustered is not None:
            self.layers[key] = Clustered(clustered, start)
        elif (record := model.templates.get(node.name)) is not None:
            book = self.books[self._key(record.book)]
            self.layers[key] = TemplateKernels(record, book, start, layer_filters(node).depthwise)
        else:
            self.layers[key] = Dense(view.weights.value)
        self.biases[key] = nn.Parameter(torch.from_numpy(np.array(view.bias.value, np.float32)))

    def _key(self, name: str) -> str:
        return self._keys.setdefault(name, f"{len(self._keys)}_{name.replace('.', '_').replace('/', '_')}")

    def _layer_constants(self) -> set[str]:
        graph = self.source.graph
        return {n for node in graph.nodes if _has_weights(graph, node) for n in node.inputs[1:]}

    def forward(self, x: Tensor) -> Tensor:
        """The scores: the output (n, ...) float32, before a softmax that ends the graph."""
        return self.activations(x, ())[self.scores].float()

    @property
    def scores(self) -> str:
        """The activation that `forward` returns."""
        graph = self.source.graph
        last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
        return last.inputs[0] if source_of(last).makes_probabilities else graph.outputs[0]

    def activations(self, x: Tensor, keep: Iterable[str]) -> dict[str, Tensor]:
        """The activations of these names (n, ...), and the scores; a graph's output too if it is named."""
        graph, wanted = self.source.graph, {*keep, self.scores}
        values = {graph.inputs[0]: x}
        left = wanted - set(values)
        for node in graph.nodes:
            if not left:
                break
            values[node.outputs[0]] = self.run_node(node, [values[n] for n in node.inputs if n in values])
            left.discard(node.outputs[0])
        return {name: values[name] for name in wanted}

    def run_node(self, node: Node, inputs: list[Tensor]) -> Tensor:
        """A node's output from its activations; constants are the module's."""
        graph = self.source.graph
        view = view_of(graph, node)
        if _has_weights(graph, node):
            key = self._keys[node.name]
            operands = [*inputs, self.layers[key](), self.biases[key]]
        else:
            given = iter(inputs)
            operands = [
                next(given) if graph.tensors[n].data is None else getattr(self, self._keys[n]) for n in node.inputs
            ]
        return operators.run(node, view, operands)

    @torch.no_grad()
    def reassign(self) -> float:
        """Choose indices anew from latent weights; the largest share of a layer's indices that changed."""
        layers = [layer for layer in self.layers.values() if isinstance(layer, (Clustered, TemplateKernels))]
        return max((layer.reassign() for layer in layers), default=0.0)

    def freeze_indices(self) -> None:
        """From now on indices stay, and gradients go to what is packed alone."""
        for layer in self.layers.values():
            if isinstance(layer, (Clustered, TemplateKernels)):
                layer.settle()

    @torch.no_grad()
    def model(self) -> Model:
        """The trained values as a model: records of compressed layers, and a FLOAT graph."""
        model, graph = self.source, self.source.graph
        books = {name: self.books[self._keys[name]].detach().numpy().copy() for name in model.books}
        tensors, clusters, templates = dict(graph.tensors), dict(model.clusters), dict(model.templates)
        for node in graph.nodes:
            if not _has_weights(graph, node):
                continue
            key, layer = self._keys[node.name], self.layers[self._keys[node.name]]
            weights, bias = node.inputs[1:3]
            if isinstance(layer, (Clustered, Stepped)):
                clusters[node.name] = layer.record()
            elif isinstance(layer, TemplateKernels):
                templates[node.name] = layer.record()
            value = _forward_value(layer)
            tensors[weights] = constant(weights, value, tensors[weights].role)
            tensors[bias] = constant(bias, self.biases[key].detach().numpy().copy(), tensors[bias].role)
        return replace(
            model, graph=replace(graph, tensors=tensors), clusters=clusters, templates=templates, books=books
        )


def _forward_value(layer: nn.Module) -> Array:
    return np.ascontiguousarray(layer().detach().numpy())


def _has_weights(graph: Graph, node: Node) -> bool:
    return any(t.role is Role.BIAS for t in graph.of(node.inputs))
