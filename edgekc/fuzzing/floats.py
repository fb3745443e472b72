"""Random int8 networks with a part in float, as .tflite files: layers of random networks on float32, and what LiteRT
has in float alone.

What no float defines is kept out: values stay finite and below MOST, as the definitions compute them of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..emulate import imported
from ..errors import UnsupportedError
from ..graph.ir import Array, AttrValue, Node, Role, Tensor, constant
from ..graph.op import View
from ..ops.f32.detection_postprocess import anchors_of
from ..passes import QUANTIZED_PASSES, apply
from ..passes.lower import lower
from ..progress import unsaid
from . import layers, logic, moves, nets, spatial, tables
from .layers import Builder, Layer
from .subjects import SAMPLES, imported_graph
from .values import quant, tensor

KIND = "float"
MOST = 1e4  # of a value
LEAST = {"log": 1e-30, "rsqrt": 1e-30, "sqrt": 0.0}  # that a function is given: below, definitions differ on purpose
_NEXT = 1_000_000  # the seed after that of a network without layers
Values = dict[str, Array]
HEAD: tuple[Layer, ...] = (layers.conv2d, layers.fully_connected, moves.relu)  # int8, in front of the part in float
_INT8_ALONE = (moves.requantise, tables.in_float, logic.counted, logic.one_hot, logic.embed)


def _function(op: str, *numbers: float | int) -> Layer:
    """What LiteRT has in float alone: a node of x and constants of one value each."""

    def layer(b: Builder, x: Tensor) -> Tensor | None:
        name = b.name(op)
        kinds = [np.int32 if isinstance(n, int) else np.float32 for n in numbers]
        more = [
            Tensor(f"{name}/{i}", (), k.__name__, data=np.asarray(n, k))
            for i, (n, k) in enumerate(zip(numbers, kinds, strict=True))
        ]
        attrs: dict[str, AttrValue] = dict(exclusive=b.between(0, 1), reverse=b.between(0, 1)) if op == "cumsum" else {}
        return b.emit(op, attrs, [x, *more], tensor(name, x.shape, x.q))

    return layer


def _above_zeros(b: Builder, x: Tensor) -> Tensor | None:
    zeros = b.emit("zeros_like", {}, [x], b.new("zeros_like", x.shape, x.q), live=False)
    return b.emit("maximum", {}, [x, zeros], b.new("maximum", x.shape, x.q))


def _root(b: Builder, x: Tensor) -> Tensor | None:
    """Of a square, which is not negative."""
    square = b.emit("square", {}, [x], b.new("square", x.shape, x.q), live=False)
    return b.emit("sqrt", {}, [square], b.new("sqrt", x.shape, x.q))


def _sum_of_all(b: Builder, x: Tensor) -> Tensor | None:
    alike = [t for t in b.live if t.shape == x.shape]
    parts = [alike[b.between(0, len(alike) - 1)] for _ in range(b.between(1, 3))]
    return b.emit("add_n", {}, [x, *parts], b.new("add_n", x.shape, x.q))


def _detections(b: Builder, x: Tensor) -> Tensor | None:
    """The end of a detector, on boxes and scores of two layers; its outputs are the network's."""
    size, boxes, classes = math.prod(x.shape), b.between(2, 12), b.between(1, 3)
    if x.shape[0] != 1 or size > 300:
        return None
    flat = b.emit("reshape", {}, [x], b.new("reshape", (1, size), x.q), live=False)
    found = []
    for width in (4, classes + b.between(0, 1)):
        w = layers.filters(b, (boxes * width, size), 0)
        y = layers.linear(b, "fully_connected", {}, flat, w, 0, (1, boxes * width), live=False)
        found.append(b.emit("reshape", {}, [y], b.new("reshape", (1, boxes, width), y.q), live=False))
    regular, name = b.between(0, 1), b.name("detections")
    attrs: dict[str, AttrValue] = dict(classes=classes, detections=b.between(1, 6), per_class=b.between(1, 5))
    attrs |= dict(categories=1 if regular else b.between(1, classes), regular=regular)
    attrs |= dict(least_score=float(b.rng.uniform(-1, 1)), most_overlap=float(b.rng.uniform(0.1, 0.9)))
    attrs |= {f"{axis}_scale": float(b.rng.choice([1.0, 5.0, 10.0])) for axis in "yxhw"}
    n = int(attrs["detections"]) * int(attrs["categories"])
    outs = tuple(Tensor(f"{name}_{k}", s, "float32") for k, s in enumerate(((1, n, 4), (1, n), (1, n), (1,))))
    operands = (*found, constant(f"{name}/anchors", anchors_of(b.rng, boxes), Role.WEIGHTS))
    node = Node(DETECTION, name, tuple(t.name for t in operands), tuple(t.name for t in outs), attrs)
    b.views.append(View(node, operands, outs))
    b.read.update(node.inputs)
    b.roots.update({t.name: t.name for t in outs})
    return None


DETECTION = "detection_postprocess"
LAYERS: dict[Layer, float] = {
    **{layer: weight / 2 for layer, weight in nets.LAYERS.items() if layer not in _INT8_ALONE},
    **{tables.CURVES[op]: 0.5 for op in ("sin", "cos", "square", "floor")},
    _function("sign"): 1, _function("pow", 3.0): 0.5, _function("pow", 2.0): 0.5, _function("cumsum", -1): 0.6,
    _function("cumsum", 1): 0.6, _above_zeros: 0.6, _root: 1, _sum_of_all: 1, spatial.arg_max: 0.6,
    spatial.arg_min: 0.4, spatial.resize_bilinear: 2, _detections: 1,
    tables.gelu: 1, spatial.l2_normalize: 1, moves.softmax: 1, logic.top_k: 1, logic.select: 1.5,
    spatial.log_softmax: 0.8, layers.pool: 2,
}  # fmt: skip


