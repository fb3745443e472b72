"""Programs that pt2e quantised are int8 as they are: at most one level from what PyTorch computes of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("torch.ao.quantization.fx._decomposed", reason="this torch has no operators of pt2e")
from integer_runs import integer_outputs  # noqa: E402
from onnx_models import nhwc  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from edgekc.errors import UnsupportedError  # noqa: E402
from edgekc.graph.ir import Stage  # noqa: E402
from edgekc.importers.torch.importer import import_torch  # noqa: E402
from edgekc.passes.lower import lower  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations
PT2E = torch.ops.quantized_decomposed


def act(x, scale, zero=0, dtype=torch.int8):
    """An activation, quantised and dequantised as pt2e writes it."""
    ends = (0, 255) if dtype is torch.uint8 else (-128, 127)
    levels = PT2E.quantize_per_tensor(x, scale, zero, *ends, dtype)
    return PT2E.dequantize_per_tensor(levels, scale, zero, *ends, dtype)


class Quantised(nn.Module):
    """A layer whose weights are int8 with a scale for each output channel, and float biases."""

    def __init__(self, layer, axis=0):
        super().__init__()
        w = layer.weight.detach()
        scales = w.abs().amax([a for a in range(w.ndim) if a != axis]) / 127
        self.axis, self.bias = axis, layer.bias
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", torch.zeros(len(scales), dtype=torch.int64))
        self.register_buffer("frozen", PT2E.quantize_per_channel(w, scales, self.zeros, axis, -127, 127, torch.int8))

    def forward(self):
        return PT2E.dequantize_per_channel(self.frozen, self.scales, self.zeros, self.axis, -127, 127, torch.int8)


class Net(nn.Module):
    """A function of layers that are quantised, and of the input."""

    def __init__(self, forward, *layers):
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), forward

    def forward(self, x):
        return self.function(x, *self.layers)


def check(module, tmp_path, shape, limit=1, samples=20, same=0.0):
    """Save, import, run on integers: within `limit` levels of torch on every sample, and this part of them `same`."""
    program = torch.export.export(module.eval(), (torch.randn(shape),))
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    graph = import_torch(path, "net")
    assert graph.stage is Stage.QUANTIZED
    x = np.random.default_rng(0).normal(0, 1, (samples, *shape[1:])).astype(np.float32)
    got, target = integer_outputs(graph, x), graph.tensors[graph.outputs[0]].q
    with torch.no_grad():
        floats = np.concatenate([module(torch.from_numpy(each[None])).numpy() for each in x])
    want = np.rint(nhwc(floats) / target.scale) + target.zero_point
    assert np.abs(got - want).max() <= limit
    assert np.mean(got == want) >= same
    assert got.std() > 5  # something was computed
    return graph


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution(tmp_path, dtype, groups):
    torch.manual_seed(1)
    layer = nn.Conv2d(4, 8, 3, padding=1, stride=2, groups=groups)
    weights, zero = Quantised(layer), 128 if dtype is torch.uint8 else 0

    def forward(x, w):
        out = F.conv2d(act(x, 0.03, zero - 4, dtype), w(), w.bias, 2, 1, groups=groups)
        return act(torch.relu(out), 0.01, zero - 128, dtype)

    graph = check(Net(forward, weights), tmp_path, (1, 4, 7, 6))
    (conv,) = graph.nodes
    assert conv.op == {1: "conv2d", 2: "grouped_conv2d", 4: "depthwise"}[groups]
    assert conv.attrs["activation"] == "relu"
    kernel = graph.tensors[conv.inputs[1]]
    assert len(kernel.q.scales) == 8
    frozen = weights.frozen.numpy().transpose((1, 2, 3, 0) if groups == 4 else (0, 2, 3, 1))
    np.testing.assert_array_equal(kernel.value, frozen)  # no byte of the weights is made anew
    assert graph.tensors["input"].q.zero_point == -4


def test_residual_pools_and_linear(tmp_path):
    torch.manual_seed(2)
    layers = [Quantised(nn.Conv2d(4, 4, 1)), Quantised(nn.Linear(16, 5))]

    def forward(x, conv, linear):
        x = act(x, 0.03)
        y = act(F.conv2d(x, conv(), conv.bias), 0.02, 5)
        y = act(torch.relu(y + x), 0.02, -128)
        y = act(F.max_pool2d(y, 2), 0.02, -128)
        y = act(F.adaptive_avg_pool2d(y, 2).flatten(1), 0.02, -128)
        return act(F.linear(y, linear(), linear.bias), 0.05, -3)

    graph = check(Net(forward, *layers), tmp_path, (1, 4, 8, 8))
    ops = [n.op for n in graph.nodes if n.op != "reshape"]
    assert ops == ["conv2d", "add", "max_pool", "average_pool", "fully_connected"]


def test_what_servers_leave_in_float(tmp_path):
    """X86InductorQuantizer quantises what layers read: residuals are added in float, and the last layer's output is."""
    torch.manual_seed(4)
    layers = [Quantised(nn.Conv2d(4, 4, 1)), Quantised(nn.Conv2d(4, 4, 3, padding=1)), Quantised(nn.Linear(16, 5))]

    def residual(x, first, second, last):
        x = act(x, 0.03)
        y = act(torch.relu(F.conv2d(x, first(), first.bias)), 0.01, -128)
        return act(torch.relu(F.conv2d(y, second(), second.bias, padding=1) + x), 0.025, -128)

    def whole(x, first, second, last):
        y = act(F.max_pool2d(residual(x, first, second, last), 2), 0.025, -128)
        y = act(F.adaptive_avg_pool2d(y, 2).flatten(1), 0.02, -128)
        return F.linear(y, last(), last.bias)

    graph = check(Net(residual, *layers), tmp_path, (1, 4, 8, 8))
    sums = [n for n in graph.nodes if n.op != "quantize"]
    assert [n.op for n in sums] == ["conv2d", "conv2d", "add"]
    assert [graph.tensors[n.outputs[0]].dtype for n in sums] == ["int8", "int16", "int8"]
    graph = check(Net(whole, *layers), tmp_path, (1, 4, 8, 8), limit=128)  # of 65536: half a level of int8
    assert [n.op for n in graph.nodes][-2:] == ["quantize", "fully_connected"]
    assert graph.tensors[graph.outputs[0]].dtype == "int16"
    graph = check(Net(lambda *a: torch.softmax(whole(*a), 1), *layers), tmp_path, (1, 4, 8, 8))
    assert [n.op for n in graph.nodes][-4:] == ["quantize", "fully_connected", "softmax", "quantize"]


