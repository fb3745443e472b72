"""Folds what the source writes as nodes of its own into layers: padding, scales and shifts, activations, reshapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..graph.ir import Array, Graph, Node, Role, Tensor, constant, consumers, producers, prune
from ..graph.source import Reads
from ..ops import filters_of, layer_filters
from ..passes import drop_identity_reshapes, fold_activations, fold_pads

_PADS = ("pad_top", "pad_bottom", "pad_left", "pad_right")


def fold_affine(graph: Graph) -> Graph:
    """Padding, products and sums into the layers; identities of real arithmetic, borders included."""
    graph, _ = fold_pads.run(_as_sums_and_products(_in_pairs(graph)))
    for fold in (_fold_back, _fold_forward):
        while (folded := fold(graph)) is not None:
            graph = folded
    return graph


def _in_pairs(graph: Graph) -> Graph:
    """Sums of any number of tensors as sums of two, from the first on."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if node.op != "add_n":
            nodes.append(node)
            continue
        total, out = node.inputs[0], graph.tensors[node.outputs[0]]
        for i, part in enumerate(node.inputs[1:], 1):
            last = i == len(node.inputs) - 1
            name = node.name if last else f"{node.name}/{i}"
            written = out.name if last else name
            tensors[written] = replace(out, name=written)
            nodes.append(Node("add", name, (total, part), (written,), {"activation": "none"}))
            total = written
        if len(node.inputs) == 1:
            nodes.append(Node("reshape", node.name, (total,), node.outputs, {}))
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _as_sums_and_products(graph: Graph) -> Graph:
    """The difference to a constant as the sum with its negative, a quotient by one as the product with its inverse."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        c = tensors[node.inputs[1]] if node.op in ("sub", "div") else None
        if c is None or c.data is None or tensors[node.inputs[0]].data is not None:
            nodes.append(node)
            continue
        with np.errstate(divide="ignore", over="ignore"):
            value = -c.value if node.op == "sub" else np.float32(1) / c.value
        if not np.isfinite(value).all():  # a division by zero stays one
            nodes.append(node)
            continue
        name = f"{node.name}/{'negative' if node.op == 'sub' else 'inverse'}"
        tensors[name] = constant(name, value, c.role)
        kind = "add" if node.op == "sub" else "mul"
        nodes.append(replace(node, op=kind, inputs=(node.inputs[0], name)))
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def tidy(graph: Graph) -> Graph:
    """Activations into their operators, reshapes that do nothing away, activations named like their nodes."""
    graph, _ = fold_activations.run(graph)
    graph, _ = drop_identity_reshapes.run(graph)
    return _renamed(graph, {node.name: node.name for node in graph.nodes})


def numbered(graph: Graph) -> Graph:
    """Nodes that are named by operator and number counted anew, so that what was folded leaves no gaps."""
    names = {node.name: node.name for node in graph.nodes}
    taken = {node.name for node in graph.nodes if not _is_numbered(node)}
    counts: Counter[str] = Counter()
    for node in graph.nodes:
        if _is_numbered(node):
            while (new := f"{node.op}_{counts[node.op]}") in taken:
                counts[node.op] += 1
            names[node.name] = new
            counts[node.op] += 1
    return _renamed(graph, names)


def _is_numbered(node: Node) -> bool:
    return filters_of(node) is None and re.fullmatch(rf"{node.op}_\d+", node.name) is not None


def _fold_back(graph: Graph) -> Graph | None:
    """One product or sum with a constant into the layer before it; None where there is none left."""
    writers, readers = producers(graph), consumers(graph)
    for node in graph.nodes:
        per_channel = _per_channel(graph, node)
        layer = writers.get(node.inputs[0])
        if per_channel is None or layer is None or filters_of(layer) is None or layer.attrs["activation"] != "none":
            continue
        if len(readers[node.inputs[0]]) > 1 or node.inputs[0] in graph.outputs:
            continue
        weights, bias = (graph.tensors[n] for n in layer.inputs[1:])
        w, c = weights.value.astype(np.float64), bias.value.astype(np.float64)
        values = np.broadcast_to(per_channel, c.shape)
        if node.op == "add":
            c = c + values
        else:
            axis = layer_filters(layer).axis
            w, c = w * values.reshape([-1 if i == axis else 1 for i in range(w.ndim)]), c * values
        merged = replace(
            layer, outputs=node.outputs, attrs={**layer.attrs, "activation": node.attrs.get("activation", "none")}
        )
        return _replaced(graph, node, layer, merged, weights, w, bias, c)
    return None


def _fold_forward(graph: Graph) -> Graph | None:
    """One product or sum with a constant into the layer behind it; None where there is none left.

    A layer pads with zeros behind the sum, so a sum goes only into a layer without padding, whose outputs all see the
    same taps; a product may go into any, because zero times anything is zero.
    """
    readers = consumers(graph)
    for node in graph.nodes:
        per_channel = _per_channel(graph, node)
        if per_channel is None or node.attrs.get("activation", "none") != "none" or node.outputs[0] in graph.outputs:
            continue
        following = readers[node.outputs[0]]
        if len(following) != 1 or filters_of(following[0]) is None:
            continue
        layer = following[0]
        if node.op == "add" and (layer_filters(layer).transposed or any(layer.attrs.get(p, 0) for p in _PADS)):
            continue
        weights, bias = (graph.tensors[n] for n in layer.inputs[1:])
        w, c = weights.value.astype(np.float64), bias.value.astype(np.float64)
        channels = graph.tensors[node.inputs[0]].shape[-1]
        values = np.broadcast_to(per_channel, (channels,))
        if layer_filters(layer).depthwise:
            values = np.repeat(values, w.shape[3] // channels)
        if layer_filters(layer).reads is Reads.GROUP:  # of each filter (oc, 1, 1, ic / groups)
            by_group = values.reshape(-1, w.shape[3])
            values = np.repeat(by_group, w.shape[0] // len(by_group), axis=0)[:, None, None]
        if node.op == "mul":
            w = w * values
        else:
            moved = w * values
            c = c + (moved.sum((0, 1, 2)) if layer_filters(layer).depthwise else moved.reshape(w.shape[0], -1).sum(1))
        merged = replace(layer, inputs=(node.inputs[0], *layer.inputs[1:]))
        return _replaced(graph, node, layer, merged, weights, w, bias, c)
    return None


def _per_channel(graph: Graph, node: Node) -> Array | None:
    """The constant of a sum or product, one value or one for each channel; None where it is anything else."""
    if node.op not in ("add", "mul"):
        return None
    x, other = graph.of(node.inputs)
    if x.data is not None or other.data is None or x.shape != graph.tensors[node.outputs[0]].shape:
        return None
    if other.data.size != (other.shape[-1] if other.shape else 1):
        return None
    return other.data.astype(np.float64).ravel()


def _replaced(
    graph: Graph, gone: Node, layer: Node, merged: Node, weights: Tensor, w: Array, bias: Tensor, c: Array
) -> Graph:
    tensors = dict(graph.tensors)
    for tensor, value, role in ((weights, w, Role.WEIGHTS), (bias, c, Role.BIAS)):
        with np.errstate(over="ignore"):
            data = value.astype(np.float32)
        if not np.isfinite(data).all():
            raise ModelError(f"overflows float32 when {gone.name} is folded into it", where=tensor.name)
        tensors[tensor.name] = constant(tensor.name, data, role)
    nodes = tuple(merged if n.name == layer.name else n for n in graph.nodes if n.name != gone.name)
    return prune(replace(graph, tensors=tensors, nodes=nodes))


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Nodes under new names; their outputs are named like them, their constants `<node>/...`."""
    tensor_names = {}
    for node in graph.nodes:
        for name in node.inputs:
            if graph.tensors[name].data is not None and name.startswith(f"{node.name}/"):
                tensor_names[name] = names[node.name] + name[len(node.name) :]
        tensor_names[node.outputs[0]] = names[node.name]

    def swap(many: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(tensor_names.get(n, n) for n in many)

    tensors = {}
    for name, tensor in graph.tensors.items():
        new = tensor_names.get(name, name)
        tensors[new] = replace(tensor, name=new)
    nodes = tuple(replace(n, name=names[n.name], inputs=swap(n.inputs), outputs=swap(n.outputs)) for n in graph.nodes)
    states = tuple(replace(s, end=swap((s.end,))[0]) for s in graph.states)
    return replace(graph, tensors=tensors, nodes=nodes, outputs=swap(graph.outputs), states=states)
