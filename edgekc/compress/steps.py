"""The steps of a recipe, each a function from `State` to `State`; docs/compression.md says what each costs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import recipe as rc
from ..data import Dataset, real_batches, subset
from ..errors import ToolError, UsageError
from ..graph.ir import Array, Graph, Node, Quant, Tensor
from ..ops import layer_filters
from ..quantize import calibrate
from ..quantize.post_training import calibrated_ranges, input_quant
from ..quantize.to_int8 import quantize
from . import front, substitute
from .changes import Layer, behind, shrunk, split
from .methods import cluster, codebook, dominant, gap, lowrank, moments, pair_assignment, pairs, second_order
from .model import Model, Templates
from .sizes import clustered_bytes, coded_pair_bytes, template_bytes
from .state import Job, State

_MOMENT_SAMPLES = 256  # whose activations weigh the errors of second-order assignment, at least
_SVD_SAMPLES = 2048  # the same of an SVD by outputs, and what no layer gets more than
_ROWS_A_TAP = 4  # windows that moments are taken of, at least: fewer say little of how taps correlate


def samples_wanted(recipe: rc.Recipe) -> int | None:
    """How many samples the recipe makes use of; None: all, because it trains."""
    wanted = recipe.quantize.samples
    for step in recipe.compress:
        match step:
            case rc.Retrain() | rc.Prune():
                return None
            case rc.Cluster(assignment="second-order") | rc.Pairs(assignment="second-order") | rc.Svd(of="outputs"):
                wanted = max(wanted, _SVD_SAMPLES)
            case rc.Dominant(fit="responses"):
                wanted = max(wanted, step.samples)
    return wanted


# What a step needs beyond the core: module, the package's name, and how to install it.
_TORCH = ("torch", "PyTorch", "pip install 'edgekc[torch]'")
_SKLEARN = ("sklearn", "scikit-learn", "pip install 'edgekc[compress]'")
_PACKAGES = {"retrain": _TORCH, "prune": _TORCH, "pairs": _SKLEARN}


def check_possible(recipe: rc.Recipe, dataset: Dataset | None) -> None:
    """Refuses, before hours of work, what a later step could not do.

    Raises:
        UsageError: a pruning step whose samples have no labels.
        ToolError: a step that needs a package which is not installed.
    """
    for i, step in enumerate(recipe.compress):
        if isinstance(step, rc.Prune) and dataset is not None:
            _ = dataset.labels
        module, package, fix = _PACKAGES.get(step.method, ("", "", ""))
        if module and importlib.util.find_spec(module) is None:
            raise ToolError(f"method {step.method} needs {package}", where=f"compress[{i}]", fix=fix)


def apply(job: Job, state: State, step: rc.Step, where: str, training: Path | None) -> State:
    match step:
        case rc.Cluster():
            return _cluster(job, state, step, where)
        case rc.Codebook():
            return _codebook(job, state, step, where)
        case rc.Pairs():
            return _pairs(job, state, step, where)
        case rc.Retrain():
            return _retrain(job, state, step, where, training)
        case rc.Svd():
            return _svd(job, state, step, where)
        case rc.Dominant():
            return _dominant(job, state, step, where)
        case rc.Gap():
            return _gap(job, state)
        case rc.Prune():
            return _prune(job, state, step, where)


def device_graph(job: Job, model: Model, ranges: dict[str, calibrate.Range]) -> Graph:
    """The QUANTIZED graph of a model with dense weights, activations having these ranges."""
    return quantize(model.graph, ranges, _given(job))


def _given(job: Job) -> dict[str, Quant]:
    given = input_quant(job.samples) if job.dataset is not None else None
    return {} if given is None else {job.source.inputs[0]: given}


def _free(state: State, patterns: tuple[str, ...], where: str, kinds: set[str]) -> list[Node]:
    """The layers of these kinds that a step names, without those that an earlier step has packed."""
    graph = state.model.graph
    names = rc.resolve(patterns, graph, f"{where}.layers")
    nodes = {node.name: node for node in graph.nodes}
    return [nodes[n] for n in names if nodes[n].op in kinds and not state.model.packed(n)]


def _packable(job: Job, state: State, step: rc.Cluster | rc.Codebook, where: str, kinds: Iterable[str]) -> list[Node]:
    """As `_free`, without the depthwise layers that only a pattern matches, unless the step is for those too."""
    found = _free(state, step.layers, where, set(kinds))
    skipped = [n.name for n in found if layer_filters(n).depthwise and not step.depthwise and n.name not in step.layers]
    for name in skipped:
        job.log(f"{name}: left as it is by {where}, which takes depthwise layers by name or with depthwise = true")
    return [n for n in found if n.name not in skipped]


def _weights(state: State, node: Node) -> Tensor:
    return state.model.graph.tensors[node.inputs[1]]


def _with_graph(state: State, graph: Graph) -> State:
    return replace(state, model=replace(state.model, graph=graph))


def _cluster(job: Job, state: State, step: rc.Cluster, where: str) -> State:
    options = cluster.Options(
        method=step.centers, row_scale=step.row_scale, scale_rounds=step.scale_rounds, seed=step.seed,
        restarts=step.restarts,
    )  # fmt: skip
    model, layers = state.model, dict(state.layers)
    nodes = _packable(job, state, step, where, substitute.CLUSTERED)
    ahead = _front(job, model.graph, nodes, _MOMENT_SAMPLES) if step.assignment == "second-order" else None
    for node in nodes:
        w, axis = _weights(state, node).value, layer_filters(node).axis
        if (size := clustered_bytes(w.size, step.bits)) >= w.size:
            job.log(f"note: {node.name}: stays dense, {step.bits}-bit indices and centers take {_versus(size, w.size)}")
            continue
        record = cluster.cluster(w, 2**step.bits, replace(options, channel_axis=axis))
        if ahead is not None:
            # The bias takes the mean of the error, so the assignment has to care for its variance only.
            ahead = front.advance(ahead, model.graph, node.inputs[0])
            known = moments.of_layer(model.graph, node, ahead.values[node.inputs[0]])
            record = second_order.compensate(w, record, known.covariance, second_order.Options())
            rows, stored = (cluster.to_rows(each, axis) for each in (w, cluster.reconstruct(record)))
            bias = model.graph.tensors[node.inputs[2]]
            moved = bias.value + moments.bias_shift(rows, stored, known.mean)
            model = model.with_value(bias.name, moved)
        model = model.with_cluster(node.name, record)
        method = behind(layers, node.name, f"cluster {step.bits} bits")
        layers[node.name] = Layer(method, record.relative_error, record.output_error)
    return replace(state, model=model, layers=layers)


def _front(job: Job, graph: Graph, nodes: list[Node], count: int) -> front.Front:
    """In front of these layers, with `count` samples, or more where a layer sees few windows a sample."""
    for node in nodes:
        shape, windows = graph.tensors[node.inputs[1]].shape, int(np.prod(graph.tensors[node.outputs[0]].shape[1:-1]))
        taps = int(np.prod(shape)) // shape[layer_filters(node).axis]
        count = max(count, min(-(-_ROWS_A_TAP * taps // windows), _SVD_SAMPLES))
    return front.start(graph, subset(job.samples, count, 0))


def _codebook(job: Job, state: State, step: rc.Codebook, where: str) -> State:
    nodes = _packable(job, state, step, where, substitute.TEMPLATED)
    nodes = [node for node in nodes if np.prod(_weights(state, node).shape[1:3]) > 1]
    options = codebook.Options(seed=step.seed, restarts=step.restarts, weighting=step.weighting, offset=step.offset)
    groups = [nodes] if step.scope == "network" else [[node] for node in nodes]
    model, layers, trained = state.model, dict(state.layers), set(state.train_books)
    for group in filter(None, groups):
        ws = [_kernels(state, node) for node in group]
        kernels = sum(w.shape[0] * w.shape[3] for w in ws)
        most = min(256, kernels // 2)
        if most < 1 or (step.templates or 1) > most:
            wanted = f"{step.templates or 'any'} templates"
            job.log(f"note: {_names(group)}: stays dense, {kernels} kernels are too few for {wanted}")
            continue
        if len({w.shape[1:3] for w in ws}) > 1:
            raise UsageError("layers of different kernel sizes cannot share templates", where=where)
        if step.templates is not None:
            book = codebook.fit(ws, step.templates, options)
        else:
            assert step.error is not None
            book = codebook.fit_to_error(ws, step.error, most, options)
        dense, each = sum(w.size for w in ws), [w.shape[0] * w.shape[3] for w in ws]
        size = template_bytes(each, book.templates[0].size, len(book.templates), _pair_bits(job, step, group[0]))
        if size >= dense:
            job.log(f"note: {_names(group)}: stays dense, {len(book.templates)} templates take {_versus(size, dense)}")
            continue
        name = f"{group[0].name}/book"
        trained.update({name} if step.train_templates else ())
        for node, layer in zip(group, book.layers, strict=True):
            model = model.with_templates(node.name, Templates(layer, name, None), book.templates)
            method = behind(layers, node.name, f"codebook {len(book.templates)}")
            layers[node.name] = Layer(method, layer.relative_error, None)
    return replace(state, model=model, layers=layers, train_books=frozenset(trained))


def _pair_bits(job: Job, step: rc.Codebook, node: Node) -> int | None:
    """Bits of the indices that a later step gives a layer's pairs; None: each kernel has its own pair."""
    later = job.recipe.compress[job.recipe.compress.index(step) + 1 :]
    found = [s.bits for s in later if isinstance(s, rc.Pairs) and rc.matches(s.layers, node.name)]
    return found[0] if found else None


