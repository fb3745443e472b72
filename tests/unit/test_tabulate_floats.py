"""Functions in float between DEQUANTIZE and QUANTIZE: one table, with LiteRT's outputs."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import imported
from edgekc.fuzzing.values import f32
from edgekc.graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.passes import QUANTIZED_PASSES, apply
from edgekc.passes.floats import refused

EVERY = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 256)
FUNCTIONS: dict[str, dict[str, int | float | str]] = {
    "elu": {}, "neg": {}, "abs": {}, "exp": {}, "tanh": {}, "logistic": {}, "sin": {}, "cos": {},
    "relu": {"activation": "relu6"}, "leaky_relu": {"alpha": 0.3}, "hard_swish": {}, "gelu": {"approximate": 0},
}  # fmt: skip


def model(names: list[str], scale: float, out: Quant, *, read_twice: bool = False) -> bytes:
    """int8, DEQUANTIZE, the functions, QUANTIZE."""
    tensors = [Tensor("x", (1, 256), "int8", Quant((f32(scale),), (7,)))]
    tensors += [Tensor(f"f{i}", (1, 256), "float32") for i in range(len(names) + 1)]
    tensors.append(Tensor("y", (1, 256), "int8", out))
    steps = [("dequantize", {}), *((name, FUNCTIONS[name]) for name in names), ("quantize", {})]
    views = []
    for i, (op, attrs) in enumerate(steps):
        x, y = tensors[i], tensors[i + 1]
        views.append(View(Node(op, y.name, (x.name,), (y.name,), dict(attrs)), (x,), (y,)))
    return oracle.network(views, ["x"], ["y", "f1"] if read_twice else ["y"])


Step = tuple[str, tuple[str | float, ...], dict[str, int | float | str]]
REGIONS: dict[str, list[Step]] = {  # operators that read each other's outputs 0, 1, ..., the input x, and numbers
    "silu": [("logistic", ("x",), {}), ("mul", ("x", "0"), {"activation": "none"})],
    "mish": [
        ("exp", ("x",), {}), ("add", ("0", 1.0), {"activation": "none"}), ("log", ("1",), {}),
        ("tanh", ("2",), {}), ("mul", ("x", "3"), {"activation": "none"}),
    ],
    "hard swish": [
        ("add", ("x", 3.0), {"activation": "relu6"}), ("mul", ("0", 1 / 6), {"activation": "none"}),
        ("mul", ("1", "x"), {"activation": "none"}),
    ],
    "softsign": [
        ("abs", ("x",), {}), ("add", (1.0, "0"), {"activation": "none"}), ("div", ("x", "1"), {"activation": "none"}),
    ],
    "one less": [("sub", (1.0, "x"), {"activation": "relu"}), ("squared_difference", ("0", "x"), {})],
    "hard sigmoid": [
        ("mul", ("x", 0.2), {"activation": "none"}), ("add", ("0", 0.5), {"activation": "none"}),
        ("minimum", ("1", 1.0), {}), ("maximum", (0.0, "2"), {}),
    ],
    "two tanh": [("tanh", ("x",), {}), ("mul", ("x", 0.5), {"activation": "none"}), ("tanh", ("1",), {}),
                 ("add", ("0", "2"), {"activation": "none"})],
}  # fmt: skip


def region(steps: list[Step], scale: float, out: Quant) -> bytes:
    """int8, DEQUANTIZE, the steps, QUANTIZE."""
    source = Tensor("q", (1, 256), "int8", Quant((f32(scale),), (7,)))
    known = {"x": Tensor("x", (1, 256), "float32")}
    views = [View(Node("dequantize", "x", ("q",), ("x",), {}), (source,), (known["x"],))]
    for i, (op, names, attrs) in enumerate(steps):
        inputs = [
            known[n] if isinstance(n, str) else constant(f"c{i}", np.array(n, np.float32), Role.WEIGHTS) for n in names
        ]
        known[str(i)] = Tensor(str(i), (1, 256), "float32")
        node = Node(op, str(i), tuple(t.name for t in inputs), (str(i),), dict(attrs))
        views.append(View(node, tuple(inputs), (known[str(i)],)))
    y, last = Tensor("y", (1, 256), "int8", out), known[str(len(steps) - 1)]
    views.append(View(Node("quantize", "y", (last.name,), ("y",), {}), (last,), (y,)))
    return oracle.network(views, ["q"], ["y"])


def check_litert(data: bytes, value: Array) -> None:
    if not oracle.missing():
        np.testing.assert_array_equal(value, oracle.interpret(data, [EVERY])[0])


def passed(graph: Graph) -> Graph:
    return apply(graph, QUANTIZED_PASSES, lambda note: None)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("scale", "out"), [(0.02, Quant((f32(0.013),), (-11,))), (0.11, Quant((f32(0.4),), (3,)))])
def test_one_function_is_one_table(name: str, scale: float, out: Quant) -> None:
    data = model([name], scale, out)
    graph = import_tflite(data, "net", "net.tflite")
    after = passed(graph)
    assert [node.op for node in after.nodes] == ["table"]
    (before,) = imported.outputs(imported.prepare(graph), [EVERY])
    (value,) = imported.outputs(imported.prepare(after), [EVERY])
    np.testing.assert_array_equal(value, before)
    if name != "elu":  # which the reference kernels lack
        check_litert(data, value)


def test_a_chain_is_one_table() -> None:
    data = model(["neg", "exp", "abs"], 0.05, Quant((f32(0.02),), (-100,)))
    after = passed(import_tflite(data, "net", "net.tflite"))
    assert [node.op for node in after.nodes] == ["table"]
    (value,) = imported.outputs(imported.prepare(after), [EVERY])
    check_litert(data, value)


def test_a_float_tensor_that_others_read_is_named() -> None:
    data = model(["neg"], 0.05, Quant((f32(0.02),), (0,)), read_twice=True)
    after = passed(import_tflite(data, "net", "net.tflite"))
    assert [node.op for node in after.nodes] == ["dequantize", "neg", "quantize"]
    assert [error.where for error in refused(after)] == ["dequantize_0", "neg_1", "quantize_2"]


@pytest.mark.parametrize("name", REGIONS)
def test_operators_that_read_each_other_are_one_table(name: str) -> None:
    for scale, out in ((0.03, Quant((f32(0.025),), (-30,))), (0.11, Quant((f32(0.4),), (3,)))):
        data = region(REGIONS[name], scale, out)
        graph = import_tflite(data, "net", "net.tflite")
        after = passed(graph)
        assert [node.op for node in after.nodes] == ["table"]
        (before,) = imported.outputs(imported.prepare(graph), [EVERY])
        (value,) = imported.outputs(imported.prepare(after), [EVERY])
        np.testing.assert_array_equal(value, before)
        check_litert(data, value)


def test_what_is_no_number_stays() -> None:
    """0 / 0 at the zero point has no level."""
    data = region([("div", ("x", "x"), {"activation": "none"})], 0.05, Quant((f32(0.02),), (0,)))
    assert len(passed(import_tflite(data, "net", "net.tflite")).nodes) == 3
