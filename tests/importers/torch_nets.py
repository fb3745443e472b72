"""Small networks of PyTorch with the operators of published ones, and the checks that an import computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx_models import close, nhwc
from torch import nn
from torch.nn import functional as F  # noqa: N812

from edgekc.data import Dataset
from edgekc.emulate import reference
from edgekc.evaluate import input_levels
from edgekc.graph.ir import Array, Graph, Stage
from edgekc.importers.torch.importer import import_torch
from edgekc.ops import legal
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize


class Apply(nn.Module):
    """A module from a function of some layers and the inputs."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.function = forward

    def forward(self, *inputs: Any) -> Any:
        return self.function(self.layers, *inputs)


def lively(module: nn.Module) -> nn.Module:
    """Norms as training leaves them; torch's fresh ones are identities."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.running_mean.uniform_(-0.2, 0.2)
            part.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.uniform_(part.bias, -0.2, 0.2)
    return module.eval()


def in_layout(graph: Graph, index: int, x: Array) -> Array:
    """Samples in the layout of an input of the graph."""
    shape = graph.tensors[graph.inputs[index]].shape
    if x.ndim > 2 and graph.metadata.get("source_layout") and x.shape[1:] != shape[1:]:
        x = np.moveaxis(x, 1, -1)
    elif x.ndim == 4 and graph.metadata.get("source_layout"):
        x = nhwc(x)
    return np.ascontiguousarray(x)


def same_values(got: Array, want: Array) -> None:
    """Equal; images are NHWC, and rows of vectors are (n, w, c) where a convolution made them."""
    for form in (nhwc(want), np.moveaxis(want, 1, -1) if want.ndim == 3 else want, want):
        if got.shape == form.shape and np.allclose(got, form, rtol=0, atol=1e-4 * max(float(np.abs(want).max()), 1e-3)):
            return
    close(got, nhwc(want))


def imported(module: nn.Module, *shapes: tuple[int, ...], samples: int = 3, seed: int = 0) -> Graph:
    """Import the module, and compare with torch on a few samples."""
    torch.manual_seed(seed)
    module = lively(module)
    inputs = [torch.randn(1, *s) for s in shapes]
    graph = import_torch(module, "net", tuple(inputs))
    assert graph.stage is Stage.FLOAT
    legal.check(graph)
    for _ in range(samples):
        inputs = [torch.randn(1, *s) for s in shapes]
        with torch.no_grad():
            want = module(*inputs)
        fed = [in_layout(graph, i, x.numpy()) for i, x in enumerate(inputs)]
        for got, expected in zip(
            float_reference.outputs(graph, fed), want if isinstance(want, tuple) else (want,), strict=True
        ):
            same_values(got, expected.numpy())
    return graph


def int8_sqnr(graph: Graph, seed: int = 1) -> float:
    """dB of the int8 network's outputs, quantised by calibration, against the float one's, on smooth data."""
    rng = np.random.default_rng(seed)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    quantized = post_training(graph, Dataset(levelled(rng, 256, shape), None, (), ""), Quantize())
    integer = to_integer(quantized, {})
    test = Dataset(levelled(rng, 24, shape), None, (), "")
    (want,) = float_reference.outputs(graph, [test.x])
    (levels,) = reference.outputs(integer, [input_levels(test, integer)])
    out = integer.tensors[integer.outputs[0]].q
    return sqnr((levels.astype(np.float64) - out.zero_point) * out.scale, want)


def levelled(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> Array:
    """Noise, and a level of its own in each sample, float32 (count, *shape)."""
    x = rng.normal(size=(count, *shape))
    return (0.7 * x + 0.3 * rng.normal(size=(count, *(1,) * len(shape)))).astype(np.float32)


def sqnr(got: Array, want: Array) -> float:
    """Power of what was expected over that of the error, in dB."""
    error = got.astype(np.float64) - want
    return float(10 * np.log10((want.astype(np.float64) ** 2).mean() / max((error**2).mean(), 1e-30)))


def conv_norm(i: int, o: int, k: int = 3, s: int = 1, groups: int = 1, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())


class Residual(nn.Module):
    """ResNet's basic block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = conv_norm(3, 8), conv_norm(8, 16, s=2)
        self.b = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        self.down = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = F.relu(self.b(self.a(x)) + self.down(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Squeeze(nn.Module):
    """Squeeze and excite, of MobileNetV3 (hardsigmoid) and EfficientNet (sigmoid, silu)."""

    def __init__(self, c: int, act: type[nn.Module], gate: type[nn.Module]) -> None:
        super().__init__()
        self.pool, self.down, self.up = nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c // 4, 1), nn.Conv2d(c // 4, c, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x: Any) -> Any:
        return x * self.gate(self.up(self.act(self.down(self.pool(x)))))


def inverted(act: type[nn.Module], inner: type[nn.Module], gate: type[nn.Module] | None) -> nn.Module:
    """An inverted residual between a stem and a head."""
    middle = [conv_norm(8, 24, 1, act=act), conv_norm(24, 24, 3, groups=24, act=act)]
    if gate is not None:
        middle.append(Squeeze(24, inner, gate))
    middle.append(nn.Sequential(nn.Conv2d(24, 8, 1, bias=False), nn.BatchNorm2d(8)))
    return Apply(
        lambda m, x: m["head"](((y := m["stem"](x)) + m["block"](y)).mean((2, 3))),
        stem=conv_norm(3, 8, 3, 2, act=act), block=nn.Sequential(*middle), head=nn.Linear(8, 5),
    )  # fmt: skip


class Shuffle(nn.Module):
    """ShuffleNetV2's unit: halves, and channels interleaved."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = conv_norm(3, 8, 3, 2), nn.Linear(8, 5)
        self.branch = nn.Sequential(conv_norm(4, 4, 1), conv_norm(4, 4, 3, groups=4), conv_norm(4, 4, 1))

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for _ in range(2):
            a, b = x.chunk(2, dim=1)
            x = torch.cat((a, self.branch(b)), dim=1)
            n, c, h, w = x.size()
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.head(x.mean([2, 3]))


class Temporal(nn.Module):
    """A TCN: dilated causal convolutions, padded on one side."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(4, 8, 3, dilation=2), nn.Conv1d(8, 8, 3, dilation=4)
        self.norm, self.skip, self.head = nn.BatchNorm1d(8), nn.Conv1d(4, 8, 1), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        y = F.relu(self.a(F.pad(x, (4, 0))))
        y = F.relu(self.norm(self.b(F.pad(y, (8, 0)))))
        return self.head(F.relu(y + self.skip(x))[:, :, -1])


class Patches(nn.Module):
    """A vision transformer: patches, a class token, positions, one encoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16) * 0.5)
        self.position = nn.Parameter(torch.randn(1, 17, 16) * 0.2)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=True)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1) + self.position
        return self.head(self.norm(self.layer(x))[:, 0])


class Fire(nn.Module):
    """SqueezeNet's fire module, and its head without a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.squeeze = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 4, 1)
        self.one, self.three, self.head = nn.Conv2d(4, 6, 1), nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(12, 5, 1)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, ceil_mode=True)
        x = F.relu(self.squeeze(x))
        x = torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)
        return torch.flatten(F.adaptive_avg_pool2d(F.relu(self.head(x)), (1, 1)), 1)


