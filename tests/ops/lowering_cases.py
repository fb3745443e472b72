"""Cases of every lowering for LiteRT's reference kernels: usual and extreme scales, and tables over all 256 inputs.

`CASES` has an entry for each name in `lowers` of an operator; `test_every_lowering.py` fails where one is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import memory_filters
import numpy as np
import oracle
import recurrent
import wide_cases

from edgekc.fuzzing import layers, logic, moves, pairs, spatial, strides, tables
from edgekc.fuzzing.layers import Builder, Layer
from edgekc.fuzzing.packed import factored
from edgekc.fuzzing.values import Rng, f32, fill, tensor
from edgekc.graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import embedding, tanh

ROUNDS = 60  # of each layer
EVERY = np.arange(256, dtype=np.uint8).reshape(1, 256)


@dataclass(frozen=True, slots=True)
class LoweringCase:
    """A QUANTIZED node, the values of its activations, and the node of the same meaning that LiteRT is given."""

    view: View
    values: dict[str, Array]
    plain: View


Cases = Callable[[], Iterator[LoweringCase]]
Repack = Callable[[View, Rng], "View | None"]


def _shape(rng: Rng, rank: int) -> tuple[int, ...]:
    sizes = (int(rng.integers(1, 10)) for _ in range(rank - 2))
    return (1, *sizes, int(rng.choice([1, 2, 3, 4, 6, 8, 12, 17])))


def _views(op: str, layer: Layer, ranks: tuple[int, ...]) -> Iterator[tuple[View, Rng, int]]:
    """Nodes of one operator that a layer of random networks makes, every second one with extreme scales."""
    for i in range(ROUNDS):
        rng = np.random.default_rng([i, *op.encode()])
        b = Builder(rng, extreme=i % 2 == 1)
        x = tensor("x", _shape(rng, ranks[i % len(ranks)]), b.quant())
        y = tensor("y", (*x.shape[:-1], x.shape[-1] + int(rng.integers(2))), b.quant())  # for layers of two inputs
        b.live += [x, y]
        layer(b, x)
        for view in b.views[-1:]:
            if view.node.op == op:
                yield view, rng, i


def _layer(op: str, layer: Layer, *ranks: int) -> Cases:
    def cases() -> Iterator[LoweringCase]:
        for view, rng, i in _views(op, layer, ranks):
            view = _with_rounding(view)
            free = {t.name: t for t in view.inputs if t.data is None}
            for k in (i, 3, 5):  # random or special, all lowest, all highest
                yield LoweringCase(view, {name: fill(rng, t.shape, k) for name, t in free.items()}, view)

    return cases


def _both(*parts: Cases) -> Cases:
    def cases() -> Iterator[LoweringCase]:
        for part in parts:
            yield from part()

    return cases


def _with_rounding(view: View) -> View:
    if not view.node.op.endswith("fully_connected"):
        return view
    attrs = {**view.node.attrs, "rounding": oracle.fully_connected_rounding()}
    return replace(view, node=replace(view.node, attrs=attrs))


def _fully_connected_16x8() -> Iterator[LoweringCase]:
    """int16 activations, int8 weights and int64 biases, without accumulators that LiteRT casts to int32 too large."""
    for i in range(ROUNDS):
        rng = np.random.default_rng([i, 168])
        b = Builder(rng, extreme=i % 2 == 1)
        ic, oc, rows = (1, 17, 300, 700)[i % 4], b.between(1, 9), b.between(1, 3)
        x, y = Quant((b.scale(),), (0,)), Quant((b.scale(),), (0,))
        w = layers.filters(b, (oc, ic), 0)
        bias = rng.integers(-(2**31), 2**31, oc) >> int(rng.integers(0, 32))
        usual = 2.0**15 / (2.0**14 * np.sqrt((w.astype(float) ** 2).sum(1)) + np.abs(bias) + 1)
        real = np.median(usual, keepdims=True) if i % 3 == 0 else usual * 2.0 ** rng.uniform(-6, 3, oc)
        real = np.minimum(real, 2.0**30 / (2.0**15 * np.abs(w.astype(int)).sum(1) + np.abs(bias) + 1).max())
        scales = tuple(f32(s) for s in np.clip(real * y.scale / x.scale, 1e-30, 1e30))
        inputs = [replace(tensor("x", (rows, ic), x), dtype="int16")]
        inputs.append(constant("w", w, Role.WEIGHTS, Quant(scales, (0,) * len(scales), 0)))
        if i % 5:
            bias_scales = tuple(f32(max(x.scale * s, 1e-37)) for s in scales)
            inputs.append(constant("b", bias.astype(np.int64), Role.BIAS, Quant(bias_scales, (0,) * len(scales), 0)))
        attrs: dict[str, AttrValue] = {"activation": b.activation(y)}
        node = Node("fully_connected", "y", tuple(t.name for t in inputs), ("y",), attrs)
        view = View(node, tuple(inputs), (replace(tensor("y", (rows, oc), y), dtype="int16"),))
        for values in (
            rng.integers(-(2**15), 2**15, (rows, ic)),
            np.full((rows, ic), -(2**15)),
            np.full((rows, ic), 2**15 - 1),
        ):
            yield LoweringCase(view, {"x": values.astype(np.int16)}, view)


def _table(op: str, layer: Layer, zero: int | None = None) -> Cases:
    """An operator on one value, over all 256 of them. `zero`: the only zero point with which LiteRT takes them all."""

    def cases() -> Iterator[LoweringCase]:
        for i in range(2 * ROUNDS):
            rng = np.random.default_rng([i, *op.encode()])
            b = Builder(rng, extreme=i % 2 == 1)
            q = b.quant()
            x = tensor("x", EVERY.shape, q if zero is None else replace(q, zero_points=(zero,)))
            b.live.append(x)
            layer(b, x)
            yield LoweringCase(b.views[-1], {"x": EVERY.view(np.int8)}, b.views[-1])

    return cases


def _made_table() -> Iterator[LoweringCase]:
    """The table that a pass makes; LiteRT is given the operator whose table it is."""
    for case in _table("tanh", moves.tanh)():
        (table,) = tanh.lower(case.view).constants
        node = Node("table", case.view.node.name, (case.view.x.name, table.name), case.view.node.outputs, {})
        yield LoweringCase(View(node, (case.view.x, table), case.view.outputs), case.values, case.view)


def _dequantize() -> Iterator[LoweringCase]:
    for i in range(ROUNDS):
        rng = np.random.default_rng([i, 7])
        b = Builder(rng, extreme=i % 2 == 1)
        x, y = tensor("x", EVERY.shape, Quant((b.scale(),), (b.zero("int8"),))), Tensor("y", EVERY.shape, "float32")
        view = View(Node("dequantize", "y", ("x",), ("y",), {}), (x,), (y,))
        yield LoweringCase(view, {"x": EVERY.view(np.int8)}, view)


def _quantize() -> Iterator[LoweringCase]:
    yield from _table("quantize", moves.requantise)()
    for i in range(ROUNDS):
        rng = np.random.default_rng([i, 5])
        b = Builder(rng, extreme=i % 2 == 1)
        kinds = ("int8", "uint8") if i % 3 else ("uint8", "int8")
        q = Quant((b.scale(),), (b.zero(kinds[0]),))
        out = Quant(moves.rescaled(b, q).scales, (b.zero(kinds[1]),))
        x, y = tensor("x", EVERY.shape, q, kinds[0]), tensor("y", EVERY.shape, out, kinds[1])
        view = View(Node("quantize", "y", ("x",), ("y",), {}), (x,), (y,))
        yield LoweringCase(view, {"x": EVERY.view(kinds[0])}, view)


def _div() -> Iterator[LoweringCase]:
    """No divisor is 0; a constant on either side, or none."""
    for i in range(2 * ROUNDS):
        rng = np.random.default_rng([i, 6])
        b = Builder(rng, extreme=i % 2 == 1)
        qa, qb = b.quant(), b.quant()
        if (out := pairs.quotient_quant(b, qa, qb)) is None:
            continue
        above, below = (fill(rng, shape, i) for shape in ((1, 4, 1, 5), (1, 1, 3, 5)))
        below = np.where(below == qb.zero_point, below + (1 if qb.zero_point < 127 else -1), below).astype(np.int8)
        operands = [tensor("a", above.shape, qa), tensor("b", below.shape, qb)]
        values = {"a": above, "b": below}
        if i % 3 < 2:
            name = operands[i % 3].name
            operands[i % 3] = constant(name, values.pop(name), Role.WEIGHTS, operands[i % 3].q)
        attrs: dict[str, AttrValue] = {"activation": b.activation(out)}
        view = View(Node("div", "y", ("a", "b"), ("y",), attrs), tuple(operands), (tensor("y", (1, 4, 3, 5), out),))
        yield LoweringCase(view, values, view)


# ---- packed layers: LiteRT is given the dense one that they expand to -----------------------------------


def _packed(base: str, layer: Layer, repack: Repack, *ranks: int) -> Cases:
    def cases() -> Iterator[LoweringCase]:
        for view, rng, i in _views(base, layer, ranks):
            view = _with_rounding(view)
            if len(view.inputs) == 3 and (packed := repack(view, rng)) is not None:
                yield LoweringCase(packed, {"x": fill(rng, view.x.shape, i)}, view)

    return cases


def _filters(view: View) -> Array:
    """Weights with the output channels first."""
    w = view.inputs[1].value
    return w[0].transpose(2, 0, 1) if view.node.op == "depthwise" else w


def _rows(view: View, factor: float = 1.0) -> Quant:
    """A scale for each output channel."""
    scales = view.inputs[1].q.scales
    count = view.out.shape[-1]
    scales = scales * count if len(scales) == 1 else scales
    return Quant(tuple(s * factor for s in scales), (0,) * count, 0)


def _operands(view: View, op: str, codes: list[Tensor], **more: int) -> View:
    inputs = (view.x, *codes, view.inputs[2])
    node = replace(view.node, op=op, inputs=tuple(t.name for t in inputs), attrs={**view.node.attrs, **more})
    return replace(view, node=node, inputs=inputs)


def _clustered(view: View, rng: Rng) -> View | None:
    """Centers are the dense layer's values, at a binary point that the row scales take back."""
    w, point = _filters(view), int(rng.integers(0, 8))
    values, index = np.unique(w, return_inverse=True)
    codes = [
        constant("indices", index.reshape(w.shape).astype(np.uint8), Role.INDEX, _rows(view, 2.0**point)),
        constant("centers", values[None].astype(np.int16), Role.CENTERS, Quant((2.0**-point,), (0,))),
    ]
    return _operands(view, f"clustered_{view.node.op}", codes)


