"""A trained FLOAT graph and some samples to a QUANTIZED graph, without training: the whole of it in one function."""

from __future__ import annotations

import numpy as np

from .. import affordable
from ..data import Dataset, batches_for, for_graph, numbered, portion, real_batches, synthetic
from ..graph.ir import Graph, Quant
from ..ops import legal
from ..progress import Log, unsaid
from . import calibrate
from .bias_correction import SideBySide, walk
from .equalise import equalise
from .sequences import in_sequence
from .settings import Quantize
from .to_int8 import prepare, quantize
from .wide_states import wide

_WALKED = 256  # samples of bias correction: a channel's mean is then known well below one step
_BATCH = 64


def post_training(
    graph: Graph,
    dataset: Dataset | None,
    settings: Quantize,
    log: Log = unsaid,
    exact: Graph | None = None,
) -> Graph:
    """Quantise by calibration alone.

    Args:
        graph: FLOAT.
        dataset: calibration samples; labels are not needed. None: synthetic ones, and a warning through `log`.
        settings: the recipe's [quantize].
        log: is given one line for each thing done.
        exact: `graph` with the weights that it had before they were compressed; bias correction then makes up
            for that error too. None: `graph` itself. Not together with equalisation, which changes weights.

    Raises:
        UsageError: the data do not fit the model.
        ModelError: NaN or infinity in weights or activations.
        UnsupportedError: an operator that has no int8 form.
    """
    graph = prepare(graph)
    count = settings.samples if settings.counted else affordable.samples(graph, settings.samples)
    if count < settings.samples:
        log(f"quantize: {count} calibration samples, {settings.samples} would be much work for a network this large")
    if dataset is None:
        chosen = synthetic(graph, count, settings.seed, settings.input_range)
        ends = settings.input_range
        kind = "standard normal noise" if ends is None else f"synthetic patterns from {ends[0]:g} to {ends[1]:g}"
        kind = "random whole numbers" if numbered(graph) else kind
        fix = "calibrate on some 100 real samples" + (", or state input_range" if kind.startswith("standard") else "")
        log(
            f"warning: no data: ranges come from {count} samples of {kind}. Larger activations are clipped "
            "and smaller ones lose bits; that costs from nothing to all of the accuracy, and only labelled samples "
            f"can tell; {fix}"
        )
    else:
        chosen = for_graph(portion(dataset, graph, count, settings.seed), graph)
    if graph.states and settings.bias_correction:
        log("bias_correction: off, the errors of a network with a state come back to it in the next step")
    equalised, notes = equalise(graph) if settings.equalise != "off" else (graph, [])
    if settings.equalise == "off" or (settings.equalise == "auto" and not notes):
        return _finish(_quantised(graph, chosen, settings, exact), log)
    after = _quantised(equalised, chosen, settings)
    if settings.equalise == "auto":
        before = _quantised(graph, chosen, settings)
        errors = f"output error {before.relative_error:.4f} without, {after.relative_error:.4f} with"
        if after.relative_error >= before.relative_error:
            log(f"equalise: not applied, {errors}")
            return _finish(before, log)
        log(f"equalise: applied, {errors}")
    for note in notes:
        log(f"equalise: {note}")
    return _finish(after, log)


def input_quant(dataset: Dataset) -> Quant | None:
    """The quantisation of an int8 input that takes the samples' own steps; None where they are real numbers."""
    if dataset.x.dtype == np.uint8:
        quant = dataset.quant or Quant((1.0,), (0,))
        return Quant(quant.scales, (quant.zero_point - 128,))
    return dataset.quant


def calibrated_ranges(graph: Graph, dataset: Dataset, settings: Quantize) -> dict[str, calibrate.Range]:
    """The range of every activation of a FLOAT graph on these samples, by the recipe's [quantize]."""
    size = affordable.batch(graph, _BATCH)
    observed = calibrate.observe(graph, lambda: batches_for(dataset, graph, size), settings.method != "min-max")
    ranges = calibrate.choose(observed, settings.method, settings.percentile)
    ranges.update({s.end: calibrate.min_max(observed[s.end]) for s in wide(graph).values()})  # 16 bits need no cut
    if settings.input_range is not None:
        ranges[graph.inputs[0]] = settings.input_range
    return ranges


def _quantised(graph: Graph, dataset: Dataset, settings: Quantize, exact: Graph | None = None) -> SideBySide:
    """Calibrated, quantised and, where asked for, corrected, with the outputs that tell how well."""
    given = input_quant(dataset)
    quantized = quantize(
        graph, calibrated_ranges(graph, dataset, settings), {} if given is None else {graph.inputs[0]: given}
    )
    sample = affordable.some(dataset, graph, _WALKED, settings.seed, copies=4)
    exact = graph if exact is None else exact
    if graph.states:
        return in_sequence(exact, quantized, sample)
    return walk(
        exact,
        quantized,
        np.concatenate(list(real_batches(sample))),
        settings.bias_correction,
    )


def _finish(result: SideBySide, log: Log) -> Graph:
    legal.check(result.graph)
    log(f"quantize: relative output error {result.relative_error:.4f} on calibration samples")
    return result.graph