def test_normalisation_that_no_convolution_stands_in_front_of(tmp_path):
    """As in DenseNet: of channels that were joined, with factors of either sign and of zero."""
    torch.manual_seed(5)
    conv, norm = Quantised(nn.Conv2d(4, 4, 3, padding=1)), nn.BatchNorm2d(8).eval()
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        values.data.copy_(torch.rand(8) + 0.2)
    norm.weight.data *= torch.tensor([1, -1, 2, 0, 1, -3, 0.01, 1])

    def forward(x, conv, norm):
        x = act(x, 0.03)
        y = act(torch.cat([x, act(F.conv2d(x, conv(), conv.bias, padding=1), 0.03)], 1), 0.03)
        return act(torch.relu(norm(y)), 0.04, -128)

    graph = check(Net(forward, conv, norm), tmp_path, (1, 4, 8, 8), same=0.99)
    assert [n.op for n in graph.nodes] == ["conv2d", "concat", "depthwise"]


def test_what_is_joined_in_float_before_anything_quantises_it(tmp_path):
    """As in ShuffleNet where a quantiser for servers leaves what goes from block to block in float."""
    torch.manual_seed(6)
    layers = [Quantised(nn.Conv2d(4, 4, 1)), Quantised(nn.Conv2d(4, 4, 1)), Quantised(nn.Conv2d(8, 6, 1))]

    def forward(x, first, second, third):
        x = act(x, 0.03)
        y = torch.cat([torch.relu(F.conv2d(x, first(), first.bias)), x], 1)
        y = y.view(1, 2, 4, 8, 8).transpose(1, 2).reshape(1, 8, 8, 8)
        left, right = y.chunk(2, 1)
        y = torch.cat([left, torch.relu(F.conv2d(act(right, 0.03, 4), second(), second.bias))], 1)
        return act(F.conv2d(act(y, 0.02, 4), third(), third.bias), 0.02)

    graph = check(Net(forward, *layers), tmp_path, (1, 4, 8, 8), same=0.9)
    assert "int16" in {graph.tensors[n.outputs[0]].dtype for n in graph.nodes if n.op == "concat"}


