"""What a user calls data (images by class, an .npz, a DataLoader) to a Dataset: samples NHWC and labels.

The order of samples depends on names and seed only, so that a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from .errors import UsageError
from .files import npy
from .files.classes import OnDisk, read_classes
from .graph.ir import Array, Graph, Quant
from .ops import source_of

Source: TypeAlias = "Path | str | Iterable[Any]"
UNLABELLED = -1  # in place of a class number: of the steps in front of a sequence's end, where it alone has a label


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples and their labels.

    Attributes:
        x: (n, *sample shape), uint8, int8 or float32; images are (n, h, w, c), and may be on disk: an index decodes
            what it names.
        y: (n,) int64 class numbers, some of which may be UNLABELLED, or None where there are none.
        classes: their names, by number; empty where unknown.
        where: what errors call it.
        quant: of int8 samples: real = scale * (x - zero point). None: the numbers are the reals.
        starts: (n,) bool, where a sequence begins, for networks with a state. None: all samples are one sequence.
    """

    x: Array | OnDisk
    y: Array | None
    classes: tuple[str, ...]
    where: str
    quant: Quant | None = None
    starts: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def labels(self) -> Array:
        """The labels; UsageError where there are none."""
        if self.y is None or (self.y == UNLABELLED).all():
            raise UsageError("has no labels", where=self.where, fix="accuracy needs y beside x")
        return self.y


def load(
    source: Source, *, split: str = "", count: int | None = None, seed: int = 0, quant: Quant | None = None,
    on_disk: bool = False,
) -> Dataset:  # fmt: skip
    """Read data of any supported kind.

    Args:
        source: a folder or zip of images (`cat/0001.jpg`, or `train/cat/0001.jpg` with splits), an .npz with `x`,
            and with `y`, `starts`, `scale` and `zero_point` where it has them, or an iterable of batches (x, y),
            (x, y, starts) or x. With `starts` y may have a label for each sequence: that of its last sample.
        split: the split of a folder or zip to read, `train` or `test`; empty where it has none.
        count: a subset of this many samples, picked by `seed`; None: all. Only these images are decoded.
        quant: of int8 samples, where the source does not say it.
        on_disk: images that take more memory than samples may (`limits.unpacked_bytes`) stay on disk; else an error.

    Raises:
        UsageError: nothing there, an image that cannot be read, sizes that differ, a class without images, more
            than fits into the memory that samples may take (`limits.unpacked_bytes`).
        ToolError: images without Pillow.
    """
    if not isinstance(source, (str, Path)):
        dataset = subset(_from_batches(source), count, seed)
    elif Path(source).suffix == ".npz":
        dataset = subset(_from_npz(Path(source)), count, seed)
    else:
        dataset = _from_images(Path(source), split, count, seed, on_disk)
    if quant is not None:
        scale = float(np.float32(quant.scale))  # as models hold it, also where a user wrote decimals
        dataset = replace(dataset, quant=Quant((scale,), quant.zero_points))
    return dataset


def pick(total: int, count: int | None, seed: int) -> Array:
    """Indices of a subset, ascending: `count` of `total` without repetition; all where count is None or larger."""
    if count is None or count >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])