def _templated(coded: bool) -> Repack:
    def repack(view: View, rng: Rng) -> View | None:
        w = _filters(view)
        kernels = w[:, None] if view.node.op == "depthwise" else w.transpose(0, 3, 1, 2)
        if (parts := factored(kernels, rng)) is None:
            return None
        ones, templates, indices, pairs = parts
        codes = [
            constant("templates", templates.astype(np.int8), Role.CODEBOOK),
            constant("indices", indices.astype(np.uint8), Role.INDEX),
        ]
        if not coded:
            codes.append(constant("pairs", pairs.astype(np.float16), Role.PAIRS, _rows(view)))
            return _operands(view, f"template_{view.node.op}", codes, ones=ones)
        book, chosen = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
        if len(book) > 256:
            return None
        codes.append(constant("pairs", book.astype(np.float16), Role.PAIRS, _rows(view)))
        codes.append(constant("pair_indices", chosen.reshape(indices.shape).astype(np.uint8), Role.INDEX))
        return _operands(view, f"template_pairs_{view.node.op}", codes, ones=ones)

    return repack


def _dynamic_fully_connected() -> Iterator[LoweringCase]:
    """In the graph both operands are matrices behind a batch."""
    for plain, rng, i in _views("dynamic_fully_connected", spatial.dynamic_fully_connected, (2, 3)):
        x, w = (replace(t, shape=(1, math.prod(t.shape[:-1]), t.shape[-1])) for t in plain.inputs)
        plain = replace(plain, inputs=(replace(plain.x, shape=x.shape), plain.inputs[1]))
        out = replace(plain.out, shape=(1, x.shape[1], plain.out.shape[-1]))
        plain = replace(_with_rounding(plain), outputs=(out,))
        view = replace(plain, inputs=(x, w))
        for k in (i, 3, 5):
            yield LoweringCase(view, {t.name: fill(rng, t.shape, k) for t in (x, w)}, plain)


