"""AD autoencoder by truncated SVD, clustering and fine-tuning, without recordings: bytes against output error.

    python benchmarks/ad_lowrank.py [--models DIR] [--json]
    python benchmarks/ad_lowrank.py --ekc examples/models/ad_lowrank.ekc    the smallest of sounds that is good enough

There are no recordings, so the inputs are made up, over the range of the benchmark's int8 model (scale 0.39101523,
zero point 89: -84.9 to 14.9 dB) and rounded to its levels:

- sounds: log mel spectra of 5 frames, as the benchmark takes them of recordings, of made-up machines (`sounds`)
- cells: uniform over the range, but constant over 1, 2, 4, ... 512 equal cells of the 640 inputs, in turn
- uniform: 640 independent numbers over the range
- normal: 640 independent numbers, mean in the middle, standard deviation a sixth of the range, clipped

Training samples and the 2,048 test samples have different seeds. The error is that of the packed model, run as
generated C on the host, against the float model: root of the summed squared error over the summed squared output.
The outputs have a mean, which is easy; `variation` divides by the outputs' deviation from their mean over the samples
instead, and `constant` is the error of a model that always answers that mean. Asked: weights of at most 35 % of int8
at an error of at most 5 %.

Each row is a recipe: SVD of the outputs by energy, clustering by second-order assignment, each layer behind those
that are compressed already, and where there are epochs a retraining that reproduces the float model's outputs on
samples of the same distribution. Points are written as they are found, and a second run makes those that are missing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.compression.sizes import dense_weights, layer_sizes
from edgekc.data import Dataset, real_batches
from edgekc.evaluate import host_outputs, input_levels
from edgekc.files.output import write_file
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Array, Graph, Quant
from edgekc.importers import import_model
from edgekc.pipeline import source_metadata, to_integer
from edgekc.quantize import float_reference
from edgekc.train.pytorch import trainer

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "ad_lowrank.json"
INPUT = Quant((0.3910152316093445,), (89,))  # of the benchmark's int8 model
TRAINING, TEST = 8_192, 2_048
DISTRIBUTIONS = ("sounds", "cells", "uniform", "normal")
ASKED_SHARE, ASKED_ERROR = 0.35, 0.05
RATE_HZ, WINDOW, MELS, FRAMES = 16_000, 1_024, 128, 5  # of the benchmark's features
# (energy of the outputs that SVD keeps or None, bits of clustering or None, epochs of retraining)
GRID: tuple[tuple[float | None, int | None, int], ...] = (
    (None, None, 0),
    (None, 3, 0),
    (0.99, 4, 0),
    (0.995, 5, 0),
    (0.999, 4, 0),
    (0.995, 4, 6),
    (0.999, 3, 6),
    (0.999, 4, 6),
)


@dataclass(frozen=True, slots=True)
class Row:
    distribution: str
    energy: float | None
    bits: int | None
    epochs: int
    weight_bytes: int
    share_of_int8: float
    error: float
    error_of_variation: float
    constant: float  # error of a constant answer
    met: bool


def mel_filters() -> Array:
    """(MELS, WINDOW / 2 + 1): Slaney's triangles of equal area, linear to 1 kHz and logarithmic above."""

    def mel(hz: float) -> float:
        return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000) / np.log(6.4))

    steps = np.linspace(0, mel(RATE_HZ / 2), MELS + 2)
    edges = np.where(steps < 15, steps * 200 / 3, 1000 * 6.4 ** ((steps - 15) / 27))[:, None]
    hz = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1)
    up = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(up, down)) * 2 / (edges[2:] - edges[:-2]))


