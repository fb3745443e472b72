"""Magnitude pruning alone on ResNet-8, JPEG CIFAR-10: accuracy against bytes, the baseline for the other methods.

    python benchmarks/magnitude.py                      the table
    python benchmarks/magnitude.py --json --epochs 2    after 2 epochs of retraining, and results/magnitude.json

Single weights become zero (Han et al., "Learning both Weights and Connections", 2015: a threshold for each layer, in
proportion to the standard deviation of its weights), the rest are int8 by post-training quantisation. The device has
no kernel for such weights: this is what the bytes would be, made of the real integers, and the accuracy that they
would have, which is that of dense int8 weights with zeros, on the bit-exact host emulator. A layer takes the
smallest of three forms, each of them packed here and read back:

- dense: a byte for each weight
- bitmap: a bit for each weight, a byte for each that is not zero
- steps: 4 bits for the distance to the next stored weight, a byte for each (Han et al., "Deep Compression", 2016);
  a gap of 16 or more stores a zero on the way

Biases and requantisation constants are not counted, as they are not for the other methods. Retraining keeps the zeros,
and starts from the trained weights for every share; the teacher is the float model.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from edgekc.data import Dataset, load, subset
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.importers import import_model
from edgekc.ir import Array, Graph, Role, constant
from edgekc.pack import pack
from edgekc.pipeline import to_integer
from edgekc.post_training import post_training
from edgekc.quantize import FILTER_AXIS, prepare
from edgekc.recipe import Quantize
from edgekc.train.batches import Augment
from edgekc.train.fit import Options, fit, frozen, scores_loss
from edgekc.train.net import Net

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "magnitude.json"
KEPT = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True, slots=True)
class Row:
    kept: float  # share of the weights that are not zero
    weight_bytes: int
    times_float32: float
    forms: dict[str, str]  # layer -> how it is stored
    right: int
    percent: float
    points_lost: float


def keep(graph: Graph, share: float) -> Graph:
    """The FLOAT graph with only this share (0..1) of its weights not zero: the largest, in their layer's deviations."""
    names = [node.inputs[1] for node in graph.nodes if node.op in FILTER_AXIS]
    sizes = {name: np.abs(graph.tensors[name].value) / max(float(graph.tensors[name].value.std()), 1e-30) for name in names}  # fmt: skip  # noqa: E501
    every = np.sort(np.concatenate([size.ravel() for size in sizes.values()]))[::-1]
    threshold = every[max(round(share * every.size) - 1, 0)]
    tensors = dict(graph.tensors)
    for name, size in sizes.items():
        tensors[name] = constant(name, np.where(size >= threshold, tensors[name].value, 0), Role.WEIGHTS)
    return replace(graph, tensors=tensors)


def to_bitmap(weights: Array) -> bytes:
    """int8 weights as a bit for each and the bytes of those that are not zero."""
    flat = weights.ravel()
    return np.packbits(flat != 0).tobytes() + flat[flat != 0].tobytes()


