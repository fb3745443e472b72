"""Operators of ONNX beyond plain CNNs, one by one, against onnxruntime; older opsets, and 1-D networks."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import close, floats, helper, model, nhwc, numpy_helper, ort_outputs, save

from edgekc.graph.ir import Stage
from edgekc.importers.onnx.importer import import_onnx
from edgekc.ops import legal
from edgekc.quantize import float_reference

node = helper.make_node
IMAGE, ROWS = (1, 6, 4, 8), (1, 5, 8)
RNG = np.random.default_rng(0)


def one(op, shape=IMAGE, constants=None, opset=20, **attrs):
    """A model of one node, its constants behind the input."""
    constants = constants or {}
    return model([node(op, ["x", *constants], ["y"], **attrs)], {"x": shape}, ["y"], constants, opset)


def numbers(*values):
    return np.array(values, np.int64)


CASES = {
    "hard_swish": one("HardSwish"),
    "hard_sigmoid": one("HardSigmoid", alpha=0.3, beta=0.4),
    "leaky": one("LeakyRelu", alpha=0.3),
    "prelu": one("PRelu", constants={"s": floats(RNG, 6, 1, 1)}),
    "elu": one("Elu", alpha=0.7),
    "selu": one("Selu"),
    "celu": one("Celu", alpha=0.6),
    "gelu": one("Gelu", ROWS),
    "gelu_tanh": one("Gelu", ROWS, approximate="tanh"),
    "softplus": one("Softplus"),
    "softsign": one("Softsign"),
    "mish": one("Mish"),
    "pow": one("Pow", constants={"e": np.float32(3)}),
    "clip": one("Clip", constants={"lo": np.float32(-0.4), "hi": np.float32(0.7)}),
    "clip_6": one("Clip", min=-0.3, max=0.5, opset=6),
    "broadcast_6": one("Add", constants={"k": floats(RNG, 6)}, axis=1, broadcast=1, opset=6),
    "pad_2": one("Pad", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=2.0, opset=6),
    "pad_edge": one("Pad", constants={"p": numbers(0, 0, 1, 2, 0, 0, 0, 1)}, mode="edge"),
    "pad_reflect": one("Pad", constants={"p": numbers(0, 0, 1, 2, 0, 0, 0, 1)}, mode="reflect"),
    "pad_cut": one("Pad", constants={"p": numbers(0, 0, -1, 2, 0, 0, 0, -1)}),
    "slice": one("Slice", constants={"s": numbers(1, -1), "e": numbers(5, -9), "a": numbers(1, 3),
                                     "t": numbers(2, -2)}),
    **{op.lower(): one(op) for op in ("Floor", "Ceil", "Round", "Sign")},
    "thresholded_relu": one("ThresholdedRelu", alpha=0.3),
    "top_k": model([node("TopK", ["x", "k"], ["y", "i"])], {"x": ROWS}, ["y"], {"k": numbers(3)}, 20),
    "least": model(
        [node("TopK", ["x", "k"], ["y", "i"], axis=1, largest=0)], {"x": IMAGE}, ["y"], {"k": numbers(2)}, 20
    ),
    "choice": model(
        [
            node("Less", ["x", "k"], ["t"]), node("GreaterOrEqual", ["x", "z"], ["u"]), node("And", ["t", "u"], ["v"]),
            node("Not", ["v"], ["w"]), node("Xor", ["w", "u"], ["r"]), node("Or", ["r", "t"], ["s"]),
            node("Cast", ["s"], ["f"], to=1), node("Where", ["w", "x", "f"], ["c"]),
            node("Where", ["m", "c", "z"], ["y"]),
        ], {"x": IMAGE}, ["y"],
        {"k": floats(RNG, 6, 1, 1), "z": np.float32([0.1]), "m": RNG.normal(size=(4, 1)) > -0.5}, 20,
    ),
    "gather": one("Gather", constants={"i": numbers(3, 0, 2)}, axis=1),
    "gather_one": one("Gather", constants={"i": np.int64(2)}, axis=2),
    "tile": one("Tile", constants={"r": numbers(1, 2, 1, 3)}),
    "expand": one("Expand", (1, 6, 1, 8), {"s": numbers(1, 1, 4, 1)}),
    "depth_to_space": one("DepthToSpace", (1, 8, 3, 2), blocksize=2),
    "depth_to_space_crd": one("DepthToSpace", (1, 8, 3, 2), blocksize=2, mode="CRD"),
    "space_to_depth": one("SpaceToDepth", blocksize=2),
    "transpose": one("Transpose", perm=[0, 2, 1, 3]),
    "reduce_prod": one("ReduceProd", constants={"a": numbers(1)}),
    "one_hot": model(
        [node("ArgMax", ["x"], ["t"], axis=2, keepdims=0), node("OneHot", ["t", "d", "v"], ["y"])],
        {"x": ROWS}, ["y"], {"d": numbers(8), "v": np.float32([-0.5, 2])}, 20,
    ),
    "reduce_max": one("ReduceMax", constants={"a": numbers(1)}),
    "reduce_sum": one("ReduceSum", constants={"a": numbers(1, 3)}, keepdims=0),
    "reduce_l2": one("ReduceL2", constants={"a": numbers(2, 3)}),
    "reduce_mean": one("ReduceMean", constants={"a": numbers(1, 2)}),
    "log_sum_exp": one("ReduceLogSumExp", constants={"a": numbers(3)}, keepdims=0),
    "softmax": one("Softmax", axis=2),
    "softmax_11": one("Softmax", axis=1, opset=11),
    "layer_norm": one("LayerNormalization", ROWS, {"g": floats(RNG, 8), "c": floats(RNG, 8)}),
    "instance_norm": one("InstanceNormalization", constants={"g": floats(RNG, 6), "c": floats(RNG, 6)}),
    "lrn": one("LRN", size=3, alpha=0.02, beta=0.75),
    "global_max": one("GlobalMaxPool", ROWS),
    "conv1d": one("Conv", ROWS, {"w": floats(RNG, 4, 5, 3), "b": floats(RNG, 4)}, dilations=[2], pads=[4, 0]),
    "conv1d_groups": one("Conv", (1, 6, 9), {"w": floats(RNG, 6, 1, 3)}, group=6, auto_pad="SAME_UPPER", strides=[2]),
    "pool1d": one("MaxPool", ROWS, kernel_shape=[3], strides=[2], ceil_mode=1),
    "average1d": one("AveragePool", ROWS, kernel_shape=[2], pads=[1, 1], count_include_pad=1),
    "norm1d": one("BatchNormalization", (1, 5, 8), {k: np.abs(floats(RNG, 5)) + 0.1 for k in "gbmv"}),
    "up": one("ConvTranspose", constants={"w": floats(RNG, 6, 3, 3, 3)}, strides=[2, 2], pads=[1, 0, 0, 1]),
    "up_same": one("ConvTranspose", constants={"w": floats(RNG, 6, 3, 3, 3)}, strides=[2, 2], auto_pad="SAME_LOWER"),
    "up_groups": one("ConvTranspose", constants={"w": floats(RNG, 6, 2, 2, 2)}, group=2, output_padding=[1, 0],
                     strides=[2, 1]),
    "up_dilated": one("ConvTranspose", (1, 6, 5), {"w": floats(RNG, 6, 2, 3)}, dilations=[2], strides=[3]),
    "resize": one("Resize", constants={"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 3])}),
    "resize_floor": one("Resize", constants={"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 2])},
                        nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
    "resize_linear": one("Resize", constants={"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 2])},
                         mode="linear"),
    "resize_down": one("Resize", constants={"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 0.5, 0.5])}),
    "upsample": one("Upsample", constants={"s": np.float32([1, 1, 2, 2])}, mode="nearest", opset=9),
    "resize_10": one("Resize", constants={"s": np.float32([1, 1, 2, 2])}, mode="linear", opset=10),
    "matmul_left": model([node("MatMul", ["k", "x"], ["y"])], {"x": ROWS}, ["y"], {"k": floats(RNG, 3, 5)}),
    "cumsum": one("CumSum", ROWS, {"a": np.int64(2)}, exclusive=1),
    "round": one("Round"), "floor": one("Floor"), "ceil": one("Ceil"),
    "where": model([node("Where", ["m", "x", "k"], ["y"])], {"x": ROWS}, ["y"],
                   {"m": RNG.random((5, 8)) < 0.5, "k": floats(RNG, 8)}),
    "scatter": one("ScatterND", ROWS, {"i": np.argwhere(np.ones((1, 2, 8))) + numbers(0, 2, 0), "u": floats(RNG, 16)}),
    "one over a root": model(
        [node("Abs", ["x"], ["a"]), node("Sqrt", ["a"], ["r"]), node("Reciprocal", ["r"], ["y"])],
        {"x": ROWS}, ["y"], {}, 13,
    ),
    "standardised": model(
        [node("ReduceMean", ["w"], ["m"], axes=[1, 2, 3]), node("Sub", ["w", "m"], ["k"]),
         node("Conv", ["x", "k"], ["y"])],
        {"x": IMAGE}, ["y"], {"w": floats(RNG, 4, 6, 2, 2)}, 13,
    ),
    "split": model(
        [node("Split", ["x"], ["a", "b", "c"], axis=1), node("Concat", ["c", "a", "k"], ["y"], axis=1)],
        {"x": IMAGE}, ["y"], {"k": floats(RNG, 1, 1, 4, 8)}, 13,
    ),
    "shape_chain": model(
        [
            node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["c"]), node("Div", ["c", "two"], ["half"]),
            node("Concat", ["first", "half", "two", "rest"], ["t"], axis=0), node("Reshape", ["x", "t"], ["r"]),
            node("Transpose", ["r"], ["p"], perm=[0, 2, 1, 3]), node("Reshape", ["p", "back"], ["y"]),
        ],
        {"x": IMAGE}, ["y"],
        {"one": numbers(1), "two": numbers(2), "first": numbers(1), "rest": numbers(-1), "back": numbers(1, 6, 4, 8)},
    ),
    "half": model(
        [node("Cast", ["w16"], ["w"], to=1), node("Conv", ["x", "w"], ["y"])], {"x": IMAGE}, ["y"],
        {"w16": floats(RNG, 4, 6, 1, 1).astype(np.float16)},
    ),
}  # fmt: skip


def initializer(name):
    return numpy_helper.to_array(CASES[name].graph.initializer[0])


# What onnxruntime runs in place of opset 6, which it lacks.
IN_NEWER_TERMS = {
    "clip_6": one("Clip", constants={"lo": np.float32(-0.3), "hi": np.float32(0.5)}),
    "broadcast_6": one("Add", constants={"k": initializer("broadcast_6")[:, None, None]}),
    "pad_2": one("Pad", constants={"p": numbers(0, 0, 1, 0, 0, 0, 0, 2), "v": np.float32(2)}),
}


@pytest.mark.parametrize("name", CASES)
def test_operators(name, tmp_path):
    proto = CASES[name]
    x = floats(np.random.default_rng(1), *[d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim])
    graph = import_onnx(save(proto, tmp_path), "net")
    assert graph.stage is Stage.FLOAT
    legal.check(graph)
    shape = graph.tensors["input"].shape
    fed = x if shape == x.shape and "source_layout" not in graph.metadata else np.moveaxis(x, 1, -1)
    fed = x if x.ndim == 3 and shape == x.shape else fed
    (got,) = float_reference.outputs(graph, [np.ascontiguousarray(fed)])
    (want,) = ort_outputs(save(IN_NEWER_TERMS.get(name, proto), tmp_path, "newer.onnx"), [x])
    forms = [nhwc(want), np.moveaxis(want, 1, -1) if want.ndim == 3 else want, want]
    form = next((f for f in forms if f.shape == got.shape and np.allclose(f, got, atol=1e-3)), forms[0])
    close(got, form)


def test_a_row_costs_what_an_image_of_one_row_costs(tmp_path):
    """Conv1d with k = 3 and the 1x3 convolution: the same layer, and reshapes at the ends only."""
    rng = np.random.default_rng(2)
    weights = {"w": floats(rng, 8, 6, 3), "v": floats(rng, 8, 1, 3)}
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1]), node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "v"], ["c"], group=8, strides=[2]), node("MaxPool", ["c"], ["y"], kernel_shape=[2]),
    ]  # fmt: skip
    row = import_onnx(save(model(nodes, {"x": (1, 6, 20)}, ["y"], weights), tmp_path), "net")
    flat = [node("Conv", ["x", "w"], ["a"], pads=[0, 1, 0, 1]), nodes[1]]
    flat += [node("Conv", ["b", "v"], ["c"], group=8, strides=[1, 2])]
    flat += [node("MaxPool", ["c"], ["y"], kernel_shape=[1, 2])]
    weights = {k: w[:, :, None] for k, w in weights.items()}
    image = import_onnx(save(model(flat, {"x": (1, 6, 1, 20)}, ["y"], weights), tmp_path), "net")
    layers = [n for n in row.nodes if n.op != "reshape"]
    assert [n.op for n in row.nodes] == ["reshape", "conv2d", "depthwise", "max_pool", "reshape"]
    assert [(n.op, dict(n.attrs)) for n in layers] == [(n.op, dict(n.attrs)) for n in image.nodes]
    for a, b in zip(layers, image.nodes, strict=True):
        assert row.tensors[a.outputs[0]].shape == image.tensors[b.outputs[0]].shape


def test_what_scikit_learn_writes(tmp_path):
    """A scaler, a network of two layers, and its classes as a number and as a map to probabilities."""
    rng = np.random.default_rng(0)
    ml = {"domain": "ai.onnx.ml"}
    nodes = [
        node("Scaler", ["x"], ["s"], offset=[0.1] * 6, scale=[2.0] * 6, **ml),
        node("LinearRegressor", ["s"], ["h"], coefficients=rng.normal(size=18).tolist(), targets=3, **ml),
        node("Softmax", ["h"], ["p"], axis=1),
        node("ZipMap", ["p"], ["map"], classlabels_int64s=[0, 1, 2], **ml),
        node("ArgMax", ["p"], ["a"], axis=1),
        node("ArrayFeatureExtractor", ["labels", "a"], ["n"], **ml),
        node("Cast", ["n"], ["label"], to=7),
    ]
    proto = model(nodes, {"x": (1, 6)}, ["label", "map"], {"labels": numbers(0, 1, 2)}, 13)
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    proto.graph.output[0].type.tensor_type.elem_type = 7
    key = helper.make_tensor_type_proto(1, None)
    proto.graph.output[1].type.CopyFrom(helper.make_sequence_type_proto(helper.make_map_type_proto(7, key)))
    path = save(proto, tmp_path)
    graph = import_onnx(path, "net")
    assert [n.op for n in graph.nodes if n.op != "reshape"] == ["fully_connected", "softmax", "arg_max"]
    x = floats(rng, 1, 6)
    label, probabilities = float_reference.outputs(graph, [x])
    want_label, (want,) = ort_outputs(path, [x])
    assert label.ravel().tolist() == np.ravel(want_label).tolist()
    close(probabilities.ravel(), np.array([want[k] for k in range(3)], np.float32))
