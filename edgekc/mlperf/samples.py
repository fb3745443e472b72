"""Labelled samples of a benchmark as the runner sends them, from the benchmark's own folders and from users' data."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import data
from ..errors import UsageError
from ..graph.ir import Array
from ..parts import has_splits
from .benchmarks import Benchmark

LABELS = "y_labels.csv"
_DTYPES = {"u8": np.uint8, "s8": np.int8, "f32": np.float32}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One file of a data set.

    Attributes:
        windows: the samples that are sent, one after the other; more than one in anomaly detection only.
        label: the class; in anomaly detection 1 for an anomaly.
    """

    name: str
    windows: tuple[bytes, ...]
    label: int


def load_samples(path: Path, benchmark: Benchmark, count: int | None = None) -> tuple[Labelled, ...]:
    """Samples from a folder with y_labels.csv, an .npz, or images by class.

    Args:
        path: the benchmark's own folder (y_labels.csv and its files); an .npz with y and x, of the type that the runner
            sends; for images a folder or zip of class folders. Of one with splits `train` is taken. In anomaly
            detection x is (files, windows, 640).
        count: a subset of so many, the same each time; None: all.

    Raises:
        UsageError: it cannot be read, or it is not what the benchmark's runner sends.
    """
    if (path / LABELS).is_file():
        return _from_folder(path, benchmark, count)
    split = "train" if path.suffix != ".npz" and has_splits(path) else ""
    found = data.load(path, split=split, count=count)
    x, labels = np.asarray(found.x[:]), found.labels
    dtype = np.dtype(_DTYPES[benchmark.sample])
    shape = x.shape[2:] if benchmark.quality == "AUC" and x.ndim == 3 else x.shape[1:]
    if x.dtype != dtype or shape != benchmark.shape:
        raise UsageError(
            f"holds {x.dtype} {list(shape)}; the runner sends {benchmark.name} {dtype} {list(benchmark.shape)}",
            where=str(path),
        )
    if len(labels) != len(x) or (labels < 0).any():
        raise UsageError("has samples without a label", where=str(path))
    files = x.reshape(len(x), -1, benchmark.elements).astype(dtype.newbyteorder("<"))
    return _checked(
        [Labelled(str(i), tuple(w.tobytes() for w in f), int(labels[i])) for i, f in enumerate(files)],
        benchmark, str(path),
    )  # fmt: skip


def _from_folder(path: Path, benchmark: Benchmark, count: int | None) -> tuple[Labelled, ...]:
    """Each line of y_labels.csv: a file, the number of classes, the class; of windows also their bytes and stride."""
    table = path / LABELS
    try:
        rows = [row for row in csv.reader(table.read_text(encoding="utf-8").splitlines()) if row]
    except (ValueError, csv.Error) as error:
        raise UsageError(f"cannot be read ({error})", where=str(table)) from error
    found = []
    for k in data.pick(len(rows), count, 0):
        where = f"{table}, line {k + 1}"
        row = [cell.strip() for cell in rows[k]]
        try:
            label, numbers = int(row[2]), [int(cell) for cell in row[3:5]]
        except (IndexError, ValueError):
            raise UsageError("expected FILE,CLASSES,CLASS or FILE,CLASSES,CLASS,BYTES,STRIDE", where=where) from None
        file = path / row[0]
        if Path(row[0]).is_absolute() or ".." in Path(row[0]).parts or not file.is_file():
            raise UsageError(f"there is no file {row[0]} beside it", where=where, fix="copy the data set there")
        content = file.read_bytes()
        size, stride = (*numbers, benchmark.sample_bytes)[:2] if len(numbers) == 2 else (len(content), len(content))
        if size != benchmark.sample_bytes or stride < 1 or len(content) < size:
            raise UsageError(
                f"{row[0]} has {len(content)} bytes, in samples of {size}; {benchmark.name} takes "
                f"{benchmark.sample_bytes}",
                where=where,
            )
        starts = range(0, len(content) - size + 1, stride)
        found.append(Labelled(row[0], tuple(content[at : at + size] for at in starts), label))
    return _checked(found, benchmark, str(table))


def _checked(found: list[Labelled], benchmark: Benchmark, where: str) -> tuple[Labelled, ...]:
    classes = 2 if benchmark.quality == "AUC" else benchmark.outputs
    if not found:
        raise UsageError("there are no samples", where=where)
    if wrong := [f for f in found if not 0 <= f.label < classes]:
        raise UsageError(f"{wrong[0].name} has class {wrong[0].label} of {classes}", where=where)
    if benchmark.quality == "AUC" and len({f.label for f in found}) < 2:
        raise UsageError("has samples of one class only, and AUC needs both", where=where)
    return tuple(found)


def unlabelled(benchmark: Benchmark) -> bytes:
    """A sample for performance mode where there is no data: bytes, or numbers, of a fixed seed."""
    rng = np.random.default_rng(0)
    if benchmark.sample == "f32":
        return rng.uniform(-60.0, 0.0, benchmark.elements).astype("<f4").tobytes()
    return rng.integers(0, 256, benchmark.sample_bytes, dtype=np.uint8).tobytes()


def roc_auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The area under the ROC curve: the share of pairs in which the anomaly (1) scores above the other (0).

    Pairs of equal scores count a half. This is what sklearn.metrics.roc_auc_score gives, which the rules name (Hanley
    and McNeil, 1982, Radiology 143).
    """
    values: Array = np.asarray(scores, np.float64)
    is_anomaly: Array = np.asarray(labels) == 1
    ordinary, anomalies = np.sort(values[~is_anomaly]), values[is_anomaly]
    below = np.searchsorted(ordinary, anomalies, "left")
    not_above = np.searchsorted(ordinary, anomalies, "right")
    return float((below + not_above).sum() / (2.0 * len(ordinary) * len(anomalies)))
