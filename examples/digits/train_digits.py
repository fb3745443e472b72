"""scikit-learn's handwritten digits to the int8 demo model and its test images: train, fold, quantise, write, check.

Run `python examples/digits/train_digits.py --help`; README.md beside this file has the whole command.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from float_net import INPUT, Floats, Layer, run, same_padding
from numpy.typing import NDArray
from quantize_net import quantize_net, quantize_values
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional
from write_tflite import Quant, write_tflite

TEST_IMAGES = 360  # of 1797
PIXEL_MAX = 16  # the data set's pixels are 0..16

# The network sees pixel / 16. With this scale q = 15 * pixel - 128, so every pixel value is exact in int8.
INPUT_QUANT = Quant(np.array([1 / (15 * PIXEL_MAX)], np.float32), -128)

DEMO_DATA = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data"


class Digits(NamedTuple):
    """Images as real values (n, 8, 8, 1) in 0..1, and labels (n,), split once and for all."""

    train_x: Floats
    train_y: NDArray[np.uint8]
    test_x: Floats
    test_y: NDArray[np.uint8]


def load(seed: int) -> Digits:
    """The data set, split so that each digit keeps its share in both parts."""
    data = load_digits()
    x = (data.images[..., None] / PIXEL_MAX).astype(np.float32)
    y = data.target.astype(np.uint8)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=TEST_IMAGES, random_state=seed, stratify=y)
    return Digits(train_x, train_y, test_x, test_y)


class ConvBn(nn.Module):
    """Convolution without bias, batch norm, and ReLU if asked; TensorFlow's SAME padding."""

    def __init__(self, ic: int, oc: int, kernel: int, size: int, stride: int = 1, groups: int = 1, relu: bool = True):
        super().__init__()
        before, after = same_padding(size, kernel, stride)
        self.pads = (before, after, before, after)
        self.conv = nn.Conv2d(ic, oc, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(oc)
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.conv(functional.pad(x, self.pads)))
        return functional.relu(out) if self.relu else out


class Net(nn.Module):
    """A convolution, a depthwise-separable block that halves the image, a residual one, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvBn(1, 16, kernel=3, size=8)
        self.dw1 = ConvBn(16, 16, kernel=3, size=8, stride=2, groups=16)
        self.pw1 = ConvBn(16, 32, kernel=1, size=4)
        self.dw2 = ConvBn(32, 32, kernel=3, size=4, groups=32)
        self.pw2 = ConvBn(32, 32, kernel=1, size=4, relu=False)
        self.dense = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (n, 1, 8, 8) to logits (n, 10)."""
        x = self.pw1(self.dw1(self.conv(x)))
        x = functional.relu(x + self.pw2(self.dw2(x)))
        return self.dense(x.mean(dim=(2, 3)))


def train(x: Floats, y: NDArray[np.uint8], epochs: int, seed: int) -> Net:
    """Train on images (n, 8, 8, 1) shifted at random by up to a pixel; return the network ready for inference."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # sums in a fixed order, so that the same machine gives the same weights
    torch.use_deterministic_algorithms(True)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    labels = torch.from_numpy(y.astype(np.int64))
    net = Net().train()
    batch = 64
    steps = len(images) // batch
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * steps)
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            logits = net(_shifted(images[chosen]))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def _shifted(images: torch.Tensor) -> torch.Tensor:
    """Each image moved by -1, 0 or 1 pixels along both axes; what comes in is blank."""
    n, _, h, w = images.shape
    padded = functional.pad(images, (1, 1, 1, 1))
    rows = torch.randint(0, 3, (n, 1, 1)) + torch.arange(h)[:, None]
    columns = torch.randint(0, 3, (n, 1, 1)) + torch.arange(w)
    return padded[torch.arange(n)[:, None, None], 0, rows, columns][:, None]


def fold(net: Net) -> tuple[Layer, ...]:
    """The trained network as layers, each batch norm folded into the convolution before it."""
    return (
        _folded(net.conv, "conv", INPUT),
        _folded(net.dw1, "dw1", "conv"),
        _folded(net.pw1, "pw1", "dw1"),
        _folded(net.dw2, "dw2", "pw1"),
        _folded(net.pw2, "pw2", "dw2"),
        Layer("add", "add", ("pw1", "pw2"), relu=True),
        Layer("average_pool", "pool", ("add",)),
        Layer("flatten", "flatten", ("pool",)),
        Layer("dense", "dense", ("flatten",), _numpy(net.dense.weight), _numpy(net.dense.bias)),
        Layer("softmax", "softmax", ("dense",)),
    )


def _folded(block: ConvBn, name: str, source: str) -> Layer:
    norm = block.norm
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weights = _numpy(block.conv.weight * gain[:, None, None, None])  # (oc, ic / groups, kh, kw)
    bias = _numpy(norm.bias - norm.running_mean * gain)
    depthwise = block.conv.groups > 1
    return Layer(
        kind="depthwise" if depthwise else "conv",
        name=name,
        inputs=(source,),
        weights=weights.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)),
        bias=bias,
        stride=block.conv.stride[0],
        relu=block.relu,
    )


def _numpy(tensor: torch.Tensor) -> Floats:
    return tensor.detach().numpy().astype(np.float32)


def check_fold(net: Net, layers: tuple[Layer, ...], x: Floats) -> None:
    """Stop if the folded layers do not compute what the trained network does."""
    with torch.no_grad():
        expected = net(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(run(layers, x)["dense"], expected, rtol=1e-3, atol=1e-3)


def run_litert(model: bytes, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """The model's outputs (n, 10) for quantised images, by LiteRT's reference kernels."""
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    out = []
    for image in x:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        out.append(interpreter.get_tensor(result)[0])
    return np.stack(out)


def accuracy(scores: NDArray[np.float32] | NDArray[np.int8], labels: NDArray[np.uint8]) -> float:
    """The percentage of rows whose largest score is at the label."""
    return 100 * float(np.mean(scores.argmax(axis=1) == labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and quantise the digits demo model.")
    parser.add_argument("--out", type=Path, default=DEMO_DATA, help="folder for the two files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the training (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training images (default: %(default)s)")
    args = parser.parse_args()

    data = load(args.seed)
    net = train(data.train_x, data.train_y, args.epochs, args.seed)
    layers = fold(net)
    check_fold(net, layers, data.test_x)
    model = write_tflite(quantize_net(layers, data.train_x, INPUT_QUANT, "edgekc demo: 8x8 handwritten digits"))
    test_x = quantize_values(data.test_x, INPUT_QUANT)

    args.out.mkdir(parents=True, exist_ok=True)
    model_path, data_path = args.out / "digits_int8.tflite", args.out / "digits_test.npz"
    model_path.write_bytes(model)
    np.savez_compressed(data_path, x=test_x, y=data.test_y)

    float_scores, int8_scores = run(layers, data.test_x)["softmax"], run_litert(model, test_x)
    same = 100 * float(np.mean(float_scores.argmax(axis=1) == int8_scores.argmax(axis=1)))
    print(f"images: {len(data.train_y)} to train, {len(data.test_y)} to test")
    print(f"parameters: {sum(p.size for layer in layers for p in (layer.weights, layer.bias) if p is not None)}")
    print(f"float accuracy: {accuracy(float_scores, data.test_y):.2f} %")
    print(f"int8 accuracy: {accuracy(int8_scores, data.test_y):.2f} % (LiteRT reference kernels)")
    print(f"same class, float and int8: {same:.2f} %")
    for path in (model_path, data_path):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