CURVES = {
    "hardswish": (F.hardswish, 0.02, -110),
    "gelu": (F.gelu, 0.02, -110),
    "exp": (lambda y: torch.exp(-y * y) * 2 - 1, 1 / 128, 0),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_function_of_what_a_layer_leaves_in_float(tmp_path, name):
    """As X86InductorQuantizer leaves it: one table of int16 from a layer to the next one's levels."""
    torch.manual_seed(7)
    layer, (function, scale, zero) = Quantised(nn.Conv2d(4, 6, 3, padding=1)), CURVES[name]

    def forward(x, w):
        return act(function(F.conv2d(act(x, 0.03, 2), w(), w.bias, padding=1)), scale, zero)

    graph = check(Net(forward, layer), tmp_path, (1, 4, 8, 8), same=0.995)
    assert [n.op for n in lower(graph).nodes] == ["rescale_s16", "conv2d_16x8", "lut_s16"]


def test_channel_weights_as_servers_leave_them(tmp_path):
    """A float tensor weighs channels by its own quantised means, and what it adds up to is quantised once."""
    torch.manual_seed(8)
    layers = [Quantised(nn.Conv2d(4, 8, 3, padding=1)), Quantised(nn.Conv2d(8, 8, 1)), Quantised(nn.Conv2d(8, 4, 1))]

    def forward(x, first, gate, last):
        x = act(x, 0.03, 2)
        y = F.silu(F.conv2d(x, first(), first.bias, padding=1))
        means = act(F.adaptive_avg_pool2d(act(y, 0.015, -110), 1), 0.004, -60)
        y = act(y * torch.sigmoid(F.conv2d(means, gate(), gate.bias)), 0.01, -100)
        return act(F.conv2d(y, last(), last.bias) + x, 0.03)

    graph = check(Net(forward, *layers), tmp_path, (1, 4, 8, 8), same=0.98)
    ops = [n.op for n in lower(graph).nodes]
    assert ops.count("lut_s16") == 3 and ops.count("binary_nearest_s16") == 2


@pytest.mark.slow
@pytest.mark.parametrize("server", [False, True])
def test_deep_networks(tmp_path, server):
    """Ten layers; where the exporter is one for servers, residuals are added in float, and in int16 here."""
    torch.manual_seed(5)
    blocks = [Quantised(nn.Conv2d(8, 8, 3, padding=1)) for _ in range(10)]

    def forward(x, *layers):
        x = act(x, 0.03, -4)
        for first, second in zip(layers[::2], layers[1::2], strict=True):
            y = act(torch.relu(F.conv2d(x, first(), first.bias, padding=1)), 0.0087, -128)
            y = F.conv2d(y, second(), second.bias, padding=1)
            x = act((y if server else act(y, 0.011, 3)) + x, 0.031, -5)
        return x

    check(Net(forward, *blocks), tmp_path, (1, 8, 5, 4), 1 + server, samples=12, same=0.85 if server else 0.99)


ELEMENTS = {
    "relu6": lambda x: act(F.relu6(x), 6 / 255, -128),
    "hardswish": lambda x: act(F.hardswish(x), 0.03, -110),
    "sigmoid": lambda x: act(torch.sigmoid(x), 1 / 256, -128),
    "tanh": lambda x: act(torch.tanh(x), 1 / 128),
    "leaky_relu": lambda x: act(F.leaky_relu(x, 0.1), 0.03, -100),
    "hardsigmoid": lambda x: act(F.hardsigmoid(x), 1 / 255, -128),
    "silu": lambda x: act(F.silu(x), 0.03, -110),
    "times a number": lambda x: act(x * 0.4 + 0.1, 0.01, -3),
    "sigmoid in another scale": lambda x: act(torch.sigmoid(x), 0.0037, -127),
    "softmax in another scale": lambda x: act(torch.softmax(x, 1), 0.0037, -127),
    "a pool in another scale": lambda x: act(F.max_pool2d(x, 2), 0.02, -3),
    "cat in another scale": lambda x: act(torch.cat([x, act(torch.relu(x), 0.02, -128)], 1), 0.03),
    "gelu": lambda x: act(F.gelu(x), 0.03, -110),
    "mul": lambda x: act(x * act(torch.sigmoid(x), 1 / 256, -128), 0.03, -110),
    "cat": lambda x: act(torch.cat([x, act(torch.relu(x), 0.03, 3)], 1), 0.03, 3),
    "cat, quantised behind": lambda x: act(torch.cat([F.avg_pool2d(x, 2), F.max_pool2d(x, 2)], 1), 0.02, 3),
    "cat at the end": lambda x: torch.cat([x, act(torch.relu(x), 0.02, -128)], 1),
    "upsample": lambda x: act(F.interpolate(x, scale_factor=2.0), 0.03, 3),
    "slice": lambda x: act(x[:, :, 1:], 0.03, 3),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_operators_without_weights(tmp_path, name):
    check(Net(lambda x: ELEMENTS[name](act(x, 0.03, 3))), tmp_path, (1, 3, 6, 4))


@pytest.mark.parametrize(("scale", "out"), [(0.03, 0.01437), (2.0**-5, 2.0**-6)])
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 1, 1)])
def test_products_are_those_of_pytorch(tmp_path, scale, out, shape):
    """Also of scales that are powers of two, where ties are exact, and where one value weighs a channel."""

    def forward(x):
        x = act(x, scale, 3)
        gate = x if shape[1:] != (1, 1) else act(F.max_pool2d(x, 8), scale, 3)
        return act(x * act(torch.sigmoid(gate), 1 / 128, -128), out, 9)

    graph = check(Net(forward), tmp_path, (1, 3, 8, 8), limit=0)
    assert [n.op for n in lower(graph).nodes][-1] == "mul_nearest"