def subset(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """`count` samples, picked by `seed`, in their order."""
    if count is None or count >= len(dataset):
        return dataset
    return take(dataset, pick(len(dataset), count, seed))


def take(dataset: Dataset, index: Array) -> Dataset:
    """The samples with these indices."""
    y, starts = (None if a is None else a[index] for a in (dataset.y, dataset.starts))
    x = dataset.x.take(index) if isinstance(dataset.x, OnDisk) else dataset.x[index]
    return replace(dataset, x=x, y=y, starts=starts)


def portion(dataset: Dataset, graph: Graph, count: int | None, seed: int) -> Dataset:
    """As `subset`; of samples for a network with a state the first ones, since they follow each other."""
    if graph.states and count is not None and count < len(dataset):
        return take(dataset, np.arange(count))
    return subset(dataset, count, seed)


def real_batches(dataset: Dataset, size: int = 64) -> Iterator[Array]:
    """The samples as real numbers, float32, `size` at a time."""
    check_real(dataset)
    for start in range(0, len(dataset), size):
        yield real(dataset, dataset.x[start : start + size])


def check_real(dataset: Dataset) -> None:
    """UsageError where nobody says what the samples are as real numbers."""
    if dataset.x.dtype == np.int8 and dataset.quant is None:
        raise UsageError("int8 samples without scale and zero point", where=dataset.where, fix="state them")


def lengths(dataset: Dataset) -> list[int]:
    """How many samples each sequence has, in their order."""
    starts = [] if dataset.starts is None else [int(i) for i in np.flatnonzero(dataset.starts) if i]
    return [int(n) for n in np.diff([0, *starts, len(dataset)])]


def sequences(dataset: Dataset) -> Iterator[Array]:
    """The samples as real numbers, float32, one sequence at a time."""
    at = 0
    for length in lengths(dataset):
        yield np.concatenate(list(real_batches(take(dataset, np.arange(at, at + length)))))
        at += length


def batches_for(dataset: Dataset, graph: Graph, size: int = 64) -> Iterator[Array]:
    """As `real_batches`; for a network with a state one sequence at a time, however long."""
    return sequences(dataset) if graph.states else real_batches(dataset, size)


def real(dataset: Dataset, x: Array) -> Array:
    """Samples as the dataset holds them, (n, *sample shape), as real numbers, float32."""
    values = x.astype(np.float32)
    if dataset.quant is not None:
        values = np.float32(dataset.quant.scale) * (values - np.float32(dataset.quant.zero_point))
    return values


def for_graph(dataset: Dataset, graph: Graph) -> Dataset:
    """The dataset in the layout of the graph's one input, checked against the graph.

    A last axis of one channel may be missing, and samples (c, h, w) are transposed where the model came from a
    framework with that layout.

    Raises:
        UsageError: the shape is another one, or labels exceed the graph's classes.
    """
    if len(graph.inputs) != 1:
        raise UsageError(f"the model has {len(graph.inputs)} inputs; data feeds one", where=graph.name)
    if len(dataset) == 0:
        raise UsageError("holds no samples", where=dataset.where)
    want, x = graph.tensors[graph.inputs[0]].shape[1:], dataset.x
    have = x.shape[1:]
    if have != want and (*have, 1) == want:
        x = np.asarray(x)[..., None]
    elif have != want and graph.metadata.get("source_layout") == "NCHW" and (*have[1:], *have[:1]) == want:
        x = np.ascontiguousarray(np.moveaxis(np.asarray(x), 1, -1))
    elif have != want:
        channels = len(have) == len(want) == 3 and have[:2] == want[:2]
        what = f"{have[2]} channels, the model takes {want[2]}" if channels else f"shape {list(have)}"
        raise UsageError(
            f"samples have {what}" if channels else f"samples have {what}, the model takes {list(want)}",
            where=dataset.where,
        )
    classes = graph.tensors[graph.outputs[0]].shape[-1]
    if dataset.y is not None:
        check_labels(dataset.y, classes, dataset.where)
    return replace(dataset, x=x)


def check_labels(y: Array, classes: int, where: str) -> None:
    """UsageError where a label is neither in 0 to classes - 1 nor UNLABELLED, or there is nothing to choose from."""
    if classes < 2:
        raise UsageError("has labels, but the model gives one value, no score a class", where=where, fix="leave y out")
    wrong = np.flatnonzero((y < UNLABELLED) | (y >= classes))
    if wrong.size:
        i = int(wrong[0])
        raise UsageError(
            f"label {int(y[i])} of sample {i} is out of range; the model has {classes} classes", where=where
        )


def numbered(graph: Graph) -> int:
    """How many rows whole numbers of the graph's input choose from; 0 where it is real."""
    names, rows = {graph.inputs[0]}, 0
    for node in graph.nodes:
        source = source_of(node)
        if node.inputs[0] not in names:
            continue
        if source.view:
            names.update(node.outputs)
        elif source.floats is not None and source.floats.numbers is not None:
            count = graph.tensors[node.inputs[1]].shape[0]
            rows = min(rows or count, count)
    return rows


def synthetic(graph: Graph, count: int, seed: int, input_range: tuple[float, float] | None) -> Dataset:
    """Made-up samples, for ranges where there is no data.

    Whole numbers, by which rows are looked up, are drawn from all that have one. Others are standard normal without
    `input_range`. With it they are uniform in the range, and inputs of height
    and width are stretched from grids of 1x1, 2x2, 4x4, ... to full size: white noise alone averages out in the
    first layers, and leaves the ranges behind them far too small.
    """
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    rng = np.random.default_rng(seed)
    where = "synthetic data"
    if rows := numbered(graph):
        return Dataset(rng.integers(0, rows, (count, *shape)).astype(np.float32), None, (), where)
    x = np.empty((count, *shape), np.float32)
    for at in range(0, count, 16):  # they are drawn in double precision
        part = x[at : at + 16]
        part[:] = rng.standard_normal(part.shape) if input_range is None else rng.uniform(*input_range, part.shape)
    if input_range is not None and len(shape) == 3:
        scales = [2**k for k in range(max(shape[0], shape[1]).bit_length())]
        for i in range(count):
            cells = scales[i % len(scales)]
            rows, columns = (np.arange(size) * min(cells, size) // size for size in shape[:2])
            x[i] = x[i][np.ix_(rows, columns)]
    return Dataset(x, None, (), where)


def _checked(
    x: Array,
    y: Array | None,
    classes: tuple[str, ...],
    where: str,
    quant: Quant | None = None,
    starts: Array | None = None,
) -> Dataset:
    """The dataset of arrays that a user gave."""
    if x.ndim < 2 or len(x) == 0:
        raise UsageError(f"holds no samples (x has shape {list(x.shape)})", where=where)
    if x.dtype not in (np.uint8, np.int8, np.float32):
        if x.dtype.kind not in "fiu":
            raise UsageError(f"x has type {x.dtype}, expected uint8, int8 or float32", where=where)
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise UsageError("x holds NaN or infinity", where=where)
    if starts is not None:
        if starts.shape != (len(x),):
            what = f"starts has shape {list(starts.shape)}, expected [{len(x)}], true where a sequence begins"
            raise UsageError(what, where=where)
        if starts.dtype.kind not in "biu" or not np.isin(starts, (0, 1)).all():
            raise UsageError("starts holds more than true and false", where=where)
        starts = starts.astype(bool)
    return _labelled(Dataset(x, None, classes, where, quant, starts), y)


def _labelled(dataset: Dataset, y: Array | None) -> Dataset:
    """The dataset with labels, one a sample, or one a sequence where it says where these begin."""
    if y is None:
        return dataset
    ends = np.cumsum(lengths(dataset)) - 1
    if y.shape != (len(dataset),) and (dataset.starts is None or y.shape != ends.shape):
        more = "" if dataset.starts is None else f", or [{len(ends)}], one a sequence"
        what = f"y has shape {list(y.shape)}, expected [{len(dataset)}], one class number a sample{more}"
        raise UsageError(what, where=dataset.where)
    if y.dtype.kind not in "iu":
        raise UsageError(f"y has type {y.dtype}, expected class numbers", where=dataset.where)
    if y.min() < 0:
        raise UsageError(f"label {int(y.min())} is negative", where=dataset.where)
    labels = np.full(len(dataset), UNLABELLED, np.int64)
    labels[ends if len(y) < len(dataset) else slice(None)] = y
    return replace(dataset, y=labels)


def _from_npz(path: Path) -> Dataset:
    where = str(path)
    arrays = npy.read_npz(path, where, UsageError, ("x", "y", "scale", "zero_point", "starts"))
    if "x" not in arrays:
        raise UsageError("has no array x", where=where)
    quant = _quant(arrays, where) if "scale" in arrays or "zero_point" in arrays else None
    return _checked(arrays["x"], arrays.get("y"), (), where, quant, arrays.get("starts"))


def _quant(arrays: Mapping[str, Array], where: str) -> Quant:
    """The quantisation that an .npz states."""
    both = [arrays.get(key, np.zeros(0)) for key in ("scale", "zero_point")]
    if any(a.size != 1 for a in both):
        raise UsageError("scale and zero_point must both be single numbers", where=where)
    with np.errstate(over="ignore"):
        scale, point = float(np.float32(both[0].item())), float(both[1].item())
    if not 0 < scale < np.inf:
        raise UsageError(f"scale is {both[0].item()}, expected a positive number", where=where)
    if not -(2**31) <= point < 2**31 or point != int(point):
        raise UsageError(f"zero_point is {both[1].item()}, expected an integer of 32 bits", where=where)
    return Quant((scale,), (int(point),))


def _array(value: Any) -> Array:
    """A batch as numpy, also where it is a tensor with a gradient or on another device."""
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    return np.asarray(value)


def _from_batches(batches: Iterable[Any]) -> Dataset:
    where = "data"
    xs: list[Array] = []
    ys: list[Array] = []
    begins: list[Array] = []
    for i, batch in enumerate(batches):
        parts = [batch]
        if isinstance(batch, (tuple, list)) and (len(batch) == 2 or has_starts(batch)):
            parts = list(batch)
        x = _array(parts[0])
        if x.ndim < 2 or (xs and x.shape[1:] != xs[0].shape[1:]):
            expected = f", batch 0 {list(xs[0].shape)}" if xs else ""
            raise UsageError(f"batch {i} has shape {list(x.shape)}{expected}", where=where)
        xs.append(x)
        if len(parts) > 1 and parts[1] is not None:
            ys.append(_array(parts[1]))
        if len(parts) > 2:
            begins.append(_array(parts[2]))
    if not xs:
        raise UsageError("holds no samples", where=where)
    for found, what in ((ys, "labels"), (begins, "starts")):
        if found and len(found) != len(xs):
            raise UsageError(f"{len(found)} of {len(xs)} batches have {what}", where=where)
    y, starts = (np.concatenate(parts) if parts else None for parts in (ys, begins))
    return _checked(np.concatenate(xs), y, (), where, None, starts)


def has_starts(batch: Sequence[Any]) -> bool:
    """Whether a batch is (x, y, starts): the last says, true or false, where sequences begin."""
    if len(batch) != 3 or any(part is not None and not hasattr(part, "shape") for part in batch):
        return False
    return batch[2] is not None and _array(batch[2]).dtype == bool and np.ndim(batch[2]) == 1


def _from_images(path: Path, split: str, count: int | None, seed: int, on_disk: bool) -> Dataset:
    """Images of a folder or zip; classes are numbered by name over all splits, so that splits agree."""
    found = read_classes(path, split, lambda total: pick(total, count, seed), on_disk)
    return Dataset(found.x, found.y, found.names, str(path))
