"""Training on the device's arithmetic: the forward pass is the INTEGER graph, bit for bit, and gradients flow."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.compression.model import Model
from edgekc.compression.substitute import pack_layers
from edgekc.emulate import reference
from edgekc.evaluate import host_outputs
from edgekc.format.pack import pack
from edgekc.graph.ir import Graph
from edgekc.pipeline import to_integer
from edgekc.quantize import calibrate
from edgekc.quantize.to_int8 import prepare, quantize

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from test_net import MODELS, every_operator, samples  # noqa: E402 - needs PyTorch

from edgekc.train.device import DeviceNet, run_integer, to_levels  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.retrain import integer  # noqa: E402


def models() -> list[Model]:
    return [Model(prepare(every_operator())), *(made()[0] for made in MODELS)]


def quantized_by(model: Model, x: np.ndarray) -> Graph:
    observed = calibrate.observe(model.graph, lambda: iter([x]), False)
    return pack_layers(model, quantize(model.graph, calibrate.choose(observed, "min-max", 99.99)))[0]


@pytest.mark.parametrize("index", range(1 + len(MODELS)))
def test_every_activation_is_the_reference_s(index: int) -> None:
    model = models()[index]
    x = samples(model.graph, 3)
    graph = integer(quantized_by(model, x))
    first = graph.tensors[graph.inputs[0]]
    levels = {first.name: to_levels(torch.from_numpy(x), first.q.scale, first.q.zero_point, first.dtype)}
    for node in graph.nodes:
        levels[node.outputs[0]] = run_integer(graph, node, levels)
    for i in range(len(x)):
        expected = reference.run(graph, [levels[first.name][i : i + 1].numpy()])
        for name in levels.keys() & expected.keys():
            np.testing.assert_array_equal(levels[name][i : i + 1].numpy(), expected[name], err_msg=name)


@pytest.mark.parametrize("index", range(1 + len(MODELS)))
def test_the_scores_are_those_of_the_packed_model(index: int) -> None:
    model = models()[index]
    x = samples(model.graph, 8)
    net = Net(model)
    calibrated = quantized_by(model, x)
    device = DeviceNet(net, lambda trained: integer(quantized_by(trained, x)))
    scores = device(torch.from_numpy(x))
    first = calibrated.tensors[calibrated.inputs[0]]
    levels = to_levels(torch.from_numpy(x), first.q.scale, first.q.zero_point, first.dtype).numpy()
    # The host emulator gives the graph's output; a softmax at its end is left out of the scores.
    ekc = pack(to_integer(calibrated, {}))
    out = host_outputs(ekc, levels)[0]
    if net.scores == model.graph.outputs[0]:
        quant = calibrated.tensors[net.scores].q
        real = (out.astype(np.float32) - quant.zero_point) * np.float32(quant.scale)
        np.testing.assert_allclose(scores.detach().numpy(), real, rtol=1e-5, atol=1e-6)
    else:
        assert (scores.detach().numpy().argmax(1) == out.argmax(1)).mean() >= 0.7  # softmax ties


@pytest.mark.parametrize("index", [1, 2])
def test_gradients_reach_every_trainable_value(index: int) -> None:
    model = models()[index]
    x = samples(model.graph, 8)
    net = Net(model)
    DeviceNet(net, lambda trained: integer(quantized_by(trained, x)))(torch.from_numpy(x)).square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert without == []
