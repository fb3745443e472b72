"""What no int8 kernel computes as a quantised source writes it: functions become tables, scales are changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant, producers, prune
from ..graph.op import view_of
from ..ops import floats_of, in_reals, is_function, source_of

Quants = dict[str, Quant | None]
_PADS = ("pad_top", "pad_bottom", "pad_left", "pad_right")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")


def adapted(graph: Graph, quants: Quants, nearest: bool) -> tuple[Graph, Quants]:
    """The graph with tables for functions of one byte, and with QUANTIZE where a kernel needs other scales.

    Args:
        quants: of every tensor, as the source says or as it follows from that; None: the tensor is float.
        nearest: whether levels are those of PyTorch, and not of TensorFlow Lite's kernels.
    """
    quants, tensors, nodes = dict(quants), dict(graph.tensors), list[Node]()
    for node in graph.nodes:
        steps = _function(graph, quants, node, nearest)
        made = [_table(graph, quants, tensors, steps, nearest)] if steps else _same_scale(quants, tensors, node)
        nodes += [_rescaled(quants, tensors, n) if nearest and n.op == "quantize" else n for n in made]
    graph = prune(replace(graph, tensors=tensors, nodes=tuple(_read(nodes, graph.outputs))))
    return graph, {name: quants.get(name) for name in graph.tensors}


def _read(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes without those that nobody reads: steps that became part of a table."""
    kept, read = list[Node](), set(outputs)
    for node in reversed(nodes):
        if not read.isdisjoint(node.outputs):
            kept.append(node)
            read.update(node.inputs)
    return kept[::-1]


def _function(graph: Graph, quants: Quants, last: Node, nearest: bool) -> list[Node]:
    """The steps from one quantised tensor to this quantised one, each a function of single values in float.

    Empty: there are several tensors, or other operators between, or the one step has a kernel of its own.
    """
    out = last.outputs[0]
    if quants[out] is None:
        return []
    writers, steps, sources, numbers, waiting = producers(graph), list[Node](), set[str](), False, [last]
    while waiting:
        node = waiting.pop()
        if not (is_function(node) or node.op in BINARY):
            return []
        if node in steps:
            continue
        steps.append(node)
        for name in node.inputs:
            tensor = graph.tensors[name]
            if tensor.data is not None:
                if tensor.data.size != 1:
                    return []
                numbers = numbers or tensor.quant is None
            elif quants[name] is not None:
                sources.add(name)
            elif name not in writers:
                return []
            else:
                waiting.append(writers[name])
    fixed = floats_of(last).fixed_quant
    clamps = source_of(last).is_activation and sources == {last.inputs[0]} and quants[last.inputs[0]] == quants[out]
    plain = len(steps) == 1 and not numbers and fixed in (None, quants[out]) and (clamps or not nearest)
    if plain or len(sources) != 1 or any(graph.tensors[s].shape != graph.tensors[out].shape for s in sources):
        return []
    return [node for node in graph.nodes if node in steps]


def _table(graph: Graph, quants: Quants, tensors: dict[str, Tensor], steps: list[Node], nearest: bool) -> Node:
    """All steps as one table, rounded once."""
    made = {node.outputs[0] for node in steps}
    inputs = [n for node in steps for n in node.inputs if n not in made and graph.tensors[n].data is None]
    source, last = inputs[0], steps[-1]
    given, wanted = quants[source], quants[last.outputs[0]]
    assert given is not None and wanted is not None
    real = computed(graph, steps, source, every_byte(given))
    if nearest:
        return _tabulated(tensors, last, source, real * np.float32(1 / wanted.scale), wanted)
    return _tabulated(tensors, last, source, real / np.float32(wanted.scale), wanted)


def computed(graph: Graph, steps: Sequence[Node], source: str, values: Array) -> Array:
    """What steps in a row, functions of single values, make of float32 values of the tensor `source`."""
    known: dict[str, Array] = {source: values}
    for node in steps:
        operands = [known[n] if n in known else _number(graph.tensors[n]) for n in node.inputs]
        with np.errstate(all="ignore"):
            known[node.outputs[0]] = in_reals(view_of(graph, node), operands).astype(np.float32)
    return known[steps[-1].outputs[0]]


