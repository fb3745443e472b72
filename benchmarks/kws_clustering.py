"""KWS DS-CNN clustered without training data: bytes of weights against accuracy.

    python benchmarks/kws_clustering.py [--models DIR] [--data kws01.npz] [--json | --depthwise]

Calibration uses the samples at even positions, accuracy those at odd ones: 250 samples, so that one of them is
0.4 points. Asked: weights of at most 60 % of int8 at a loss of at most 1.0 point.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.compression.sizes import dense_weights, layer_sizes
from edgekc.compression.steps.cluster import Cluster
from edgekc.data import load, take
from edgekc.evaluate import float_answers, host_answers
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Quant
from edgekc.importers import import_model
from edgekc.paired import compare
from edgekc.pipeline import to_integer
from edgekc.quantize.settings import Quantize

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "kws_clustering.json"
INPUT = Quant((0.5847029089927673,), (83,))  # of the benchmark's int8 model, in which the samples are stored


@dataclass(frozen=True, slots=True)
class Row:
    bits: int
    assignment: str
    weight_bytes: int
    share_of_int8: float
    float_percent: float
    packed_percent: float
    lost: int  # samples that only the float model has right
    won: int  # those that only this one has
    low: float  # of the 95 % interval of points above the float model
    high: float
    p: float  # of McNemar's exact test

    @property
    def loss(self) -> float:
        return self.float_percent - self.packed_percent

    @property
    def met(self) -> bool:
        return self.share_of_int8 <= 0.60 and self.loss <= 1.0


def measure(model: Path, data: Path, depthwise: bool) -> list[Row]:
    source = import_model(model, "kws")
    samples = load(data, quant=INPUT)
    everything = range(len(samples))
    calibration, test = (take(samples, list(everything)[start::2]) for start in (0, 1))
    exact = float_answers(source, test)
    rows = []
    for bits in (3, 4, 5, 6):
        for assignment in ("nearest", "second-order"):
            step = Cluster(
                method="cluster", bits=bits, row_scale="rms", scale_rounds=2, assignment=assignment, depthwise=depthwise
            )
            recipe = rc.Recipe(compress=(step,), quantize=Quantize(equalise="off"))
            ekc = pack(to_integer(compress(source, recipe, calibration).graph, {}))
            size = sum(layer.packed for layer in layer_sizes(read(ekc, "kws")))
            share = size / dense_weights(source)
            found = compare(host_answers(ekc, test), exact, test.labels, "float", "test")
            percents = (100 * right / len(test) for right in (found.base_right, found.right))
            beside = (found.lost, found.won, round(found.low, 3), round(found.high, 3), round(found.p, 5))
            rows.append(Row(bits, assignment, size, share, *percents, *beside))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with kws_float.tflite")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "kws01.npz")
    exclusive = parser.add_mutually_exclusive_group()
    exclusive.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    exclusive.add_argument("--depthwise", action="store_true", help="cluster the depthwise layers too")
    arguments = parser.parse_args()
    rows = measure(arguments.models / "kws_float.tflite", arguments.data, arguments.depthwise)
    table = Table(title="KWS DS-CNN, no training data; asked: <= 60 % of int8, <= 1.0 point")
    for column in ("bits", "assignment", "weights, bytes", "of int8", "float", "packed", "loss", "95 %", "met"):
        table.add_column(column, justify="right")
    for r in rows:
        percents = (f"{v:.1f} %" for v in (100 * r.share_of_int8, r.float_percent, r.packed_percent))
        yes, ends = "yes" if r.met else "no", f"{-r.high:+.1f} to {-r.low:+.1f}"
        table.add_row(str(r.bits), r.assignment, f"{r.weight_bytes:,}", *percents, f"{r.loss:+.1f}", ends, yes)
    Console(width=110).print(table)
    if arguments.json:
        found = {
            "command": "python benchmarks/kws_clustering.py --json",
            "asked": {"share_of_int8": 0.60, "loss_points": 1.0},
            "rows": [{**asdict(r), "loss_points": round(r.loss, 3), "met": r.met} for r in rows],
        }
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
