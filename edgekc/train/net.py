"""A float model with compressed layers to a trainable PyTorch module, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..compression.methods.cluster import Clustered as Clusters
from ..compression.model import Model
from ..errors import UnsupportedError
from ..files.records import dump
from ..graph.ir import Array, Graph, Node, Role, constant
from ..graph.op import view_of
from ..ops import filters_of, layer_filters, source_of
from . import operators
from .loop import Trainable
from .parameters import Clustered, Dense, TemplateKernels
from .steps_learned import Stepped
from .tensors import as_array
from .windows import Inputs, Kept, Walk, Window


class Net(Trainable):
    """The graph as a module. Input (n, *sample shape) real numbers, NHWC; any batch; with states windows of samples.

    Layers that start with the same weights share them: the steps of an unrolled recurrence stay one layer, stored once.

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
        self.books = nn.ParameterDict()
        self.layers = nn.ModuleDict()  # weights of a layer
        self.biases = nn.ParameterDict()
        self._keys: dict[str, str] = {}  # layer or codebook -> its key; PyTorch allows no dots
        self._bias_keys: dict[str, str] = {}  # layer -> the key of its bias
        for name, book in self.source.books.items():
            self.books[self._key(name)] = nn.Parameter(torch.from_numpy(book.copy()), requires_grad=name in train_books)
        self._own: list[str] = []  # trained constants of nodes that are no such layer: filters over time
        firsts: list[Node] = []  # layers with weights of their own
        for node in graph.nodes:
            if source_of(node).floats is None:
                raise UnsupportedError(f"{node.op} cannot be trained", where=node.name)
            if not _has_weights(graph, node):
                self._add_own(node)
                continue
            twin = next((first for first in firsts if same_weights(self.source, first, node)), None)
            if twin is None:
                firsts.append(node)
                self._add_layer(node, latent)
            else:
                self._keys[node.name] = self._keys[twin.name]
            self._add_bias(node, twin)
        trained = {*self._layer_constants(), *self._own}
        for name, t in graph.tensors.items():  # other constants: operands of add and mul
            if t.data is not None and name not in trained:
                self.register_buffer(self._key(name), torch.from_numpy(np.array(t.value, np.float32)))
        self._first: Kept = {s.start: (torch.from_numpy(s.initial.copy()),) for s in graph.states}
        self._walk = Walk()

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

    def _add_bias(self, node: Node, twin: Node | None) -> None:
        value = view_of(self.source.graph, node).bias.value
        if twin is not None and np.array_equal(value, view_of(self.source.graph, twin).bias.value):
            self._bias_keys[node.name] = self._bias_keys[twin.name]
            return
        key = self._bias_keys[node.name] = self._key(node.name if twin is None else f"{node.name}/bias")
        self.biases[key] = nn.Parameter(torch.from_numpy(np.array(value, np.float32)))

    def _add_own(self, node: Node) -> None:
        constants = [t for t in self.source.graph.of(node.inputs) if t.data is not None]
        if any(t.role is Role.BIAS for t in constants):
            self._own += [t.name for t in constants]
            self.layers.update({self._key(t.name): Dense(t.value) for t in constants})

    def _key(self, name: str) -> str:
        return self._keys.setdefault(name, f"{len(self._keys)}_{name.replace('.', '_').replace('/', '_')}")

    def _layer_constants(self) -> set[str]:
        graph = self.source.graph
        return {n for node in graph.nodes if _has_weights(graph, node) for n in node.inputs[1:]}

    def forward(self, x: Inputs) -> Tensor:
        """The scores: the output (n, ...) float32, before a softmax that ends the graph."""
        return self.activations(x, ())[self.scores].float()

    @property
    def scores(self) -> str:
        """The activation that `forward` returns."""
        graph = self.source.graph
        last = next(node for node in graph.nodes if graph.outputs[0] in node.outputs)
        return last.inputs[0] if source_of(last).makes_probabilities else graph.outputs[0]

    def activations(self, x: Inputs, keep: Iterable[str]) -> dict[str, Tensor]:
        """The activations of these names (n, ...), and the scores; a graph's output too if it is named."""
        wanted = {*keep, self.scores}
        first = self._first
        if isinstance(x, Window):
            first = {name: tuple(part.to(x.x.device) for part in parts) for name, parts in first.items()}
        return self._walk.over(x, first, lambda samples, kept: self._step(samples, kept, wanted))

    def _step(self, x: Tensor, kept: Kept, wanted: set[str]) -> tuple[dict[str, Tensor], Kept]:
        graph = self.source.graph
        values = {graph.inputs[0]: x, **{name: parts[0] for name, parts in kept.items()}}
        left = {*wanted, *(s.end for s in graph.states)} - set(values)
        for node in graph.nodes:
            if not left:
                break
            values[node.outputs[0]] = self.run_node(node, [values[n] for n in node.inputs if n in values])
            left.discard(node.outputs[0])
        return {name: values[name] for name in wanted}, {s.start: (values[s.end],) for s in graph.states}

    def run_node(self, node: Node, inputs: list[Tensor]) -> Tensor:
        """A node's output from its activations; constants are the module's."""
        graph = self.source.graph
        view = view_of(graph, node)
        if _has_weights(graph, node):
            key = self._keys[node.name]
            operands = [*inputs, self.layers[key](), self.biases[self._bias_keys[node.name]]]
        else:
            given = iter(inputs)
            operands = [next(given) if graph.tensors[n].data is None else self._constant(n) for n in node.inputs]
        return operators.run(node, view, operands)

    def _constant(self, name: str) -> Tensor:
        key = self._keys[name]
        value: Tensor = self.layers[key]() if key in self.layers else getattr(self, key)
        return value

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
        books = {name: as_array(self.books[self._keys[name]]) for name in model.books}
        tensors, clusters, templates = dict(graph.tensors), dict(model.clusters), dict(model.templates)
        for node in graph.nodes:
            if not _has_weights(graph, node):
                continue
            layer, weights, bias = self.layers[self._keys[node.name]], *node.inputs[1:3]
            if isinstance(layer, (Clustered, Stepped)):
                clusters[node.name] = layer.record()
            elif isinstance(layer, TemplateKernels):
                templates[node.name] = layer.record()
            value = _forward_value(layer)
            tensors[weights] = constant(weights, value, tensors[weights].role)
            tensors[bias] = constant(bias, as_array(self.biases[self._bias_keys[node.name]]), tensors[bias].role)
        for name in self._own:
            tensors[name] = constant(name, _forward_value(self.layers[self._keys[name]]), tensors[name].role)
        return replace(
            model, graph=replace(graph, tensors=tensors), clusters=clusters, templates=templates, books=books
        )


def same_weights(model: Model, first: Node, second: Node) -> bool:
    """Whether two layers are one that is used twice: the same weights, which are more than one value, in the same form.

    Layers on templates have a codebook or pairs of their own, and stay apart.
    """
    one, other = (view_of(model.graph, node).weights for node in (first, second))
    if source_of(first) is not source_of(second) or {first.name, second.name} & model.templates.keys():
        return False
    if not np.array_equal(one.value, other.value) or not np.ptp(one.value):
        return False
    before = [model.originals.get(t.name, t).value for t in (one, other)]
    records = [model.clusters.get(node.name) for node in (first, second)]
    forms = [None if r is None else dump(r, Clusters) for r in records]
    return np.array_equal(before[0], before[1]) and forms[0] == forms[1]


def _forward_value(layer: nn.Module) -> Array:
    return np.ascontiguousarray(layer().detach().cpu().numpy())


def _has_weights(graph: Graph, node: Node) -> bool:
    """A layer of x, weights and bias."""
    return filters_of(node) is not None and any(t.role is Role.BIAS for t in graph.of(node.inputs))