def _rescaled(quants: Quants, tensors: dict[str, Tensor], node: Node) -> Node:
    """QUANTIZE of int8 as a table, rounded once, as PyTorch computes it."""
    source, (given, wanted) = node.inputs[0], (quants[node.inputs[0]], quants[node.outputs[0]])
    if given is None or wanted is None:
        return node
    return _tabulated(tensors, node, source, every_byte(given) * np.float32(1 / wanted.scale), wanted)


def every_byte(quant: Quant) -> Array:
    """What each byte stands for."""
    bytes_ = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32)
    return np.asarray((bytes_ - np.float32(quant.zero_point)) * np.float32(quant.scale))


def _tabulated(tensors: dict[str, Tensor], node: Node, source: str, levels: Array, wanted: Quant) -> Node:
    name, levels = f"{node.name}/table", np.rint(levels) + wanted.zero_point
    tensors[name] = constant(name, np.clip(np.nan_to_num(levels), -128, 127).astype(np.int8), Role.REQUANT)
    return Node("table", node.name, (source, name), node.outputs, {}, node.source)


def _number(tensor: Tensor) -> Array:
    value = tensor.value.astype(np.float32).ravel()
    return value if tensor.quant is None else (value - np.float32(tensor.q.zero_point)) * np.float32(tensor.q.scale)


def _same_scale(quants: Quants, tensors: dict[str, Tensor], node: Node) -> list[Node]:
    """The node, with QUANTIZE in front of it or behind it where its kernel has no scales of its own."""
    floats, out = source_of(node).floats, node.outputs[0]
    wanted = quants[out]
    if floats is None or wanted is None:
        return [node]

    def other(name: str, quant: Quant) -> str:
        new = f"{name}/{node.name}"
        tensors[new] = replace(tensors[name], name=new)
        quants[new] = quant
        return new

    if floats.fixed_quant is not None and floats.fixed_quant != wanted:
        new = other(out, floats.fixed_quant)
        return [replace(node, outputs=(new,)), Node("quantize", f"{node.name}/scale", (new,), (out,), {}, node.source)]
    read = [n for n in node.inputs[floats.apart :] if tensors[n].data is None]
    given = quants[read[0]] if read else wanted
    if not floats.shares_scale or all(quants[n] in (None, wanted) for n in read):
        return [node]
    if node.op == "average_pool" and not any(node.attrs[p] for p in _PADS):
        return [_as_depthwise(quants, tensors, node)]
    if len(read) == 1 and given is not None:  # behind it: values in front of a mean have the larger range
        new = other(out, given)
        return [replace(node, outputs=(new,)), Node("quantize", f"{node.name}/scale", (new,), (out,), {}, node.source)]
    before, inputs = list[Node](), list(node.inputs[: floats.apart])
    for name in node.inputs[floats.apart :]:
        if tensors[name].data is None and quants[name] not in (None, wanted):
            new = other(name, wanted)
            if all(new not in made.outputs for made in before):
                before.append(Node("quantize", f"{node.name}/scale_{len(before)}", (name,), (new,), {}, node.source))
            name = new
        inputs.append(name)
    return [*before, replace(node, inputs=tuple(inputs))]


def _as_depthwise(quants: Quants, tensors: dict[str, Tensor], node: Node) -> Node:
    """A mean over whole windows as a depthwise convolution with ones, which has scales of its own and rounds once."""
    name, sizes = node.name, (int(node.attrs["filter_h"]), int(node.attrs["filter_w"]))
    channels = tensors[node.inputs[0]].shape[3]
    ones = np.ones((1, *sizes, channels), np.int8)
    quants[f"{name}/weights"] = Quant((float(np.float32(1 / math.prod(sizes))),), (0,))
    tensors[f"{name}/weights"] = constant(f"{name}/weights", ones, Role.WEIGHTS, quants[f"{name}/weights"])
    tensors[f"{name}/bias"] = constant(f"{name}/bias", np.zeros(channels, np.float32), Role.BIAS)
    quants[f"{name}/bias"] = None
    attrs = {key: value for key, value in node.attrs.items() if not key.startswith("filter_")}
    inputs = (node.inputs[0], f"{name}/weights", f"{name}/bias")
    return replace(
        node, op="depthwise", inputs=inputs, attrs={**attrs, "dilation_h": 1, "dilation_w": 1, "activation": "none"}
    )
