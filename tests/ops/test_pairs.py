"""Operators of two tensors: float halves agree, quantised they stay near, float files are taken, order and rank."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from float_nets import FloatNet
from importing import import_tflite, import_tflite_float

from edgekc.data import Dataset
from edgekc.emulate import reference
from edgekc.errors import UnsupportedError
from edgekc.fuzzing import file_operators
from edgekc.graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import to_int8, to_real

PAIRS = ("sub", "div", "maximum", "minimum", "squared_difference", "prelu")
ORDERS = ((0, 1), (1, 0))
with_litert = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def samples() -> Array:
    x = np.linspace(-2, 2, 64 * 6).reshape(64, 2, 3)
    return np.where(np.abs(x) < 0.05, 0.5, x).astype(np.float32)


def graph_of(op: str, order: tuple[int, int]) -> Graph:
    """The operator of an activation and a constant for each channel, in either order."""
    net = FloatNet(np.random.default_rng(0), (1, 2, 3))
    operands = ("input", net.constant(np.array([0.4, -0.7, 1.5]).reshape(1, 1, 3)))
    return net.graph(net.op(op, *(operands[i] for i in order), shape=(1, 2, 3), activation="none"))


def orders(op: str) -> tuple[tuple[int, int], ...]:
    return ORDERS[:1] if op == "prelu" else ORDERS


CASES = [(op, order) for op in PAIRS for order in orders(op)]


@pytest.mark.parametrize(("op", "order"), CASES)
def test_numpy_and_torch_agree(op: str, order: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from edgekc.train.net import Net

    graph, x = graph_of(op, order), samples()
    given = torch.from_numpy(x).requires_grad_()
    found = Net(graph).activations(given, [graph.outputs[0]])[graph.outputs[0]]
    expected = float_reference.outputs(graph, [x])[0]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-6, atol=2e-6)
    found.sum().backward()
    assert torch.isfinite(given.grad).all()


@pytest.mark.parametrize(("op", "order"), CASES)
def test_quantised_it_stays_near(op: str, order: tuple[int, int]) -> None:
    """Against the operator on the operands' own levels, so that only what the operator rounds is left."""
    graph, x = graph_of(op, order), samples()
    quantized = post_training(graph, Dataset(x, None, (), "test"), Quantize.model_validate({"method": "min-max"}))
    into, out = (quantized.tensors[name].q for name in (quantized.inputs[0], quantized.outputs[0]))
    levels = to_int8(x, into)
    got = to_real(reference.outputs(to_integer(quantized, {}), [levels])[0], out)
    held = quantized.tensors[next(n for n in graph.nodes[0].inputs if graph.tensors[n].data is not None)]
    tensors = {**graph.tensors, held.name: constant(held.name, to_real(held.value, held.q), held.role)}
    exact = float_reference.outputs(Graph("exact", graph.stage, tensors, graph.nodes, graph.inputs, graph.outputs, {}), [to_real(levels, into)])[0]  # fmt: skip  # noqa: E501
    exact = np.clip(exact, out.scale * (-128 - out.zero_point), out.scale * (127 - out.zero_point))
    assert np.abs(got - exact).max() <= 0.76 * out.scale
    if op in ("maximum", "minimum"):
        assert held.quant == quantized.tensors[quantized.inputs[0]].quant


@with_litert
@pytest.mark.parametrize(("op", "order"), CASES)
def test_a_float_file(op: str, order: tuple[int, int]) -> None:
    """The constant has fewer axes than the activation, as converters write them."""
    x = samples()[:1]
    k = constant("k", np.array([0.4, -0.7, 1.5], np.float32), Role.WEIGHTS)
    operands = [(Tensor("x", (1, 2, 3), "float32"), k)[i] for i in order]
    node = Node(op, "y", tuple(t.name for t in operands), ("y",), {"activation": "none"})
    data = oracle.model(View(node, tuple(operands), (Tensor("y", (1, 2, 3), "float32"),)))
    graph = import_tflite_float(data, "net", "net.tflite")
    np.testing.assert_allclose(
        float_reference.outputs(graph, [x])[0], oracle.interpret(data, [x])[0], rtol=2e-6, atol=2e-6
    )
    instead = {"sub": "add", "div": "mul"} if order == (0, 1) else {}
    assert [n.op for n in graph.nodes] == [instead.get(op, op)]


