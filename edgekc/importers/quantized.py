"""Pairs of quantise and dequantise, of ONNX and of PyTorch: scales and zero points of a QUANTIZED graph's tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant, consumers, producers, prune
from ..ops import filters_of, floats_of, source_of
from ..ops.compare import TRUTH
from ..ops.shared.anchored import NEAREST, fine
from ..passes import fold_activations
from ..quantize.to_int8 import per_tensor_constant
from . import curves, rescale, wide
from . import order as od
from .builder import Builder
from .finish import fold_affine, numbered, tidy
from .value import Value, constant_value, real

_MEANS = ("average_pool", "resize_bilinear")  # they share scales, but their outputs are new values


def _copies(node: Node) -> bool:
    """Whether every output byte of a node is one of its input, so that the two share scale and zero point."""
    floats = source_of(node).floats
    alone = not source_of(node).joins and node.op not in ("maximum", "minimum", *_MEANS)
    return floats is not None and floats.shares_scale and not floats.apart and alone


def parameters(b: Builder, scale: Value, zero: Value | None, axis: int, rank: int, signed: bool) -> Quant:
    """Scale and zero point as constants say them; those of uint8 are shifted to int8."""
    if scale.data is None or (zero is not None and zero.data is None):
        raise b.unsupported("a scale or zero point that is computed at run time", "constants")
    scales = np.asarray(scale.data, np.float32).ravel()
    if not np.isfinite(scales).all() or (scales <= 0).any():
        raise b.wrong("a scale is not a positive finite number")
    points = np.zeros(scales.size, np.int64)
    if zero is not None:
        assert zero.data is not None
        if zero.data.size != scales.size:
            raise b.wrong(f"{scales.size} scales and {zero.data.size} zero points")
        points = zero.data.astype(np.int64).ravel()
    if not signed:
        points = points - 128
    if scales.size > 1 and not -rank <= axis < rank:
        raise b.wrong(f"axis {axis} does not exist in {rank} dimensions")
    return Quant(tuple(scales.tolist()), tuple(points.tolist()), axis % rank if scales.size > 1 else 0)


def quantize(b: Builder, x: Value, scale: Value, zero: Value | None, axis: int, dtype: str) -> Value:
    """The levels of a tensor, as a tensor of its own until `_stated`; of a constant, its integers."""
    if dtype not in ("int8", "uint8"):
        raise b.unsupported(f"quantisation to {dtype}", "int8, uint8")
    quant = parameters(b, scale, zero, axis, len(x.shape), dtype == "int8")
    if x.data is not None:
        return _constant(b, x, quant)
    if len(quant.scales) > 1:
        raise b.unsupported("an activation with a scale for each channel", "one scale")
    tensor = b.tensors[x.name]
    if tensor.quant == quant:
        return replace(x, settled=True)
    for node in b.nodes:  # the same levels of the same tensor
        if node.op == "quantize" and node.inputs == (x.name,) and b.tensors[node.outputs[0]].quant == quant:
            return replace(x, name=node.outputs[0], settled=True)
    out = b.emit("quantize", (x.name,), {}, tensor.shape, x.shape, x.order)
    b.tensors[out.name] = replace(b.tensors[out.name], quant=quant)
    return replace(out, settled=True)


def _constant(b: Builder, x: Value, quant: Quant) -> Value:
    data = real(x)
    if not np.isfinite(data).all():
        raise b.wrong(f"the constants of tensor {x.source!r} hold NaN or infinity")
    scales, points = np.array(quant.scales), np.array(quant.zero_points)
    if scales.size > 1:
        if data.shape[quant.axis] != scales.size:
            raise b.wrong(f"{scales.size} scales for shape {list(data.shape)}")
        shape = [-1 if i == quant.axis else 1 for i in range(data.ndim)]
        scales, points = scales.reshape(shape), points.reshape(shape)
    levels = np.clip(np.rint(data / scales) + points, -128, 127).astype(np.int8)
    return constant_value(levels, x.source, quant)


def dequantize(b: Builder, x: Value, scale: Value, zero: Value | None, axis: int) -> Value:
    """Of a constant, integers with their scale; of an activation, the same bytes."""
    if x.data is None:
        x = x if x.settled else _moved(b, x)
        if not x.settled:
            raise b.unsupported("integers that nothing quantised", "those behind QuantizeLinear or quantize_per_tensor")
        signed = zero is None or zero.data is None or zero.data.dtype != np.uint8
        if parameters(b, scale, zero, axis, len(x.shape), signed) != b.tensors[x.name].quant:
            raise b.unsupported(
                "a scale other than that with which the tensor was quantised", "the same scale and zero point"
            )
        return x
    if x.quant is not None:
        return x if b.quantized else _as_float(x)  # a constant that this file quantised itself
    data = x.data
    if data.dtype.name not in ("int8", "uint8", "int32"):
        raise b.unsupported(f"constant {x.source!r} of type {data.dtype}", "int8, uint8, int32")
    quant = parameters(b, scale, zero, axis, data.ndim, data.dtype != np.uint8)
    if len(quant.scales) > 1 and data.shape[quant.axis] != len(quant.scales):
        raise b.wrong(f"{len(quant.scales)} scales for shape {list(data.shape)}")
    if data.dtype == np.uint8:
        data = (data.astype(np.int16) - 128).astype(np.int8)
    found = constant_value(data, x.source, quant)
    return found if b.quantized else _as_float(found)


def _moved(b: Builder, x: Value) -> Value:
    """A tensor of integers that operators which copy bytes made of a quantised one: settled, with its scale."""
    writers = {node.outputs[0]: node for node in b.nodes}
    names = [x.name]
    while b.tensors[names[-1]].quant is None and names[-1] in writers and _copies(writers[names[-1]]):
        names.append(writers[names[-1]].inputs[0])
    quant = b.tensors[names[-1]].quant
    for name in names[:-1]:
        b.tensors[name] = replace(b.tensors[name], quant=quant)
    return x if quant is None else replace(x, settled=True)


def _as_float(x: Value) -> Value:
    """Of a model whose weights alone are integers: what they stand for, as a float model has it."""
    return constant_value(real(x).astype(np.float32), x.source)


def settled_or_folded(b: Builder, graph: Graph, nearest: bool = False) -> Graph:
    """What an importer has read, finished: all scales of a quantised graph, folded affine nodes of a float one."""
    return numbered(tidy(settle(graph, b.places, nearest) if b.quantized else fold_affine(graph)))


def settle(graph: Graph, places: dict[str, str], nearest: bool) -> Graph:
    """Every activation int8 with a scale, every bias int32 with the product of its scales.

    Args:
        places: where in the source each tensor comes from, for errors.
        nearest: whether the levels nearest to the real values are asked for, not those of TensorFlow Lite.

    Raises:
        UnsupportedError: a tensor has no QuantizeLinear, and none can be derived.
    """
    graph = _stated(graph, places)
    quants = {name: t.quant for name, t in graph.tensors.items()}
    _spread(graph, quants)
    ranges = _added(graph, quants)
    if ranges and not nearest:
        quants.update({name: _over(*each) for name, each in ranges.items()})
        _spread(graph, quants)
    if nearest:  # before sums become int16: what follows is QUANTIZE, which has no activation
        stated = {name: replace(t, quant=quants[name]) for name, t in graph.tensors.items()}
        graph, _ = fold_activations.run(replace(graph, tensors=stated))
    graph, quants = wide.widened(*rescale.adapted(graph, quants, nearest), ranges)
    tensors = {}
    for name, tensor in graph.tensors.items():
        quant = quants[name]
        if tensor.role is Role.ACTIVATION:
            if quant is None:
                raise UnsupportedError(
                    "its output is float in a quantised model; supported: QuantizeLinear or quantize_per_tensor behind "
                    "every operator",
                    where=places.get(name, graph.name),
                    fix="quantise the whole model to int8, or compress the float model",
                )
            if not -128 <= quant.zero_point <= 127:
                raise ModelError(f"zero point {quant.zero_point} is out of range", where=places.get(name, graph.name))
            tensor = replace(tensor, dtype="int16" if tensor.dtype == "int16" else "int8", quant=quant)
        tensors[name] = tensor
    graph = replace(graph, tensors=tensors)
    for node in graph.nodes:
        if filters_of(node) is not None:
            tensors[node.inputs[2]] = _bias(graph, node, places, nearest)
        tensors.update({t.name: t for t in _compared(graph, node)})
    nodes = [replace(n, attrs={**n.attrs, NEAREST: 1}) if nearest and rounds(n) else n for n in graph.nodes]
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _stated(graph: Graph, places: dict[str, str]) -> Graph:
    """Levels as the quantisation of the tensor that they are of, where nothing reads its real values.

    Raises:
        UnsupportedError: an input has other readers beside, which take its real values or other levels.
    """
    readers, tensors, nodes = consumers(graph), dict(graph.tensors), list[Node]()
    names: dict[str, str] = {}
    for node in graph.nodes:
        source, levels = node.inputs[0], node.outputs[0]
        if node.op != "quantize" or tensors[source].quant is not None:
            nodes.append(replace(node, inputs=tuple(names.get(n, n) for n in node.inputs)))
        elif len(readers[source]) == 1 and source not in graph.outputs:
            tensors[source], names[levels] = replace(tensors[source], quant=tensors[levels].quant), source
        elif source in graph.inputs:
            raise UnsupportedError(
                "an input that is read quantised by one operator, and otherwise by another; supported: one scale and "
                "zero point for all that read an input",
                where=places.get(source, graph.name),
                fix="quantise the input once, in front of all that read it",
            )
        else:
            nodes.append(node)
    outputs = tuple(names.get(n, n) for n in graph.outputs)
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes), outputs=outputs))


def rounds(node: Node) -> bool:
    """Whether its kernel rounds as TensorFlow Lite does, unless it is asked for the nearest level."""
    return node.op in ("mean", "mul", "average_pool") or filters_of(node) is not None


def _spread(graph: Graph, quants: dict[str, Quant | None]) -> None:
    """Scales across operators that copy bytes, both ways, and back over a clamp, which then is exact.

    An output of the graph that the source leaves in float gets what its operator's kernel fixes; so do answers.
    """
    readers = consumers(graph)
    changed = True
    while changed:
        changed = False
        for node in graph.nodes:
            source, target = node.inputs[0], node.outputs[0]
            alone = len(readers[source]) == 1 and source not in graph.outputs
            if quants[target] is None and quants[source] is not None and _copies(node):
                quants[target], changed = quants[source], True
            elif (
                quants[source] is None and quants[target] is not None and alone and (_copies(node) or node.op == "relu")
            ):
                quants[source], changed = quants[target], True
            elif quants[target] is None and (fixed := _fixed(graph, quants, node)) is not None:
                quants[target], changed = fixed, True
            elif _joins(node) and _joined(graph, quants, readers, node):
                changed = True


def _joins(node: Node) -> bool:
    """Whether every output byte is one of some input of many."""
    floats = source_of(node).floats
    return source_of(node).joins and floats is not None and floats.shares_scale


def _joined(graph: Graph, quants: dict[str, Quant | None], readers: dict[str, list[Node]], node: Node) -> bool:
    """What is joined and then quantised is quantised so by itself; a model's output holds the values of all parts."""
    target = node.outputs[0]
    parts, quant = [n for n in node.inputs if graph.tensors[n].data is None], quants[target]
    if quant is not None:
        free = [n for n in parts if quants[n] is None and len(readers[n]) == 1 and n not in graph.outputs]
        quants.update(dict.fromkeys(free, quant))
        return bool(free)
    given = [q for n in parts if (q := quants[n]) is not None]
    if target not in graph.outputs or len(given) < len(parts):
        return False
    low, high = (f(e) for f, e in zip((min, max), zip(*map(curves.ends, given), strict=True), strict=True))
    quants[target] = given[0] if len(set(given)) == 1 else _over(low, high)
    return True


