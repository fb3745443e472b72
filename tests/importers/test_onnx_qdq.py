"""QDQ models: what the imported integers compute is what onnxruntime computes, to the last place or nearly."""

from __future__ import annotations

import numpy as np
import pytest
from integer_runs import integer_outputs
from onnx_models import SHARED, floats, helper, model, nhwc, ort_outputs, save

from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Stage
from edgekc.importers.onnx.importer import import_onnx

node = helper.make_node


class Net:
    """Collects the nodes of a QDQ model."""

    def __init__(self, kind=np.int8, axes=(0,)):
        self.nodes, self.constants, self.kind = [], {}, kind

    def act(self, name, scale, zero):
        """Quantise and dequantise an activation."""
        self.constants |= {f"{name}_s": np.float32(scale), f"{name}_z": self.kind(zero)}
        params = [f"{name}_s", f"{name}_z"]
        self.nodes += [node("QuantizeLinear", [name, *params], [f"{name}_q"])]
        self.nodes += [node("DequantizeLinear", [f"{name}_q", *params], [f"{name}_d"])]
        return f"{name}_d"

    def weights(self, name, values, axis=None, kind=np.int8):
        """A quantised constant, one scale or one for each index of `axis`."""
        over = None if axis is None else tuple(a for a in range(values.ndim) if a != axis)
        scale = (np.abs(values).max(over) / 127).astype(np.float32)
        wide = scale if axis is None else scale.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        point = 128 if kind is np.uint8 else 0
        self.constants |= {f"{name}_s": scale, f"{name}_z": np.full(scale.shape, point, kind)}
        self.constants[name] = (np.rint(values / wide) + point).astype(kind)
        attrs = {} if axis is None else {"axis": axis}
        self.nodes.append(node("DequantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_d"], **attrs))
        return f"{name}_d"

    def bias(self, name, values, scale):
        scale = np.asarray(scale, np.float32)
        self.constants |= {f"{name}_s": scale, name: np.rint(values / scale).astype(np.int32)}
        attrs = {"axis": 0} if scale.ndim else {}
        self.nodes.append(node("DequantizeLinear", [name, f"{name}_s"], [f"{name}_d"], **attrs))
        return f"{name}_d"

    def op(self, kind, inputs, output, **attrs):
        self.nodes.append(node(kind, inputs, [output], **attrs))


