"""ONNX files that cannot be imported: one line each, naming the file, the node and its operator."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import floats, helper, model, onnx, save

from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.importers.onnx.importer import import_onnx

node = helper.make_node
W = np.ones((4, 2, 3, 3), np.float32)
X = {"x": (1, 2, 6, 6)}


def _one(op, constants=None, inputs=None, outputs=("y",), shapes=None, opset=17, **attrs):
    """A model of one node."""
    constants = constants or {}
    names = inputs if inputs is not None else [*(shapes or X), *constants]
    return model([node(op, names, list(outputs), name="culprit", **attrs)], shapes or X, ["y"], constants, opset)


UNSUPPORTED = {
    "operator": (_one("HardSwish"), "HardSwish 'culprit': this operator is not implemented; supported: Add"),
    "conv-1d": (_one("Conv", {"w": np.ones((4, 2, 3), np.float32)}, shapes={"x": (1, 2, 9)}), "4 dimensions"),
    "computed-weights": (_one("Conv", inputs=["x", "w"], shapes={**X, "w": (1, 2, 3, 3)}), "computed at run time"),
    "clip": (_one("Clip", {"lo": np.float32(0), "hi": np.float32(4)}), "a clamp to 0.0 .. 4.0; supported: 0 .. inf"),
    "pool-dilation": (_one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), "dilation [2, 2]; supported: 1"),
    "pad-value": (_one("Pad", {"p": np.array([0, 0, 1, 1] * 2), "v": np.float32(1)}), "padding with 1.0; supported: 0"),
    "pad-mode": (_one("Pad", {"p": np.array([0, 0, 1, 1] * 2)}, mode="reflect"), "mode 'reflect'"),
    "negative-pad": (_one("Pad", {"p": np.array([0, 0, -1, 0] * 2)}), "negative padding"),
    "matmul-of-activations": (
        _one("MatMul", inputs=["x", "z"], shapes={"x": (1, 3), "z": (3, 2)}),
        "batch size 3",
    ),
    "mean-of-channels": (
        _one("ReduceMean", axes=[1]),
        "mean over axes [1] of shape [1, 2, 6, 6]; supported: adjacent axes",
    ),
    "softmax-of-rows": (_one("Softmax", axis=2), "softmax over axis 2"),
    "batch": (_one("Relu", shapes={"x": (2, 3)}), "batch size 2"),
    "free-dimension": (_one("Relu", shapes={"x": (1, "time")}), "input 'x': dimension 1 is free (time)"),
    "opset": (_one("Relu", opset=9), "opset 9; supported: 11 to 22"),
    "training-norm": (
        _one("BatchNormalization", dict.fromkeys("sbmv", np.ones(2, np.float32)), training_mode=1),
        "training mode",
    ),
    "division": (_one("Div", inputs=["x", "x"]), "division by an activation"),
    "growing-constant": (_one("Add", {"k": W[:, :, :1, :1]}, shapes={"x": (1, 2, 1, 1)}), "enlarges"),
    "trans-a": (_one("Gemm", {"w": np.ones((1, 3), np.float32)}, shapes={"x": (1, 3)}, transA=1), "transA 1"),
    "output-order": (_one("Flatten"), "output 0: an output of shape [1, 72]"),
    "qoperator": (
        _one("QuantizeLinear", {"s": np.float32(1), "z": np.uint16(3)}, opset=21),
        "quantisation to uint16; supported: int8, uint8",
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_constructs_are_named(tmp_path, case):
    proto, message = UNSUPPORTED[case]
    with pytest.raises(UnsupportedError) as error:
        import_onnx(save(proto, tmp_path), "net")
    text = str(error.value)
    assert message in text
    assert "net.onnx: " in text and "\n" not in text
    if case not in ("batch", "free-dimension", "opset", "matmul-of-activations", "output-order"):
        assert f"node 0 {proto.graph.node[0].op_type} 'culprit'" in text


def test_elements_that_would_have_to_move(tmp_path):
    """A reshape that mixes channels into rows has no counterpart without a transpose."""
    shuffle = [node("Reshape", ["x", "s"], ["a"]), node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4])]
    shuffle += [node("Reshape", ["b", "t"], ["c"]), node("Conv", ["c", "w"], ["y"])]
    constants = {"s": np.array([1, 2, 2, 6, 6]), "t": np.array([1, 4, 6, 6]), "w": np.ones((3, 4, 1, 1), np.float32)}
    proto = model(shuffle, {"x": (1, 4, 6, 6)}, ["y"], constants)
    with pytest.raises(UnsupportedError, match=r"node 3 Conv: its input \[1, 4, 6, 6\] comes out of a reshape"):
        import_onnx(save(proto, tmp_path), "net")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["w", "c", "v"])
def test_constants_that_are_no_numbers(tmp_path, bad, which):
    constants = {"w": W.copy(), "c": np.ones(4, np.float32), "v": np.ones(4, np.float32)}
    constants[which].flat[1] = bad
    nodes = [node("Conv", ["x", "w", "c"], ["a"]), node("BatchNormalization", ["a", "c", "c", "c", "v"], ["y"])]
    with pytest.raises(ModelError, match=f"tensor '{which}'.* NaN or infinity"):
        import_onnx(save(model(nodes, X, ["y"], constants), tmp_path), "net")


WRONG = {
    "weights-do-not-fit": (_one("Conv", {"w": np.ones((4, 3, 3, 3), np.float32)}), "do not fit an input of 2 channels"),
    "window-too-large": (_one("Conv", {"w": np.ones((4, 2, 9, 9), np.float32)}), "a window of 9 does not fit"),
    "bad-reshape": (_one("Reshape", {"s": np.array([5, 7])}), "[1, 2, 6, 6] does not reshape to [5, 7]"),
    "bad-axis": (_one("Softmax", axis=7), "axis 7 does not exist"),
    "bad-perm": (_one("Transpose", perm=[0, 0, 1, 2]), "no permutation"),
    "no-broadcast": (_one("Add", {"k": np.ones(5, np.float32)}), "do not broadcast"),
    "zero-stride": (_one("MaxPool", kernel_shape=[2, 2], strides=[0, 1]), "impossible"),
    "missing-operand": (_one("Gemm", inputs=["x"], shapes={"x": (1, 3)}), "not a sound ONNX model"),
    "zero-division": (_one("Div", {"k": np.float32(0)}), "division by zero"),
    "negative-variance": (
        _one("BatchNormalization", {k: np.full(2, v, np.float32) for k, v in zip("sbmv", (1, 1, 1, -1), strict=True)}),
        "negative variance",
    ),
    "bad-fold": (
        model([node("Gather", ["k", "i"], ["j"]), node("Add", ["x", "j"], ["y"])], X, ["y"],
              {"k": np.ones(3, np.float32), "i": np.int64(99)}),
        "cannot be computed from its constants",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_contradictions(tmp_path, case):
    proto, message = WRONG[case]
    with pytest.raises(ModelError) as error:
        import_onnx(save(proto, tmp_path), "net")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_no_file_no_model_and_missing_external_data(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        import_onnx(tmp_path / "absent.onnx", "net")
    (tmp_path / "text.onnx").write_text("no model at all")
    with pytest.raises(ModelError, match="not a sound ONNX model"):
        import_onnx(tmp_path / "text.onnx", "net")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="ONNX model"):
        import_onnx(tmp_path / "empty.onnx", "net")
    path = tmp_path / "big.onnx"
    proto = _one("Conv", {"w": W})
    onnx.save_model(proto, str(path), save_as_external_data=True, location="big.onnx.data", size_threshold=0)
    (tmp_path / "big.onnx.data").write_bytes(b"\0" * 10)
    with pytest.raises(ModelError):
        import_onnx(path, "net")
    (tmp_path / "big.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"big\.onnx"):
        import_onnx(path, "net")


def _bytes():
    rng = np.random.default_rng(0)
    constants = {"w": floats(rng, 3, 2, 3, 3), "s": np.array([1, -1]), "f": floats(rng, 48, 2)}
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=(0, 0, 0, 0), strides=(1, 1)),
        node("Reshape", ["a", "s"], ["b"]),
        node("MatMul", ["b", "f"], ["y"]),
    ]
    return model(nodes, X, ["y"], constants).SerializeToString()


DATA = _bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(DATA)), flips=st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 255))))
def test_damaged_files_give_one_line(tmp_path, cut, flips):
    data = bytearray(DATA)
    for at, value in flips:
        data[at] = value
    path = tmp_path / "damaged.onnx"
    path.write_bytes(bytes(data[: cut if not flips else None]))
    with contextlib.suppress(EdgekcError):  # and no other; a flip may land in a weight or a name
        import_onnx(path, "net")
