"""The teacher of `resnet8_cifar10.ekc`: a residual net of 0.9 M weights, trained on the images that ResNet-8 saw.

    OMP_NUM_THREADS=1 python examples/models/resnet8_teacher.py cifar10-jpeg.zip teacher.pt2

Eight convolutions of 24 to 192 channels, 22 epochs of SGD with one cycle of the learning rate, flips, shifts of up to
4 pixels, one square of 8x8 pixels of a batch greyed out (DeVries and Taylor 2017, arXiv 1708.04552), smoothed labels.
It reaches 87.0 % of the 5,000 test images in about 40 minutes on one core with bfloat16. The exported program takes
raw pixels, normalisation inside, and `examples/recipes/resnet8_cifar10.toml` names it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor, nn

from edgekc.data import Dataset, load

EPOCHS, BATCH, RATE, DECAY = 22, 256, 0.1, 5e-4
SHIFT, SQUARE, GREY = 4, 8, 120
WIDTH = 24


def block(ic: int, oc: int, *, pool: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(ic, oc, 3, padding=1, bias=False), nn.BatchNorm2d(oc), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a, self.b = block(channels, channels), block(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.a(x))


class Teacher(nn.Module):
    def __init__(self, w: int = WIDTH) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.body = nn.Sequential(
            block(3, w), block(w, 2 * w, pool=True), Residual(2 * w), block(2 * w, 4 * w, pool=True),
            block(4 * w, 8 * w, pool=True), Residual(8 * w),
        )  # fmt: skip
        self.fc = nn.Linear(8 * w, 10)
        self.scale = 0.25  # of the scores: keeps the first steps calm

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(self.norm(x)).mean((2, 3))) * self.scale


def augmented(padded: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Images (n, 40, 40, 3) with mirrored borders to (n, 3, 32, 32): shifted, flipped, one square greyed out."""
    n, size = len(padded), padded.shape[1] - 2 * SHIFT
    down, right = rng.integers(0, 2 * SHIFT + 1, (2, n, 1))
    columns = np.arange(size)[None].repeat(n, 0)
    columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    rows = (down + np.arange(size))[:, :, None]
    x = torch.from_numpy(padded[np.arange(n)[:, None, None], rows, (right + columns)[:, None, :]])
    x = x.permute(0, 3, 1, 2).float()
    top, left = rng.integers(0, size - SQUARE + 1, 2)
    x[:, :, top : top + SQUARE, left : left + SQUARE] = GREY
    return x


def train(data: Dataset) -> Teacher:
    torch.manual_seed(0)
    net = Teacher().to(memory_format=torch.channels_last)
    decayed, rest = ([p for p in net.parameters() if (p.ndim > 1) == many] for many in (True, False))
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True)
    steps = len(data) // BATCH
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=RATE, total_steps=steps * EPOCHS, pct_start=0.2, cycle_momentum=False
    )
    border = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    padded, labels = np.pad(data.x, border, mode="reflect"), torch.from_numpy(data.labels).long()
    rng, started = np.random.default_rng(0), time.monotonic()
    for epoch in range(EPOCHS):
        order, total, right = rng.permutation(len(data)), 0.0, 0
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            y = labels[torch.from_numpy(chosen)]
            with torch.autocast("cpu", torch.bfloat16):
                scores = net(augmented(padded[chosen], rng))
            loss = F.cross_entropy(scores.float(), y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item()
            right += int((scores.argmax(1) == y).sum())
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / steps:.4f}, {right / steps / BATCH:.1%}, {seconds:.0f} s")
    return net.eval()


def accuracy(net: Teacher, data: Dataset) -> float:
    right = 0
    with torch.no_grad():
        for at in range(0, len(data), 500):
            x = torch.from_numpy(data.x[at : at + 500]).permute(0, 3, 1, 2).float()
            right += int((net(x).argmax(1).numpy() == data.labels[at : at + 500]).sum())
    return right / len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="cifar10-jpeg.zip: train/CLASS/*.jpg and test/CLASS/*.jpg")
    parser.add_argument("out", type=Path, help="the exported program, .pt2")
    args = parser.parse_args()
    net = train(load(args.data, split="train"))
    print(f"{accuracy(net, load(args.data, split='test')):.2%} of the test images")
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 32, 32),)), args.out)


if __name__ == "__main__":
    main()
