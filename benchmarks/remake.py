"""Each committed model made anew, from an empty folder by one command, and whether it is as good as the committed one.

    python benchmarks/remake.py [NAME ...] [--models DIR] [--data DIR] [--json]

NAMEs: digits_int8 (seconds), kws_dscnn (seconds), ad_lowrank (minutes), resnet8_cifar10 (hours); all without one. A
remade model has other bytes where training rounds differently. It is as good if what it loses to the float model lies
within the 95 % interval of what the committed one loses, on the same samples: for keywords those that the command
splits off, so that they calibrate nothing; for images the test part. The digits have no float model, so the interval is
that of the accuracy. The autoencoder has no labels: the interval is that of the output error over made-up sounds, by
drawing the sounds anew 1,000 times (bootstrap, Efron 1979). Ends with 1 if one lies outside. DIRs as in losses.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ad_lowrank import TEST, samples

from edgekc.data import Dataset, for_graph, load, real_batches
from edgekc.evaluate import float_answers, host_answers, host_outputs, input_levels
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Array, Graph, Quant
from edgekc.importers import import_model
from edgekc.paired import compare, wilson
from edgekc.parts import split_off
from edgekc.pipeline import integer_graph
from edgekc.progress import unsaid
from edgekc.quantize import float_reference

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SHARED = ROOT.parent / "shared"
RESULT = HERE / "results" / "remake.json"
EXAMPLES = ROOT / "examples"
INPUT = Quant((0.5847029089927673,), (83,))  # of the keyword model, in which the samples are stored
COMPRESS = ("-c", "from edgekc.cli.main import run; run()", "compress")  # `edgekc compress` of this Python


@dataclass(frozen=True, slots=True)
class Row:
    """One model that was made anew.

    Attributes:
        figure: what is compared: points that the model has more than the float one, percent right, or percent of
            output error.
        committed, remade: that figure of both.
        low, high: 95 % interval of the committed model's.
    """

    model: str
    command: str
    samples: int
    figure: str
    committed: float
    remade: float
    low: float
    high: float
    committed_bytes: int
    remade_bytes: int
    same_bytes: bool

    @property
    def within(self) -> bool:
        return self.low <= self.remade <= self.high


Figures = tuple[int, str, float, float, float, float]  # samples, figure, committed, remade, low, high


@dataclass(frozen=True, slots=True)
class Remade:
    """How a committed model is made, and judged.

    Attributes:
        path: the committed file.
        arguments: of Python, from the models' and the data's folder and the file to write.
        judge: the committed and the remade file to figures, with the same folders.
    """

    path: Path
    arguments: Callable[[Path, Path, Path], Sequence[str | Path]]
    judge: Callable[[Path, Path, Path, Path], Figures]


def against_float(source: Path, committed: Path, remade: Path, test: Dataset) -> Figures:
    """Points of a classifier beside its float model's."""
    graph = import_model(source, "model")
    test = for_graph(test, graph)
    exact = float_answers(graph, test)
    first, second = (
        compare(host_answers(path.read_bytes(), test), exact, test.labels, "float", "test")
        for path in (committed, remade)
    )
    return len(test), "points against float", first.points, second.points, first.low, first.high


def keywords(models: Path, data: Path, committed: Path, remade: Path) -> Figures:
    halves = split_off(load(data / "kws01.npz", quant=INPUT), 0)
    assert halves is not None
    return against_float(models / "kws_float.tflite", committed, remade, halves[1])


def images(models: Path, data: Path, committed: Path, remade: Path) -> Figures:
    test = load(data / "cifar10-jpeg.zip", split="test")
    return against_float(models / "resnet8_cifar10jpeg.onnx", committed, remade, test)


def digits(models: Path, data: Path, committed: Path, remade: Path) -> Figures:
    test = load(committed.parent / "digits_test.npz")
    right = []
    for path in (committed, remade):
        ekc = pack(integer_graph(path.read_bytes(), "digits", path, "tflite", unsaid))
        right.append(int((host_answers(ekc, test) == test.labels).sum()))
    low, high = wilson(right[0], len(test))
    return len(test), "percent right", *(100 * n / len(test) for n in right), low, high


def sounds(models: Path, data: Path, committed: Path, remade: Path) -> Figures:
    graph, test = import_model(models / "ad_float.tflite", "ad"), samples("sounds", TEST, 1)
    (exact,) = float_reference.outputs(graph, [np.concatenate(list(real_batches(test)))])
    power = np.square(exact, dtype=np.float64).sum(1)
    first, second = (_squares(path.read_bytes(), test, exact) for path in (committed, remade))
    drawn = np.random.default_rng(0).integers(0, TEST, (1000, TEST))
    low, high = np.percentile([_error(first[i], power[i]) for i in drawn], (2.5, 97.5))
    return TEST, "percent of output error", _error(first, power), _error(second, power), float(low), float(high)


