"""Functions of one value: their float halves agree, quantised they stay near, and float files with them are taken."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from float_nets import FloatNet
from importing import import_tflite_float

from edgekc.data import Dataset
from edgekc.emulate import reference
from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Graph, Node, Quant, Tensor
from edgekc.graph.op import View
from edgekc.ops import LOWER, curves
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import to_int8, to_real

CURVES = [(source.name, {}) for source in curves.SOURCES if source.name not in ("leaky_relu", "gelu")]
CURVES += [("leaky_relu", {"alpha": 0.1}), ("gelu", {"approximate": 0}), ("gelu", {"approximate": 1})]
JUMPING = ("floor", "ceil", "round")  # a step of the input can be a whole number of the output
ABOVE_ZERO = ("log", "sqrt", "rsqrt")


def values(op: str) -> np.ndarray:
    x = np.linspace(-4, 4, 97, dtype=np.float32)
    return (np.abs(x) + 0.2 if op in ABOVE_ZERO else x).reshape(-1, 1)


def graph_of(op: str, attrs: dict[str, float]) -> Graph:
    net = FloatNet(np.random.default_rng(0), (1, 1))
    return net.graph(net.unary(op, "input", **attrs))


@pytest.mark.parametrize(("op", "attrs"), CURVES)
def test_numpy_and_torch_agree_and_gradients_are_numbers(op: str, attrs: dict[str, float]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from edgekc.train.net import Net

    graph, x = graph_of(op, attrs), values(op)
    expected = float_reference.outputs(graph, [x])[0]
    given = torch.from_numpy(np.concatenate([x, np.zeros((1, 1), np.float32)])).requires_grad_()
    found = Net(graph).activations(given, [graph.outputs[0]])[graph.outputs[0]]
    np.testing.assert_allclose(found.detach().numpy()[:-1], expected, rtol=2e-6, atol=2e-6)
    found.sum().backward()
    assert torch.isfinite(given.grad).all()


@pytest.mark.parametrize(("op", "attrs"), [each for each in CURVES if each[0] not in JUMPING])
def test_quantised_it_is_within_a_step(op: str, attrs: dict[str, float]) -> None:
    """Half a step of rounding; more where LiteRT rounds twice or in 16 bits, and SQRT truncates."""
    graph, x = graph_of(op, attrs), values(op)
    quantized = post_training(graph, Dataset(x, None, (), "test"), Quantize.model_validate({"method": "min-max"}))
    into, out = (quantized.tensors[name].q for name in (quantized.inputs[0], quantized.outputs[0]))
    levels = to_int8(x, into)
    got = to_real(reference.outputs(to_integer(quantized, {}), [levels])[0], out)
    exact = float_reference.outputs(graph, [to_real(levels, into)])[0]
    room = {"sqrt": 1.01, "hard_swish": 1.5, "leaky_relu": 0.76}.get(op, 0.51)
    inside = (exact >= out.scale * (-128 - out.zero_point)) & (exact <= out.scale * (127 - out.zero_point))
    assert inside.mean() > 0.9
    assert np.abs(got - exact)[inside].max() <= room * out.scale


@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
@pytest.mark.parametrize(("op", "attrs"), CURVES)
def test_a_float_file(op: str, attrs: dict[str, float]) -> None:
    x = values(op)
    view = View(
        Node(op, "y", ("x",), ("y",), attrs), (Tensor("x", (1, 97), "float32"),), (Tensor("y", (1, 97), "float32"),)
    )
    graph = import_tflite_float(oracle.network([view], ["x"], ["y"]), "net", "net.tflite")
    assert [n.op for n in graph.nodes] == [op]
    expected = oracle.interpret(
        oracle.network([view], ["x"], ["y"]), [x.T], reference=op not in ("elu", "ceil", "round")
    )[0]
    np.testing.assert_allclose(float_reference.outputs(graph, [x.T])[0], expected, rtol=2e-6, atol=2e-6)


def test_neg_of_reals_does_not_wrap() -> None:
    """LiteRT's NEG of bytes gives -128 for -128; a model that was float gets the nearest level."""
    q = Quant((0.5,), (0,))
    x, y = Tensor("x", (1, 256), "int8", q), Tensor("y", (1, 256), "int8", q)
    levels = np.arange(-128, 128)
    for attrs, lowest in (({}, 127), ({"of_bytes": 1}, -128)):
        lowered = LOWER["neg"](View(Node("neg", "y", ("x",), ("y",), attrs), (x,), (y,)))
        table = lowered.constants[0].value[levels.astype(np.int8).view(np.uint8)]
        np.testing.assert_array_equal(table, [lowest, *-levels[1:]])


def test_what_is_not_covered_is_refused() -> None:
    def view(op: str, x_scale: float, y_scale: float, **attrs: float) -> View:
        x = Tensor("x", (1, 4), "int8", Quant((x_scale,), (0,)))
        y = Tensor("y", (1, 4), "int8", Quant((y_scale,), (0,)))
        return View(Node(op, "y", ("x",), ("y",), attrs), (x,), (y,))

    for case, said in (
        (view("leaky_relu", 1.0, 0.5, alpha=1e7), "2\\*\\*22 output scales"),
        (view("abs", 1.0, 1e-7), "2\\*\\*22 output scales"),
        (view("hard_swish", 1.0, 1 / 300), "128 output scales"),
        (view("rsqrt", 1e-8, 1e-8), "leave 32 bits"),
    ):
        with pytest.raises(UnsupportedError, match=said):
            LOWER[case.node.op](case)
