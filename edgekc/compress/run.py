"""A FLOAT graph, a recipe and data to a QUANTIZED graph with compressed layers: the steps in their order.

Without retraining: what a method loses is what this gives. docs/compression.md says what each step costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .. import recipe as rc
from ..data import Dataset, fit, real_batches, subset, synthetic
from ..emulate import float_reference
from ..errors import UsageError
from ..ir import Array, Graph, Node, Tensor, constant
from ..post_training import post_training
from ..quantize import prepare
from . import cluster, codebook, dominant, gap, lowrank, moments, second_order, substitute

Log = Callable[[str], None]
_MOMENT_SAMPLES = 256  # whose activations weigh the errors of second-order assignment


@dataclass(frozen=True, slots=True)
class Layer:
    """What a step did to a layer's weights."""

    method: str
    relative_error: float  # squared error over the squared norm of the weights
    output_error: float | None  # the same of the layer's outputs, where it is known


@dataclass(frozen=True, slots=True)
class Result:
    graph: Graph  # QUANTIZED
    layers: dict[str, Layer]  # by name, those that a step changed


@dataclass(slots=True)
class _State:
    """The walk through the steps."""

    graph: Graph
    dataset: Dataset
    log: Log
    layers: dict[str, Layer]
    clusters: dict[str, cluster.Clustered]
    fits: dict[str, tuple[codebook.LayerFit, Array]]
    originals: dict[str, Tensor]  # weights and biases as they were before a step packed their layer

    def exact(self) -> Graph:
        """The graph with the original values of packed layers: what bias correction aims at."""
        return replace(self.graph, tensors={**self.graph.tensors, **self.originals})

    def set_value(self, name: str, value: Array) -> None:
        """Give a constant another value, and remember the first one."""
        old = self.graph.tensors[name]
        self.originals.setdefault(name, old)
        new = constant(name, value.astype(np.float32), old.role)
        self.graph = replace(self.graph, tensors={**self.graph.tensors, name: new})


def compress(graph: Graph, recipe: rc.Recipe, dataset: Dataset | None, log: Log = lambda text: None) -> Result:
    """Apply the recipe's steps, quantise what stays dense, and pack what was compressed.

    Args:
        graph: FLOAT.
        dataset: calibration samples; None: synthetic ones, with a warning from the quantiser.

    Raises:
        UsageError: a step that needs what is not given, names no layer, or comes too late.
    """
    graph = prepare(graph)
    settings = recipe.quantize
    samples = (
        dataset if dataset is not None else synthetic(graph, settings.samples, settings.seed, settings.input_range)
    )
    state = _State(graph, fit(samples, graph), log, {}, {}, {}, {})
    for i, step in enumerate(recipe.compress):
        _apply(state, step, f"compress[{i}]")
    if state.layers and settings.equalise != "off":
        log("equalise: off, because it would change weights that are compressed")
        settings = settings.model_copy(update={"equalise": "off"})
    quantized = post_training(state.graph, dataset, settings, log, state.exact())
    for name, record in state.clusters.items():
        quantized = _packed(state, name, quantized, substitute.clustered(quantized, name, record))
    for name, (layer, templates) in state.fits.items():
        quantized = _packed(state, name, quantized, substitute.templated(quantized, name, layer, templates))
    return Result(quantized, state.layers)


def _apply(state: _State, step: rc.Step, where: str) -> None:
    match step:
        case rc.Cluster():
            _cluster(state, step, where)
        case rc.Codebook():
            _codebook(state, step, where)
        case rc.Svd():
            _svd(state, step, where)
        case rc.Dominant():
            _dominant(state, step, where)
        case rc.Gap():
            _gap(state)
        case rc.Prune():
            raise UsageError("pruning needs retraining, which is not there yet", where=where, fix="leave the step out")


def _packed(state: _State, name: str, before: Graph, after: Graph | None) -> Graph:
    if after is not None:
        return after
    state.log(f"{name}: stays dense, it has no packed form")
    state.layers.pop(name)
    return before


def _free(state: _State, patterns: tuple[str, ...], where: str, kinds: set[str]) -> list[Node]:
    """The layers of these kinds that a step names, without those that an earlier step has packed."""
    names = rc.resolve(patterns, state.graph, f"{where}.layers")
    nodes = {node.name: node for node in state.graph.nodes}
    return [nodes[n] for n in names if nodes[n].op in kinds and n not in state.clusters and n not in state.fits]


def _weights(state: _State, node: Node) -> Tensor:
    return state.graph.tensors[node.inputs[1]]