def _top_k(places: int) -> Cases:
    """One of the two outputs."""

    def cases() -> Iterator[LoweringCase]:
        for plain, rng, i in _views("top_k", logic.top_k, (4, 3, 2)):
            out = plain.outputs[places]
            node = replace(plain.node, op=("top_k", "top_k_places")[places], outputs=(out.name,))
            for k in (i, 3, 6):
                yield LoweringCase(View(node, plain.inputs, (out,)), {"x": fill(rng, plain.x.shape, k)}, plain)

    return cases


def _lookup() -> Iterator[LoweringCase]:
    """Of numbers that there are rows for: LiteRT refuses others."""
    for i in range(ROUNDS):
        rng = np.random.default_rng([i, 66])
        b = Builder(rng, extreme=i % 2 == 1)
        shape, count, q = _shape(rng, 2 + i % 2), b.between(1, 40), b.quant()
        rows = constant("rows", fill(rng, (count, b.between(1, 9)), i), Role.WEIGHTS, q)
        node = Node("lookup", "y", ("x", "rows"), ("y",), {"offset": 0})
        view = View(node, (Tensor("x", shape, "int32"), rows), (tensor("y", (*shape, rows.shape[1]), q),))
        yield LoweringCase(view, {"x": rng.integers(0, count, shape).astype(np.int32)}, view)