def check(net, tmp_path, shape, limit=1, share=0.05):
    """Import, lower, run on integers, and compare with onnxruntime: within `limit` steps of the output, and all but
    a `share` equal (roundings of exact halves, and of the last bit of a scale, may differ)."""
    path = save(model(net.nodes, {"x": shape}, ["y"], net.constants), tmp_path)
    graph = import_onnx(path, "q")
    assert graph.stage is Stage.QUANTIZED
    assert all(t.dtype in ("int8", "int32") for t in graph.tensors.values())
    x = np.random.default_rng(0).normal(0, 1, (20, *shape[1:])).astype(np.float32)
    got, target = integer_outputs(graph, x), graph.tensors[graph.outputs[0]].q
    want = np.rint(nhwc(ort_outputs(path, [x])[0]) / target.scale) + target.zero_point
    difference = np.abs(got - want)
    assert difference.max() <= limit
    assert (difference > 0).mean() < share
    assert got.std() > 5  # something was computed
    return graph


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("relu", [True, False])
def test_convolution(tmp_path, kind, per_channel, groups, relu):
    rng, net = np.random.default_rng(1), Net(kind)
    zero = 128 if kind is np.uint8 else 0
    x = net.act("x", 0.03, zero - 4)
    w = net.weights("c.weight", floats(rng, 8, 4 // groups, 3, 3), 0 if per_channel else None)
    b = net.bias("c.bias", floats(rng, 8), 0.03 * net.constants["c.weight_s"])
    net.op("Conv", [x, w, b], "a", pads=[1, 1, 0, 0], strides=[2, 1], group=groups)
    if relu:
        net.op("Relu", ["a"], "r")
    d = net.act("r" if relu else "a", 0.05, zero - 128 if relu else zero + 7)
    net.op("Identity", [d], "y")
    graph = check(net, tmp_path, (1, 4, 7, 6))
    assert graph.tensors["input"].q.zero_point == -4
    (conv,) = graph.nodes
    assert conv.op == {1: "conv2d", 2: "grouped_conv2d", 4: "depthwise"}[groups]
    assert conv.attrs["activation"] == ("relu" if relu else "none")
    weights, bias = graph.of(conv.inputs[1:])
    assert len(weights.q.scales) == len(bias.q.scales) == (8 if per_channel else 1)
    assert weights.q.axis == (3 if groups == 4 and per_channel else 0)
    np.testing.assert_array_equal(bias.value, net.constants["c.bias"])


@pytest.mark.parametrize("matmul", [True, False])
@pytest.mark.parametrize("float_bias", [True, False])
def test_flatten_and_fully_connected(tmp_path, matmul, float_bias):
    """The columns follow the order of memory; a bias may be left in float, a pool without scales of its own."""
    rng, net = np.random.default_rng(2), Net()
    net.op("MaxPool", [net.act("x", 0.03, 3)], "p", kernel_shape=[2, 2], strides=[2, 2])
    net.op("Flatten", ["p"], "f")
    w = net.weights("fc.weight", floats(rng, 18, 4) if matmul else floats(rng, 4, 18), 1 if matmul else 0)
    values = floats(rng, 4)
    if matmul:
        net.op("MatMul", ["f", w], "m")
        net.bias("k", values, 0.047)
        net.constants["k"] = net.constants["k"].astype(np.int8)
        net.constants["k_z"] = np.int8(0)
        net.op("Add", [net.act("m", 0.2, 1), "k_d"], "a")
    else:
        net.constants["raw"] = values
        bias = "raw" if float_bias else net.bias("fc.bias", values, 0.03 * net.constants["fc.weight_s"])
        net.op("Gemm", ["f", w, bias], "a", transB=1)
    net.op("Identity", [net.act("a", 0.2, -3)], "y")
    check(net, tmp_path, (1, 2, 6, 6))


def test_residual_concat_mean_and_the_last_softmax_in_float(tmp_path):
    rng, net = np.random.default_rng(3), Net()
    x = net.act("x", 0.03, 0)
    w = net.weights("c.weight", floats(rng, 2, 2, 1, 1), 0)
    net.op("Conv", [x, w], "a")
    net.op("Add", [net.act("a", 0.06, 5), x], "s")
    net.op("Concat", [net.act("s", 0.05, 2), "s_d"], "t", axis=1)
    net.op("GlobalAveragePool", [net.act("t", 0.05, 2)], "g")
    net.op("Flatten", [net.act("g", 0.02, 1)], "f")
    net.op("Softmax", ["f"], "y", axis=1)
    graph = check(net, tmp_path, (1, 2, 5, 5), limit=2, share=0.5)
    assert [n.op for n in graph.nodes if n.op != "reshape"] == ["conv2d", "add", "concat", "mean", "softmax"]
    assert (graph.tensors[graph.outputs[0]].q.scale, graph.tensors[graph.outputs[0]].q.zero_point) == (1 / 256, -128)


def test_weights_as_unsigned_bytes_around_128(tmp_path):
    rng, net = np.random.default_rng(4), Net(np.uint8)
    x = net.act("x", 0.03, 120)
    net.op("Conv", [x, net.weights("w", floats(rng, 3, 2, 1, 1), kind=np.uint8)], "a")
    net.op("Identity", [net.act("a", 0.05, 128)], "y")
    check(net, tmp_path, (1, 2, 4, 4))


def test_weights_quantised_by_the_model(tmp_path):
    """Some tools keep float weights and put both nodes behind them."""
    rng, net = np.random.default_rng(5), Net()
    x = net.act("x", 0.03, 0)
    net.constants["w"] = floats(rng, 3, 2, 1, 1)
    net.op("Conv", [x, net.act("w", 0.02, 0)], "a")
    net.op("Identity", [net.act("a", 0.05, 0)], "y")
    check(net, tmp_path, (1, 2, 4, 4))


def test_requantisation(tmp_path):
    net = Net()
    net.op("Identity", [net.act("x", 0.03, 0)], "i")
    net.op("Identity", [net.act("i", 0.05, 7)], "y")
    graph = check(net, tmp_path, (1, 6))
    assert [n.op for n in graph.nodes] == ["quantize"]


def test_comparisons_and_choices(tmp_path):
    """True and false have no QuantizeLinear behind them; a number is compared in a scale of its own."""
    net = Net()
    x = net.act("x", 0.03, -4)
    net.constants |= {"k": np.float32([0.3]), "two": np.array([3], np.int64)}
    net.op("Neg", [x], "n")
    net.op("Less", [x, net.act("n", 0.03, 4)], "t")
    net.op("GreaterOrEqual", [x, "k"], "u")
    net.op("Or", ["t", "u"], "v")
    net.op("Where", ["v", x, "k"], "w")
    net.op("Sign", [net.act("w", 0.03, -4)], "s")
    net.op("Add", ["w_d", net.act("s", 0.01, 0)], "sum")
    net.op("Identity", [net.act("sum", 0.041, 2)], "y")
    check(net, tmp_path, (1, 6, 5, 4), limit=26, share=0.1)  # a level beside 0.3 or 0 is a step of 1


def test_what_is_refused(tmp_path):
    rng = np.random.default_rng(6)

    def refused(net, message):
        with pytest.raises(UnsupportedError, match=message) as error:
            import_onnx(save(model(net.nodes, {"x": (1, 2, 4, 4)}, ["y"], net.constants), tmp_path), "q")
        assert "net.onnx: " in str(error.value) and "\n" not in str(error.value)

    net = Net()
    net.op("Conv", [net.act("x", 0.03, 0), net.weights("w", floats(rng, 3, 2, 1, 1))], "a")
    net.op("LogSoftmax", ["a"], "g", axis=1)
    net.op("Identity", [net.act("g", 0.1, 0)], "y")
    refused(net, r"node 3 Conv: its output is float in a quantised model; supported: QuantizeLinear")

    net = Net()
    net.constants["w"] = floats(rng, 3, 2, 1, 1)
    net.op("Conv", [net.act("x", 0.03, 0), "w"], "y")
    refused(net, "node 2 Conv: float weights .'w'. in a quantised model; supported: int8 behind DequantizeLinear")

    net = Net()
    w = net.weights("w", floats(rng, 3, 2, 1, 1))
    net.constants["w_z"] = np.int8(5)
    net.op("Conv", [net.act("x", 0.03, 0), w], "y")
    refused(net, "weights 'w' of type int8 with a zero point; supported: symmetric")

    net = Net()
    net.constants |= {"s2": np.float32(0.2), "z2": np.int8(0)}
    net.nodes.append(node("QuantizeLinear", ["x", "s2", "z2"], ["q2"]))
    net.nodes.append(node("DequantizeLinear", ["q2", "s2", "z2"], ["d2"]))
    net.op("Add", [net.act("x", 0.1, 0), "d2"], "a")
    net.op("Identity", [net.act("a", 0.1, 0)], "y")
    refused(net, "an input that is read quantised by one operator, and otherwise by another")


def test_a_model_that_onnxruntime_quantised(tmp_path):
    """The whole ResNet-8: scales as stated, and outputs within a few steps after fourteen layers of rounding."""
    source = SHARED / "models" / "resnet8_cifar10jpeg.onnx"
    if not source.is_file():
        pytest.skip(f"{source.name} is not here: the trained models are not part of the project")
    quantization = pytest.importorskip("onnxruntime.quantization", reason="onnxruntime is not installed")
    images = np.random.default_rng(7).uniform(0, 255, (8, 3, 32, 32)).astype(np.float32)

    class Reader(quantization.CalibrationDataReader):
        rows = iter(images)

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {"x": row[None]}

    path = tmp_path / "resnet8.onnx"
    quantization.quantize_static(source, path, Reader(), per_channel=True)
    graph = import_onnx(path, "resnet8")
    got, target = integer_outputs(graph, images), graph.tensors[graph.outputs[0]].q
    want = np.rint(ort_outputs(path, [images])[0] / target.scale) + target.zero_point
    assert np.abs(got - want).max() <= 6
    assert np.abs(got - want).mean() < 1.5