def sounds(count: int, rng: np.random.Generator) -> Array:
    """(count, FRAMES * MELS) in dB: a hum in noise, both with a random spectrum.

    The noise falls by 0 to 6 dB an octave from 30 Hz, with deviations of 6 dB, and varies as a periodogram does. The
    hum has a fundamental from 30 to 600 Hz and up to 40 harmonics that fall by 3 to 12 dB an octave, with deviations
    of 5 dB, from 0 to 25 dB above the noise. Frames differ by up to some dB in loudness; the mean level is from -60 to
    -10 dB.
    """
    hz, filters = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1), mel_filters()
    octave = np.log2(np.maximum(hz, 30) / 30)
    rows, bins = np.arange(count)[:, None], len(hz)
    knots, places = rng.normal(0, 6, (count, 9)), np.linspace(0, octave[-1], 9)
    level = rng.uniform(-6, 0, (count, 1)) * octave + np.stack([np.interp(octave, places, k) for k in knots])
    first = np.exp(rng.uniform(np.log(30), np.log(600), (count, 1)))
    fall, start = rng.uniform(-12, -3, (count, 1)), rng.uniform(0, 25, (count, 1)) + level.mean(1, keepdims=True)
    hum = np.zeros((count, bins))
    for harmonic in range(1, 41):
        at = harmonic * first * WINDOW / RATE_HZ
        power = 10 ** ((start + fall * np.log2(harmonic) + rng.normal(0, 5, (count, 1))) / 10)
        near = at.astype(np.int64) + np.arange(-1, 3)
        shape = np.maximum(0, np.cos(np.pi / 4 * (near - at))) ** 4  # the main lobe of a Hann window, nearly
        inside = (near >= 0) & (near < bins)
        np.add.at(hum, (rows, np.where(inside, near, 0)), np.where(inside, shape * power, 0))
    loudness = rng.normal(0, 1.5, (count, FRAMES, 1)) * rng.uniform(0, 1, (count, 1, 1))
    noise = 10 ** (level[:, None] / 10) * rng.exponential(1, (count, FRAMES, bins))
    mels = 10 * np.log10((noise + hum[:, None]) @ filters.T + 1e-12) + loudness
    mels += rng.uniform(-60, -10, (count, 1, 1)) - mels.mean((1, 2), keepdims=True)
    return mels.reshape(count, FRAMES * MELS)