def _cluster(state: _State, step: rc.Cluster, where: str) -> None:
    options = cluster.Options(
        method=step.centers, row_scale=step.row_scale, scale_rounds=step.scale_rounds, seed=step.seed,
        restarts=step.restarts,
    )  # fmt: skip
    for node in _free(state, step.layers, where, set(substitute.CLUSTERED)):
        w = _weights(state, node).value
        if w.size <= 2**step.bits:
            state.log(f"{node.name}: stays dense, {w.size} weights are not more than {2**step.bits} centers")
            continue
        record = cluster.cluster(w, 2**step.bits, options)
        if step.assignment == "second-order":
            # The bias takes the mean of the error, so the assignment has to care for its variance only.
            known = _moments(state, node)
            record = second_order.compensate(w, record, known.covariance, second_order.Options())
            stored = cluster.reconstruct(record).reshape(len(w), -1)
            bias = state.graph.tensors[node.inputs[2]]
            state.set_value(bias.name, bias.value + moments.bias_shift(w.reshape(len(w), -1), stored, known.mean))
        state.clusters[node.name] = record
        state.layers[node.name] = Layer(f"cluster {step.bits} bits", record.relative_error, record.output_error)
        state.set_value(node.inputs[1], cluster.reconstruct(record))


def _moments(state: _State, node: Node) -> moments.Moments:
    """Of a layer's inputs, as the layers before it are by now."""
    chosen = subset(state.dataset, _MOMENT_SAMPLES, 0)
    x = np.concatenate([float_reference.run(state.graph, [b])[node.inputs[0]] for b in real_batches(chosen)])
    return moments.of_layer(state.graph, node, x)


def _codebook(state: _State, step: rc.Codebook, where: str) -> None:
    for key, without in (("train_templates", False), ("reassign", 0), ("coefficient_bits", 16)):
        if getattr(step, key) != without:
            fix = f"leave it at {json.dumps(without)}"
            raise UsageError("needs retraining, which is not there yet", where=f"{where}.{key}", fix=fix)
    nodes = [n for n in _free(state, step.layers, where, {"conv2d"}) if np.prod(_weights(state, n).shape[1:3]) > 1]
    options = codebook.Options(seed=step.seed, restarts=step.restarts, weighting=step.weighting, offset=step.offset)
    groups = [nodes] if step.scope == "network" else [[node] for node in nodes]
    for group in groups:
        if not group:
            continue
        ws = [_weights(state, node).value for node in group]
        kernels = sum(w.shape[0] * w.shape[3] for w in ws)
        most = min(256, kernels // 2)
        if most < 1 or (step.templates or 1) > most:
            state.log(f"{group[0].name}: stays dense, {kernels} kernels are too few for {step.templates} templates")
            continue
        if len({w.shape[1:3] for w in ws}) > 1:
            raise UsageError("layers of different kernel sizes cannot share templates", where=where)
        if step.templates is not None:
            book = codebook.fit(ws, step.templates, options)
        else:
            assert step.error is not None
            book = codebook.fit_to_error(ws, step.error, most, options)
        for node, layer in zip(group, book.layers, strict=True):
            state.fits[node.name] = (layer, book.templates)
            state.layers[node.name] = Layer(f"codebook {len(book.templates)}", layer.relative_error, None)
            state.set_value(node.inputs[1], codebook.reconstruct(layer, book.templates))


def _svd(state: _State, step: rc.Svd, where: str) -> None:
    for node in _free(state, step.layers, where, {"fully_connected", "conv2d"}):
        w = _weights(state, node).value
        if node.op == "conv2d" and w.shape[1:3] != (1, 1):
            continue
        flat = (w.shape[0], w.shape[-1])
        rank = step.rank if step.rank is not None else lowrank.rank_for_energy(w, step.energy or 1.0)
        if not lowrank.reduces(flat, rank):
            state.log(f"{node.name}: stays whole, rank {rank} of {flat[0]}x{flat[1]} would not reduce it")
            continue
        low = lowrank.truncate(w, rank, step.parts)
        state.graph = lowrank.rewrite(state.graph, node.name, low)
        state.log(f"{node.name}: rank {rank} of {min(flat)}, relative error {low.relative_error:.4f}")


def _dominant(state: _State, step: rc.Dominant, where: str) -> None:
    for node in _free(state, step.layers, where, {"conv2d"}):
        w = _weights(state, node).value
        oc, k_h, k_w, ic = w.shape
        if k_h * k_w == 1 or step.rank * ic * (oc + k_h * k_w) >= w.size:
            state.log(f"{node.name}: stays whole, rank {step.rank} would not reduce it")
            continue
        made = dominant.decompose(w, step.rank)
        state.graph = dominant.rewrite(state.graph, node.name, made)
        state.log(f"{node.name}: rank {step.rank}, relative error {made.relative_error:.4f}")


def _gap(state: _State) -> None:
    state.graph, notes = gap.run(state.graph)
    for note in notes:
        state.log(f"gap: {note}")