def _versus(size: int, dense: int) -> str:
    return f"{size} bytes, dense weights {dense}"


def _names(group: list[Node]) -> str:
    return ", ".join(node.name for node in group)


def _kernels(state: State, node: Node) -> Array:
    """A convolution's weights (oc, kh, kw, ic), ic being 1 in a depthwise one."""
    w = _weights(state, node).value
    return codebook.from_depthwise(w) if layer_filters(node).depthwise else w


def _pairs(job: Job, state: State, step: rc.Pairs, where: str) -> State:
    model, layers = state.model, dict(state.layers)
    chosen = [n for n in rc.resolve(step.layers, model.graph, f"{where}.layers") if n in model.templates]
    if not chosen:
        fix = "put a codebook step before it"
        raise UsageError("no layer that it names is made of templates", where=where, fix=fix)
    ahead: front.Front | None = None
    for name in chosen:
        model = _canonical(model, model.templates[name].book)
        record = model.templates[name]
        kernels = record.fit.index.size
        if record.pairs is not None or coded_pair_bytes(kernels, step.bits) >= 4 * kernels:
            job.log(f"note: {name}: its {kernels} pairs stay, {step.bits}-bit indices would not reduce them")
            continue
        nearest = pairs.cluster(record.fit, model.books[record.book][0].size, 2**step.bits, step.seed)
        before, error = _original(model, name), None
        node = model.node(name)
        if step.assignment == "second-order" and layer_filters(node).dense_window:
            ahead = ahead or _front(job, model.graph, [model.node(n) for n in chosen], _MOMENT_SAMPLES)
            ahead = front.advance(ahead, model.graph, node.inputs[0])
            known = moments.of_layer(model.graph, node, ahead.values[node.inputs[0]])
            model, error = _compensated_pairs(model, name, nearest, before, known)
        else:
            if step.assignment == "second-order":
                job.log(f"note: {name}: its pairs are the nearest ones, second-order is for convolutions")
            free = np.stack([record.fit.a, record.fit.b], -1)
            model = _with_pairs(model, name, record.fit.index, nearest, free)
        off = model.graph.tensors[model.weights(name)].value - before
        missed = float(np.square(off).sum() / max(np.square(before).sum(), 1e-300))
        layers[name] = Layer(behind(layers, name, f"pairs {step.bits} bits"), missed, error)
    return replace(state, model=model, layers=layers)


