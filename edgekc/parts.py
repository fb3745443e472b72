"""Data as a user gives it to its parts: what trains, what chooses, and what judges once, at the end."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from .data import Dataset, Source, for_graph, lengths, load, subset, take
from .errors import UsageError
from .files.classes import OnDisk
from .files.images import open_tree
from .graph.ir import Array, Graph, Quant
from .progress import Log

if TYPE_CHECKING:
    from .recipe import Recipe

Name: TypeAlias = Literal["train", "validation", "test"]

_SHARE = 0.2  # of the samples that are given, what is split off for validation
_MOST = 5000  # samples that are split off: the accuracy is then known within about half a point
_LEAST = 10  # samples that are split at all
_VALIDATION = ("validation", "val", "valid")  # folders that hold it, beside train/ and test/


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the data was, for reports and records.

    Attributes:
        name: `train`, `validation` or `test`.
        where: the file, folder or object that it is of.
        samples: how many.
        sha256: of shapes, samples and labels.
        split_off: whether it was split off the training samples by the recipe's seed.
    """

    name: Name
    where: str
    samples: int
    sha256: str
    split_off: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """What steps may look at. The test part is not here: `read_test` reads it when all is done."""

    train: Dataset  # as given, also in their layout, so that samples of different parts can be compared
    validation: Dataset | None  # None: nothing is chosen, or there are too few samples to split any off
    given: Part | None = None  # what both were split off from; None: nothing was

    @property
    def split_off(self) -> bool:
        """Whether validation samples came out of the training samples."""
        return self.given is not None

    def described(self) -> list[tuple[str, Part]]:
        """The parts for a project's record."""
        found = [("train", described("train", self.train))]
        if self.validation is not None:
            found.append(("validation", described("validation", self.validation, self.split_off)))
        return found if self.given is None else [*found, ("data", self.given)]


def read_parts(
    data: Source, validation: Source | None, test: Source | None, recipe: Recipe, graph: Graph, log: Log
) -> Parts:
    """The training and validation parts.

    Samples are split off where validation is not given, and a step trains or nothing else is there to judge by.

    Args:
        data: of a folder or zip with splits, `train` and, unless given, `validation` (or `val`).
        graph: the model, whose states need samples that follow each other.
        log: is given a warning where samples are too few to be split, or are in both parts.

    Raises:
        UsageError: data cannot be read, or validation samples have no labels where training samples have.
    """
    own = _own_validation(data) if validation is None else None
    given, trains = validation is not None or own is not None, recipe.trains
    if not trains and _has_test(data, test):
        if given:
            log("note: validation samples are not looked at: no step chooses by them, and there is a test part")
        return Parts(read_samples(data, "train", recipe, everything=bool(graph.states)), None)
    train = read_samples(data, "train", recipe, everything=bool(graph.states) or not given)
    if isinstance(data, (str, Path)):
        log(_held(train))
    if given:
        source: Source = data if validation is None else validation
        found = read_samples(source, own or _own_validation(source) or "", recipe, everything=True)
        if train.y is not None and found.y is None:
            raise UsageError("has no labels, but the training samples have", where=found.where)
        same_classes(train, found)
        for text in shared(train, found, "training", "validation"):
            log(f"warning: {text}")
        for_graph(found, graph)  # said before anything trains
        return Parts(train, found)
    seed, wanted = recipe.quantize.seed, None if graph.states else recipe.samples_wanted
    halves = None if train.y is None and not trains else split_off(train, seed, bool(graph.states))
    if halves is None:
        if trains:
            log(f"warning: {train.where}: {len(train)} samples are too few to split off any that judge the training")
        return Parts(subset(train, wanted, seed), None)
    log(f"note: {len(halves[1])} of {len(train)} samples of {train.where} are split off, by seed {seed}, to judge by")
    return Parts(subset(halves[0], wanted, seed), halves[1], described("train", train))


def _held(dataset: Dataset) -> str:
    """Where the samples are, as a line."""
    total = f"{math.prod(dataset.x.shape) * dataset.x.dtype.itemsize:,} bytes"
    if isinstance(dataset.x, OnDisk):
        return f"note: {dataset.where}: {len(dataset)} images would take {total} of memory; they are read as needed"
    return f"{dataset.where}: {len(dataset)} samples take {total} of memory"


def read_test(data: Source | None, test: Source | None, recipe: Recipe) -> Dataset | None:
    """The labelled samples that nothing has looked at; None where there are none."""
    if test is not None:
        found = read_samples(test, "test", recipe, everything=True)
    elif data is not None and _has_test(data, None):
        found = read_samples(data, "test", recipe, everything=True)
    else:
        return None
    return found if found.y is not None else None


def check_test(data: Source | None, test: Source | None, recipe: Recipe, graph: Graph) -> bool:
    """Whether there is a test part, as far as can be said before it is read; nothing runs on it.

    Of images one is looked at, of an .npz all samples. What is no file is taken to have labels.

    Raises:
        UsageError: it could not be read or does not fit: said before hours of training.
    """
    source = data if test is None and data is not None and _has_test(data, None) else test
    if isinstance(source, (str, Path)):
        split = "test" if "test" in splits_of(Path(source)) else ""
        found = load(source, split=split, count=None if Path(source).suffix == ".npz" else 1, quant=_quant(recipe))
        for_graph(found, graph)
        if isinstance(data, (str, Path)) and source is not data and found.classes:
            own = "train" if has_splits(Path(data)) else ""
            same_classes(load(data, split=own, count=1, quant=_quant(recipe)), found)
        return found.y is not None
    return source is not None