def _embedding() -> Iterator[LoweringCase]:
    """The same as float models have it: numbers are an int32 or a byte."""
    for i, case in enumerate(_lookup()):
        x, rows = case.view.inputs
        x = x if i % 3 else Tensor("x", x.shape, "int8", embedding.BYTES)
        view = View(replace(case.view.node, op="embedding", attrs={}), (x, rows), case.view.outputs)
        yield LoweringCase(view, {"x": case.values["x"].astype(x.dtype)}, case.plain)


def _with_state(made: Callable[[int], tuple[View, Rng]]) -> Cases:
    """From random states, and from those at the ends of their range."""

    def cases() -> Iterator[LoweringCase]:
        for i in range(2 * ROUNDS):
            view, rng = made(i)
            values = {"x": fill(rng, view.x.shape, i), "kept": fill(rng, view.inputs[1].shape, i + 2)}
            yield LoweringCase(view, values, view)

    return cases


def _of_truths(op: str, layer: Layer) -> Cases:
    """What LiteRT has as bool is int8 here."""

    def cases() -> Iterator[LoweringCase]:
        for plain, rng, i in _views(op, layer, (4, 3, 2)):
            inputs, outputs = (tuple(map(logic.as_bytes, ts)) for ts in (plain.inputs, plain.outputs))
            free = {t.name: t for t in plain.inputs if t.data is None}
            for k in (i, 3, 5):
                values = {n: fill(rng, t.shape, k) for n, t in free.items() if t.dtype == "int8"}
                values |= {n: rng.integers(0, 2, t.shape).astype(np.int8) for n, t in free.items() if n not in values}
                yield LoweringCase(replace(plain, inputs=inputs, outputs=outputs), values, plain)

    return cases


