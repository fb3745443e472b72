"""Models that onnxruntime quantised, in both of its forms: within one level a layer of what onnxruntime computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import floats, helper, model, nhwc, ort_outputs, save

from edgekc.emulate import reference
from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Stage
from edgekc.importers.onnx.importer import import_onnx
from edgekc.ops import legal
from edgekc.passes import QUANTIZED_PASSES
from edgekc.passes.lower import lower

quantization = pytest.importorskip("onnxruntime.quantization", reason="onnxruntime is not installed")
node = helper.make_node


class Reader(quantization.CalibrationDataReader):
    """Random samples of the input `x`."""

    def __init__(self, shape):
        self.rows = iter(np.random.default_rng(1).normal(0, 1, (16, *shape)).astype(np.float32))

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"x": row}


def check(nodes, constants, tmp_path, shape, form, kind, limit=1, per_channel=True):
    """Quantise, import, run on integers, and compare with onnxruntime's own run of the same file."""
    source, path = save(model(nodes, {"x": shape}, ["y"], constants), tmp_path), tmp_path / "quantised.onnx"
    types = quantization.QuantType.QInt8 if kind == "int8" else quantization.QuantType.QUInt8
    quantization.quantize_static(
        source, path, Reader(shape), quant_format=getattr(quantization.QuantFormat, form), per_channel=per_channel,
        activation_type=types, weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    graph = import_onnx(path, "q")
    assert graph.stage is Stage.QUANTIZED
    legal.check(graph)
    integers = graph
    for _, run in QUANTIZED_PASSES:
        integers, _ = run(integers)
    integers = lower(integers)
    legal.check(integers)
    x = np.random.default_rng(2).normal(0, 1, (20, *shape[1:])).astype(np.float32)
    first, last = graph.tensors[graph.inputs[0]].q, graph.tensors[graph.outputs[0]].q
    levels = np.clip(np.rint(x / np.float32(first.scale)) + first.zero_point, -128, 127).astype(np.int8)
    got = reference.outputs(integers, [nhwc(levels)])[0].astype(int)
    floats_ = np.concatenate([ort_outputs(path, [row[None]])[0] for row in x])
    want = np.rint(nhwc(floats_) / np.float32(last.scale)) + last.zero_point
    assert np.abs(got - want).max() <= limit
    assert got.std() > 3  # something was computed
    return graph


FORMS = pytest.mark.parametrize("form", ["QDQ", "QOperator"])
KINDS = pytest.mark.parametrize("kind", ["int8", "uint8"])


@FORMS
@KINDS
def test_a_small_network(tmp_path, form, kind):
    rng = np.random.default_rng(3)
    constants = {"w": floats(rng, 8, 3, 3, 3) * 0.3, "b": floats(rng, 8), "v": floats(rng, 8, 1, 3, 3) * 0.4,
                 "c": floats(rng, 8), "f": floats(rng, 8, 5), "g": floats(rng, 5)}  # fmt: skip
    nodes = [
        node("Conv", ["x", "w", "b"], ["a0"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["a0"], ["a"]),
        node("Conv", ["a", "v", "c"], ["d0"], pads=[1, 1, 1, 1], group=8),
        node("Add", ["d0", "a"], ["s"]),
        node("MaxPool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["m"]),
        node("Flatten", ["m"], ["n"]),
        node("Gemm", ["n", "f", "g"], ["y"]),
    ]
    graph = check(nodes, constants, tmp_path, (1, 3, 16, 16), form, kind, limit=3, per_channel=form == "QDQ")
    ops = [n.op for n in graph.nodes if n.op not in ("reshape", "quantize")]
    assert ops == ["conv2d", "depthwise", "add", "max_pool", "mean", "fully_connected"]


SINGLE = {
    "Sigmoid": [node("Sigmoid", ["x"], ["y"])],
    "LeakyRelu": [node("LeakyRelu", ["x"], ["y"], alpha=0.1)],
    "Softmax": [node("Softmax", ["x"], ["y"], axis=1)],
    "AveragePool": [
        node("LeakyRelu", ["x"], ["a"], alpha=0.5),
        node("AveragePool", ["a"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ],
    "GlobalAveragePool": [node("LeakyRelu", ["x"], ["a"], alpha=0.5), node("GlobalAveragePool", ["a"], ["y"])],
    "Mul": [node("LeakyRelu", ["x"], ["a"], alpha=0.5), node("Mul", ["x", "a"], ["y"])],
    "Concat": [node("LeakyRelu", ["x"], ["a"], alpha=0.5), node("Concat", ["x", "a"], ["y"], axis=1)],
}
BETWEEN = {
    "Clip": node("Clip", ["a", "low", "high"], ["b"]),
    "HardSwish": node("HardSwish", ["a"], ["b"]),
    "HardSigmoid": node("HardSigmoid", ["a"], ["b"]),
    "Tanh": node("Tanh", ["a"], ["b"]),
    "Transpose": node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 2]),
    "Resize": node("Resize", ["a", "", "sizes"], ["b"], mode="nearest", nearest_mode="floor",
                   coordinate_transformation_mode="asymmetric"),
}  # fmt: skip


@FORMS
@KINDS
@pytest.mark.parametrize("name", SINGLE)
def test_operators_without_weights(tmp_path, form, kind, name):
    check(SINGLE[name], {}, tmp_path, (1, 4, 6, 4), form, kind)


@FORMS
@KINDS
def test_matmul(tmp_path, form, kind):
    constants = {"m": floats(np.random.default_rng(4), 12, 5)}
    check([node("MatMul", ["x", "m"], ["y"])], constants, tmp_path, (1, 12), form, kind)


def test_what_is_measured_at_run_time_is_refused_with_the_way_out(tmp_path):
    """Dynamic quantisation: there are no scales to take."""
    source, path = tmp_path / "net.onnx", tmp_path / "dynamic.onnx"
    constants = {"m": floats(np.random.default_rng(4), 12, 5)}
    source = save(model([node("MatMul", ["x", "m"], ["y"])], {"x": (1, 12)}, ["y"], constants), tmp_path)
    quantization.quantize_dynamic(source, path)
    with pytest.raises(UnsupportedError, match=r"node \d DynamicQuantizeLinear.*scales that are fixed") as error:
        import_onnx(path, "q")
    assert any("MatMulInteger" in each.where for each in error.value.obstacles)


@FORMS
@KINDS
@pytest.mark.parametrize("name", BETWEEN)
def test_operators_between_convolutions(tmp_path, form, kind, name):
    """onnxruntime leaves some of them in float, between DequantizeLinear and QuantizeLinear."""
    rng = np.random.default_rng(5)
    constants = {"low": np.float32(0), "high": np.float32(1.5), "sizes": np.array([1, 1, 2, 2], np.float32)}
    constants = {k: v for k, v in constants.items() if k in BETWEEN[name].input}
    constants |= {"w": floats(rng, 4, 4, 1, 1) * 0.15, "v": np.eye(4, dtype=np.float32)[:, :, None, None]}
    nodes = [node("Conv", ["x", "w"], ["a"]), BETWEEN[name], node("Conv", ["b", "v"], ["y"])]
    check(nodes, constants, tmp_path, (1, 4, 4, 4), form, kind, limit=2, per_channel=False)
