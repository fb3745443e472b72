"""Networks of image size 224 in plain PyTorch with random weights, exported to .pt2.

    python benchmarks/large_nets.py NAME FILE

NAMEs: resnet18 (He et al. 2016, arXiv 1512.03385), mobilenet_v2 (Sandler et al. 2018, arXiv 1801.04381), vgg11 and
vgg16 (Simonyan and Zisserman 2015, arXiv 1409.1556). Weights are normal, of variance 2 over the inputs of a filter (He
et al.
2015, arXiv 1502.01852), so that activations keep their size from layer to layer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

VGG11 = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)  # channels; 0: max pooling
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
MOBILE = (  # expansion, channels, blocks, stride
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def conv_norm(i: int, o: int, k: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]


class Residual(nn.Module):
    """A branch and its input, added; the input goes through a 1x1 convolution where shapes differ."""

    def __init__(self, branch: list[nn.Module], skip: list[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.branch, self.skip, self.last = nn.Sequential(*branch), nn.Sequential(*skip), last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.last(self.branch(x) + self.skip(x))
        return added


def classifier(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]


def resnet18() -> nn.Module:
    layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    i = 64
    for o, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        branch = [*conv_norm(i, o, 3, stride), nn.ReLU(), *conv_norm(o, o, 3)]
        layers.append(Residual(branch, conv_norm(i, o, 1, stride) if i != o else [], nn.ReLU()))
        i = o
    return nn.Sequential(*layers, *classifier(512))


def mobilenet_v2() -> nn.Module:
    layers = [*conv_norm(3, 32, 3, 2), nn.ReLU6()]
    i = 32
    for times, o, blocks, first in MOBILE:
        for stride in (first, *[1] * (blocks - 1)):
            h = times * i
            wide = [*conv_norm(i, h, 1), nn.ReLU6()] if times > 1 else []
            branch = [*wide, *conv_norm(h, h, 3, stride, h), nn.ReLU6(), *conv_norm(h, o, 1)]
            layers += [Residual(branch, [], nn.Identity())] if stride == 1 and i == o else branch
            i = o
    return nn.Sequential(*layers, *conv_norm(320, 1280, 1), nn.ReLU6(), *classifier(1280))


def vgg(channels: tuple[int, ...]) -> nn.Module:
    layers: list[nn.Module] = []
    i = 3
    for o in channels:
        layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU()] if o else [nn.MaxPool2d(2)]
        i = o or i
    wide = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *wide)


NETS = {
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
    "vgg11": lambda: vgg(VGG11),
    "vgg16": lambda: vgg(VGG16),
}


def export(name: str, path: Path) -> None:
    torch.manual_seed(0)
    net = NETS[name]().eval()
    for part in net.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight)
    with torch.no_grad():
        torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 224, 224),)), path)


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