WINDOWS: dict[str, Layer] = {
    "conv2d": layers.conv2d,
    "grouped_conv2d": layers.grouped_conv2d,
    "depthwise": layers.depthwise,
}
PACKED: dict[str, Layer] = {**WINDOWS, "transpose_conv": spatial.transpose_conv}
STRIDES: tuple[Layer, ...] = (
    strides.transpose,
    strides.strided_slice,
    strides.tile,
    strides.broadcast_to,
    strides.depth_to_space,
    strides.space_to_depth,
    strides.take,
    strides.mirror_pad,
    strides.pad_with,
    strides.concat_const,
)
CASES: dict[str, Cases] = {
    **{op: _layer(op, layer, 4) for op, layer in WINDOWS.items()},
    "fully_connected": _both(_layer("fully_connected", layers.fully_connected, 2, 3), _fully_connected_16x8),
    "add": _layer("add", moves.binary, 4, 3, 2),
    "mul": _layer("mul", moves.binary, 4, 3, 2),
    **{op: _layer(op, layer, 4, 3, 2) for op, layer in pairs.PAIRS.items()},
    "div": _div,
    "average_pool": _layer("average_pool", layers.pool, 4),
    "max_pool": _layer("max_pool", layers.pool, 4),
    "mean": _both(_layer("mean", moves.mean, 4, 3), _layer("mean", spatial.mean_of_any, 4, 3, 2)),
    "sum": _layer("sum", spatial.sum_of_any, 4, 3, 2),
    "reduce_max": _both(
        _layer("reduce_max", moves.reduce_max, 4, 3), _layer("reduce_max", spatial.max_of_any, 4, 3, 2)
    ),
    "reduce_min": _layer("reduce_min", spatial.reduce_min, 4, 3, 2),
    "reduce_prod": _layer("reduce_prod", spatial.reduce_prod, 4, 3, 2),
    "reshape": _layer("reshape", moves.reshape, 4, 3, 2),
    "softmax": _layer("softmax", moves.softmax, 2, 3, 4),
    "pad": _layer("pad", moves.pad, 4, 3, 2),
    "concat": _layer("concat", moves.concat, 4, 3),
    **{layer.__name__: _layer(layer.__name__, layer, 4, 3, 2) for layer in STRIDES},
    "relu": _table("relu", moves.relu),
    "logistic": _table("logistic", moves.logistic),
    "tanh": _table("tanh", moves.tanh),
    **{op: _table(op, layer) for op, layer in tables.CURVES.items()},
    **{op: _table(op, layer, -128) for op, layer in tables.ROOTS.items()},
    "quantize": _quantize,
    "dequantize": _dequantize,
    "table": _made_table,
    "sequence_lstm": _with_state(recurrent.made),
    "memory_filters": _with_state(memory_filters.made),
    "compare": _of_truths("compare", logic.compare),
    "select": _of_truths("select", logic.select),
    "arg_max": _layer("arg_max", spatial.arg_max, 2, 3, 4),
    "arg_min": _layer("arg_min", spatial.arg_min, 2, 3, 4),
    "top_k": _top_k(0),
    "top_k_places": _top_k(1),
    "lookup": _lookup,
    "embedding": _embedding,
    "log_softmax": _layer("log_softmax", spatial.log_softmax, 2, 3, 4),
    "l2_normalize": _layer("l2_normalize", spatial.l2_normalize, 2, 3, 4),
    "batch_matmul": _layer("batch_matmul", spatial.batch_matmul, 3, 4),
    "dynamic_fully_connected": _dynamic_fully_connected,
    "transpose_conv": _layer("transpose_conv", spatial.transpose_conv, 4),
    "resize_nearest": _layer("resize_nearest", spatial.resize_nearest, 4),
    "resize_bilinear": _layer("resize_bilinear", spatial.resize_bilinear, 4),
    **{f"clustered_{op}": _packed(op, layer, _clustered, 4) for op, layer in PACKED.items()},
    "clustered_fully_connected": _packed("fully_connected", layers.fully_connected, _clustered, 2, 3),
    **{f"template_{op}": _packed(op, layer, _templated(False), 4) for op, layer in PACKED.items()},
    **{f"template_pairs_{op}": _packed(op, layer, _templated(True), 4) for op, layer in PACKED.items()},
}
CASES |= {op: _both(CASES[op], widened(CASES[op])) for op, widened in wide_cases.WIDE.items()}