def _added(graph: Graph, quants: dict[str, Quant | None]) -> dict[str, curves.Range]:
    """Ranges of layers whose float output is added to a quantised tensor before anything quantises it.

    Exporters fuse the two. Beyond the range taken here the sum lies beyond that of its own levels, whatever is added,
    so that clamping the layer's output changes nothing. In int8 its rounding moves the sum by half a level of it.
    """
    writers, readers, found = producers(graph), consumers(graph), dict[str, curves.Range]()
    for node in graph.nodes:
        out = quants[node.outputs[0]]
        if node.op != "add" or out is None:
            continue
        for name, other in (node.inputs, node.inputs[::-1]):
            writer, added = writers.get(name), quants[other]
            alone = len(readers[name]) == 1 and name not in graph.outputs
            if quants[name] is None and added is not None and alone and writer and filters_of(writer):
                (low, high), (least, most) = curves.ends(out), curves.ends(added)
                found[name] = low - most, high - least
                break
    return found


def _over(low: float, high: float) -> Quant:
    """The levels of a range that holds 0."""
    scale = float(np.float32((high - low) / 255))
    return Quant((scale,), (int(np.clip(-128 - round(low / scale), -128, 127)),))


def _fixed(graph: Graph, quants: dict[str, Quant | None], node: Node) -> Quant | None:
    """What the output's scale must be, of what is true or false and of the graph's outputs; None: it may be any."""
    floats, out = floats_of(node), node.outputs[0]
    if floats.fixed_quant == TRUTH or out in graph.outputs:
        return floats.fixed_quant
    chosen = [n for n in node.inputs[floats.apart :] if graph.tensors[n].data is None]
    return TRUTH if floats.apart and chosen and all(quants[n] == TRUTH for n in chosen) else None