def test_weights_alone_in_integers_are_a_float_model(tmp_path):
    torch.manual_seed(3)
    layer = Quantised(nn.Linear(6, 4))
    module = Net(lambda x, w: F.linear(x, w(), w.bias), layer)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(module.eval(), (torch.randn(1, 6),)), path)
    graph = import_torch(path, "net")
    assert graph.stage is Stage.FLOAT
    (node,) = graph.nodes
    np.testing.assert_array_equal(graph.tensors[node.inputs[1]].value, layer().detach().numpy())


def test_a_process_that_imported_only_torch_reads_the_file(tmp_path):
    """The operators are defined in a module that `import torch` leaves out."""
    path = tmp_path / "net.pt2"
    torch.export.save(
        torch.export.export(Net(lambda x: act(torch.tanh(act(x, 0.03)), 1 / 128)), (torch.randn(1, 6),)), path
    )
    code = f"import edgekc; print(edgekc.check({str(path)!r}).obstacles)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "()")


def test_what_is_refused(tmp_path):
    def refused(forward, message, *layers):
        path = tmp_path / "net.pt2"
        torch.export.save(torch.export.export(Net(forward, *layers).eval(), (torch.randn(1, 2, 4, 4),)), path)
        with pytest.raises(UnsupportedError, match=message) as error:
            import_torch(path, "net")
        assert "net.pt2: " in str(error.value) and "\n" not in str(error.value)

    def dynamic(x):
        scale, zero = PT2E.choose_qparams(x, -128, 127, 1e-6, torch.int8)
        levels = PT2E.quantize_per_tensor.tensor(x, scale, zero, -128, 127, torch.int8)
        return PT2E.dequantize_per_tensor.tensor(levels, scale, zero, -128, 127, torch.int8)

    refused(dynamic, "quantized_decomposed.choose_qparams.tensor.*fixed scales")
    conv = Quantised(nn.Conv2d(2, 3, 1))

    def resized(x, w):
        return act(F.interpolate(F.conv2d(act(x, 0.03), w(), w.bias), scale_factor=2.0, mode="bilinear"), 0.1)

    refused(resized, "its output is float", conv)
    refused(lambda x: act(PT2E.dequantize_per_tensor(
        PT2E.quantize_per_tensor(x, 0.1, 0, -100, 100, torch.int8), 0.1, 0, -100, 100, torch.int8), 0.1),
        "activations quantised to -100 .. 100")  # fmt: skip
