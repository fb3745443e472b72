"""The float halves of operators on images and over axes: numpy and PyTorch give what LiteRT's float kernels give."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import oracle
import pytest
from importing import import_tflite_float

from edgekc.data import synthetic
from edgekc.emulate import reference
from edgekc.fuzzing.values import view_of
from edgekc.graph.ir import Array, AttrValue, Node, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import SOURCES, legal
from edgekc.passes.lower import lower
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import quantize

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
Shape = tuple[int, ...]


def _float(name: str, shape: Shape) -> Tensor:
    return Tensor(name, shape, "float32")


def _node(op: str, attrs: dict[str, AttrValue], out: Shape, *inputs: Shape) -> View:
    return view_of(op, attrs, [_float("xyz"[i], shape) for i, shape in enumerate(inputs)], _float("out", out))


def _resizes() -> Sequence[View]:
    found = []
    sizes = (((5, 7), (10, 14)), ((5, 7), (11, 3)), ((9, 4), (4, 9)), ((1, 3), (4, 1)))
    for op, (size, out), align, half in product(("resize_nearest", "resize_bilinear"), sizes, (0, 1), (0, 1)):
        if op == "resize_nearest" or not (align and half):
            attrs: dict[str, AttrValue] = {"align_corners": align, "half_pixel_centers": half}
            found.append(_node(op, attrs, (1, *out, 3), (1, *size, 3)))
    return found


def _transposed() -> Sequence[View]:
    found = []
    sizes = (  # x (h, w, c), w (oc, kh, kw), stride, pads, output
        ((3, 4, 5), (4, 3, 3), (2, 2), (0, 0), (6, 8)),
        ((3, 3, 2), (3, 4, 4), (2, 2), (1, 1), (6, 6)),
        ((3, 2, 3), (2, 3, 2), (1, 1), (0, 0), (5, 3)),
        ((2, 3, 1), (1, 1, 2), (3, 4), (0, 0), (5, 10)),
    )
    rng = np.random.default_rng(0)
    for x, (oc, *window), stride, pads, out in sizes:
        attrs: dict[str, AttrValue] = dict(zip(("stride_h", "stride_w"), stride, strict=True))
        attrs |= dict(zip(("pad_top", "pad_left"), pads, strict=True), activation="none")
        weights = constant("w", rng.normal(size=(oc, *window, x[2])).astype(np.float32), Role.WEIGHTS)
        bias = constant("b", rng.normal(size=oc).astype(np.float32), Role.BIAS)
        found.append(
            view_of("transpose_conv", attrs, [_float("x", (1, *x)), weights, bias], _float("out", (1, *out, oc)))
        )
    return found


def _reduced(shape: Shape, axes: Sequence[int], keep: int) -> Shape:
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)


def _reductions() -> Sequence[View]:
    found = []
    shape = (1, 3, 4, 5)
    for op, axes, keep in product(("mean", "sum", "reduce_min", "reduce_prod"), ((1, 2), (3,), (1, 3), (1,)), (0, 1)):
        attrs: dict[str, AttrValue] = {"axes": ",".join(map(str, axes)), "keep_dims": keep}
        found.append(_node(op, attrs, _reduced(shape, axes, keep), shape))
    found.append(_node("reduce_max", {"axes": "3", "keep_dims": 1}, (1, 3, 4, 1), shape))
    return found


def _products() -> Sequence[View]:
    found = []
    for others, adj_x, adj_y in product((((), ()), ((2,), (2,)), ((3,), (1,))), (0, 1), (0, 1)):
        a = (1, *others[0], *((5, 3) if adj_x else (3, 5)))
        b = (1, *others[1], *((4, 5) if adj_y else (5, 4)))
        found.append(_node("batch_matmul", {"adj_x": adj_x, "adj_y": adj_y}, (1, *others[0], 3, 4), a, b))
    return found


VIEWS = (
    *_resizes(),
    *_transposed(),
    *_reductions(),
    *_products(),
    *(_node(op, {}, (1, 3, 5), (1, 3, 5)) for op in ("l2_normalize", "log_softmax")),
)


def _name(view: View) -> str:
    return "-".join([view.node.op, *(f"{k}{v}" for k, v in view.node.attrs.items()), *map(str, view.x.shape)])


def _values(view: View, batch: int) -> list[Array]:
    """Of all operands."""
    rng = np.random.default_rng(len(_name(view)))
    shapes = [(batch, *t.shape[1:]) for t in view.inputs]
    free = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    return [x if t.data is None else t.data.copy() for t, x in zip(view.inputs, free, strict=True)]


def _free(view: View, values: Sequence[Array]) -> list[Array]:
    """Of the activations."""
    return [x for t, x in zip(view.inputs, values, strict=True) if t.data is None]


@pytest.mark.parametrize("view", VIEWS, ids=_name)
def test_equal_to_litert(view: View) -> None:
    values = _values(view, 1)
    expected = oracle.run(view, _free(view, values))[0]
    floats = SOURCES[view.node.op].floats
    assert floats is not None
    got = floats.compute(view, values)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("view", VIEWS, ids=_name)
def test_pytorch_gives_the_same_with_gradients(view: View) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    floats = SOURCES[view.node.op].floats
    assert floats is not None
    values = _values(view, 3)
    tensors = [torch.from_numpy(v).requires_grad_() for v in values]
    got = floats.torch(torch, view, tensors)
    np.testing.assert_allclose(got.detach().numpy(), floats.compute(view, values), rtol=1e-4, atol=1e-5)
    got.sum().backward()
    assert all(t.grad is not None and torch.isfinite(t.grad).all() for t in tensors)


@pytest.mark.parametrize("view", VIEWS, ids=_name)
def test_a_float_file_is_imported(view: View) -> None:
    graph = import_tflite_float(oracle.model(view), "net", "net.tflite")
    legal.check(graph)
    assert view.node.op in [node.op for node in graph.nodes]
    values = _free(view, _values(view, 1))
    expected = oracle.run(view, values)[0]
    np.testing.assert_allclose(float_reference.outputs(graph, values)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["mean", "sum", "reduce_max", "reduce_min", "reduce_prod"])
@pytest.mark.parametrize(("axes", "keep"), [((0,), 1), ((0,), 0), ((1,), 1), ((1,), 0), ((0, 1), 1)])
def test_axes_of_rows(op: str, axes: tuple[int, ...], keep: int) -> None:
    """A tensor of rows in place of a batch: the graph has one axis more than the file."""
    x, rows = _float("x", (1, 3, 4, 2)), _float("rows", (6, 4))
    shape = view_of("reshape", {}, [x], rows)
    attrs: dict[str, AttrValue] = {"axes": ",".join(map(str, axes)), "keep_dims": keep}
    out = _float("out", _reduced(rows.shape, axes, keep))
    data = oracle.network([shape, view_of(op, attrs, [rows], out)], ["x"], ["out"])
    graph = import_tflite_float(data, "net", "net.tflite")
    legal.check(graph)
    value = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    expected = oracle.interpret(data, [value])[0]
    got = float_reference.outputs(graph, [value])[0]
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["arg_max", "arg_min"])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_places(op: str, axis: int) -> None:
    """Whole numbers, which a quantised graph has as int32."""
    shape = (1, 4, 5, 6)
    out = Tensor("out", tuple(d for i, d in enumerate(shape) if i != axis), "int32")
    data = oracle.model(view_of(op, {"axis": axis}, [_float("x", shape)], out))
    graph = import_tflite_float(data, "net", "net.tflite")
    x = np.random.default_rng(axis).normal(size=shape).astype(np.float32)
    expected = oracle.interpret(data, [x])[0]
    np.testing.assert_array_equal(float_reference.outputs(graph, [x])[0], expected)
    integer = lower(quantize(graph, {graph.inputs[0]: (-4.0, 4.0), graph.outputs[0]: (0.0, 6.0)}))
    legal.check(integer)
    assert integer.tensors[integer.outputs[0]].dtype == "int32"
    levels = np.clip(np.round(x / np.float32(8 / 255)), -128, 127).astype(np.int8)
    assert np.mean(reference.run(integer, [levels])[integer.outputs[0]] == expected) > 0.9


@pytest.mark.parametrize("adj_y", [0, 1])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_product_with_a_constant_is_a_layer(rows: int, adj_y: int) -> None:
    """So that `compress` can pack it."""
    matrix = np.random.default_rng(0).normal(size=(4, 5) if adj_y else (5, 4)).astype(np.float32)
    x, y = _float("x", (1, rows, 5)), constant("y", matrix, Role.WEIGHTS)
    view = view_of("batch_matmul", {"adj_x": 0, "adj_y": adj_y}, [x, y], _float("out", (1, rows, 4)))
    graph = import_tflite_float(oracle.model(view), "net", "net.tflite")
    assert [node.op for node in graph.nodes] == ["fully_connected"]
    value = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    expected = oracle.run(view, [value])[0]
    np.testing.assert_allclose(float_reference.outputs(graph, [value])[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("units", [1, 4])
def test_weights_that_are_computed(units: int) -> None:
    x, y, rows = _float("x", (1, 2, 6)), _float("y", (1, units, 2, 3)), _float("rows", (units, 6))
    turned = view_of("reshape", {}, [y], rows)
    product_ = view_of("dynamic_fully_connected", {"activation": "relu"}, [x, rows], _float("out", (1, 2, units)))
    data = oracle.network([turned, product_], ["x", "y"], ["out"])
    graph = import_tflite_float(data, "net", "net.tflite")
    rng = np.random.default_rng(2)
    values = [rng.normal(size=t.shape).astype(np.float32) for t in (x, y)]
    expected = oracle.interpret(data, values)[0]
    np.testing.assert_allclose(float_reference.outputs(graph, values)[0], expected, rtol=1e-5, atol=1e-5)


def _step(op: str, inputs: Sequence[Tensor], *outs: Tensor, **attrs: AttrValue) -> View:
    names = tuple(t.name for t in inputs), tuple(t.name for t in outs)
    return View(Node(op, outs[0].name, *names, attrs), tuple(inputs), outs)


def _choices() -> bytes:
    """What is compared, what is computed of the answers, choices by them and by a constant, and ranks."""
    x, y = _float("x", (1, 4, 6)), _float("y", (1, 4, 6))
    half = constant("half", np.float32([0.5]), Role.WEIGHTS)
    mask = constant("mask", np.arange(6).reshape(1, 1, 6) % 2 == 0, Role.WEIGHTS)
    less, small, both, either, no = (Tensor(n, (1, 4, 6), "bool") for n in ("less", "small", "both", "either", "no"))
    best = _float("best", (1, 4, 2)), Tensor("places", (1, 4, 2), "int32")
    rows = constant("rows", np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32), Role.WEIGHTS)
    views = [
        _step("compare", [x, y], less, relation="less"),
        _step("compare", [x, half], small, relation="greater_equal"),
        _step("logical_and", [less, small], both),
        _step("logical_or", [less, small], either),
        _step("logical_not", [both], no),
        _step("select", [no, x, half], _float("chosen", (1, 4, 6))),
        _step("select", [mask, y, half], _float("masked", (1, 4, 6))),
        _step("cast", [either], _float("numbers", (1, 4, 6))),
        _step("top_k", [x], *best, count=2),
        _step("lookup", [best[1], rows], _float("looked", (1, 4, 2, 3))),
    ]
    return oracle.network(views, ["x", "y"], ["chosen", "masked", "numbers", "best", "places", "looked"])


def test_choices_and_ranks() -> None:
    data = _choices()
    graph = import_tflite_float(data, "net", "net.tflite")
    legal.check(graph)
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(1, 4, 6)).astype(np.float32) for _ in range(2)]
    expected = oracle.interpret(data, values)
    for got, want in zip(float_reference.outputs(graph, values), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
    integer = lower(quantize(graph, dict.fromkeys(graph.tensors, (-3.0, 3.0))))
    legal.check(integer)
    levels = [np.clip(np.round(x / np.float32(6 / 255)), -128, 127).astype(np.int8) for x in values]
    found = reference.run(integer, levels)
    for name, want in zip(integer.outputs, expected, strict=True):
        t = integer.tensors[name]
        got = found[name] if t.dtype == "int32" else (found[name].astype(np.float32) - t.q.zero_point) * t.q.scale
        assert np.mean(np.abs(got - want) < 0.05) > 0.9, name


@pytest.mark.parametrize("kind", ["numbers", "reals", "places"])
def test_embeddings(kind: str) -> None:
    """By an input of whole numbers, or as Keras writes it, and as a code with one that is on."""
    x, dtype = Tensor("x", (1, 5), "int32"), "int32"
    rows = constant("rows", np.random.default_rng(1).normal(size=(140, 3)).astype(np.float32), Role.WEIGHTS)
    views, out, shape = [], "embedding", (1, 5, 3)
    if kind == "reals":
        x, dtype = _float("x", (1, 5)), "float32"
        whole, zero = Tensor("whole", (1, 5), "int32"), Tensor("zero", (), "int32", data=np.array(0, np.int32))
        count = Tensor("count", (), "int32", data=np.array(140, np.int32))
        below, added, place = Tensor("below", (1, 5), "bool"), *(Tensor(n, (1, 5), "int32") for n in ("added", "place"))
        views = [
            _step("cast", [x], whole),
            _step("compare", [whole, zero], below, relation="less"),
            _step("add", [whole, count], added, activation="none"),
            _step("select", [below, added, whole], place),
        ]
    last = views[-1].out if views else x
    if kind == "places":
        depth = Tensor("depth", (), "int32", data=np.array(7, np.int32))
        ends = (constant(n, np.array(v, np.float32), Role.WEIGHTS) for n, v in (("on", 1), ("off", -0.5)))
        shape = (1, 5, 7)
        views.append(_step("one_hot", [last, depth, *ends], _float("y", shape)))
    else:
        views.append(_step("lookup", [last, rows], _float("y", shape)))
    data = oracle.network(views, ["x"], ["y"])
    graph = import_tflite_float(data, "net", "net.tflite")
    legal.check(graph)
    assert [node.op for node in graph.nodes] == [out]
    value = np.array([[0, 6, 3, 139, 5]] if kind != "places" else [[0, 6, 3, 6, 5]]).astype(dtype)
    want = oracle.interpret(data, [value])[0]
    np.testing.assert_allclose(float_reference.outputs(graph, [value])[0], want, rtol=1e-6, atol=1e-6)
    made, rows_there = synthetic(graph, 400, 0, None).x, 8 if kind == "places" else 140
    np.testing.assert_array_equal(np.unique(made), np.arange(rows_there))  # without data: numbers of all rows
    integer = lower(quantize(graph, {"input": (0.0, 9.0), graph.outputs[0]: (0.0, 0.1)}))
    t = integer.tensors[integer.outputs[0]]
    levels = (value + integer.tensors["input"].q.zero_point).astype(np.int8)
    got = reference.run(integer, [levels])[integer.outputs[0]].astype(np.float32)
    np.testing.assert_allclose((got - t.q.zero_point) * t.q.scale, want, rtol=0, atol=0.6 * t.q.scale)
