"""A packed model, or a FLOAT graph, and labelled samples to its accuracy over all of them.

The packed model runs as what is generated from it, compiled for this machine: the same bits as on the device.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import affordable
from .data import UNLABELLED, Dataset, batches_for, for_graph, lengths, real_batches
from .emulate import host
from .files.output import write_folder
from .files.stopping import in_threads
from .format.pack import read
from .generate.plan import Plan, plan
from .generate.sources import generate
from .graph.ir import Array, Graph
from .ops.quantize import levels_of
from .progress import Progress, silent
from .quantize import float_reference

# Multiply-accumulates of all samples, above which the kernels for vectors are compiled, which give the same bytes up to
# thirty times as fast, and several threads run them.
_MANY_MACS = 2 * 10**10
_SLICES = 16  # of many samples: after each, progress is told


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Samples whose largest output is that of their label; the first wins where outputs are equal."""

    right: int
    total: int

    @property
    def percent(self) -> float:
        return 100.0 * self.right / self.total

    def __str__(self) -> str:
        return f"{self.right} of {self.total}, {self.percent:.2f}%"


def accuracy_of(answers: Array, labels: Array) -> Accuracy:
    """Accuracy of classes (n,) against labels (n,), of the samples that have one."""
    return Accuracy(int((answers == labels).sum()), int((labels != UNLABELLED).sum()))


def classes_of(scores: Array) -> Array:
    """The class (n,) that each row of scores (n, ..., classes) gives."""
    best: Array = scores.reshape(len(scores), -1).argmax(1)
    return best


def float_answers(graph: Graph, dataset: Dataset, progress: Progress = silent) -> Array:
    """The classes (n,) that a FLOAT graph gives. UsageError where data and graph do not fit."""
    return classes_of(_float_outputs(graph, for_graph(dataset, graph), progress)[0])


def _float_outputs(graph: Graph, dataset: Dataset, progress: Progress) -> list[Array]:
    """Of a dataset in the graph's layout."""
    parts, done, chunk = [], 0, affordable.batch(graph, 128)
    for x in batches_for(dataset, graph, chunk):
        progress("run the float model", done, len(dataset))
        parts.append(float_reference.outputs(graph, [x], chunk))
        done += len(x)
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def host_answers(ekc: bytes, dataset: Dataset, where: str = "packed model", progress: Progress = silent) -> Array:
    """The classes (n,) that the bytes of an .ekc give by the bit-exact host emulator. ToolError without a compiler."""
    graph = read(ekc, where).graph
    return _host_answers(ekc, graph, for_graph(dataset, graph), where, progress)


def _host_answers(ekc: bytes, graph: Graph, dataset: Dataset, where: str, progress: Progress = silent) -> Array:
    """The same, of a dataset in the layout of the graph that the bytes hold."""
    return classes_of(host_outputs(ekc, input_levels(dataset, graph), where, lengths(dataset), progress)[0])


def float_accuracy(graph: Graph, dataset: Dataset) -> Accuracy:
    """Accuracy of a FLOAT graph. UsageError where data and graph do not fit."""
    dataset = for_graph(dataset, graph)
    labels = dataset.labels
    return accuracy_of(float_answers(graph, dataset), labels)


def host_accuracy(ekc: bytes, dataset: Dataset, where: str = "packed model") -> Accuracy:
    """Accuracy of the bytes of an .ekc by the bit-exact host emulator. ToolError without a C compiler."""
    graph = read(ekc, where).graph
    dataset = for_graph(dataset, graph)
    labels = dataset.labels
    return accuracy_of(_host_answers(ekc, graph, dataset, where), labels)


def output_error(
    graph: Graph, ekc: bytes, dataset: Dataset, where: str = "packed model", progress: Progress = silent
) -> float:
    """Root of the packed model's squared output error over the squared outputs of its FLOAT graph."""
    dataset = for_graph(dataset, graph)
    packed = read(ekc, where).graph
    errors, powers = 0.0, 0.0
    exact = _float_outputs(graph, dataset, progress)
    levels = host_outputs(ekc, input_levels(dataset, packed), where, lengths(dataset), progress)
    for wanted, found, t in zip(exact, levels, packed.of(packed.outputs), strict=True):
        real = t.q.scale * (found.astype(np.float64) - t.q.zero_point)
        errors += float(np.square(real - wanted).sum())
        powers += float(np.square(wanted, dtype=np.float64).sum())
    return float(np.sqrt(errors / max(powers, 1e-30)))


def host_outputs(
    ekc: bytes, x: Array, where: str = "packed model", sequences: Sequence[int] = (), progress: Progress = silent
) -> list[Array]:
    """Outputs of a packed model of one input, each (n, *shape[1:]) of the output's type.

    Args:
        x: (n, *shape[1:]) as the model takes it, see `input_levels`.
        sequences: of a model with a state, how many samples each sequence has; empty: all are one.
        progress: is told how many samples are done.
    """
    packed = read(ekc, where)
    graph = packed.graph
    planned = plan(graph, frozenset())
    many = _work(planned, x) > _MANY_MACS
    if many:
        planned = plan(graph, frozenset({"vector"}))
    files = generate(planned, packed, ekc, "evaluated", "host")
    progress("compile the packed model for this machine", 0, len(x))
    with tempfile.TemporaryDirectory(prefix="edgekc-evaluate-") as temporary:
        folder = Path(temporary) / "net"
        write_folder(files, folder)
        program = host.build(folder)
    parts = np.split(x, np.cumsum(sequences)[:-1]) if graph.states and len(sequences) > 1 else [x]
    if many and not graph.states:
        parts = np.array_split(x, min(_SLICES, len(x)))
    found, done = b"", 0
    for part in parts:
        progress("run the packed model", done, len(x))
        found += _run(program, part, done, (os.cpu_count() or 1) if many and not graph.states else 1)
        done += len(part)
    rows = np.frombuffer(found, np.uint8).reshape(len(x), -1)
    outputs, offset = [], 0
    for t in graph.of(graph.outputs):
        part = np.ascontiguousarray(rows[:, offset : offset + t.nbytes])
        outputs.append(part.view(t.dtype).reshape(len(x), *t.shape[1:]))
        offset += t.nbytes
    return outputs


def _work(planned: Plan, x: Array) -> int:
    """Multiply-accumulates of all samples."""
    return sum(step.macs for step in planned.steps) * len(x)


def _run(program: host.HostProgram, x: Array, first: int, threads: int) -> bytes:
    """Outputs of samples, the first of which has that number."""
    parts = np.array_split(x, min(threads, len(x)))
    starts = first + np.cumsum([0, *map(len, parts)])
    jobs = list(zip(parts, starts, strict=False))
    ran = in_threads(lambda job: host.run(program, np.ascontiguousarray(job[0]).tobytes(), int(job[1])), jobs, threads)
    return b"".join(ran)


def input_levels(dataset: Dataset, graph: Graph) -> Array:
    """The samples as the one input of an INTEGER or QUANTIZED graph takes them, int8 or uint8.

    int8 samples of unknown or the same quantisation are passed as they are.
    """
    t = graph.tensors[graph.inputs[0]]
    if dataset.x.dtype == np.int8 and t.dtype == "int8" and dataset.quant in (None, t.quant):
        return np.asarray(dataset.x)
    if t.dtype == "float32":
        return np.concatenate([np.asarray(x, np.float32) for x in real_batches(dataset, 256)])
    return np.concatenate([levels_of(x, t.q.scale, t.q.zero_point, t.dtype) for x in real_batches(dataset, 256)])
