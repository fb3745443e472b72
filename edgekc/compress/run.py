"""A FLOAT graph, a recipe and data to a QUANTIZED graph with compressed layers: the steps in their order.

What a step loses, a `retrain` step behind it wins back; docs/compression.md says what each step costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import recipe as rc
from ..data import Dataset, fit, synthetic
from ..graph.ir import Graph
from ..quantize.post_training import post_training
from ..quantize.to_int8 import prepare
from . import steps
from .changes import Layer
from .checkpoints import Checkpoints
from .model import Model
from .state import Job, Log, State, TrainingReport
from .substitute import pack_layers


@dataclass(frozen=True, slots=True)
class Result:
    graph: Graph  # QUANTIZED
    layers: dict[str, Layer]  # by name, those that a step changed
    model: Model  # FLOAT, after the last step


def compress(
    graph: Graph,
    recipe: rc.Recipe,
    dataset: Dataset | None,
    log: Log = lambda text: None,
    *,
    report: TrainingReport = lambda title, progress: None,
    checkpoints: Path | None = None,
) -> Result:
    """Apply the recipe's steps, quantise what stays dense, and pack what was compressed.

    Args:
        graph: FLOAT.
        dataset: training samples, of which some calibrate; None: synthetic ones, with a warning from the quantiser.
        report: is given the progress of each retraining.
        checkpoints: a folder that a killed run of the same recipe, model and data resumes from; None: none.

    Raises:
        UsageError: a step that needs what is not given, names no layer, or comes too late.
        ToolError: a step that needs a package which is not installed.
    """
    steps.check_possible(recipe, dataset)
    graph = prepare(graph)
    settings = recipe.quantize
    samples = (
        dataset
        if dataset is not None
        else synthetic(graph, steps.samples_wanted(recipe) or settings.samples, settings.seed, settings.input_range)
    )
    job = Job(graph, recipe, dataset, fit(samples, graph), log, report)
    store = Checkpoints.open(checkpoints, graph, recipe, job.samples)
    state = State(Model(graph))
    for i, step in enumerate(recipe.compress):
        where = f"compress[{i}]"
        done = store.load(i)
        if done is not None:
            log(f"{where}: {step.method} is done, taken from {store.folder}")
            state = done
            continue
        state = steps.apply(job, state, step, where, store.training(i))
        store.save(i, state)
    if state.ranges is not None:
        quantized = steps.device_graph(job, state.model, state.ranges)
    else:
        if state.layers and settings.equalise != "off":
            log("equalise: off, because it would change weights that are compressed")
            settings = settings.model_copy(update={"equalise": "off"})
        quantized = post_training(state.model.graph, dataset, settings, log, state.model.exact())
    packed, dense = pack_layers(state.model, quantized)
    for name in dense:
        log(f"note: {name}: stays dense, it has no packed form")
    return Result(packed, {name: layer for name, layer in state.layers.items() if name not in dense}, state.model)
