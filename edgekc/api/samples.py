"""Arrays and data of a user to the bytes that NAME_run takes, and the bytes that it gives back to arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data import UNLABELLED, Dataset, Source, for_graph, has_starts, lengths, take
from ..data import load as load_data
from ..errors import UsageError
from ..evaluate import classes_of, input_levels
from ..graph.ir import Array, Graph
from ..judgement import rival
from ..ops.dequantize import reals_of
from ..ops.quantize import levels_of
from ..paired import compare
from ..parts import has_splits
from .results import Evaluation

_CHANNELS_FIRST = (".onnx", ".pt2")


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples as the C function takes them, one after the other.

    Attributes:
        data: all inputs of the first sample, then those of the second, and so on.
        count: samples.
        single: the user gave one sample without a batch axis, and wants the outputs so.
        real: the user gave real numbers, and wants the outputs so.
        lengths: how many samples each sequence has; empty: all are one.
    """

    data: bytes
    count: int
    single: bool = False
    real: bool = False
    lengths: tuple[int, ...] = ()


def layout_of(manifest: Mapping[str, Any]) -> str:
    """NCHW where the file that the model comes from is of a framework with that layout; else empty.

    A packed model keeps no layout but its own, and the name of that file.
    """
    source = manifest.get("metadata", {}).get("source", "")
    is_first = Path(source).suffix.lower() in _CHANNELS_FIRST or source.startswith("torch ")  # a module in memory
    return "NCHW" if is_first else ""


def batch_of(x: Any, manifest: Mapping[str, Any], layout: str = "") -> Batch:
    """Arrays to a batch: one for each input, (n, *shape) or (*shape), of the input's type or real numbers.

    Args:
        layout: NCHW: images may also be (n, c, h, w) or (c, h, w).

    Raises:
        UsageError: another number of arrays, another shape or type, or NaN.
    """
    edges = manifest["inputs"]
    arrays = list(x) if isinstance(x, (tuple, list)) and len(edges) > 1 else [x]
    if len(arrays) != len(edges):
        raise UsageError(f"{len(arrays)} arrays for {len(edges)} inputs", where=str(manifest["name"]))
    rows, counts, singles, reals = [], set(), set(), []
    for value, edge in zip(arrays, edges, strict=True):
        array, shape = _array(value), tuple(edge["shape"][1:])
        if layout == "NCHW":
            array = _channels_last(array, shape)
        single = array.shape == shape
        if not single and array.shape[1:] != shape:
            raise UsageError(
                f"input {edge['name']} has shape {list(array.shape)}, expected {list(shape)} or [n, "
                f"{', '.join(map(str, shape))}]",
                where=str(manifest["name"]),
            )
        if not array.size:
            raise UsageError("there are no samples", where=str(manifest["name"]))
        levels, real = _levels(array, edge)
        levels = np.ascontiguousarray(levels.reshape(1 if single else len(array), -1))
        rows.append(levels.view(np.uint8))
        counts.add(len(levels))
        singles.add(single)
        reals.append(real)
    if len(counts) > 1 or len(singles) > 1:
        raise UsageError("the inputs have different numbers of samples", where=str(manifest["name"]))
    return Batch(np.concatenate(rows, axis=1).tobytes(), counts.pop(), singles.pop(), all(reals))


def first_inputs(data: Any, graph: Graph, manifest: Mapping[str, Any], count: int) -> bytes:
    """The first so many samples of any data, as the C function takes them.

    Args:
        data: as `dataset_of` takes it; or an .npz with x0, x1, ..., one for each input, as `edgekc fuzz` writes it.

    Raises:
        UsageError: it cannot be read, or does not fit the model.
    """
    batch = _by_input(data, manifest, count)
    return (batch or batch_of_dataset(dataset_of(data, None, graph, count), graph)).data


def _by_input(data: Any, manifest: Mapping[str, Any], count: int) -> Batch | None:
    """Of an .npz with an array for each input; None of other data."""
    if not isinstance(data, (str, Path)) or Path(data).suffix != ".npz" or not zipfile.is_zipfile(data):
        return None
    with zipfile.ZipFile(data) as archive:
        if "x0.npy" not in archive.namelist():
            return None
    with np.load(data) as arrays:
        found = [arrays[f"x{i}"][:count] for i in range(len(arrays.files)) if f"x{i}" in arrays.files]
    return batch_of(found if len(found) > 1 else found[0], manifest)


def _channels_last(array: Array, shape: tuple[int, ...]) -> Array:
    """An image of channels first, where it is none of channels last."""
    first = (*shape[-1:], *shape[:-1])
    if len(shape) != 3 or shape in (array.shape, array.shape[1:]) or first not in (array.shape, array.shape[1:]):
        return array
    return np.moveaxis(array, -3, -1)


