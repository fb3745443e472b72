"""Small files that have every operator of an importer between them, for the fuzzer to damage: an operator each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "ops"), str(TESTS / "importers")]
Seeds = list[bytes]
LARGEST = 12_000  # bytes of a seed: a change of one byte should hit the structure often
NETWORKS = 300  # random ones that are looked through

# ---- .tflite ----


def builtins(data: bytes) -> set[str]:
    """The operators of a .tflite file."""
    from edgekc.importers.tflite.file import read

    return {op.builtin for op in read(data, "seed").operators}


def tflite() -> Seeds:
    """An int8 file of each operator that has a lowering; of the others, random networks."""
    import float_ends
    import memory_filters
    import oracle
    import recurrent
    import streaming

    from edgekc.fuzzing import nets

    found = [oracle.model(view) for view in _views()]
    found += [streaming.wake_word(1).file, recurrent.file(recurrent.made(1)[0])]
    found.append(memory_filters.file(memory_filters.made(2)[0]))
    found += [float_ends.detector(float_ends.attrs()), float_ends.head(), float_ends.middle()]
    found.append(float_ends.choices())
    there = set().union(*map(builtins, found))
    for seed in range(NETWORKS):
        data = nets.random_model(seed)
        if len(data) <= LARGEST and not builtins(data) <= there:
            found.append(data)
            there |= builtins(data)
    return found


def tflite_float() -> Seeds:
    """The same in float; LSTM is unrolled, and among what converters made."""
    import float_streaming
    import oracle

    from edgekc.fuzzing import nets
    from edgekc.graph.ir import Node, Tensor
    from edgekc.graph.op import View

    x, y, z, m, g = (Tensor(name, (1, 4), "float32") for name in "xyzmg")
    three = Tensor("three", (), "float32", data=np.array(3, np.float32))
    axis = Tensor("axis", (), "int32", data=np.array(1, np.int32))
    sums = View(
        Node("cumsum", "s", ("y", "axis"), ("s",), {"exclusive": 1, "reverse": 1}), (y, axis), (replace(z, name="s"),)
    )
    steps = (("zeros_like", (x,), z), ("maximum", (x, z), m), ("pow", (m, three), y), ("sign", (y,), g))
    found = [oracle.model(View(Node("add_n", "y", ("x", "x", "x"), ("y",), {}), (x, x, x), (y,)))]
    views = [View(Node(op, t.name, tuple(i.name for i in ends), (t.name,), {}), ends, (t,)) for op, ends, t in steps]
    found.append(oracle.network([*views, sums], ["x"], ["s", "g"]))
    there = set[str]().union(*map(builtins, found))
    found += [float_streaming.windows(1), float_streaming.svdf(2)]
    for views, inputs, outputs in [
        *(([view], [view.x.name], [view.out.name]) for view in _views() if not _alone(view)),
        *(
            (net.views, [t.name for t in net.inputs], [t.name for t in net.outputs])
            for net in map(nets.random_net, range(NETWORKS))
            if not any(view.node.op in _INT8_ALONE for view in net.views)
        ),
    ]:
        inner = {name for view in views for name in view.node.outputs}
        inputs = list(dict.fromkeys([*inputs, *(t.name for v in views for t in v.inputs if t.data is None)]))
        data = oracle.network([_in_float(v) for v in views], [n for n in inputs if n not in inner], outputs)
        if len(data) <= LARGEST and not builtins(data) <= there:
            found.append(data)
            there |= builtins(data)
    return found


_INT8_ALONE = ("table",)  # that no float file has


def _alone(view: Any) -> bool:
    """Whether the node makes no network in float."""
    return view.node.op in (*_INT8_ALONE, "quantize", "dequantize") or view.x.shape[0] != 1


_NO_FILE = ("sequence_lstm", "memory_filters", "select", "lookup", "embedding")


def _views() -> Iterator[Any]:
    """The first case of each lowering, but for those that are no file by themselves: with a state, or other inputs."""
    import lowering_cases

    for op, make in lowering_cases.CASES.items():
        case = None if op in _NO_FILE else next(iter(make()), None)
        if case is not None:
            yield case.plain


def _in_float(view: Any) -> Any:
    """The node on real numbers."""

    from edgekc.graph.ir import Role

    def real(t: Any) -> Any:
        if t.dtype not in ("int8", "uint8") and t.role is not Role.BIAS:
            return t
        data = None if t.data is None else t.data.astype(np.float32)
        return replace(t, dtype="float32", data=data)

    node = view.node
    if node.op in ("quantize", "dequantize"):  # changes nothing in float
        node = replace(node, op="reshape", attrs={})
    return replace(view, node=node, inputs=tuple(map(real, view.inputs)), outputs=tuple(map(real, view.outputs)))


# ---- ONNX ----

IMAGE, ROWS = (1, 4, 4, 6), (1, 5, 8)
_SIMPLE = (
    "Abs Ceil Celu Cos Dropout Elu Exp Flatten Floor Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool HardSigmoid "
    "HardSwish Identity LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Reciprocal Relu "
    "Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Swish Tanh ThresholdedRelu Transpose ReduceLogSum "
    "ReduceLogSumExp"
).split()
_RELATIONS = "Equal Greater GreaterOrEqual Less LessOrEqual".split()
_OF_TRUTHS = "And Not Or Xor Where".split()
_PAIRS = "Add Div Max Mean Min Mul Sub Sum".split()
_REDUCTIONS = "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare".split()


def onnx_nodes() -> dict[str, tuple[tuple[int, ...], dict[str, Any], dict[str, Any], int]]:
    """Of each operator: the input's shape, constants behind it, attributes, opset."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> Any:
        return rng.normal(0, 1, shape).astype(np.float32)

    def ints(*values: int) -> Any:
        return np.array(values, np.int64)

    kernel: dict[str, Any] = dict(kernel_shape=[2, 2], strides=[2, 2])
    norm = {"g": floats(4), "c": floats(4)}
    step = {"s": np.float32(0.1), "z": np.int8(3)}
    cells = {
        kind: {"w": floats(1, n * 3, 8), "r": floats(1, n * 3, 3)} for kind, n in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
    }
    found: dict[str, tuple[tuple[int, ...], dict[str, Any], dict[str, Any], int]] = {
        **{op: (IMAGE, {}, {}, 24 if op == "Swish" else 20) for op in _SIMPLE},
        **{op: (IMAGE, {"k": floats(4, 1, 1)}, {}, 20) for op in _PAIRS},
        **{op: (IMAGE, {"a": ints(1)}, {}, 20) for op in _REDUCTIONS},
        **{op: (IMAGE, {"k": floats(4, 1, 1)}, {}, 20) for op in (*_RELATIONS, *_OF_TRUTHS)},
        "TopK": (ROWS, {"k": ints(2)}, {}, 20),
        "ArgMax": (ROWS, {}, {"axis": 2}, 20), "ArgMin": (ROWS, {}, {"axis": 2}, 20),
        "AveragePool": (IMAGE, {}, kernel, 20), "MaxPool": (IMAGE, {}, {**kernel, "pads": [1, 0, 0, 1]}, 20),
        "BatchNormalization": (IMAGE, {k: np.abs(floats(4)) + 1 for k in "gbmv"}, {}, 20),
        "Cast": (IMAGE, {}, {"to": 1}, 20), "CastLike": (IMAGE, {"k": floats(1)}, {}, 20),
        "Clip": (IMAGE, {"l": np.float32(-1), "h": np.float32(1)}, {}, 20),
        "Concat": (IMAGE, {"k": floats(1, 2, 4, 6)}, {"axis": 1}, 20),
        "Conv": (IMAGE, {"w": floats(3, 4, 3, 3), "b": floats(3)}, {"pads": [1, 1, 0, 0], "strides": [2, 1]}, 20),
        "ConvTranspose": (IMAGE, {"w": floats(4, 3, 3, 3)}, {"strides": [2, 2]}, 20),
        "CumSum": (ROWS, {"a": np.int64(2)}, {"exclusive": 1}, 20),
        "DepthToSpace": (IMAGE, {}, {"blocksize": 2}, 20), "SpaceToDepth": (IMAGE, {}, {"blocksize": 2}, 20),
        "Einsum": (ROWS, {"k": floats(8, 3)}, {"equation": "abc,cd->abd"}, 20),
        "Expand": ((1, 4, 1, 6), {"s": ints(1, 1, 3, 1)}, {}, 20), "Tile": (IMAGE, {"r": ints(1, 2, 1, 3)}, {}, 20),
        "GRU": (ROWS, cells["GRU"], {"hidden_size": 3}, 20),
        "LSTM": (ROWS, cells["LSTM"], {"hidden_size": 3}, 20),
        "RNN": (ROWS, cells["RNN"], {"hidden_size": 3, "activations": ["Relu"]}, 20),
        "OneHot": (ROWS, {"d": ints(8), "v": floats(2)}, {}, 20),
        "Gather": (IMAGE, {"i": ints(3, 0, 2)}, {"axis": 1}, 20),
        "Gemm": ((1, 8), {"w": floats(3, 8), "b": floats(3)}, {"transB": 1}, 20),
        "MatMul": (ROWS, {"k": floats(8, 3)}, {}, 20),
        "GroupNormalization": (IMAGE, norm, {"num_groups": 2}, 21),
        "InstanceNormalization": (IMAGE, norm, {}, 20), "LRN": (IMAGE, {}, {"size": 3}, 20),
        "LayerNormalization": (ROWS, {"g": floats(8), "c": floats(8)}, {}, 20),
        "RMSNormalization": (ROWS, {"g": floats(8)}, {}, 23),
        "PRelu": (IMAGE, {"s": floats(4, 1, 1)}, {}, 20), "Pow": (IMAGE, {"e": np.float32(3)}, {}, 20),
        "Pad": (IMAGE, {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, {"mode": "reflect"}, 20),
        "QuantizeLinear": (IMAGE, step, {}, 20), "DequantizeLinear": (IMAGE, step, {}, 20),
        "Reshape": (IMAGE, {"s": ints(1, -1)}, {}, 20), "Squeeze": ((1, 1, 5, 8), {"a": ints(1)}, {}, 20),
        "Unsqueeze": (ROWS, {"a": ints(1)}, {}, 20),
        "Resize": (IMAGE, {"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 2])}, {"mode": "linear"}, 20),
        "Upsample": (IMAGE, {"s": np.float32([1, 1, 2, 2])}, {}, 9),
        "Slice": (IMAGE, {"s": ints(1, -1), "e": ints(5, -9), "a": ints(1, 3), "t": ints(2, -2)}, {}, 20),
        "Split": (IMAGE, {}, {"axis": 1}, 13), "Attention": ((1, 2, 5, 4), {}, {}, 23),
        "ScatterND": (ROWS, {"i": ints(0, 2).reshape(1, 2), "u": floats(1, 8)}, {}, 20),
        "ai.onnx.ml.Scaler": ((1, 6), {}, {"offset": [0.5] * 6, "scale": [2.0] * 6}, 20),
        "ai.onnx.ml.LinearRegressor": ((1, 3), {}, {"coefficients": [0.5] * 6, "targets": 2}, 20),
        "ai.onnx.ml.ZipMap": ((1, 3), {}, {"classlabels_int64s": [0, 1, 2]}, 20),
        "ai.onnx.ml.ArrayFeatureExtractor": ((1, 3), {"l": ints(0, 1, 2)}, {}, 20),
        "Shrink": (IMAGE, {}, {"lambd": 0.5, "bias": 0.5}, 20),
        "If": ((1, 3), {"c": np.array(True)}, {}, 20),
        "Loop": ((1, 3), {"n": np.int64(3), "c": np.array(True)}, {}, 20),
        "Scan": ((1, 3), {"h": floats(3)}, {"num_scan_inputs": 1}, 20),
    }  # fmt: skip
    return found


def _inside(inputs: list[str], outputs: list[str], read: str) -> Any:
    """A graph inside of a node: the last output is the hyperbolic tangent of `read`, or of x in a branch."""
    from onnx import TensorProto, helper

    kinds = {"i": TensorProto.INT64, "go": TensorProto.BOOL}
    ends = [[helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in part]
            for part in (inputs, outputs)]  # fmt: skip
    node = helper.make_node("Tanh", [read if read in inputs else "x"], outputs[-1:])
    return helper.make_graph([node], "inside", *ends)


def onnx() -> Seeds:
    """A model of each operator."""
    from onnx import TensorProto, helper, numpy_helper

    found = []
    for op, (shape, constants, attrs, opset) in onnx_nodes().items():
        inputs, outputs = ["x", *constants], ["y", "y1"] if op in ("Split", "TopK") else ["y"]
        domain, _, kind = op.rpartition(".")
        nodes = [helper.make_node(kind, inputs, outputs, domain=domain, **attrs)]
        if op == "DequantizeLinear":
            nodes = [helper.make_node("QuantizeLinear", inputs, ["q"]), helper.make_node(op, ["q", "s", "z"], ["y"])]
        elif kind == "ArrayFeatureExtractor":
            nodes = [helper.make_node("ArgMax", ["x"], ["a"], axis=1),
                     helper.make_node(kind, ["l", "a"], ["n"], domain=domain),
                     helper.make_node("Cast", ["n"], ["y"], to=7)]  # fmt: skip
        elif op in _OF_TRUTHS:
            given = {"Not": ["t"], "Where": ["t", "x", "k"]}.get(op, ["t", "u"])
            nodes = [helper.make_node("Less", inputs, ["t"]), helper.make_node("Greater", inputs, ["u"]),
                     helper.make_node(op, given, ["y"])]  # fmt: skip
        elif op == "Attention":
            nodes = [helper.make_node(op, ["x", "x", "x"], ["y"])]
        elif op == "OneHot":
            nodes = [helper.make_node("ArgMax", ["x"], ["t"], axis=2, keepdims=0),
                     helper.make_node(op, ["t", *constants], ["y"])]  # fmt: skip
        elif op in ("GRU", "LSTM", "RNN"):
            nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
                     helper.make_node(op, ["t", *constants], ["y"], **attrs)]  # fmt: skip
        elif op == "If":
            branches = {f"{way}_branch": _inside([], [way], way) for way in ("then", "else")}
            nodes = [helper.make_node(op, ["c"], ["y"], **branches)]
        elif op == "Loop":
            nodes = [helper.make_node(op, ["n", "c", "x"], ["y"], body=_inside(["i", "go", "h"], ["go", "o"], "h"))]
        elif op == "Scan":
            nodes = [helper.make_node(op, ["h", "x"], ["y", "y1"], body=_inside(["h0", "v"], ["o", "o"], "v"), **attrs)]
        graph = helper.make_graph(
            nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid(domain, 3)] if domain else []
        made = helper.make_model(graph, opset_imports=[*opsets, helper.make_opsetid("", opset)], ir_version=8)
        found.append(made.SerializeToString())
    return found