@with_litert
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_sum_of_any_number(count: int) -> None:
    parts = tuple(Tensor(f"x{i}", (1, 3), "float32") for i in range(count))
    view = View(Node("add_n", "y", tuple(t.name for t in parts), ("y",), {}), parts, (Tensor("y", (1, 3), "float32"),))
    data = oracle.model(view)
    graph = import_tflite_float(data, "net", "net.tflite")
    assert [n.op for n in graph.nodes] == ["add"] * (count - 1)
    xs = [np.full((1, 3), float(i + 1), np.float32) for i in range(count)]
    np.testing.assert_array_equal(float_reference.outputs(graph, xs)[0], oracle.interpret(data, xs)[0])


@with_litert
@pytest.mark.parametrize("op", ["square", "sign"])
def test_a_function_is_a_table(op: str) -> None:
    x = Tensor("x", (1, 4), "float32")
    data = oracle.model(View(Node(op, "y", ("x",), ("y",), {}), (x,), (Tensor("y", (1, 4), "float32"),)))
    graph, given = import_tflite_float(data, "net", "net.tflite"), np.array([[-3.0, 0.0, 0.5, 2.0]], np.float32)
    np.testing.assert_array_equal(float_reference.outputs(graph, [given])[0], oracle.interpret(data, [given])[0])
    quantized = post_training(graph, Dataset(given, None, (), "test"), Quantize())
    assert [n.op for n in to_integer(quantized, {}).nodes] == ["lut"]


def test_a_maximum_does_not_force_fixed_steps_on_others() -> None:
    """A logistic's steps are 1/256: what it meets is brought to the steps that both need."""
    net = FloatNet(np.random.default_rng(0), (1, 2, 3))
    graph = net.graph(net.op("maximum", net.unary("logistic", "input"), "input"))
    x = 4 * samples()
    quantized = post_training(graph, Dataset(x, None, (), "test"), Quantize.model_validate({"method": "min-max"}))
    assert [n.op for n in quantized.nodes] == ["logistic", "quantize", "maximum"]
    assert quantized.tensors[quantized.outputs[0]].q.scale > 0.03


