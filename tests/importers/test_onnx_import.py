"""Float ONNX models: every import computes what onnxruntime does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import SHARED, check_same, close, floats, helper, model, nhwc, onnx, ort_outputs, runtime_version, save

from edgekc.importers.onnx.importer import import_onnx
from edgekc.quantize import float_reference

node = helper.make_node
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def windows(draw):
    """Sizes of a window and of an image that it fits into."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pads = [draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [draw(st.integers(max(1, s - pads[i] - pads[i + 2]), 9)) for i, s in enumerate(spans)]
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return dict(kernel=kernel, pads=pads, dilation=dilation, size=size, stride=stride)


@FEW
@given(
    w=windows(),
    channels=st.integers(1, 4),
    filters=st.integers(1, 3),
    kind=st.sampled_from(("conv2d", "grouped_conv2d", "depthwise")),
    auto=st.sampled_from(("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_convolutions(tmp_path, w, channels, filters, kind, auto, bias, seed):
    rng = np.random.default_rng(seed)
    groups = {"conv2d": 1, "grouped_conv2d": 3, "depthwise": channels}[kind]
    oc = groups * filters
    if kind == "grouped_conv2d":
        channels = groups * (channels + 1)
    attrs = dict(strides=w["stride"], dilations=w["dilation"], group=groups, auto_pad=auto)
    size = w["size"]
    if auto == "NOTSET":
        attrs["pads"] = w["pads"]
    else:
        attrs["dilations"], size = (1, 1), [max(s, k) for s, k in zip(size, w["kernel"], strict=True)]
    constants = {"l.1.weight": floats(rng, oc, channels // groups, *w["kernel"])}
    if bias:
        constants["l.1.bias"] = floats(rng, oc)
    proto = model([node("Conv", ["x", *constants], ["y"], **attrs)], {"x": (1, channels, *size)}, ["y"], constants)
    graph = check_same(proto, tmp_path, [floats(rng, 2, channels, *size)])
    assert graph.nodes[-1].name == "l_1"
    assert graph.nodes[-1].op == ("conv2d" if groups == 1 else kind)
    assert graph.metadata["source_layout"] == "NCHW"


@FEW
@given(
    w=windows(),
    kind=st.sampled_from(("MaxPool", "AveragePool")),
    ceil=st.booleans(),
    counted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_pools(tmp_path, w, kind, ceil, counted, seed):
    rng = np.random.default_rng(seed)
    size = [max(s, k) for s, k in zip(w["size"], w["kernel"], strict=True)]
    pads = [min(p, (k - 1) // 2) for p, k in zip(w["pads"], (*w["kernel"], *w["kernel"]), strict=True)]
    attrs = dict(kernel_shape=w["kernel"], strides=w["stride"], pads=pads, ceil_mode=int(ceil))
    if kind == "AveragePool":
        # onnxruntime and ONNX disagree on what counts where padding counts and the last window is cut.
        # onnxruntime below 1.25 divides by too little where a window reaches into the padding behind the input.
        right = not any(pads) or runtime_version() >= (1, 25)
        attrs |= dict(count_include_pad=int(counted and not ceil and right))
    for i in range(2):  # onnxruntime keeps windows that start in the padding, which the standard drops
        total = size[i] + pads[i] + pads[i + 2] - w["kernel"][i]
        if ceil and -(-total // w["stride"][i]) * w["stride"][i] >= size[i] + pads[i]:
            attrs["ceil_mode"] = 0
    proto = model([node(kind, ["x"], ["y"], **attrs)], {"x": (1, 2, *size)}, ["y"], {}, opset=19)
    check_same(proto, tmp_path, [floats(rng, 2, 2, *size)])


def _cnn(rng, tail):
    """conv, batch norm, relu6, and what `tail` adds: (nodes, constants); `c` is (1, 6, 4, 5)."""
    constants = {
        "conv.weight": floats(rng, 6, 3, 3, 3),
        "bn.s": floats(rng, 6),
        "bn.b": floats(rng, 6),
        "bn.m": floats(rng, 6),
        "bn.v": rng.uniform(0.5, 2, 6).astype(np.float32),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    nodes = [
        node("Conv", ["x", "conv.weight"], ["a"], pads=(1, 1, 1, 1)),
        node("BatchNormalization", ["a", "bn.s", "bn.b", "bn.m", "bn.v"], ["b"], epsilon=1e-3),
        node("Clip", ["b", "zero", "six"], ["c"]),
    ]
    more, extra = tail(rng)
    return model([*nodes, *more], {"x": ("batch", 3, 4, 5)}, ["y"], {**constants, **extra})


TAILS = {
    "flatten-gemm": lambda rng: (
        [node("Flatten", ["c"], ["f"]), node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], transB=1)],
        {"fc.weight": floats(rng, 4, 120), "fc.bias": floats(rng, 4)},
    ),
    "gemm-alpha-beta": lambda rng: (
        [node("Flatten", ["c"], ["f"]), node("Gemm", ["f", "w", "k"], ["y"], alpha=0.5, beta=2.0)],
        {"w": floats(rng, 120, 4), "k": floats(rng, 1, 4)},
    ),
    "reshape-relu-matmul-add-softmax": lambda rng: (
        [
            node("Reshape", ["c", "shape"], ["f"]),
            node("Relu", ["f"], ["r"]),
            node("MatMul", ["r", "w"], ["m"]),
            node("Add", ["k", "m"], ["l"]),
            node("Softmax", ["l"], ["y"], axis=1),
        ],
        {"shape": np.array([0, -1]), "w": floats(rng, 120, 4), "k": floats(rng, 4)},
    ),
    "shape-arithmetic": lambda rng: (
        [
            node("Shape", ["c"], ["s"]),
            node("Gather", ["s", "i"], ["n"], axis=0),
            node("Unsqueeze", ["n", "ax"], ["n1"]),
            node("Concat", ["n1", "rest"], ["shape"], axis=0),
            node("Reshape", ["c", "shape"], ["f"]),
            node("MatMul", ["f", "w"], ["y"]),
        ],
        {"i": np.int64(0), "ax": np.array([0]), "rest": np.array([-1]), "w": floats(rng, 120, 4)},
    ),
    "global-pool": lambda rng: (
        [
            node("GlobalAveragePool", ["c"], ["g"]),
            node("Squeeze", ["g", "ax"], ["f"]),
            node("Tanh", ["f"], ["t"]),
            node("Sigmoid", ["t"], ["s"]),
            node("Unsqueeze", ["s", "ax"], ["u"]),
            node("Mul", ["c", "u"], ["y"]),
        ],
        {"ax": np.array([2, 3])},
    ),
    "global-max-pool": lambda rng: ([node("GlobalMaxPool", ["c"], ["y"])], {}),
    "reduce-mean-of-columns": lambda rng: ([node("ReduceMean", ["c"], ["y"], axes=[3], keepdims=1)], {}),
    "reduce-mean": lambda rng: ([node("ReduceMean", ["c"], ["y"], axes=[-1, -2], keepdims=0)], {}),
    "residual": lambda rng: (
        [node("Conv", ["c", "w"], ["d"]), node("Add", ["d", "c"], ["e"]), node("Relu", ["e"], ["y"])],
        {"w": floats(rng, 6, 6, 1, 1)},
    ),
    "concat": lambda rng: ([node("Concat", ["c", "x", "c"], ["y"], axis=1)], {}),
    "concat-of-rows": lambda rng: ([node("Concat", ["c", "c"], ["y"], axis=-2)], {}),
    "pad": lambda rng: ([node("Pad", ["c", "p"], ["y"])], {"p": np.array([0, 1, 2, 0, 0, 0, 1, 3])}),
    "constants": lambda rng: (
        [
            node("Mul", ["c", "plane"], ["d"]),
            node("Sub", ["d", "k"], ["e"]),
            node("Div", ["e", "per"], ["f"]),
            node("Sub", ["k", "f"], ["y"]),
        ],
        {"plane": floats(rng, 4, 5), "k": np.float32(0.7), "per": rng.uniform(1, 2, (6, 1, 1)).astype(np.float32)},
    ),
    "constant-on-flat": lambda rng: (
        [node("Flatten", ["c"], ["f"]), node("Add", ["f", "k"], ["g"]), node("MatMul", ["g", "w"], ["y"])],
        {"k": floats(rng, 120), "w": floats(rng, 120, 3)},
    ),
    "identities": lambda rng: (
        [node("Identity", ["c"], ["d"]), node("Dropout", ["d"], ["e"]), node("Cast", ["e"], ["y"], to=1)],
        {},
    ),
    "sum": lambda rng: ([node("Sum", ["c", "c", "c"], ["y"])], {}),
    "relu-n1": lambda rng: (
        [node("Clip", ["c", "lo", "hi"], ["y"])],
        {"lo": np.float32(-1), "hi": np.float32(1)},
    ),
}


@pytest.mark.parametrize("tail", TAILS)
def test_networks(tmp_path, tail):
    rng = np.random.default_rng(3)
    graph = check_same(_cnn(rng, TAILS[tail]), tmp_path, [floats(rng, 3, 3, 4, 5)])
    conv = graph.nodes[0]
    assert (conv.op, conv.name, conv.attrs["activation"]) == ("conv2d", "conv", "relu6")  # norm and clamp are in it


@pytest.mark.parametrize("opset", [11, 12, 13, 18, 22])
def test_opsets(tmp_path, opset):
    """Axes and pads are attributes in old opsets and operands in new ones."""
    rng = np.random.default_rng(0)
    new, newer = opset >= 13, opset >= 18
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])} | ({"ax": np.array([2, 3])} if new or newer else {})
    mean = node("ReduceMean", ["a", "ax"], ["m"]) if newer else node("ReduceMean", ["a"], ["m"], axes=[2, 3])
    squeeze = node("Squeeze", ["m", "ax"], ["s"]) if new else node("Squeeze", ["m"], ["s"], axes=[2, 3])
    nodes = [node("Pad", ["x", "p"], ["a"]), mean, squeeze, node("Softmax", ["s"], ["y"])]
    check_same(model(nodes, {"x": (1, 3, 4, 4)}, ["y"], constants, opset), tmp_path, [floats(rng, 2, 3, 4, 4)])


def test_several_inputs_and_outputs(tmp_path):
    rng = np.random.default_rng(1)
    nodes = [node("Add", ["p", "q"], ["s"]), node("Relu", ["s"], ["u"]), node("Flatten", ["s"], ["f"])]
    nodes.append(node("MatMul", ["f", "w"], ["v"]))
    shapes = {"p": (1, 2, 3, 4), "q": (1, 2, 1, 1)}
    proto = model(nodes, shapes, ["u", "v"], {"w": floats(rng, 24, 5)})
    graph = check_same(proto, tmp_path, [floats(rng, 2, *s[1:]) for s in shapes.values()])
    assert graph.inputs == ("input", "input_1")


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_normalisation_in_front_of_a_convolution(tmp_path, padded, groups):
    """(x - mean) / std goes into the convolution; behind padding only the division may, the sum stays."""
    rng = np.random.default_rng(2)
    constants = {
        "mean": floats(rng, 1, 4, 1, 1),
        "std": rng.uniform(1, 2, (1, 4, 1, 1)).astype(np.float32),
        "c.weight": floats(rng, 8, 4 // groups, 3, 3),
    }
    nodes = [
        node("Sub", ["x", "mean"], ["a"]),
        node("Div", ["a", "std"], ["b"]),
        node("Conv", ["b", "c.weight"], ["y"], pads=[int(padded)] * 4, group=groups),
    ]
    proto = model(nodes, {"x": (1, 4, 6, 6)}, ["y"], constants)
    graph = check_same(proto, tmp_path, [floats(rng, 2, 4, 6, 6)])
    layer = {1: "conv2d", 2: "grouped_conv2d", 4: "depthwise"}[groups]
    assert [n.op for n in graph.nodes] == (["add"] if padded else []) + [layer]


@pytest.mark.parametrize("tail", ["pool", "flatten"])
def test_inputs_that_the_model_transposes(tmp_path, tail):
    """Converters from TensorFlow put a transpose behind the input: it is NHWC already and stays so."""
    rng = np.random.default_rng(4)
    constants = {"w": floats(rng, 4, 2, 3, 3), "k": floats(rng, 1, 1, 1, 2), "fc": floats(rng, 48, 3)}
    nodes = [
        node("Mul", ["x", "k"], ["n"]),
        node("Transpose", ["n"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
    ]
    if tail == "pool":
        nodes.append(node("ReduceMean", ["b"], ["y"], axes=[1, 2], keepdims=0))
    else:
        nodes += [node("Flatten", ["b"], ["f"]), node("MatMul", ["f", "fc"], ["y"])]
    proto = model(nodes, {"x": (1, 6, 5, 2)}, ["y"], constants)
    graph = check_same(proto, tmp_path, [floats(rng, 2, 6, 5, 2)], channels_last=True)
    assert graph.tensors["input"].shape == (1, 6, 5, 2)
    assert "source_layout" not in graph.metadata


def test_sequences_of_vectors(tmp_path):
    rng = np.random.default_rng(5)
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("ReduceMean", ["b"], ["y"], axes=[1])]
    check_same(model(nodes, {"x": (1, 7, 4)}, ["y"], {"w": floats(rng, 4, 6)}), tmp_path, [floats(rng, 2, 7, 4)])


def test_external_data(tmp_path):
    rng = np.random.default_rng(6)
    proto = model([node("Conv", ["x", "w"], ["y"])], {"x": (1, 8, 9, 9)}, ["y"], {"w": floats(rng, 8, 8, 3, 3)})
    x = floats(rng, 2, 8, 9, 9)
    path = tmp_path / "big.onnx"
    onnx.save_model(proto, str(path), save_as_external_data=True, location="big.onnx.data", size_threshold=0)
    assert (tmp_path / "big.onnx.data").is_file()
    close(float_reference.outputs(import_onnx(path, "n"), [nhwc(x)])[0], nhwc(ort_outputs(path, [x])[0]))


def test_resnet8():
    path = SHARED / "models" / "resnet8_cifar10jpeg.onnx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: the trained models are not part of the project")
    graph = import_onnx(path, "resnet8")
    x = np.random.default_rng(7).uniform(0, 255, (20, 3, 32, 32)).astype(np.float32)
    close(float_reference.outputs(graph, [nhwc(x)])[0], ort_outputs(path, [x])[0])
    assert [n.name for n in graph.nodes] == ("c_0 c_1 c_2 add_0 c_3 c_4 c_5 add_1 c_6 c_7 c_8 add_2 mean_0 fc".split())


def test_names_that_collide_or_are_no_identifiers(tmp_path):
    rng = np.random.default_rng(8)
    constants = {"a/b.weight": floats(rng, 2, 2, 1, 1), "a.b.weight": floats(rng, 2, 2, 1, 1)}
    constants |= {f"{'long' * 20}.weight": floats(rng, 2, 2, 1, 1), "onnx::Conv_12": floats(rng, 2, 2, 1, 1)}
    nodes = [node("Conv", [f"t{i}", key], [f"t{i + 1}"]) for i, key in enumerate(constants)]
    proto = model(nodes, {"t0": (1, 2, 3, 3)}, ["t4"], constants)
    graph = check_same(proto, tmp_path, [floats(rng, 2, 2, 3, 3)])
    assert [n.name for n in graph.nodes] == ["a_b", "conv2d_1", "conv2d_2", "conv2d_3"]
    assert save(proto, tmp_path).read_bytes() and import_onnx(tmp_path / "net.onnx", "net").nodes == graph.nodes
