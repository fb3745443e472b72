"""A program and data to the samples that a report's page offers, each with the output that it has to give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import Dataset, take
from ..emulate import host
from ..emulate.compare import reference_outputs
from ..evaluate import input_levels
from ..graph.ir import Array
from ..report import live
from .program import Program

_SHOWN_SAMPLES = 12  # that the page offers


def offered_samples(program: Program, dataset: Dataset | None, count: int) -> list[live.Sample]:
    """Samples of the data, class by class in turn, or those of `verify`; the outputs are the numpy definition's.

    Args:
        dataset: in the layout of the packed model; None: made-up inputs.
        count: of made-up inputs.
    """
    graph, manifest = program.graph, dict(program.manifest)
    size = host.input_bytes(manifest)
    if dataset is not None:
        picked = _mixed(dataset.y, min(_SHOWN_SAMPLES, len(dataset)))
        dataset = take(dataset, picked)
        levels = np.ascontiguousarray(input_levels(dataset, graph))
        names = [_name(dataset.classes, dataset.y, i) for i in range(len(dataset))]
        inputs = levels.tobytes()
    else:
        inputs = host.samples(manifest, min(count, _SHOWN_SAMPLES))
        names = ["all lowest", "all highest", "a ramp"]
        names += [f"random {i + 1}" for i in range(len(inputs) // size)]
    cut = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    return [live.Sample(name, one, reference_outputs(graph, one, 1)) for name, one in zip(names, cut, strict=False)]


def _mixed(labels: Array | None, count: int) -> Array:
    """Indices of samples, class by class in turn, so that each is there."""
    if labels is None:
        return np.arange(count)
    turns: list[tuple[int, int, int]] = []
    seen: dict[int, int] = {}
    for i, label in enumerate(labels.tolist()):
        turns.append((seen.get(label, 0), label, i))
        seen[label] = seen.get(label, 0) + 1
    return np.asarray([i for _, _, i in sorted(turns)[:count]], np.int64)


def _name(classes: Sequence[str], labels: Array | None, i: int) -> str:
    if labels is None or labels[i] < 0:
        return f"sample {i + 1}"
    label = int(labels[i])
    return f"sample {i + 1}, label {classes[label] if label < len(classes) else label}"