def _real(t: Tensor) -> Tensor | None:
    """The tensor in float32; None where it has no twin. What has no scale stays as it is: truths, places, shapes."""
    if t.quant is None:
        return t if t.dtype in ("bool", "int32", "float32") else None
    if t.data is None:
        return replace(t, dtype="float32", quant=None)
    shape = [-1 if len(t.quant.scales) > 1 and i == t.quant.axis else 1 for i in range(t.value.ndim)]
    scales, points = (np.array(v, np.float64).reshape(shape) for v in (t.quant.scales, t.quant.zero_points))
    data = ((t.value - points) * scales).astype(np.float32)
    return constant(t.name, data, t.role or Role.WEIGHTS)


def _in_float(view: View, known: dict[str, Tensor]) -> View | None:
    tensors = [known.get(t.name) or _real(t) for t in (*view.inputs, *view.outputs)]
    found = [t for t in tensors if t is not None]
    if len(found) < len(tensors):
        return None
    return replace(view, inputs=tuple(found[: len(view.inputs)]), outputs=tuple(found[len(view.inputs) :]))


def _computed(
    views: Sequence[View], inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rows: Sequence[Sequence[Array]]
) -> Values | None:
    """What the definitions give for each output of a network, of all samples; None where the compiler refuses it, or a
    value is too large or none."""
    if not outputs:
        return {}
    try:
        graph = imported_graph(nets.RandomNet(0, tuple(views), inputs, outputs, KIND))
        lower(apply(graph, QUANTIZED_PASSES, unsaid), "tflite")
        program = imported.prepare(graph)
    except UnsupportedError:
        return None
    given = [np.concatenate(list(column)) for column in zip(*rows, strict=True)]
    with np.errstate(all="ignore"):
        parts = list(imported.batches(program, given, program.at_once))
    numbers = (v for part in parts for v in part.values() if v.dtype == np.float32)
    least = {node.inputs[0]: LEAST[node.op] for node in graph.nodes if node.op in LEAST}
    given_least = (part[name].min() >= low for part in parts for name, low in least.items())
    if not all((np.abs(v) < MOST).all() for v in numbers) or not all(given_least):  # which no NaN is
        return None
    ends = zip(outputs, graph.outputs, strict=True)
    return {t.name: np.concatenate([part[name] for part in parts]) for t, name in ends}


def _ends(b: Builder, views: Sequence[View], given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What nobody reads, but for what shows the bytes of another, or of what is given in int8."""
    read, written = {t.name for view in views for t in view.inputs}, [t for view in views for t in view.outputs]
    shown, found = {t.name for t in given}, []
    for t in written:
        name = t.name.removesuffix("/real")
        root = b.roots.get(name, name)
        if t.name not in read and t.dtype != "bool" and root not in shown:
            shown.add(root)
            found.append(t)
    return tuple(found)


def float_net(seed: int) -> nets.RandomNet:
    """A network of one or two inputs, at most two layers of int8, and 2 to 10 of float32; QUANTIZE behind some."""
    b = Builder(np.random.default_rng([seed, 31]), extreme=False)
    shape = (1, *(b.between(1, 7) for _ in range(int(b.rng.choice([0, 1, 2], p=[0.2, 0.2, 0.6])))), b.between(1, 9))
    inputs = tuple(tensor(f"input_{i}", shape, b.quant()) for i in range(b.between(1, 2)))
    b.live += inputs
    for _ in range(b.between(0, 2)):
        HEAD[b.between(0, len(HEAD) - 1)](b, b.live[-1])
    views, given = list(b.views), list(b.live)
    rows = nets.random_samples(nets.RandomNet(seed, (), inputs, ()), SAMPLES)
    values: Values = {}
    known = {t.name: replace(t, name=f"{t.name}/real", dtype="float32", quant=None) for t in given}
    for t in given:
        view = View(Node("dequantize", t.name, (t.name,), (known[t.name].name,), {}), (t,), (known[t.name],))
        views.append(view)
    names, weights = list(LAYERS), np.array(list(LAYERS.values()))
    wanted = len(views) + b.between(2, 10)
    for _ in range(60):
        if len(views) >= wanted:
            break
        live, made = len(b.live), len(b.views)
        names[b.rng.choice(len(names), p=weights / weights.sum())](b, b.live[-b.between(1, min(4, live))])
        new, there = list[View](), dict(known)
        for view in b.views[made:]:
            twin = _in_float(view, there)
            new += [twin] if twin is not None else []
            there |= {t.name: t for t in twin.outputs} if twin is not None else {}
        whole = 0 < len(new) == len(b.views) - made
        found = _computed([*views, *new], inputs, _ends(b, [*views, *new], given), rows) if whole else None
        if found is None:
            del b.live[live:], b.views[made:]
            continue
        views += new
        known, values = there, found
    detected = {t.name for view in views if view.node.op == DETECTION for t in view.outputs}
    outputs = []
    for end in _ends(b, views, given):
        if end.dtype == "float32" and end.name not in detected and b.chance(0.5):
            most = float(np.abs(values[end.name]).max())
            out = tensor(f"{end.name}/level", end.shape, quant(max(most, 1e-3) / 128, b.between(-20, 20)))
            views.append(View(Node("quantize", out.name, (end.name,), (out.name,), {}), (end,), (out,)))
            end = out
        outputs.append(end)
    return nets.RandomNet(seed, tuple(views), inputs, tuple(outputs), KIND) if outputs else float_net(seed + _NEXT)
