"""More small networks of PyTorch, each of a published kind that `torch_nets` has none of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch_nets import IMAGE, Apply, conv_norm

Net = tuple[Callable[[], nn.Module], tuple[int, ...]]
ROWS = (12, 8)  # steps, features
SIGNAL = (4, 40)  # channels, samples
ZOO: dict[str, Net] = {}


def net(*shape: int) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Adds a network whose samples have this shape."""

    def add(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        ZOO[make.__name__] = make, shape
        return make

    return add


def pooled(c: int, classes: int = 5) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def rows_norm(i: int, o: int, k: int = 3, s: int = 1, d: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv1d(i, o, k, s, k // 2 * d, d, bias=False), nn.BatchNorm1d(o), nn.ReLU())


# ---- attention ----


class Attend(nn.Module):
    """A transformer's layer written out: attention and two linear layers, norms before or behind."""

    def __init__(self, width: int, heads: int, act: Callable[[Any], Any], before: bool) -> None:
        super().__init__()
        self.heads, self.act, self.before = heads, act, before
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def attention(self, x: Any) -> Any:
        n, steps, width = x.shape
        q, k, v = self.qkv(x).reshape(n, steps, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, steps, width))

    def forward(self, x: Any) -> Any:
        for norm, part in zip(self.norms, (self.attention, lambda x: self.narrow(self.act(self.wide(x)))), strict=True):
            x = x + part(norm(x)) if self.before else norm(x + part(x))
        return x


@net(*ROWS)
def attention() -> nn.Module:
    return Apply(
        lambda m, x: m["head"](m["layer"](x).mean(1)), layer=Attend(8, 2, F.relu, before=False), head=nn.Linear(8, 3)
    )


@net(*ROWS)
def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return Apply(lambda m, x: m["head"](m["layer"](x)[:, 0]), layer=layer, head=nn.Linear(8, 3))


@net(*ROWS)
def multihead() -> nn.Module:
    return Apply(
        lambda m, x: m["head"](m["norm"](x + m["heads"](x, x, x, need_weights=False)[0]).mean(1)),
        heads=nn.MultiheadAttention(8, 2, batch_first=True), norm=nn.LayerNorm(8), head=nn.Linear(8, 3),
    )  # fmt: skip


@net(*IMAGE)
def small_vit() -> nn.Module:
    return Apply(
        lambda m, x: m["head"](m["norm"](m["layers"](m["patch"](x).flatten(2).transpose(1, 2))).mean(1)),
        patch=nn.Conv2d(3, 16, 4, 4), norm=nn.LayerNorm(16), head=nn.Linear(16, 5),
        layers=nn.Sequential(*(Attend(16, 2, F.gelu, before=True) for _ in range(2))),
    )  # fmt: skip


@net(*IMAGE)
def mixer() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["patch"](x).flatten(2).transpose(1, 2)
        x = x + m["tokens"](m["a"](x).transpose(1, 2)).transpose(1, 2)
        x = x + m["channels"](m["b"](x))
        return m["head"](x.mean(1))

    return Apply(
        forward, patch=nn.Conv2d(3, 8, 4, 4), a=nn.LayerNorm(8), b=nn.LayerNorm(8), head=nn.Linear(8, 5),
        tokens=nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16)),
        channels=nn.Sequential(nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 8)),
    )  # fmt: skip


@net(*SIGNAL)
def attentive_pooling() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["conv"](x)
        return m["head"]((x * m["score"](x).softmax(-1)).sum(-1))

    return Apply(forward, conv=rows_norm(4, 8), score=nn.Conv1d(8, 1, 1), head=nn.Linear(8, 3))


@net(*IMAGE)
def spatial_attention() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return m["head"](x * torch.sigmoid(m["gate"](both)))

    return Apply(forward, stem=conv_norm(3, 8), gate=nn.Conv2d(2, 1, 7, padding=3), head=pooled(8))


# ---- images ----


@net(*IMAGE)
def convnext() -> nn.Module:
    class Norm(nn.LayerNorm):
        def forward(self, x: Any) -> Any:
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    block = nn.Sequential(
        nn.Conv2d(8, 8, 7, padding=3, groups=8), Norm(8), nn.Conv2d(8, 32, 1), nn.GELU(), nn.Conv2d(32, 8, 1)
    )
    return Apply(
        lambda m, x: m["head"]((y := m["stem"](x)) + m["block"](y)),
        stem=nn.Sequential(nn.Conv2d(3, 8, 2, 2), Norm(8)), block=block, head=pooled(8),
    )  # fmt: skip


@net(*IMAGE)
def conv_mixer() -> nn.Module:
    mix = nn.Sequential(nn.Conv2d(8, 8, 5, padding=2, groups=8), nn.GELU(), nn.BatchNorm2d(8))
    return Apply(
        lambda m, x: m["head"](m["point"]((y := m["stem"](x)) + m["mix"](y))), mix=mix,
        stem=nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.GELU(), nn.BatchNorm2d(8)),
        point=nn.Sequential(nn.Conv2d(8, 8, 1), nn.GELU(), nn.BatchNorm2d(8)), head=pooled(8),
    )  # fmt: skip