class Dense(nn.Module):
    """DenseNet: norms in front of convolutions, everything before joined."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(12, 5)
        self.norms = nn.ModuleList([nn.BatchNorm2d(6 + 3 * i) for i in range(3)])
        self.convs = nn.ModuleList([nn.Conv2d(6 + 3 * i, 3, 3, padding=1, bias=False) for i in range(2)])

    def forward(self, x: Any) -> Any:
        features = [self.stem(x)]
        for norm, conv in zip(self.norms[:2], self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        x = F.avg_pool2d(F.relu(self.norms[2](torch.cat(features, 1))), 2)
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class UNet(nn.Module):
    """Down, up by a transposed convolution or by an upsampling, and joined."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.up = conv_norm(3, 4), conv_norm(4, 8), up
        self.c, self.out = conv_norm(8, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x: Any) -> Any:
        a = self.a(x)
        return self.out(self.c(torch.cat([a, self.up(self.b(F.max_pool2d(a, 2)))], 1)))


IMAGE = (3, 16, 16)
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet": (Residual, IMAGE),
    "mobilenet_v2": (lambda: inverted(nn.ReLU6, nn.ReLU, None), IMAGE),
    "mobilenet_v3": (lambda: inverted(nn.Hardswish, nn.ReLU, nn.Hardsigmoid), IMAGE),
    "efficientnet": (lambda: inverted(nn.SiLU, nn.SiLU, nn.Sigmoid), IMAGE),
    "shufflenet": (Shuffle, IMAGE),
    "squeezenet": (Fire, IMAGE),
    "densenet": (Dense, IMAGE),
    "regnet": (
        lambda: nn.Sequential(
            conv_norm(3, 8, 3, 2), conv_norm(8, 16, 1), conv_norm(16, 16, 3, 2, groups=2), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(16, 5),
        ),
        IMAGE,
    ),
    "unet": (lambda: UNet(nn.ConvTranspose2d(8, 4, 2, 2)), IMAGE),
    "unet_upsample": (
        lambda: UNet(nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(8, 4, 1))), IMAGE,
    ),
    "tcn": (Temporal, (4, 20)),
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(1, 4, 5, 2), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 8, 3), nn.LeakyReLU(0.1),
            nn.AvgPool1d(2), nn.ConvTranspose1d(8, 4, 3, 2), nn.Tanh(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(4, 3),
        ),
        (1, 60),
    ),
    "activations": (
        lambda: nn.Sequential(
            conv_norm(3, 6, act=nn.Tanh), conv_norm(6, 6, act=nn.ELU), conv_norm(6, 6, act=lambda: nn.PReLU(6)),
            conv_norm(6, 6, act=nn.GELU), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5),
        ),
        IMAGE,
    ),
    "vit": (Patches, IMAGE),
    "lstm": (
        lambda: Apply(
            lambda m, x: m["head"](m["rows"](x)[0][:, -1]), rows=nn.LSTM(6, 8, batch_first=True), head=nn.Linear(8, 3)
        ),
        (5, 6),
    ),
    "gru": (
        lambda: Apply(
            lambda m, x: m["head"](m["rows"](m["conv"](x).flatten(1, 2).permute(0, 2, 1))[0][:, -1]),
            conv=nn.Conv2d(1, 3, 3, padding=1), rows=nn.GRU(18, 8, batch_first=True), head=nn.Linear(8, 3),
        ),
        (1, 6, 5),
    ),
}  # fmt: skip