def same_classes(train: Dataset, other: Dataset) -> None:
    """UsageError where folders of images name other classes, whose numbers would mean something else."""
    if train.classes and other.classes and train.classes != other.classes:
        known, found = set(train.classes), set(other.classes)
        more, less = sorted(found - known), sorted(known - found)
        what = f"has class {more[0]!r}" if more else f"has no class {less[0]!r}"
        raise UsageError(f"{what}, unlike {train.where}", where=other.where, fix="give both the same class folders")


def read_samples(source: Source, split: str, recipe: Recipe, everything: bool = False) -> Dataset:
    """All samples of a split where there are splits; for calibration alone only as many as it takes."""
    settings = recipe.quantize
    count = None if everything else recipe.samples_wanted
    splits = isinstance(source, (str, Path)) and has_splits(Path(source))
    return load(
        source, split=split if splits else "", count=count, seed=settings.seed, quant=_quant(recipe), on_disk=True
    )


def _quant(recipe: Recipe) -> Quant | None:
    given = recipe.quantize.input_quant
    return None if given is None else Quant((given[0],), (given[1],))


def has_splits(path: Path) -> bool:
    """Whether a folder or zip has splits, train/ among them, above its classes."""
    return "train" in splits_of(path)


def splits_of(path: Path) -> frozenset[str]:
    """The splits that a folder or zip has above its classes."""
    known = ("train", "test", *_VALIDATION)
    if path.is_dir():
        return frozenset(name for name in known if (path / name).is_dir())
    if path.suffix != ".zip" or not path.is_file():
        return frozenset()
    tree = open_tree(path)
    tree.close()
    return frozenset(name.partition("/")[0] for name in tree.names if "/" in name) & frozenset(known)


def _own_validation(source: Source) -> str | None:
    """The split of a folder or zip that is for validation; None where there is none."""
    if not isinstance(source, (str, Path)):
        return None
    found = splits_of(Path(source))
    return next((name for name in _VALIDATION if "train" in found and name in found), None)


def _has_test(data: Source, test: Source | None) -> bool:
    if test is not None:
        return True
    return isinstance(data, (str, Path)) and {"train", "test"} <= splits_of(Path(data))


def split_off(dataset: Dataset, seed: int, in_sequence: bool = False) -> tuple[Dataset, Dataset] | None:
    """A dataset without some samples, and these; None where there are too few.

    Of each class the same share goes, and never its last sample. Samples that follow each other go by whole
    sequences, or as the end of the only one.
    """
    n = len(dataset)
    count = min(round(_SHARE * n), _MOST)
    rng = np.random.default_rng((seed, n))
    if in_sequence:
        chosen = _sequences_of(dataset, count, rng)
    elif dataset.y is None:
        chosen = rng.permutation(n)[:count]
    else:
        chosen = _stratified(dataset.y, count / max(n, 1), rng)
    out = np.zeros(n, bool)
    out[chosen] = True
    if n < _LEAST or not out.any() or out.all():
        return None
    return take(dataset, np.flatnonzero(~out)), take(dataset, np.flatnonzero(out))


def _stratified(y: Array, share: float, rng: np.random.Generator) -> Array:
    found = []
    for k in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == k))
        found.append(members[: min(round(share * len(members)), len(members) - 1)])
    return np.concatenate(found)


def _sequences_of(dataset: Dataset, count: int, rng: np.random.Generator) -> Array:
    sizes = lengths(dataset)
    if len(sizes) == 1:
        return np.arange(len(dataset) - count, len(dataset))
    starts = np.cumsum([0, *sizes])
    found: list[Array] = []
    for i in rng.permutation(len(sizes))[: len(sizes) - 1]:
        if sum(map(len, found)) >= count:
            break
        found.append(np.arange(starts[i], starts[i + 1]))
    return np.concatenate(found)


def described(name: Name, dataset: Dataset, split_off: bool = False) -> Part:
    """A part for reports and records."""
    digest = hashlib.sha256()
    for array in (dataset.x, dataset.y):
        if isinstance(array, OnDisk):
            digest.update(array.digest())
        elif array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return Part(name, dataset.where, len(dataset), digest.hexdigest(), split_off)


def shared(first: Dataset, second: Dataset, one: str, other: str) -> list[str]:
    """What speaks against a part: samples of it that are in another part too."""
    known = set(_digests(first))
    count = sum(digest in known for digest in _digests(second))
    if not count:
        return []
    return [f"{count} of the {len(second)} {other} samples of {second.where} are {one} samples too, which flatters"]


def _digests(dataset: Dataset) -> Iterable[bytes]:
    for at in range(0, len(dataset), 256):
        x = np.ascontiguousarray(dataset.x[at : at + 256])
        yield from (hashlib.blake2b(row.data, digest_size=16).digest() for row in x.reshape(len(x), -1))