def samples(distribution: str, count: int, seed: int) -> Dataset:
    """Made-up inputs as int8 levels of INPUT."""
    rng, inputs = np.random.default_rng(seed), FRAMES * MELS
    if distribution == "sounds":
        x = np.concatenate([sounds(256, rng) for _ in range(count // 256)]) / INPUT.scale + INPUT.zero_point
    elif distribution == "normal":
        x = rng.normal(-0.5, 255 / 6, (count, inputs))
    else:
        x = rng.uniform(-128, 127, (count, inputs))
    if distribution == "cells":
        for i in range(count):
            cells = 2 ** (i % 10)
            x[i] = x[i, np.arange(inputs) * cells // inputs]
    return Dataset(np.clip(np.rint(x), -128, 127).astype(np.int8), None, (), distribution, INPUT)


def recipe(energy: float | None, bits: int | None, epochs: int) -> rc.Recipe:
    steps: list[dict[str, Any]] = []
    if energy is not None:
        steps.append({"method": "svd", "of": "outputs", "energy": energy})
    if bits is not None:
        keys: dict[str, Any] = {"bits": bits, "row_scale": "rms", "scale_rounds": 2, "assignment": "second-order"}
        steps.append({"method": "cluster", **keys})
    if epochs:
        steps.append({"method": "retrain", "epochs": epochs, "learning_rate": 1e-3})
    return rc.Recipe.model_validate({"compress": steps})


def packed_model(model: Path, source: Graph, chosen: rc.Recipe, training: Dataset) -> bytes:
    """An .ekc as `edgekc compress` writes it."""
    text = chosen.text
    metadata = source_metadata(model, model.read_bytes(), text)
    return pack(to_integer(compress(source, chosen, training, trainer=trainer).graph, metadata))


def smallest(model: Path, rows: list[Row]) -> bytes:
    """The model of the fewest bytes that meets what is asked of it on sounds, made anew."""
    row = min((r for r in rows if r.met and r.distribution == "sounds"), key=lambda r: r.weight_bytes)
    training = samples(row.distribution, TRAINING, 0)
    return packed_model(model, import_model(model, "ad"), recipe(row.energy, row.bits, row.epochs), training)


def relative(error: Array, size: Array) -> float:
    return float(np.sqrt(np.square(error).sum(dtype=np.float64) / np.square(size).sum(dtype=np.float64)))


def measure(model: Path, distribution: str, known: list[Row], add: Any) -> None:
    """The rows of a distribution that are not known, each given to `add`."""
    missing = [g for g in GRID if g not in [(r.energy, r.bits, r.epochs) for r in known]]
    if not missing:
        return
    source = import_model(model, "ad")
    training, test = samples(distribution, TRAINING, 0), samples(distribution, TEST, 1)
    (exact,) = float_reference.outputs(source, [np.concatenate(list(real_batches(test)))])
    varying = exact - exact.mean(0)
    for energy, bits, epochs in missing:
        ekc = packed_model(model, source, recipe(energy, bits, epochs), training)
        packed = read(ekc, "ad")
        (out,) = packed.graph.of(packed.graph.outputs)
        (y,) = host_outputs(ekc, input_levels(test, packed.graph))
        error = out.q.scale * (y.astype(np.float64) - out.q.zero_point) - exact
        size = sum(layer.packed for layer in layer_sizes(packed))
        share, off = size / dense_weights(source), relative(error, exact)
        figures = (round(f, 5) for f in (share, off, relative(error, varying), relative(varying, exact)))
        add(Row(distribution, energy, bits, epochs, size, *figures, share <= ASKED_SHARE and off <= ASKED_ERROR))


def show(rows: list[Row]) -> None:
    for distribution in DISTRIBUTIONS:
        chosen = [r for r in rows if r.distribution == distribution]
        title = f"AD autoencoder, {distribution}; a constant answer has an error of {chosen[0].constant:.1%}"
        table = Table(title=title, title_justify="left")
        for column in ("energy", "bits", "epochs", "weights, bytes", "of int8", "error", "of variation", "met"):
            table.add_column(column, justify="right")
        for r in sorted(chosen, key=lambda r: r.weight_bytes):
            kept = ("" if r.energy is None else f"{r.energy:.1%}", "int8" if r.bits is None else str(r.bits))
            percents = (f"{v:.1%}" for v in (r.share_of_int8, r.error, r.error_of_variation))
            table.add_row(*kept, str(r.epochs), f"{r.weight_bytes:,}", *percents, "yes" if r.met else "no")
        Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with ad_float.tflite")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    parser.add_argument("--ekc", type=Path, metavar="FILE", help=f"write a model of {RESULT.name}, and nothing else")
    arguments = parser.parse_args()
    known = json.loads(RESULT.read_text())["rows"] if RESULT.exists() and (arguments.json or arguments.ekc) else []
    rows = [Row(**row) for row in known]
    if arguments.ekc is not None:
        write_file(arguments.ekc, smallest(arguments.models / "ad_float.tflite", rows))
        return

    def add(row: Row) -> None:
        rows.append(row)
        print(
            f"{row.distribution}, {row.energy}, {row.bits}, {row.epochs}: {row.share_of_int8:.1%}, {row.error:.2%}",
            flush=True,
        )
        if arguments.json:
            found = {
                "command": "python benchmarks/ad_lowrank.py --json",
                "asked": {"share_of_int8": ASKED_SHARE, "error": ASKED_ERROR},
                "samples": {"training": TRAINING, "test": TEST},
                "rows": [asdict(r) for r in rows],
            }
            write_file(RESULT, (json.dumps(found, indent=1) + "\n").encode())

    for distribution in DISTRIBUTIONS:
        done = [r for r in rows if r.distribution == distribution]
        measure(arguments.models / "ad_float.tflite", distribution, done, add)
    show(rows)


if __name__ == "__main__":
    main()
