"""Accuracy against packed bytes of ResNet-8 on JPEG CIFAR-10: every method alone, the chain, and what peers do.

    python benchmarks/accuracy_vs_bytes.py [--data ZIP] [--model ONNX] [--epochs N] [--json] [--chain]

Bytes are those that stand for the weights in the .ekc, biases and requantisation not among them; accuracy is that of
the packed model on the bit-exact host emulator over all 5,000 test images. Magnitude pruning has no kernel on the
device: its bytes are those of the smallest of three real encodings (benchmarks/magnitude.py). Points are written as
they are found, and a second run makes only those that are missing, and the chain's, whose .ekc may have changed. With
matplotlib the picture is drawn as well. With `--chain` no point is made but that one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import magnitude
from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compress.run import compress
from edgekc.compress.sizes import dense_weights, layer_sizes
from edgekc.data import Dataset, load, subset
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.files.output import write_file
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Graph
from edgekc.importers import import_model
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import prepare
from edgekc.train.pytorch import trainer

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
RESULT = HERE / "results" / "accuracy_vs_bytes.json"
PICTURE = HERE.parent / "docs" / "accuracy_vs_bytes.svg"
CHAIN = HERE.parent / "examples" / "models" / "resnet8_cifar10.ekc"
LARGE = ["c_1", "c_2", "c_3", "c_4", "c_6", "c_7"]  # the 3x3 convolutions but the first


@dataclass(frozen=True, slots=True)
class Point:
    method: str  # the name of its line in the picture
    setting: str
    epochs: int  # of retraining; 0: none
    weight_bytes: int
    times_float32: float
    right: int
    percent: float


def cluster(bits: int) -> str:
    return f'[[compress]]\nmethod = "cluster"\nbits = {bits}\nrow_scale = "rms"\nscale_rounds = 2\n'


def codebook(templates: int) -> str:
    return f'[[compress]]\nmethod = "codebook"\nlayers = {json.dumps(LARGE)}\ntemplates = {templates}\n'


def dominant(rank: int) -> str:
    return f'[[compress]]\nmethod = "dominant"\nlayers = {json.dumps(LARGE)}\nrank = {rank}\nfit = "responses"\n'


def prune(keep: float) -> str:
    return f'[[compress]]\nmethod = "prune"\nkeep = {keep}\nmeasure = "weights"\ntolerance = 1e9\n'


def retrain(epochs: int) -> str:
    return (
        f'[[compress]]\nmethod = "retrain"\nepochs = {epochs}\nlearning_rate = 5e-4\ndistill = 1.0\nmix = true\n'
        'flip = true\nshift = 4\nprecision = "bfloat16"\n'
    )


def settings(epochs: int) -> list[tuple[str, str, int, str]]:
    """(method, setting, epochs, recipe) of every point but magnitude pruning and the chain."""
    pairs = '[[compress]]\nmethod = "pairs"\nbits = 7\n'
    found = [("int8", "dense", 0, "")]
    found += [("clustering", f"{bits} bits", 0, cluster(bits)) for bits in (2, 3, 4, 6)]
    found += [("clustering, retrained", f"{bits} bits", epochs, cluster(bits) + retrain(epochs)) for bits in (2, 3)]
    found += [("templates", f"{t} a layer", 0, codebook(t)) for t in (4, 16, 64)]
    found += [("templates, retrained", f"{t} a layer", epochs, codebook(t) + retrain(epochs)) for t in (4, 16)]
    found += [("templates and coded pairs", f"{t} a layer", 0, codebook(t) + pairs) for t in (16, 64)]
    found += [("dominant kernels, retrained", f"rank {r}", epochs, dominant(r) + retrain(epochs)) for r in (1, 3)]
    found += [("pruned filters, retrained", f"{k:.0%}", epochs, prune(k) + retrain(epochs)) for k in (0.8, 0.6)]
    return found


def measured(method: str, setting: str, epochs: int, ekc: bytes, weights: int, test: Dataset) -> Point:
    size = sum(layer.packed for layer in layer_sizes(read(ekc, setting)))
    found = host_accuracy(ekc, test)
    return Point(method, setting, epochs, size, round(4 * weights / size, 2), found.right, found.percent)


def by_magnitude(source: Graph, train: Dataset, test: Dataset, share: float) -> Point:
    thin = magnitude.keep(prepare(source), share)
    size, found = magnitude.measure(thin, subset(train, 512, 0), test)
    times = round(4 * dense_weights(source) / size, 2)
    return Point("magnitude pruning", f"{share:.0%}", 0, size, times, found.right, found.percent)


def draw(points: list[Point], base: float) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for method in dict.fromkeys(p.method for p in points):
        line = sorted((p.weight_bytes, p.percent) for p in points if p.method == method)
        axes.plot(*zip(*line, strict=True), marker="o", markersize=4, linewidth=1, label=method)
    axes.axhline(base, color="grey", linewidth=0.8, linestyle="--", label="float")
    axes.set(xscale="log", xlabel="bytes of weights", ylabel="accuracy, %", ylim=(40, 88))
    axes.set_title("ResNet-8, JPEG CIFAR-10, packed models on the bit-exact emulator")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10-jpeg.zip")
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "resnet8_cifar10jpeg.onnx")
    parser.add_argument("--epochs", type=int, default=2, help="of retraining, where a point is retrained")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name} and the picture")
    parser.add_argument("--chain", action="store_true", help="make no point but that of the .ekc in examples/models")
    arguments = parser.parse_args()
    source = import_model(arguments.model, "resnet8")
    test = load(arguments.data, split="test")
    weights = dense_weights(source)
    known = json.loads(RESULT.read_text()) if RESULT.exists() and arguments.json else {"points": []}
    points = [Point(**p) for p in known["points"] if p["method"] != "chain"]
    base = known["float_percent"] if "float_percent" in known else float_accuracy(source, test).percent
    done = {(p.method, p.setting, p.epochs) for p in points}

    def add(point: Point) -> None:
        points.append(point)
        print(f"{point.method}, {point.setting}: {point.weight_bytes:,} bytes, {point.percent:.2f} %", flush=True)
        if arguments.json:
            command = f"python benchmarks/accuracy_vs_bytes.py --epochs {arguments.epochs} --json"
            found = {"command": command, "float_percent": base, "points": [asdict(p) for p in points]}
            write_file(RESULT, (json.dumps(found, indent=1) + "\n").encode())

    def add_all(train: Dataset, retrained: bool) -> None:
        for method, setting, epochs, recipe in settings(arguments.epochs):
            if bool(epochs) == retrained and (method, setting, epochs) not in done:
                ekc = pack(to_integer(compress(source, rc.parse(recipe), train, trainer=trainer).graph, {}))
                add(measured(method, setting, epochs, ekc, weights, test))

    add(measured("chain", CHAIN.name, 0, CHAIN.read_bytes(), weights, test))
    if not arguments.chain:
        train = load(arguments.data, split="train")
        add_all(train, retrained=False)
        for share in (0.9, 0.8, 0.7, 0.5):
            if ("magnitude pruning", f"{share:.0%}", 0) not in done:
                add(by_magnitude(source, train, test, share))
        add_all(train, retrained=True)
    show(points)
    if arguments.json:
        try:
            draw(points, base)
        except ImportError:
            print("no picture: matplotlib is not installed")


def show(points: list[Point]) -> None:
    table = Table(title="ResNet-8: accuracy against bytes of weights")
    for column in ("method", "setting", "epochs", "bytes", "of float32", "accuracy"):
        table.add_column(column, justify="left" if column in ("method", "setting") else "right")
    for p in points:
        row = (p.method, p.setting, str(p.epochs), f"{p.weight_bytes:,}", f"1/{p.times_float32:.1f}")
        table.add_row(*row, f"{p.percent:.2f} %")
    Console().print(table)


if __name__ == "__main__":
    main()