def _squares(ekc: bytes, test: Dataset, exact: Array) -> Array:
    """Squared output error of each sample (n,)."""
    graph: Graph = read(ekc, "ad").graph
    (out,) = graph.of(graph.outputs)
    (y,) = host_outputs(ekc, input_levels(test, graph))
    return np.square(out.q.scale * (y.astype(np.float64) - out.q.zero_point) - exact).sum(1)


def _error(squares: Array, power: Array) -> float:
    return float(100 * np.sqrt(squares.sum() / power.sum()))


MODELS = {
    "digits_int8": Remade(
        ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite",
        lambda models, data, out: (EXAMPLES / "digits" / "train_digits.py", "--out", out.parent),
        digits,
    ),
    "kws_dscnn": Remade(
        EXAMPLES / "models" / "kws_dscnn.ekc",
        lambda models, data, out: (
            *COMPRESS,
            models / "kws_float.tflite",
            "--recipe",
            EXAMPLES / "recipes" / "kws_dscnn.toml",
            "--data",
            data / "kws01.npz",
            "-o",
            out,
        ),
        keywords,
    ),
    "ad_lowrank": Remade(
        EXAMPLES / "models" / "ad_lowrank.ekc",
        lambda models, data, out: (HERE / "ad_lowrank.py", "--models", models, "--ekc", out),
        sounds,
    ),
    "resnet8_cifar10": Remade(
        EXAMPLES / "models" / "resnet8_cifar10.ekc",
        lambda models, data, out: (
            *COMPRESS,
            models / "resnet8_cifar10jpeg.onnx",
            "--recipe",
            EXAMPLES / "recipes" / "resnet8_cifar10.toml",
            "--data",
            data / "cifar10-jpeg.zip",
            "--checkpoints",
            out.parent / "work",
            "-o",
            out,
        ),
        images,
    ),
}


def remake(name: str, models: Path, data: Path) -> Row:
    chosen = MODELS[name]
    with tempfile.TemporaryDirectory(prefix="edgekc-remake-") as temporary:
        out = Path(temporary) / chosen.path.name
        arguments = [str(part) for part in chosen.arguments(models, data, out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, *arguments], cwd=temporary, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        figures = chosen.judge(models, data, chosen.path, out)
        before, after = chosen.path.read_bytes(), out.read_bytes()
    shown = " ".join(_short(part, models, data, out) for part in arguments).replace(
        " ".join(COMPRESS), "edgekc compress"
    )
    command = shown if shown.startswith("edgekc") else f"python {shown}"
    return Row(name, command, *figures, len(before), len(after), before == after)


def _short(part: str, models: Path, data: Path, out: Path) -> str:
    """An argument without the folders of this machine."""
    for folder, instead in ((models, "MODELS/"), (data, "DATA/"), (out.parent, ""), (ROOT, "")):
        if part == str(folder):
            return instead.rstrip("/") or "."
        if part.startswith(f"{folder}/"):
            return instead + part[len(str(folder)) + 1 :]
    return part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder of the float models")
    parser.add_argument("--data", type=Path, default=SHARED / "data", help="folder of the labelled samples")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}, rows of other models as they are")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MODELS):
        parser.error(f"no committed model is called {', '.join(sorted(unknown))}")
    rows = []
    for name in arguments.names or MODELS:
        row = remake(name, arguments.models.resolve(), arguments.data.resolve())
        rows.append(row)
        verdict = "within" if row.within else "OUTSIDE"
        print(
            f"{name}: {row.figure} {row.remade:.2f}, committed {row.committed:.2f} (95% {row.low:.2f} to "
            f"{row.high:.2f}): {verdict}; {row.remade_bytes:,} bytes of {row.committed_bytes:,}"
            + (", the same bytes" if row.same_bytes else ""),
            flush=True,
        )
    if arguments.json:
        known = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
        done = {row.model: {**asdict(row), "within": row.within} for row in rows}
        kept = {row["model"]: row for row in known} | done
        found = {
            "command": "python benchmarks/remake.py --json",
            "rows": [kept[name] for name in MODELS if name in kept],
        }
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if all(row.within for row in rows) else 1)


if __name__ == "__main__":
    main()
