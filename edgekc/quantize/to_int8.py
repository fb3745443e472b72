"""A FLOAT graph and ranges of its activations to a QUANTIZED graph: int8 tensors, int32 biases, float scales.

Weights are symmetric, one scale a filter; activations have one scale and zero point a tensor; a bias has the
product of its layer's input and weight scale. docs/numerics.md says what happens to these numbers later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Graph, Node, Quant, Role, Stage, State, Tensor, constant, prune
from ..graph.op import view_of
from ..ops import filters_of, floats_of, source_of
from ..ops.quantize import levels_of
from ..ops.shared.floats import LOWEST
from ..passes import drop_identity_reshapes, fold_activations, fold_pads
from .calibrate import Range
from .wide_states import as_bytes

_BIAS_LIMIT = 2.0**30  # half of int32; the other half is the sum's, which `lower` proves


def prepare(graph: Graph) -> Graph:
    """Fold what must not get a quantisation of its own: activations, padding, reshapes. Exact in real numbers.

    Calibrate the graph that this returns, so that a range is what is left after the activation.
    """
    graph = fold_activations.run(graph)[0]
    graph = fold_activations.run(_activate_before_concat(graph))[0]
    return drop_identity_reshapes.run(fold_pads.run(graph)[0])[0]


def _activate_before_concat(graph: Graph) -> Graph:
    """Move a concatenation's activation to its inputs: the kernel copies bytes and clamps none."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        activation = node.attrs.get("activation", "none")
        if activation != "none" and not source_of(node).clamps:
            inputs = []
            for i, name in enumerate(node.inputs):
                new = f"{node.name}_in{i}"
                tensors[new] = replace(tensors[name], name=new)
                nodes.append(Node("relu", new, (name,), (new,), {"activation": activation}))
                inputs.append(new)
            node = replace(node, inputs=tuple(inputs), attrs={**node.attrs, "activation": "none"})
        nodes.append(node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def quantize(graph: Graph, ranges: Mapping[str, Range], inputs: Mapping[str, Quant] | None = None) -> Graph:
    """The QUANTIZED graph.

    Args:
        graph: FLOAT, as `prepare` returns it.
        ranges: of every activation, by name; 0 lies in each.
        inputs: quantisation of graph inputs that is given, not chosen: pixels are 0 to 255 in steps of 1. They
            need no range.

    Raises:
        ModelError: a weight is NaN or infinite, or an activation has no range.
        UnsupportedError: an operator that has no int8 form.
    """
    for node in graph.nodes:
        if source_of(node).floats is None:
            raise UnsupportedError(f"{node.op} cannot be quantised", where=node.name)
    given = dict(inputs or {})
    graph, ranges = as_bytes(graph, ranges)
    graph, copies = _separate_fixed(graph, given)
    ranges = {**ranges, **{new: ranges[old] for new, old in copies.items() if old in ranges}}
    quants = activation_quants(graph, ranges, given)
    counted = _counted(graph)
    tensors: dict[str, Tensor] = {}
    for name, t in graph.tensors.items():
        if t.data is None:
            tensors[name] = Tensor(name, t.shape, "int32" if name in counted else "int8", quants[name])
    for node in graph.nodes:
        if (filters := filters_of(node)) is not None:
            for t in _linear_constants(graph, node, filters.axis, quants):
                tensors[t.name] = t
        elif (own := floats_of(node).constants) is not None:
            tensors.update({t.name: t for t in own(view_of(graph, node), quants)})
        else:
            shared = quants[node.outputs[0]] if floats_of(node).shares_scale else None
            for t in graph.of(node.inputs):
                if t.data is not None:
                    t = _no_lower(graph, node, t, quants)
                    tensors[t.name] = per_tensor_constant(t, shared) if t.value.dtype.kind == "f" else t
    # The order of tensors is that of the source, so that dumps compare.
    tensors = {name: tensors[name] for name in graph.tensors if name in tensors}
    states = tuple(_first_levels(s, quants[s.start]) for s in graph.states)
    return prune(replace(graph, stage=Stage.QUANTIZED, tensors=tensors, states=states))


def _first_levels(state: State, quant: Quant) -> State:
    """What a state starts as, in int8; a wide one has its bytes already."""
    if state.initial.dtype == np.int8:
        return state
    initial = to_int8(state.initial, quant)
    initial.setflags(write=False)
    return replace(state, initial=initial)


def _no_lower(graph: Graph, node: Node, t: Tensor, quants: Mapping[str, Quant]) -> Tensor:
    """A constant that is added; what is far below all sums is no lower than makes them the lowest level."""
    if floats_of(node).masks != "added" or t.value.dtype.kind != "f" or t.value.min() > LOWEST:
        return t
    x = next(quants[name] for name in node.inputs if name in quants)
    out = quants[node.outputs[0]]
    least = out.scale * (-128 - out.zero_point) - x.scale * (127 - x.zero_point)
    return constant(t.name, np.maximum(t.value, np.float32(least)), t.role)


def parameters(low: float, high: float) -> Quant:
    """Scale and zero point of a range, widened to hold 0, which gets a level of its own.

    The scale is a float32 number; the ends move by at most half a step so that 0 falls on a level.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    tiny = float(np.finfo(np.float32).tiny)
    scale = float(np.float32((high - low) / 255.0))
    if scale < tiny:  # nothing but zeros; any scale holds them
        return Quant((1.0 / 256,), (-128 if low == 0.0 else 127,))
    return Quant((scale,), (int(np.clip(round(-128 - low / scale), -128, 127)),))


def activation_quants(graph: Graph, ranges: Mapping[str, Range], given: Mapping[str, Quant]) -> dict[str, Quant]:
    """Scale and zero point of every activation; tensors that must share them get the union of their ranges."""
    groups = _groups(graph)
    fixed: dict[str, Quant] = {groups[name]: quant for name, quant in given.items()}
    counted = _counted(graph)
    for node in graph.nodes:
        floats = floats_of(node)
        if floats.fixed_quant is not None:
            fixed[groups[node.outputs[0]]] = floats.fixed_quant
        if floats.numbers is not None and node.inputs[0] not in counted:
            group, quant = groups[node.inputs[0]], floats.numbers(view_of(graph, node))
            fixed[group] = min(fixed.get(group, quant), quant, key=lambda q: q.zero_point)
    union: dict[str, Range] = _ends_of_constants(graph, groups)
    for name, group in groups.items():
        if group in fixed:
            continue
        if name not in ranges:
            raise ModelError("the activation has no range; it was not calibrated", where=name)
        low, high = union.get(group, (0.0, 0.0))
        union[group] = (min(low, ranges[name][0]), max(high, ranges[name][1]))
    quants = {**{group: parameters(*ends) for group, ends in union.items()}, **fixed}
    return {name: quants[group] for name, group in groups.items()}


def _counted(graph: Graph) -> set[str]:
    """Activations that are int32: whole numbers, also under another shape."""
    found: set[str] = set()
    for node in graph.nodes:
        if floats_of(node).counts or (source_of(node).view and node.inputs[0] in found):
            found.add(node.outputs[0])
    return found


def _ends_of_constants(graph: Graph, groups: Mapping[str, str]) -> dict[str, Range]:
    """By group, the range of the constants that an operator chooses from: not all of them need occur in samples."""
    found: dict[str, Range] = {}
    for node in graph.nodes:
        floats = floats_of(node)
        constants = [np.where(t.value > LOWEST, t.value, 0) for t in graph.of(node.inputs) if t.data is not None]
        if floats.apart and floats.shares_scale and constants:
            group = groups[node.outputs[0]]
            low, high = found.get(group, (0.0, 0.0))
            found[group] = (
                min(low, *(float(value.min()) for value in constants)),
                max(high, *(float(value.max()) for value in constants)),
            )
    return found


def _groups(graph: Graph) -> dict[str, str]:
    """Activation to the first of those that share its quantisation."""
    parent = {name: name for name, t in graph.tensors.items() if t.data is None}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for node in graph.nodes:
        if floats_of(node).shares_scale:
            ends = (*node.inputs[floats_of(node).apart :], *node.outputs)
            one = next(name for name in ends if name in parent)
            for name in ends:
                if name in parent:
                    parent[root(name)] = root(one)
    for state in graph.states:  # a step starts with what the one before it has left
        parent[root(state.end)] = root(state.start)
    return {name: root(name) for name in parent}


def _separate_fixed(graph: Graph, given: Iterable[str]) -> tuple[Graph, dict[str, str]]:
    """As `_separated`, a state being as fixed at its start as at its end."""
    pinned = set(given)
    while True:
        separate, copies, found = _separated(graph, pinned)
        more = {s.start for s in graph.states if s.end in found} - pinned
        if not more:
            return separate, copies
        pinned |= more


def _separated(graph: Graph, given: Iterable[str]) -> tuple[Graph, dict[str, str], set[str]]:
    """Requantise where a tensor of fixed steps (softmax, pixels) meets others in a concatenation or a maximum.

    Sharing would force its steps on the others, 0..1 say, and clip them. Also returns what each new tensor is a copy
    of, in real numbers, and all that has fixed steps.
    """
    pinned, copies = set(given), {}
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        floats, shared = floats_of(node), node.inputs[floats_of(node).apart :]
        activations = [n for n in shared if graph.tensors[n].data is None]
        joins = source_of(node).joins or (floats.shares_scale and len(activations) > 1)
        copies_one = floats.shares_scale and not joins and len(activations) == 1
        if floats.fixed_quant is not None or (copies_one and activations[0] in pinned):
            pinned.update(node.outputs)
        if joins and pinned & set(shared):
            inputs = list(node.inputs[: floats.apart])
            for i, name in enumerate(shared, floats.apart):
                if name in pinned:
                    new = f"{node.name}_requant{i}"
                    tensors[new], copies[new] = replace(tensors[name], name=new), name
                    nodes.append(Node("quantize", new, (name,), (new,), {}))
                    name = new
                inputs.append(name)
            node = replace(node, inputs=tuple(inputs))
        nodes.append(node)
    return replace(graph, tensors=tensors, nodes=tuple(nodes)), copies, pinned


def _linear_constants(graph: Graph, node: Node, axis: int, quants: Mapping[str, Quant]) -> list[Tensor]:
    x, weights, bias = graph.of(node.inputs)
    if weights.data is None or bias.data is None:
        raise UnsupportedError(f"{node.op} with weights that are computed at run time", where=node.name)
    quant = quants[x.name]
    scales = weight_scales(weights, bias.data, quant.scale, axis)
    return [
        quantized_weights(weights, scales, axis),
        quantized_bias(bias, quant.scale, scales),
    ]


def weight_scales(weights: Tensor, bias: Array, x_scale: float, axis: int) -> tuple[float, ...]:
    """One float32 scale for each filter: its largest weight becomes 127.

    A filter whose bias would leave half of int32 gets a coarser scale; one of zeros gets the layer's largest.
    """
    w = weights.value.astype(np.float64)
    if not np.isfinite(w).all() or not np.isfinite(bias).all():
        raise ModelError("holds NaN or infinity", where=weights.name)
    peaks = np.abs(w).max(tuple(a for a in range(w.ndim) if a != axis)) / 127.0
    peaks[peaks == 0] = peaks.max() or 1.0
    least = np.abs(bias.astype(np.float64)) / (x_scale * _BIAS_LIMIT)
    scales = np.maximum(np.maximum(peaks, least), np.finfo(np.float32).tiny).astype(np.float32)
    return tuple(float(s) for s in scales)


def quantized_weights(weights: Tensor, scales: tuple[float, ...], axis: int) -> Tensor:
    """int8 weights of these scales along `axis`, rounded to nearest, within -127..127."""
    shape = [-1 if a == axis else 1 for a in range(len(weights.shape))]
    steps = np.array(scales, np.float64).reshape(shape)
    levels = np.clip(np.round(weights.value / steps), -127, 127).astype(np.int8)
    return constant(weights.name, levels, Role.WEIGHTS, Quant(scales, (0,) * len(scales), axis))


def quantized_bias(bias: Tensor, x_scale: float, scales: tuple[float, ...]) -> Tensor:
    """int32 bias in units of the accumulator, x_scale * weight scale."""
    levels = np.round(bias.value.astype(np.float64) / (x_scale * np.array(scales, np.float64)))
    return constant(bias.name, levels.astype(np.int32), Role.BIAS)


def per_tensor_constant(t: Tensor, shared: Quant | None = None) -> Tensor:
    """A constant operand as int8 with one scale and zero point, those of the activations if `shared` gives them."""
    if not np.isfinite(t.value).all():
        raise ModelError("holds NaN or infinity", where=t.name)
    quant = shared or parameters(float(t.value.min()), float(t.value.max()))
    return constant(t.name, to_int8(t.value, quant), Role.WEIGHTS, quant)


def to_int8(real: Array, quant: Quant) -> Array:
    """Real numbers to int8, as TensorFlow Lite's QUANTIZE: float32 division, halves away from zero, clipped."""
    return levels_of(real, quant.scale, quant.zero_point, "int8")


def to_real(levels: Array, quant: Quant) -> Array:
    """int8 to the real numbers they stand for, float32."""
    return np.float32(quant.scale) * (levels.astype(np.float32) - np.float32(quant.zero_point))