def _array(value: Any) -> Array:
    """An array, also of a tensor that is trained."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _levels(array: Array, edge: Mapping[str, Any]) -> tuple[Array, bool]:
    """The array in the input's type, and whether it was real numbers."""
    if array.dtype == edge["dtype"] and edge["dtype"] != "float32":
        return array, False
    if array.dtype.kind != "f" and array.dtype != np.uint8:
        raise UsageError(
            f"input {edge['name']} has type {array.dtype}, expected {edge['dtype']} as the model takes it, or float32",
            where="samples",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(f"input {edge['name']} holds NaN or infinity", where="samples")
    return levels_of(array, edge["scale"], edge["zero_point"], edge["dtype"]), True


def outputs_of(data: bytes, batch: Batch, manifest: Mapping[str, Any]) -> Array | tuple[Array, ...]:
    """Output bytes to an array for each output, (n, *shape), or (*shape) of a single sample; one output is no tuple."""
    rows = np.frombuffer(data, np.uint8).reshape(batch.count, -1)
    found, offset = [], 0
    for edge in manifest["outputs"]:
        part = np.ascontiguousarray(rows[:, offset : offset + int(edge["bytes"])])
        offset += int(edge["bytes"])
        values = part.view(edge["dtype"]).reshape(batch.count, *edge["shape"][1:])
        if batch.real:
            values = reals_of(values, edge["scale"], edge["zero_point"])
        found.append(values[0] if batch.single else values)
    return found[0] if len(found) == 1 else tuple(found)


def source_of(data: Any) -> Source | None:
    """Data as `edgekc.data` reads it; arrays (x, y) or (x, y, starts) are one batch."""
    if isinstance(data, (tuple, list)) and has_starts(data):
        return [tuple(data)]
    pair = isinstance(data, (tuple, list)) and len(data) == 2 and all(hasattr(part, "shape") for part in data)
    if pair and np.ndim(data[1]) == 1 and len(data[0]) == len(data[1]):
        return [tuple(data)]
    if isinstance(data, np.ndarray):
        return [data]
    return data  # type: ignore[no-any-return]


def dataset_of(x: Any, y: Any, graph: Graph, count: int | None = None) -> Dataset:
    """Data of any kind, in the layout of the graph's one input.

    Args:
        x: a path, an iterable of batches, or an array; of a folder with splits, `test` is taken.
        y: labels (n,), where x is an array.
        count: only the first so many.

    Raises:
        UsageError: it cannot be read, or does not fit the model.
    """
    source = source_of(x if y is None else (_array(x), _array(y)))
    if source is None:
        raise UsageError("there are no samples", where="data")
    split = "test" if isinstance(source, (str, Path)) and has_splits(Path(source)) else ""
    found = for_graph(load_data(source, split=split), graph)
    if count is None or count >= len(found):
        return found
    return take(found, np.arange(count))


def batch_of_dataset(dataset: Dataset, graph: Graph) -> Batch:
    """The samples of a dataset as the graph's one input takes them."""
    levels = np.ascontiguousarray(input_levels(dataset, graph))
    return Batch(levels.tobytes(), len(levels), lengths=tuple(lengths(dataset)))


def evaluation_of(
    network: str, device: str, scores: Array, dataset: Dataset, graph: Graph, against: Sequence[str | Path] = ()
) -> Evaluation:
    """Scores (n, ..., classes) against the labels of the data; the first of equal scores wins.

    Args:
        graph: whose input the samples fit.
        against: files of other models, whose answers are compared.
    """
    labelled = dataset.labels != UNLABELLED
    confusion = _confusion_of(scores[labelled], dataset.labels[labelled])
    right, names = sum(row[i] for i, row in enumerate(confusion)), dataset.classes
    known = tuple(names) if len(names) == len(confusion) else tuple(map(str, range(len(confusion))))
    rivals = [rival(Path(path)) for path in against]
    answers = classes_of(scores.reshape(len(dataset), -1))
    real = with_quant(dataset, graph)
    comparisons = tuple(compare(answers, each.answers(real), dataset.labels, each.name, "given") for each in rivals)
    return Evaluation(network, device, right, int(labelled.sum()), confusion, known, comparisons)


def with_quant(dataset: Dataset, graph: Graph) -> Dataset:
    """Samples that are the input's levels, with what they stand for: another model may take others."""
    t = graph.tensors[graph.inputs[0]]
    same = dataset.quant is None and dataset.x.dtype == np.int8 and t.dtype == "int8"
    return replace(dataset, quant=t.q) if same else dataset


def _confusion_of(scores: Array, labels: Array) -> tuple[tuple[int, ...], ...]:
    """Counts by label (rows) and answer (columns)."""
    scores = scores.reshape(len(labels), -1)
    classes = scores.shape[1]
    counts = np.bincount(labels * classes + scores.argmax(1), minlength=classes * classes)
    return tuple(tuple(int(n) for n in row) for row in counts.reshape(classes, classes))
