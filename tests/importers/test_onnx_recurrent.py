"""LSTM, GRU, RNN, attention and written-out GELU of ONNX against onnxruntime."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx_models import close, floats, helper, model, ort_outputs, save

from edgekc.errors import UnsupportedError
from edgekc.importers.onnx.importer import import_onnx
from edgekc.ops import legal
from edgekc.quantize import float_reference

node = helper.make_node
SIZE, INPUTS = 4, 3


def recurrent(kind, direction="forward", bias=True, state=False, end=False, **attrs):
    """A model of one layer over five rows, batch first; `end`: its last outputs instead of all."""
    rng = np.random.default_rng(0)
    ways, gates = 2 if direction == "bidirectional" else 1, {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    constants = {"w": floats(rng, ways, gates * SIZE, INPUTS), "r": floats(rng, ways, gates * SIZE, SIZE)}
    names = ["x", "w", "r", "", "", ""]
    if bias:
        names[3], constants["b"] = "b", floats(rng, ways, 2 * gates * SIZE)
    if state:
        names[5], constants["h"] = "h", floats(rng, ways, 1, SIZE)
    outputs = ["", "y"] if end else ["y"]
    layer = node(kind, names, outputs, hidden_size=SIZE, direction=direction, **attrs)
    nodes = [node("Transpose", ["rows"], ["x"], perm=[1, 0, 2]), layer]
    return model(nodes, {"rows": (1, 5, INPUTS)}, ["y"], constants, 14)


CASES = {
    "lstm": recurrent("LSTM"),
    "lstm_end": recurrent("LSTM", end=True, bias=False),
    "lstm_state": recurrent("LSTM", "reverse", state=True),
    "lstm_both": recurrent("LSTM", "bidirectional"),
    "rnn": recurrent("RNN"),
    "gru": recurrent("GRU"),
    "gru_after": recurrent("GRU", linear_before_reset=1, state=True),
    "gru_state": recurrent("GRU", state=True, end=True),
    "rnn_state": recurrent("RNN", "bidirectional", state=True),
    "rnn_relu": recurrent("RNN", "reverse", activations=["Relu"], end=True),
    "gru_both": recurrent("GRU", "bidirectional", linear_before_reset=1),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_over_rows(name, tmp_path):
    path = save(CASES[name], tmp_path)
    graph = import_onnx(path, "net")
    legal.check(graph)
    rows = floats(np.random.default_rng(1), 1, 5, INPUTS)
    (got,), (want,) = float_reference.outputs(graph, [rows]), ort_outputs(path, [rows])
    close(got.ravel(), want.ravel())


def test_other_activations_are_refused(tmp_path):
    proto = recurrent("GRU", activations=["HardSigmoid", "Tanh"])
    with pytest.raises(UnsupportedError, match=r"activations \['HardSigmoid', 'Tanh'\]"):
        import_onnx(save(proto, tmp_path), "net")


def gelu(form):
    """x / 2 * (1 + erf(x / sqrt(2))), as three exporters write it."""
    constants = {"r": np.float32(math.sqrt(2)), "i": np.float32(math.sqrt(0.5)), "o": np.float32(1)}
    constants["h"] = np.float32(0.5)
    nodes = [node("Div", ["x", "r"], ["a"]) if form else node("Mul", ["i", "x"], ["a"])]
    nodes += [node("Erf", ["a"], ["e"]), node("Add", ["o", "e"] if form else ["e", "o"], ["p"])]
    products = [("x", "p", "m", "m", "h"), ("h", "x", "m", "p", "m"), ("p", "h", "m", "x", "m")][form]
    nodes += [node("Mul", list(products[:2]), ["m"]), node("Mul", list(products[3:]), ["y"])]
    return model(nodes, {"x": (1, 7)}, ["y"], constants, 13)


@pytest.mark.parametrize("form", range(3))
def test_gelu_by_its_parts(form, tmp_path):
    path = save(gelu(form), tmp_path)
    graph = import_onnx(path, "net")
    assert [n.op for n in graph.nodes] == ["gelu"]
    x = floats(np.random.default_rng(2), 3, 7)
    close(float_reference.outputs(graph, [x])[0], ort_outputs(path, [x])[0])


def test_an_erf_by_itself_is_no_gelu(tmp_path):
    proto = gelu(0)
    proto.graph.node[2].input[1] = "h"
    with pytest.raises(UnsupportedError, match="node 1 Erf: this operator is not implemented"):
        import_onnx(save(proto, tmp_path), "net")


def test_attention_of_two_activations(tmp_path):
    """q k^T comes without a transpose, the heads of q, k and v with one each."""
    rng = np.random.default_rng(3)
    constants = {k: floats(rng, 8, 8) for k in "qkv"} | {"s": np.array([0, 0, 2, 4]), "t": np.array([0, 0, 8])}
    constants["c"] = np.float32(0.5)
    nodes = []
    for k, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [node("MatMul", ["x", k], [f"{k}1"]), node("Reshape", [f"{k}1", "s"], [f"{k}2"])]
        nodes.append(node("Transpose", [f"{k}2"], [f"{k}3"], perm=perm))
    nodes += [
        node("MatMul", ["q3", "k3"], ["a"]), node("Mul", ["a", "c"], ["b"]), node("Softmax", ["b"], ["p"], axis=-1),
        node("MatMul", ["p", "v3"], ["o"]), node("Transpose", ["o"], ["u"], perm=[0, 2, 1, 3]),
        node("Reshape", ["u", "t"], ["y"]),
    ]  # fmt: skip
    path = save(model(nodes, {"x": (1, 5, 8)}, ["y"], constants), tmp_path)
    graph = import_onnx(path, "net")
    x = floats(rng, 3, 5, 8)
    close(float_reference.outputs(graph, [x])[0], ort_outputs(path, [x])[0])
    assert [n.op for n in graph.nodes].count("transpose") <= 4
