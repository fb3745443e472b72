"""ONNX files that cannot be imported: one line each, naming the file, the node and its operator."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import floats, helper, model, onnx, save

from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.importers.builder import Builder
from edgekc.importers.onnx.args import Args
from edgekc.importers.onnx.file import FileNode
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
    "operator": (_one("Det"), "Det 'culprit': this operator is not implemented; supported: Abs"),
    "conv-3d": (
        _one("Conv", {"w": np.ones((4, 2, 3, 3, 3), np.float32)}, shapes={"x": (1, 2, 9, 9, 9)}),
        "1 or 2 spatial axes",
    ),
    "computed-weights": (_one("Conv", inputs=["x", "w"], shapes={**X, "w": (1, 2, 3, 3)}), "computed at run time"),
    "pool-dilation": (_one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), "dilation [2, 2]; supported: 1"),
    "matmul-of-activations": (
        _one("MatMul", inputs=["x", "z"], shapes={"x": (1, 3), "z": (3, 2)}),
        "batch size 3",
    ),
    "batch": (_one("Relu", shapes={"x": (2, 3)}), "batch size 2"),
    "free-dimension": (_one("Relu", shapes={"x": (1, "time")}), "input 'x': dimension 1 is free (time)"),
    "opset": (_one("Relu", opset=5), "opset 5; supported: 6 to 28"),
    "batch-inside": (
        model(
            [node("Reshape", ["x", "s"], ["r"]), node("Conv", ["r", "w"], ["y"], name="culprit")],
            X,
            ["y"],
            {"s": np.array([2, 1, 6, 6]), "w": np.ones((4, 1, 3, 3), np.float32)},
        ),
        "node 1 Conv 'culprit': batch size 2 (shape [2, 1, 6, 6])",
    ),
    "resize": (
        _one("Resize", {"roi": np.ones(0, np.float32), "s": np.float32([1, 1, 2, 2])}, mode="cubic"),
        "resizing in mode 'cubic'",
    ),
    "power": (_one("Pow", {"k": np.float32(1.7)}), "the power 1.7"),
    "indices": (_one("Gather", inputs=["x", "i"], shapes={**X, "i": (1, 2)}), "rows that are computed"),
    "training-norm": (
        _one("BatchNormalization", dict.fromkeys("sbmv", np.ones(2, np.float32)), training_mode=1),
        "training mode",
    ),
    "division": (_one("Div", {"k": np.float32(2)}, inputs=["k", "x"]), "a constant divided by an activation"),
    "growing-constant": (_one("Add", {"k": W[:, :, :1, :1]}, shapes={"x": (1, 2, 1, 1)}), "enlarges"),
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
    if case not in ("batch", "batch-inside", "free-dimension", "opset", "matmul-of-activations"):
        assert f"node 0 {proto.graph.node[0].op_type} 'culprit'" in text


def test_attributes_that_a_handler_does_not_know():
    """What is not read might change all: padding with a number was padding with zeros where the number was not read."""
    proto = node("Pad", ["x"], ["y"], pads=[0, 0], fill=2.0)
    one = FileNode(0, "Pad", "", ("x",), ("y",), {"pads": [0, 0], "fill": 2.0}, proto)
    a = Args(Builder("net.onnx"), one, {}, 6)
    a.ints(1, "pads", "pads")
    with pytest.raises(UnsupportedError, match="attribute 'fill'; supported: pads"):
        a.check_seen()


def test_the_first_obstacle_is_the_one_of_the_usual_layout(tmp_path):
    """The other layouts are tried as well; what is said is why the first one is refused."""
    nodes = [node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]), node("Conv", ["a", "w"], ["b"])]
    nodes.append(node("Det", ["b"], ["y"], name="culprit"))
    proto = model(nodes, {"x": (1, 2, 6, 2)}, ["y"], {"w": np.ones((4, 6, 1, 1), np.float32)})
    with pytest.raises(UnsupportedError, match="node 2 Det 'culprit': this operator is not implemented"):
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
    "bad-mirror": (
        _one("Pad", {"p": np.array([0, 0, 9, 1] * 2)}, mode="reflect"), "mirrors more than there is of [1, 2, 6, 6]",
    ),
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
