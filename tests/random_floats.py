"""Random int8 networks with a part in float, as .tflite files: layers of random networks on float32, and what LiteRT
has in float alone.

What no float defines is kept out: values stay finite and below MOST, as LiteRT computes them of the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import oracle
from importing import import_tflite

from edgekc.errors import UnsupportedError
from edgekc.fuzzing import layers, logic, moves, nets, spatial, tables
from edgekc.fuzzing.layers import Builder, Layer
from edgekc.fuzzing.values import quant, tensor
from edgekc.graph.ir import Array, AttrValue, Node, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.passes import QUANTIZED_PASSES, apply
from edgekc.passes.lower import lower
from edgekc.progress import unsaid

MOST = 1e4  # of a value
SAMPLES = 4
HEAD: tuple[Layer, ...] = (layers.conv2d, layers.fully_connected, moves.relu)  # int8, in front of the part in float
_INT8_ALONE = (moves.requantise, tables.in_float, logic.counted, logic.one_hot, logic.embed)


def _function(op: str, *numbers: float | int) -> Layer:
    """What LiteRT has in float alone: a node of x and constants of one value each."""

    def layer(b: Builder, x: Tensor) -> Tensor | None:
        name = b.name(op)
        kinds = [np.int32 if isinstance(n, int) else np.float32 for n in numbers]
        more = [
            Tensor(f"{name}/{i}", (), k.__name__, data=k(n))
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


LAYERS: dict[Layer, float] = {
    **{layer: weight / 2 for layer, weight in nets.LAYERS.items() if layer not in _INT8_ALONE},
    **{tables.CURVES[op]: 0.5 for op in ("sin", "cos", "square", "floor")},
    _function("sign"): 1, _function("pow", 3.0): 0.5, _function("pow", 2.0): 0.5, _function("cumsum", -1): 0.6,
    _function("cumsum", 1): 0.6, _above_zeros: 0.6, _root: 1, _sum_of_all: 1, spatial.arg_max: 0.6,
    spatial.arg_min: 0.4, spatial.resize_bilinear: 0.6,
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


def _is_taken(views: Sequence[View], inputs: Sequence[Tensor]) -> bool:
    read = {t.name for view in views for t in view.inputs}
    outputs = [t.name for view in views for t in view.outputs if t.name not in read]
    try:
        graph = import_tflite(oracle.network(views, [t.name for t in inputs], outputs), "net", "net.tflite")
        lower(apply(graph, QUANTIZED_PASSES, unsaid), "tflite")
    except UnsupportedError:
        return False
    return True


def _computed(views: Sequence[View], values: dict[str, list[Array]]) -> dict[str, list[Array]] | None:
    """What LiteRT gives for all outputs of some nodes, of each sample; None where a value is too large or none."""
    outputs = [t.name for view in views for t in view.outputs]
    free = [t.name for view in views for t in view.inputs if t.data is None and t.name not in outputs]
    given = list(dict.fromkeys(free))
    data = oracle.network(views, given, outputs)
    rows = [oracle.interpret(data, [values[n][k] for n in given]) for k in range(SAMPLES)]
    found = {name: [row[i] for row in rows] for i, name in enumerate(outputs)}
    sound = all(np.isfinite(v).all() and np.abs(v.astype(np.float64)).max() < MOST for vs in found.values() for v in vs)
    return found if sound else None


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
    values = {t.name: [row[i] for row in rows] for i, t in enumerate(inputs)}
    if views:
        found = _computed(views, values)
        assert found is not None
        values |= found
    known = {t.name: replace(t, name=f"{t.name}/real", dtype="float32", quant=None) for t in given}
    for t in given:
        view = View(Node("dequantize", t.name, (t.name,), (known[t.name].name,), {}), (t,), (known[t.name],))
        views.append(view)
        values |= _computed([view], values) or {}
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
        whole = 0 < len(new) == len(b.views) - made and _is_taken([*views, *new], inputs)
        found = _computed(new, values) if whole else None
        if found is None:
            del b.live[live:], b.views[made:]
            continue
        views += new
        known, values = there, values | found
    return _ended(b, seed, inputs, views, values, {t.name for t in given})


def _ended(
    b: Builder,
    seed: int,
    inputs: tuple[Tensor, ...],
    views: list[View],
    values: dict[str, list[Array]],
    given: set[str],
) -> nets.RandomNet:
    """With QUANTIZE behind half of what nobody reads. What shows the bytes of another is no output."""
    read, shown, outputs = {t.name for view in views for t in view.inputs}, set(given), []
    for t in _written(views):
        root = b.roots.get(t.name.removesuffix("/real"), t.name.removesuffix("/real"))
        if t.name in read or t.dtype == "bool" or root in shown:
            continue
        shown.add(root)
        if t.dtype == "float32" and b.chance(0.5):
            most = max(float(np.abs(v).max()) for v in values[t.name])
            out = tensor(f"{t.name}/level", t.shape, quant(max(most, 1e-3) / 128, b.between(-20, 20)))
            views.append(View(Node("quantize", out.name, (t.name,), (out.name,), {}), (t,), (out,)))
            t = out
        outputs.append(t)
    if not outputs:
        return float_net(seed + 1_000_000)
    return nets.RandomNet(seed, tuple(views), tuple(t for t in inputs if t.name in read), tuple(outputs))


def _written(views: Iterable[View]) -> list[Tensor]:
    return [t for view in list(views) for t in view.outputs]