def from_bitmap(stored: bytes, count: int) -> Array:
    """(count,) int8."""
    head = -(-count // 8)
    there = np.unpackbits(np.frombuffer(stored[:head], np.uint8), count=count).astype(bool)
    out = np.zeros(count, np.int8)
    out[there] = np.frombuffer(stored[head:], np.int8)
    return out


def to_steps(weights: Array) -> bytes:
    """int8 weights as nibbles, the distance (1 to 16) from the stored weight before, and the stored bytes."""
    flat, at, last = weights.ravel(), [], -1
    for i in np.flatnonzero(flat).tolist():
        while i - last > 16:
            last += 16
            at.append(last)
        at.append(i)
        last = i
    places = np.array(at, np.int64)
    nibbles = np.diff(places, prepend=-1) - 1
    if len(nibbles) % 2:
        nibbles = np.append(nibbles, 0)
    return (nibbles[::2] | nibbles[1::2] << 4).astype(np.uint8).tobytes() + flat[places].tobytes()


def from_steps(stored: bytes, count: int) -> Array:
    """(count,) int8."""
    values = len(stored) * 2 // 3  # (n + 1) // 2 bytes of nibbles and n of values
    head = np.frombuffer(stored[: len(stored) - values], np.uint8)
    nibbles = np.stack([head & 15, head >> 4], 1).ravel()[:values].astype(np.int64)
    out = np.zeros(count, np.int8)
    out[np.cumsum(nibbles + 1) - 1] = np.frombuffer(stored[len(stored) - values :], np.int8)
    return out


def stored(quantized: Graph) -> tuple[int, dict[str, str]]:
    """Bytes of all weights of a QUANTIZED graph, and the form of each layer."""
    total, forms = 0, {}
    for node in quantized.nodes:
        if node.op not in FILTER_AXIS:
            continue
        weights = quantized.tensors[node.inputs[1]].value
        bitmap, steps = to_bitmap(weights), to_steps(weights)
        assert np.array_equal(from_bitmap(bitmap, weights.size), weights.ravel())
        assert np.array_equal(from_steps(steps, weights.size), weights.ravel())
        sizes = {"dense": weights.size, "bitmap": len(bitmap), "steps": len(steps)}
        forms[node.name] = min(sizes, key=lambda form: sizes[form])
        total += sizes[forms[node.name]]
    return total, forms


def measure(graph: Graph, share: float, calibration: Dataset, test: Dataset, float_percent: float) -> Row:
    """One point of the curve, of a FLOAT graph whose weights were pruned, or retrained with the zeros kept."""
    dense = sum(graph.tensors[node.inputs[1]].value.size for node in graph.nodes if node.op in FILTER_AXIS)
    settings = Quantize(equalise="off")
    quantized = post_training(graph, calibration, settings)
    size, forms = stored(quantized)
    found = host_accuracy(pack(to_integer(quantized, {})), test)
    return Row(
        share,
        size,
        round(4 * dense / size, 2),
        forms,
        found.right,
        found.percent,
        round(float_percent - found.percent, 2),
    )


def retrained(graph: Graph, data: Dataset, teacher: Graph, epochs: int) -> Graph:
    """The graph after some epochs in which its zeros stay."""
    net = Net(graph)
    masks = [(p, p.detach() != 0) for layer in net.layers.values() for p in layer.parameters()]

    @torch.no_grad()
    def clear(progress: object) -> None:
        for p, mask in masks:
            p.mul_(mask)

    options = Options(
        epochs=epochs, batch=128, learning_rate=1e-3, latent_rate=0.0, reassign=0, optimizer="adam", weight_decay=0.0,
        augment=Augment(True, 4), precision="bfloat16", seed=0,
    )  # fmt: skip
    fit(net, data, scores_loss(frozen(Net(teacher)), 0.7, 3.0), options, report=clear)
    return net.model().graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with models/ and data/")
    parser.add_argument("--epochs", type=int, default=0, help="of retraining; 0: none")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    graph = prepare(import_model(arguments.shared / "models" / "resnet8_cifar10jpeg.onnx", "resnet8"))
    images = arguments.shared / "data" / "cifar10-jpeg.zip"
    test = load(images, split="test")
    train = load(images, split="train", count=None if arguments.epochs else 512, seed=0)
    calibration = subset(train, 512, 0)
    exact = float_accuracy(graph, test)
    print(f"float: {exact}")
    rows = []
    for share in KEPT:
        thin = keep(graph, share)
        if arguments.epochs:
            thin = retrained(thin, train, graph, arguments.epochs)
        row = measure(thin, share, calibration, test, exact.percent)
        rows.append(row)
        print(
            f"{share:5.0%} kept: {row.weight_bytes:,} bytes, {row.times_float32} times smaller, {row.percent:.2f}%",
            flush=True,
        )
    result = {
        "command": f"python benchmarks/magnitude.py --json --epochs {arguments.epochs}",
        "float_percent": exact.percent,
        "test_images": exact.total,
        "rows": [asdict(row) for row in rows],
    }
    if arguments.json:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