@with_litert
@pytest.mark.parametrize("op", ["add", "mul", "sub", "div"])
def test_a_file_without_options_has_the_schema_s_defaults(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, _ = file_operators.BUILTIN[op]
    monkeypatch.setitem(file_operators.BUILTIN, op, (name, None, lambda view: {}))
    q = Quant((0.03125,), (-128,))
    x, y = (Tensor(n, (1, 5), "int8", q) for n in "xy")
    k = constant("k", np.array([-100, -3, 5, 77, 127], np.int8), Role.WEIGHTS, q)
    data = oracle.model(View(Node(op, "y", ("x", "k"), ("y",), {}), (x, k), (y,)))
    graph = import_tflite(data, "net", "net.tflite")
    assert graph.nodes[0].attrs == {"activation": "none"}
    given = np.array([[-128, -5, 0, 60, 127]], np.int8)
    np.testing.assert_array_equal(
        reference.outputs(to_integer(graph, {}), [given])[0], oracle.interpret(data, [given])[0]
    )


def test_by_zero_a_quotient_is_as_large_as_can_be() -> None:
    attrs = dict(a_zero=1, b_zero=2, multiplier=2**30, shift=1, out_zero=5, act_min=-100, act_max=90, over=0)
    a, b = np.array([[0, 1, 2, 7]], np.int8), np.array([[2, 2, 2, 3]], np.int8)
    np.testing.assert_array_equal(OPS["div"].reference(attrs, [a, b])[0], [[-100, 5, 90, 11]])


@pytest.mark.parametrize("op", ["add", "mul", "sub"])
def test_axes_that_alternate(op: str) -> None:
    """What has at most three runs of axes keeps the kernels that it had."""
    q = Quant((0.02,), (0,))
    for a, b, lowered in (
        ((1, 3, 4, 5), (1, 1, 4, 1), {"add": "add", "mul": "mul"}),
        ((1, 3, 1, 5, 1), (1, 1, 2, 1, 4), {"add": "add_signed", "mul": "mul_deep"}),
        ((1, 2, 1, 3, 1, 4), (1, 1, 2, 1, 3, 1), {"add": "add_signed", "mul": "mul_deep"}),
    ):
        out = np.broadcast_shapes(a, b)
        operands = (Tensor("a", a, "int8", q), Tensor("b", b, "int8", q))
        view = View(Node(op, "y", ("a", "b"), ("y",), {"activation": "none"}), operands, (Tensor("y", out, "int8", q),))
        assert LOWER[op](view).op == lowered.get(op, "add_signed")


@with_litert
@pytest.mark.parametrize("scale", [7.8e-9, 1e-7, 1.0])
def test_a_difference_to_itself_is_taken_at_any_scale(scale: float) -> None:
    """Converters ask so whether a maximum is infinite, with the least scale that they have."""
    x, y = (
        Tensor("x", (1, 256), "int8", Quant((0.03,), (5,))),
        Tensor("y", (1, 256), "int8", Quant((float(np.float32(scale)),), (9,))),
    )
    data = oracle.model(View(Node("sub", "y", ("x", "x"), ("y",), {"activation": "none"}), (x, x), (y,)))
    every = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 256)
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    np.testing.assert_array_equal(reference.outputs(graph, [every])[0], oracle.interpret(data, [every])[0])


def test_what_is_not_covered_is_refused() -> None:
    def view(op: str, a: Quant, b: Quant, out: Quant, shape: tuple[int, ...] = (1, 4), other: tuple[int, ...] = (1, 4)) -> View:  # fmt: skip  # noqa: E501
        operands = (Tensor("a", shape, "int8", a), Tensor("b", other, "int8", b))
        y = Tensor("y", np.broadcast_shapes(shape, other), "int8", out)
        return View(Node(op, "y", ("a", "b"), ("y",), {"activation": "none"}), operands, (y,))

    one, fine = Quant((1.0,), (0,)), Quant((1e-8,), (0,))
    for case, said in (
        (view("maximum", one, fine, one), "differ in scale or zero point"),
        (view("sub", one, one, fine), "below 2\\*\\*-18"),
        (view("squared_difference", one, one, fine), "below 2\\*\\*-13"),
        (view("div", one, one, fine), "above 2\\*\\*23"),
        (view("prelu", one, one, one), "computed at run time"),
        (view("sub", one, one, one, (1, 2, 1, 2, 1, 2, 1), (1, 1, 2, 1, 2, 1, 2)), "alternate more than 4 times"),
    ):
        with pytest.raises(UnsupportedError, match=said):
            LOWER[case.node.op](case)


@pytest.mark.parametrize(("op", "order"), CASES)
def test_with_one_constant_value_it_is_a_table(op: str, order: tuple[int, int]) -> None:
    q = Quant((0.02,), (3,))
    every = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 256)
    tables = []
    for shape in ((1,), (1, 256)):  # of the constant: one value, or the same for each element
        operands = (Tensor("x", (1, 256), "int8", q), constant("k", np.full(shape, -40, np.int8), Role.WEIGHTS, q))
        given = tuple(operands[i] for i in order)
        node = Node(op, "y", tuple(t.name for t in given), ("y",), {"activation": "none"})
        lowered = LOWER[op](View(node, given, (Tensor("y", (1, 256), "int8", q),)))
        tables.append((lowered.op, OPS[lowered.op].reference(lowered.attrs, [every, lowered.constants[0].value])[0]))
    assert tables[0][0] == "lut" != tables[1][0]
    np.testing.assert_array_equal(tables[0][1], tables[1][1])
