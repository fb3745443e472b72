"""ResNet-8 clustered without labels or training: block reconstruction behind nearest and second-order assignment.

    python benchmarks/reconstruction.py [--data ZIP] [--bits N ...] [--assignment A ...] [--form F ...] [--json]

5,000 of the training images judge, split off by `edgekc.parts.split_off`; the others calibrate: 256 of them choose the
ranges of activations, and 512 are what blocks are fitted to. The test images are not read. The float model was trained
on the training images, those that judge among them, so it is better on them than on others, and a loss is larger.
Each row is the packed model, on the bit-exact host emulator, paired with the float model on the same images
(`edgekc.paired`). Seconds are those of all steps and of calibration, of the processor and of the clock. Asked: 3 bits
at a loss of at most 1.0 point.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.compression.sizes import layer_sizes
from edgekc.data import Dataset, load
from edgekc.evaluate import float_answers, host_answers
from edgekc.files.output import write_file
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Array, Graph
from edgekc.importers import import_model
from edgekc.paired import compare
from edgekc.parts import split_off
from edgekc.pipeline import to_integer
from edgekc.train.pytorch import trainer

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "reconstruction.json"
RECIPE = """
[quantize]
equalise = "off"
[[compress]]
method = "cluster"
bits = {bits}
row_scale = "rms"
scale_rounds = 2
assignment = "{assignment}"
"""
FORMS = ("clustered", "reconstructed")
STEP = '[[compress]]\nmethod = "reconstruct"\n'


@dataclass(frozen=True, slots=True)
class Row:
    bits: int
    assignment: str
    reconstructed: bool
    weight_bytes: int
    samples: int
    float_right: int
    right: int
    lost: int  # samples that only the float model has right
    won: int  # those that only this one has
    points_lost: float
    half_width: float  # of the 95 % interval, in points
    p: float  # of McNemar's exact test
    processor_seconds: float  # of all steps and of calibration
    seconds: float


def measure(source: Graph, few: Dataset, judges: Dataset, exact: Array, bits: int, assignment: str, again: bool) -> Row:
    text = RECIPE.format(bits=bits, assignment=assignment) + (STEP if again else "")
    started, used = time.monotonic(), time.process_time()
    made = compress(source, rc.parse(text), few, trainer=trainer)
    taken = (round(time.process_time() - used, 1), round(time.monotonic() - started, 1))
    ekc = pack(to_integer(made.graph, {}))
    size = sum(layer.packed for layer in layer_sizes(read(ekc, "resnet8")))
    found = compare(host_answers(ekc, judges), exact, judges.labels, "float", "validation")
    points = 100 * (found.base_right - found.right) / found.samples
    beside = (round(points, 2), round((found.high - found.low) / 2, 2), round(found.p, 5))
    counts = (found.samples, found.base_right, found.right, found.lost, found.won)
    return Row(bits, assignment, again, size, *counts, *beside, *taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder of resnet8_cifar10jpeg.onnx")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10-jpeg.zip")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 3, 2], help="other rows stay with --json")
    parser.add_argument("--assignment", nargs="+", default=["nearest", "second-order"], help="what is clustered by")
    parser.add_argument("--form", nargs="+", default=list(FORMS), choices=FORMS, help="with the step, or without it")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    source = import_model(arguments.models / "resnet8_cifar10jpeg.onnx", "resnet8")
    halves = split_off(load(arguments.data, split="train"), 0)
    assert halves is not None, "too few images"
    few, judges = halves
    exact = np.asarray(float_answers(source, judges))
    rows = {}
    for bits in arguments.bits:
        for assignment in arguments.assignment:
            for form in arguments.form:
                again = form == "reconstructed"
                r = measure(source, few, judges, exact, bits, assignment, again)
                then = ", reconstructed" if again else ""
                print(
                    f"{bits} bits, {assignment}{then}: {r.weight_bytes:,} bytes of weights, {r.right} of {r.samples}, "
                    f"lost {r.points_lost:.2f} ± {r.half_width:.2f} points, {r.processor_seconds:.0f} s of the "
                    f"processor, {r.seconds:.0f} s",
                    flush=True,
                )
                rows[bits, assignment, again] = asdict(r)
    if arguments.json:
        known = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
        rows = {(r["bits"], r["assignment"], r["reconstructed"]): r for r in known} | rows
        record = {
            "command": "python benchmarks/reconstruction.py --json",
            "asked": {"bits": 3, "points_lost": 1.0},
            "rows": [rows[key] for key in sorted(rows, key=lambda key: (-key[0], key[1], key[2]))],
        }
        write_file(RESULT, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