@net(*IMAGE)
def resnext() -> nn.Module:
    block = nn.Sequential(conv_norm(16, 16, 1), conv_norm(16, 16, 3, groups=4), conv_norm(16, 16, 1, act=nn.Identity))
    return Apply(
        lambda m, x: m["head"](F.relu((y := m["stem"](x)) + m["block"](y))),
        stem=conv_norm(3, 16, 3, 2), block=block, head=pooled(16),
    )  # fmt: skip


@net(*IMAGE)
def inception() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        parts = [m["a"](x), m["b"](x), m["c"](x), m["d"](F.max_pool2d(x, 3, 1, 1))]
        return m["head"](torch.cat(parts, 1))

    return Apply(
        forward, stem=conv_norm(3, 8, 3, 2), a=conv_norm(8, 4, 1), b=conv_norm(8, 4, 3), c=conv_norm(8, 4, 5),
        d=conv_norm(8, 4, 1), head=pooled(16),
    )  # fmt: skip


@net(*IMAGE)
def ghostnet() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["primary"](m["stem"](x))
        return m["head"](torch.cat([x, m["cheap"](x)], 1))

    return Apply(
        forward, stem=conv_norm(3, 8, 3, 2), primary=conv_norm(8, 8, 1), cheap=conv_norm(8, 8, 3, groups=8),
        head=pooled(16),
    )  # fmt: skip


@net(*IMAGE)
def dilated_pyramid() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        whole = F.interpolate(m["whole"](F.adaptive_avg_pool2d(x, 1)), size=x.shape[2:], mode="nearest")
        return m["out"](torch.cat([m["near"](x), m["far"](x), whole], 1))

    return Apply(
        forward, stem=conv_norm(3, 8, 3, 2), near=nn.Conv2d(8, 4, 3, padding=2, dilation=2),
        far=nn.Conv2d(8, 4, 3, padding=3, dilation=3), whole=nn.Conv2d(8, 4, 1), out=nn.Conv2d(12, 2, 1),
    )  # fmt: skip


@net(*IMAGE)
def alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2), nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(108, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip


@net(*IMAGE)
def style_transfer() -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
        nn.Conv2d(8, 8, 3, 2, 1), nn.InstanceNorm2d(8, affine=True), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


@net(*IMAGE)
def group_normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.GroupNorm(4, 8),
        nn.SiLU(), pooled(8),
    )  # fmt: skip


@net(*IMAGE)
def face_embedding() -> nn.Module:
    """Slopes for each channel, and an output of length one."""
    return Apply(
        lambda m, x: F.normalize(m["head"](m["b"](m["a"](x)).flatten(1)), dim=1),
        a=conv_norm(3, 8, 3, 2, act=lambda: nn.PReLU(8)), b=conv_norm(8, 8, 3, 2, groups=8, act=lambda: nn.PReLU(8)),
        head=nn.Linear(128, 8),
    )  # fmt: skip


@net(*IMAGE)
def detector() -> nn.Module:
    """Boxes and scores of two scales, in one row."""

    def forward(m: Any, x: Any) -> Any:
        a = m["a"](x)
        found = [m["at_a"](a), m["at_b"](m["b"](a))]
        return torch.cat([torch.sigmoid(y).flatten(2) for y in found], 2).transpose(1, 2)

    return Apply(
        forward, a=conv_norm(3, 8, 3, 2, act=lambda: nn.LeakyReLU(0.1)),
        b=conv_norm(8, 16, 3, 2, act=lambda: nn.LeakyReLU(0.1)), at_a=nn.Conv2d(8, 6, 1), at_b=nn.Conv2d(16, 6, 1),
    )  # fmt: skip


@net(*IMAGE)
def mish() -> nn.Module:
    return nn.Sequential(conv_norm(3, 8, act=nn.Mish), conv_norm(8, 8, 3, 2, act=nn.Hardtanh), pooled(8))


# ---- images to images ----


@net(*IMAGE)
def unet_transposed() -> nn.Module:
    """Two levels, with the transposed convolutions that overlap."""

    def forward(m: Any, x: Any) -> Any:
        a = m["a"](x)
        b = m["b"](F.max_pool2d(a, 2))
        c = m["c"](F.max_pool2d(b, 2))
        b = m["d"](torch.cat([b, m["up_c"](c)], 1))
        return m["out"](torch.cat([a, m["up_b"](b)], 1))

    return Apply(
        forward, a=conv_norm(3, 4), b=conv_norm(4, 8), c=conv_norm(8, 12), up_c=nn.ConvTranspose2d(12, 8, 4, 2, 1),
        d=conv_norm(16, 8), up_b=nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1), out=nn.Conv2d(8, 2, 1),
    )  # fmt: skip


