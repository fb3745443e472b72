"""AD autoencoder by truncated SVD and clustering, without data: bytes of weights against output error.

    python benchmarks/ad_lowrank.py [--models DIR] [--json]

There are no recordings, so the inputs are made up, over the range of the benchmark's int8 model (scale 0.39101523,
zero point 89: -84.9 to 14.9) and rounded to its levels:

- uniform: 640 independent numbers over the range
- normal: 640 independent numbers, mean in the middle, standard deviation a sixth of the range, clipped
- cells: uniform over the range, but constant over 1, 2, 4, ... 512 equal cells of the 640 inputs, in turn

Calibration and test are 2,048 samples each, of different seeds. The error is that of the packed model, run as
generated C on the host, against the float model: root of the summed squared error over the summed squared output.
The outputs have a large mean, which is easy; `variation` divides by the outputs' deviation from their mean over the
samples instead, and `constant` is the error of a model that always answers that mean. Asked: weights of at most 35 %
of int8 at an error of at most 5 %.

SVD by `weights` is the recipe's step: the singular values of the weights. By `outputs` they are those of the weights
on the calibration samples (the factors of least output error), and the mean of what is lost goes into the bias.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compress import lowrank, moments
from edgekc.compress.run import compress
from edgekc.compress.sizes import dense_weights, layer_sizes
from edgekc.data import Dataset, real_batches
from edgekc.emulate import float_reference
from edgekc.evaluate import host_outputs, input_levels
from edgekc.importers import import_model
from edgekc.ir import Array, Graph, Quant, constant
from edgekc.pack import pack, read
from edgekc.pipeline import to_integer
from edgekc.quantize import prepare

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "ad_lowrank.json"
INPUT = Quant((0.3910152316093445,), (89,))  # of the benchmark's int8 model
SAMPLES = 2048
INPUTS = 640
DISTRIBUTIONS = ("uniform", "normal", "cells")
ASKED_SHARE, ASKED_ERROR = 0.35, 0.05
# (what the singular values are of, share of their energy that is kept or None, bits of clustering or None, assignment)
GRID: tuple[tuple[str, float | None, int | None, str], ...] = (
    ("", None, None, ""),
    ("", None, 3, "second-order"),
    ("", None, 2, "second-order"),
    ("weights", 0.90, 4, "second-order"),
    ("outputs", 0.95, 4, "second-order"),
    ("outputs", 0.99, 4, "nearest"),
    ("outputs", 0.99, 4, "second-order"),
    ("outputs", 0.99, 6, "second-order"),
    ("outputs", 0.995, 4, "second-order"),
    ("outputs", 0.995, 5, "second-order"),
    ("outputs", 0.999, 4, "second-order"),
    ("outputs", 0.999, 5, "second-order"),
)


@dataclass(frozen=True, slots=True)
class Row:
    distribution: str
    svd_of: str  # "weights", "outputs", or "" without SVD
    energy: float | None
    bits: int | None
    assignment: str
    weight_bytes: int
    share_of_int8: float
    error: float
    error_of_variation: float

    @property
    def met(self) -> bool:
        return self.share_of_int8 <= ASKED_SHARE and self.error <= ASKED_ERROR


def samples(distribution: str, seed: int) -> Dataset:
    """Made-up inputs as int8 levels of INPUT."""
    rng = np.random.default_rng(seed)
    if distribution == "normal":
        x = rng.normal(-0.5, 255 / 6, (SAMPLES, INPUTS))
    else:
        x = rng.uniform(-128, 127, (SAMPLES, INPUTS))
    if distribution == "cells":
        for i in range(SAMPLES):
            cells = 2 ** (i % 10)
            x[i] = x[i, np.arange(INPUTS) * cells // INPUTS]
    levels = np.clip(np.rint(x), -128, 127).astype(np.int8)
    return Dataset(levels, None, (), distribution, INPUT)


def reduced(graph: Graph, energy: float, dataset: Dataset) -> Graph:
    """Each fully connected layer as two, of least output error behind the layers reduced before it."""
    graph = prepare(graph)
    for name in [node.name for node in graph.nodes if node.op == "fully_connected"]:
        node = next(node for node in graph.nodes if node.name == name)
        w = graph.tensors[node.inputs[1]].value
        x = np.concatenate([float_reference.run(graph, [b])[node.inputs[0]] for b in real_batches(dataset, 512)])
        known = moments.of_layer(graph, node, x)
        rank = lowrank.rank_for_energy(w, energy, known.covariance)
        if not lowrank.reduces((w.shape[0], w.shape[1]), rank):
            continue
        low = lowrank.truncate(w, rank, moment=known.covariance)
        bias = graph.tensors[node.inputs[2]]
        shifted = bias.value + moments.bias_shift(w, lowrank.product(low.factors), known.mean)
        tensors = {**graph.tensors, bias.name: constant(bias.name, shifted.astype(np.float32), bias.role)}
        graph = lowrank.rewrite(replace(graph, tensors=tensors), name, low)
    return graph


def relative(error: Array, size: Array) -> float:
    return float(np.sqrt(np.square(error).sum(dtype=np.float64) / np.square(size).sum(dtype=np.float64)))


def measure(model: Path, distribution: str) -> tuple[float, list[Row]]:
    """The error of a constant answer, and the rows."""
    source = import_model(model, "ad")
    calibration, test = samples(distribution, 0), samples(distribution, 1)
    (exact,) = float_reference.outputs(source, [np.concatenate(list(real_batches(test)))])
    varying = exact - exact.mean(0)
    energies = {energy for of, energy, _, _ in GRID if of == "outputs" and energy is not None}
    graphs = {energy: reduced(source, energy, calibration) for energy in sorted(energies)}
    rows = []
    for of, energy, bits, assignment in GRID:
        graph = source
        steps: list[dict[str, Any]] = []
        if of == "outputs" and energy is not None:
            graph = graphs[energy]
        elif of == "weights":
            steps.append({"method": "svd", "energy": energy})
        if bits is not None:
            keys: dict[str, Any] = {"bits": bits, "row_scale": "rms", "scale_rounds": 2, "assignment": assignment}
            steps.append({"method": "cluster", **keys})
        recipe = rc.Recipe.model_validate({"compress": steps})
        ekc = pack(to_integer(compress(graph, recipe, calibration).graph, {}))
        packed = read(ekc, "ad")
        (out,) = packed.graph.of(packed.graph.outputs)
        (y,) = host_outputs(ekc, input_levels(test, packed.graph))
        error = out.q.scale * (y.astype(np.float64) - out.q.zero_point) - exact
        size = sum(layer.packed for layer in layer_sizes(packed))
        figures = (size / dense_weights(source), relative(error, exact), relative(error, varying))
        rows.append(Row(distribution, of, energy, bits, assignment, size, *figures))
    return relative(varying, exact), rows


def show(distribution: str, trivial: float, rows: list[Row]) -> None:
    table = Table(
        title=f"AD autoencoder, {distribution} inputs; a constant answer has an error of {100 * trivial:.1f} %"
    )
    for column in ("SVD of", "energy", "bits", "assignment", "weights, bytes", "of int8", "error", "variation", "met"):
        table.add_column(column, justify="right")
    for r in rows:
        energy = "" if r.energy is None else f"{100 * r.energy:.1f} %"
        bits = "int8" if r.bits is None else str(r.bits)
        percents = (f"{100 * v:.1f} %" for v in (r.share_of_int8, r.error, r.error_of_variation))
        yes = "yes" if r.met else "no"
        table.add_row(r.svd_of, energy, bits, r.assignment, f"{r.weight_bytes:,}", *percents, yes)
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with ad_float.tflite")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    found: dict[str, Any] = {
        "command": "python benchmarks/ad_lowrank.py --json",
        "asked": {"share_of_int8": ASKED_SHARE, "error": ASKED_ERROR},
        "samples": SAMPLES,
        "constant_error": {},
        "rows": [],
    }
    for distribution in DISTRIBUTIONS:
        trivial, rows = measure(arguments.models / "ad_float.tflite", distribution)
        show(distribution, trivial, rows)
        found["constant_error"][distribution] = round(trivial, 5)
        found["rows"] += [
            {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(r).items()} | {"met": r.met} for r in rows
        ]
    if arguments.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
