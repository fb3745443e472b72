"""Sample inputs to the range of every activation of a FLOAT graph: what int8 will have to represent.

Two passes over the data: the extremes first, then a histogram between them. Only these are kept, so that any
number of samples can be calibrated on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError, UsageError
from ..graph.ir import Array, Graph, producers
from ..ops import source_of
from ..ops.shared.floats import LOWEST
from . import float_reference

BINS = 2048  # 8 for each of 256 levels, so that a bin's centre stands for its values
Batches = Callable[[], Iterable[Array]]  # each call walks the same samples again: (batch, *sample shape) float32
_FAR = 6.0  # below the lowest score: the weight is less than half a level of softmax's output
Range = tuple[float, float]  # lowest and highest real value to represent; 0 lies between them


@dataclass(frozen=True, slots=True)
class Observed:
    """What one activation did over all samples."""

    low: float
    high: float
    counts: Array  # int64 (BINS,): values in each equal part of low to high
    left_out: bool = False  # there were values for softmax to leave out, which are not counted


def observe(graph: Graph, batches: Batches, histograms: bool = True) -> dict[str, Observed]:
    """Extremes and histogram of every activation, by tensor name.

    Args:
        histograms: False leaves `counts` zero and saves the second pass.

    Raises:
        UsageError: there are no samples.
        ModelError: an activation became NaN or infinite.
    """
    extremes: dict[str, Range] = {}
    masked, without = _masked(graph), set[str]()
    for x in batches():
        for name, value in float_reference.run(graph, [x]).items():
            if name in masked and (found := _seen(value)).size < value.size:
                value = found
                without.add(name)
            low, high = extremes.get(name, (math.inf, -math.inf))
            extremes[name] = (min(low, float(value.min())), max(high, float(value.max())))
    if not extremes:
        raise UsageError("there are no calibration samples", where=graph.name)
    for name, ends in extremes.items():
        if not all(map(math.isfinite, ends)):
            raise ModelError("the activation is NaN or infinite on the calibration data", where=name)
    counts = {name: np.zeros(BINS, np.int64) for name in extremes}
    if histograms:
        for x in batches():
            for name, value in float_reference.run(graph, [x]).items():
                counts[name] += _histogram(_seen(value) if name in without else value, extremes[name])
    return {name: Observed(*extremes[name], counts[name], name in without) for name in extremes}


def _masked(graph: Graph) -> set[str]:
    """Activations in front of a softmax in which a constant, added or chosen, is too low for any weight."""
    writers, found = producers(graph), set[str]()
    for softmax in graph.nodes:
        if not source_of(softmax).makes_probabilities:
            continue
        path = [softmax.inputs[0]]
        while (node := writers.get(path[-1])) is not None:
            floats, held = source_of(node).floats, [t.value for t in graph.of(node.inputs) if t.data is not None]
            masks = floats.masks if floats is not None else ""
            if masks == "added" and not any(v.max() > LOWEST for v in held):
                masks = ""  # an offset of all values is none
            if masks and any(v.min() <= LOWEST for v in held):
                found.update(path)
            shared = node.inputs[0 if floats is None else floats.apart :]
            before = [name for name in shared if graph.tensors[name].data is None]
            if len(before) != 1 or not (masks or (floats is not None and floats.shares_scale)):
                break
            path.append(before[0])
    return found


def _seen(value: Array) -> Array:
    """Without what softmax is to leave out: its levels are the lowest one, which need not be its number."""
    found = value[value > LOWEST / 2]
    return found if found.size else np.zeros(1, np.float32)


def _histogram(value: Array, ends: Range) -> Array:
    low, high = ends
    if high <= low:
        return np.zeros(BINS, np.int64)
    index = ((value.ravel() - np.float32(low)) * np.float32(BINS / (high - low))).astype(np.int32)
    return np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)


def choose(observed: Mapping[str, Observed], method: str, percentile: float = 99.99) -> dict[str, Range]:
    """A range for every activation by `method`: min-max, percentile or mse."""
    rules: dict[str, Callable[[Observed], Range]] = {
        "min-max": min_max,
        "percentile": lambda o: by_percentile(o, percentile),
        "mse": least_error,
    }
    if method not in rules:
        raise UsageError(f"unknown calibration method {method!r}", fix=f"methods: {', '.join(rules)}")
    return {name: _with_room(rules[method](o), o) for name, o in observed.items()}


def _with_room(ends: Range, o: Observed) -> Range:
    """A level below all that counts, for what softmax is to leave out."""
    return (ends[0] - _FAR, ends[1]) if o.left_out else ends


def min_max(o: Observed) -> Range:
    """All that was seen: nothing is clipped, and one outlier coarsens every step."""
    return min(o.low, 0.0), max(o.high, 0.0)


def by_percentile(o: Observed, percentile: float) -> Range:
    """The part that holds `percentile` per cent of the values, what is cut being shared by both ends."""
    total = int(o.counts.sum())
    if total == 0:
        return min_max(o)
    cut = total * (100.0 - percentile) / 200.0
    edges = np.linspace(o.low, o.high, BINS + 1)
    below = np.cumsum(o.counts)
    first = int(np.searchsorted(below, cut, "right"))
    last = int(np.searchsorted(below, total - cut, "left"))
    # An end that is itself frequent (the zeros of a ReLU) stays where it is.
    return min(float(edges[min(first, BINS - 1)]), 0.0), max(float(edges[min(last, BINS - 1) + 1]), 0.0)


def least_error(o: Observed) -> Range:
    """The range whose 256 levels have the smallest mean squared error over the histogram.

    Each end is searched in turn, the other one fixed, over cuts down to a twentieth of what was seen, twice.
    """
    low, high = min_max(o)
    if not o.counts.any():
        return low, high
    step = (o.high - o.low) / BINS
    centres = o.low + (np.arange(BINS) + 0.5) * step
    centres[np.abs(centres) <= step / 2] = 0.0  # the many zeros of a ReLU are represented exactly
    used = o.counts > 0
    values, weights = centres[used], o.counts[used].astype(np.float64)
    shrinks = [float(s) for s in np.geomspace(1.0, 0.05, 121)]
    ends = [low, high]
    for side in (1, 0, 1, 0):
        full = (low, high)[side]
        if full == 0.0:
            continue
        candidates = [(full * s, ends[1]) if side == 0 else (ends[0], full * s) for s in shrinks]
        errors = [_error(values, weights, *c) for c in candidates]
        ends = list(candidates[int(np.argmin(errors))])
    return ends[0], ends[1]


def _error(values: Array, weights: Array, low: float, high: float) -> float:
    """Weighted squared error of values clipped to low..high and rounded to 256 levels, zero being one of them."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    levels = np.clip(np.round(values / scale) + zero, 0, 255) - zero
    return float(weights @ (levels * scale - values) ** 2)