@net(1, 16, 16)
def image_autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 4, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 6, 2, 2),
        nn.ReLU(), nn.ConvTranspose2d(6, 1, 2, 2), nn.Sigmoid(),
    )  # fmt: skip


@net(1, 10, 10)
def super_resolution() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 4, 3, padding=1), nn.PixelShuffle(2))


@net(*IMAGE)
def feature_pyramid() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        a = m["a"](x)
        b = m["b"](a)
        up = F.interpolate(m["side_b"](b), scale_factor=2.0, mode="bilinear", align_corners=False)
        return m["out"](m["side_a"](a) + up)

    return Apply(
        forward, a=conv_norm(3, 8, 3, 2), b=conv_norm(8, 12, 3, 2), side_a=nn.Conv2d(8, 6, 1),
        side_b=nn.Conv2d(12, 6, 1), out=nn.Conv2d(6, 2, 3, padding=1),
    )  # fmt: skip


# ---- sound, signals and sequences ----


@net(1, 25, 10)
def ds_cnn() -> nn.Module:
    block = [part for _ in range(2) for part in (conv_norm(16, 16, 3, groups=16), conv_norm(16, 16, 1))]
    return nn.Sequential(nn.Conv2d(1, 16, (10, 4), 2, (5, 1)), nn.BatchNorm2d(16), nn.ReLU(), *block, pooled(16, 12))


@net(*SIGNAL)
def tc_resnet() -> nn.Module:
    return Apply(
        lambda m, x: m["head"](F.relu(m["b"](m["a"](x)) + m["side"](x)).mean(2)),
        a=rows_norm(4, 8, 9, 2), b=nn.Sequential(nn.Conv1d(8, 8, 9, padding=4), nn.BatchNorm1d(8)),
        side=rows_norm(4, 8, 1, 2), head=nn.Linear(8, 3),
    )  # fmt: skip


@net(*SIGNAL)
def wavenet() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        total = 0
        for i, d in enumerate((1, 2, 4)):
            y = F.pad(x, (d, 0))
            y = m["skip"](torch.tanh(m[f"filter{i}"](y)) * torch.sigmoid(m[f"gate{i}"](y)))
            x, total = x + y, total + y
        return m["head"](F.relu(total))

    layers = {
        f"{kind}{i}": nn.Conv1d(6, 6, 2, dilation=d) for i, d in enumerate((1, 2, 4)) for kind in ("filter", "gate")
    }
    stem, skip, head = nn.Conv1d(4, 6, 1), nn.Conv1d(6, 6, 1), nn.Conv1d(6, 3, 1)
    return Apply(forward, stem=stem, skip=skip, head=head, **layers)


@net(*SIGNAL)
def gated_units() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(4, 16, 5), nn.GLU(1), nn.Conv1d(8, 12, 3), nn.GLU(1), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip


@net(1, 4, 64)
def eegnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, (1, 15), padding=(0, 7), bias=False), nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, (4, 1), groups=4, bias=False), nn.BatchNorm2d(8), nn.ELU(), nn.AvgPool2d((1, 4)),
        nn.Conv2d(8, 8, (1, 7), padding=(0, 3), groups=8, bias=False), nn.Conv2d(8, 8, 1, bias=False),
        nn.BatchNorm2d(8), nn.ELU(), nn.AvgPool2d((1, 4)), nn.Flatten(), nn.Linear(32, 2),
    )  # fmt: skip


@net(*SIGNAL)
def x_vector() -> nn.Module:
    """Mean and deviation over time."""

    def forward(m: Any, x: Any) -> Any:
        x = m["b"](m["a"](x))
        mean = x.mean(2, keepdim=True)
        deviation = ((x - mean) ** 2).mean(2).add(1e-3).sqrt()
        return m["head"](torch.cat([mean.squeeze(2), deviation], 1))

    return Apply(forward, a=rows_norm(4, 8, 5), b=rows_norm(8, 8, 3, d=2), head=nn.Linear(16, 3))


@net(*ROWS)
def both_ways() -> nn.Module:
    """An LSTM over the steps in both directions."""
    return Apply(
        lambda m, x: m["head"](m["rows"](x)[0].mean(1)),
        rows=nn.LSTM(8, 6, batch_first=True, bidirectional=True), head=nn.Linear(12, 3),
    )  # fmt: skip


@net(24)
def vector_autoencoder() -> nn.Module:
    widths = (24, 12, 4, 12, 24)
    parts = [p for i, o in pairwise(widths) for p in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*parts[:-1])


@net(13)
def self_normalising() -> nn.Module:
    return nn.Sequential(nn.Linear(13, 16), nn.SELU(), nn.Linear(16, 8), nn.SELU(), nn.Linear(8, 3), nn.LogSoftmax(1))