def _with_pairs(model: Model, layer: str, index: Array, chosen: pairs.Pairs, free: Array | None) -> Model:
    record = model.templates[layer]
    a, b = chosen.expanded()
    fitted = replace(record.fit, index=index, a=a, b=b)
    return model.with_templates(layer, Templates(fitted, record.book, chosen, free), model.books[record.book])


def _compensated_pairs(
    model: Model, layer: str, nearest: pairs.Pairs, before: Array, known: moments.Moments
) -> tuple[Model, float | None]:
    """The model with a convolution's templates and pairs chosen for its outputs' sake, and what these miss."""
    record, node = model.templates[layer], model.node(layer)
    found = pair_assignment.compensate(
        before, model.books[record.book], record.fit.index, nearest, known.covariance, pair_assignment.Options()
    )
    model = _with_pairs(model, layer, found.index, found.pairs, None)
    oc, stored = len(before), model.graph.tensors[model.weights(layer)].value
    bias = model.graph.tensors[node.inputs[2]]
    moved = bias.value + moments.bias_shift(before.reshape(oc, -1), stored.reshape(oc, -1), known.mean)
    return model.with_value(bias.name, moved), found.output_error


def _canonical(model: Model, book: str) -> Model:
    """The model with one codebook of zero-mean templates of norm 1, where no layer of it has its pairs yet."""
    sharing = {name: record for name, record in model.templates.items() if record.book == book}
    if any(record.pairs is not None for record in sharing.values()):
        return model
    templates = model.books[book]
    for name, record in sharing.items():
        same = replace(record, fit=pairs.canonical(record.fit, templates))
        model = model.with_templates(name, same, pairs.normalised(templates))
    return model


def _original(model: Model, layer: str) -> Array:
    name = model.weights(layer)
    return model.originals.get(name, model.graph.tensors[name]).value