def _compared(graph: Graph, node: Node) -> list[Tensor]:
    """Constants in float that an activation is compared with, or that are chosen: int8 in a scale of their own, or of
    what is chosen."""
    floats, found = source_of(node).floats, [t for t in graph.of(node.inputs) if t.data is not None]
    if floats is None or not (floats.apart or floats.fixed_quant == TRUTH):
        return []
    shared = graph.tensors[node.outputs[0]].quant if floats.shares_scale else None
    return [per_tensor_constant(t, shared) for t in found if t.dtype == "float32"]


def _bias(graph: Graph, node: Node, places: dict[str, str], nearest: bool) -> Tensor:
    """The bias in units of input scale times weight scale, whatever units the source has it in; `nearest`: in parts of
    those."""
    x, w, bias = graph.of(node.inputs)
    units = (np.float32(x.q.scale) * np.array(w.q.scales, np.float32)).astype(np.float32)
    channels = bias.shape[0]
    data: Array = bias.value
    if bias.quant is not None and data.dtype == np.int32 and not any(bias.quant.zero_points):
        stated = np.array(bias.quant.scales, np.float64)
        if np.allclose(stated, units, rtol=1e-5, atol=0):
            return constant(bias.name, data, Role.BIAS, Quant(tuple(units.tolist()), (0,) * units.size, 0))
    wide = real(Value(bias.shape, od.plain(bias.shape), data=data, quant=bias.quant))
    levels = np.rint(wide / np.broadcast_to(units.astype(np.float64), (channels,)))
    if np.abs(levels).max(initial=0) > 2**31 - 1:
        raise ModelError("the bias overflows 32 bits in its scale", where=places.get(node.outputs[0], node.name))
    if nearest:
        levels, quant = fine(wide, np.broadcast_to(units.astype(np.float64), (channels,)))
    else:
        quant = Quant(tuple(units.tolist()), (0,) * units.size, 0)
    return constant(bias.name, levels.astype(np.int32), Role.BIAS, quant)