def _retrain(job: Job, state: State, step: rc.Retrain, where: str, training: Path | None) -> State:
    from ..train.retrain import retrain  # needs PyTorch

    ranges = state.ranges
    if step.arithmetic == "device" and ranges is None:
        settings = job.recipe.quantize
        chosen = subset(job.samples, settings.samples, settings.seed)
        ranges = calibrated_ranges(state.model.graph, chosen, settings)
    elif step.arithmetic == "float":
        ranges = None  # weights change, and with them the ranges

    def quantized(model: Model) -> Graph:
        assert ranges is not None
        return substitute.pack_layers(model, device_graph(job, model, ranges))[0]

    model = retrain(job, state, step, where, quantized if step.arithmetic == "device" else None, training)
    return replace(state, model=model.retrained(), ranges=ranges)


def _prune(job: Job, state: State, step: rc.Prune, where: str) -> State:
    if packed := sorted({**state.model.clusters, **state.model.templates}):
        fix = "put the prune step in front of those that pack layers"
        raise UsageError(f"{packed[0]} is packed already and cannot lose filters", where=where, fix=fix)
    if job.dataset is None:
        raise UsageError("pruning needs labelled samples", where=where, fix="pass --data, or leave the step out")

    from ..train import pruning  # needs PyTorch
    from ..train.retrain import retrain

    def fine_tune(graph: Graph) -> Graph:
        return retrain(job, State(Model(graph)), step.fine_tuning, where, None, None).graph

    made = pruning.run(state.model.graph, step, where, job.samples, fine_tune, job.log)
    after = replace(state, model=Model(made.graph), ranges=None)
    method = f"prune to {step.keep:.0%} of all {step.measure}"
    return replace(after, layers=shrunk(state.layers, state.model.graph, made.graph, method))


def _svd(job: Job, state: State, step: rc.Svd, where: str) -> State:
    nodes = _free(state, step.layers, where, {"fully_connected", "conv2d"})
    nodes = [n for n in nodes if not layer_filters(n).window or _weights(state, n).shape[1:3] == (1, 1)]
    ahead = _front(job, state.model.graph, nodes, _SVD_SAMPLES) if step.of == "outputs" else None
    for node in nodes:
        w = _weights(state, node).value
        flat, known = (w.shape[0], w.shape[-1]), None
        if ahead is not None:
            ahead = front.advance(ahead, state.model.graph, node.inputs[0])
            known = moments.of_layer(state.model.graph, node, ahead.values[node.inputs[0]])
        moment = None if known is None else known.covariance
        rank = step.rank if step.rank is not None else lowrank.rank_for_energy(w, step.energy or 1.0, moment)
        if not lowrank.reduces(flat, rank):
            job.log(f"note: {node.name}: stays whole, rank {rank} of {flat[0]}x{flat[1]} would not reduce it")
            continue
        low = lowrank.truncate(w, rank, step.parts, moment)
        if known is not None:
            bias = state.model.graph.tensors[node.inputs[2]]
            moved = bias.value + moments.bias_shift(w.reshape(flat), lowrank.product(low.factors), known.mean)
            state = replace(state, model=state.model.with_value(bias.name, moved).retrained())
        graph = lowrank.rewrite(state.model.graph, node.name, low)
        done = Layer(f"svd rank {rank}", low.relative_error, low.output_error)
        layers = split(state.layers, state.model.graph, graph, done)
        state = replace(_with_graph(state, graph), layers=layers)
        error = low.relative_error if low.output_error is None else low.output_error
        job.log(f"{node.name}: rank {rank} of {min(flat)}, relative error of {step.of} {error:.4f}")
    return state


def _dominant(job: Job, state: State, step: rc.Dominant, where: str) -> State:
    before, x = state.model.graph, np.zeros(0)
    if step.fit == "responses":
        x = np.concatenate(list(real_batches(subset(job.samples, step.samples, step.seed))))
    for node in _free(state, step.layers, where, {"conv2d"}):
        w = _weights(state, node).value
        oc, k_h, k_w, ic = w.shape
        if k_h * k_w == 1 or step.rank * ic * (oc + k_h * k_w) >= w.size:
            job.log(f"note: {node.name}: stays whole, rank {step.rank} would not reduce it")
            continue
        made = dominant.decompose(w, step.rank)
        graph, missed = dominant.rewrite(state.model.graph, node.name, made), ""
        if step.fit == "responses":
            graph, error = dominant.fit_responses(graph, node.name, dominant.responses(before, node.name, x), x)
            missed = f", {error:.4f} of the responses"
        layers = split(
            state.layers, state.model.graph, graph, Layer(f"dominant rank {step.rank}", made.relative_error, None)
        )
        state = replace(_with_graph(state, graph), layers=layers)
        job.log(f"{node.name}: rank {step.rank}, relative error {made.relative_error:.4f}{missed}")
    return state


def _gap(job: Job, state: State) -> State:
    graph, notes = gap.run(state.model.graph)
    for note in notes:
        job.log(f"gap: {note}")
    return replace(_with_graph(state, graph), layers=shrunk(state.layers, state.model.graph, graph, "gap"))
