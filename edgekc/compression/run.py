"""A FLOAT graph, a recipe and data to a QUANTIZED graph with compressed layers: the steps in their order.

What a step loses, a `retrain` step behind it wins back; docs/compression.md says what each step costs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import affordable
from ..data import Dataset, for_graph, synthetic
from ..errors import ToolError, UsageError
from ..graph.ir import Graph
from ..progress import Log, unsaid
from ..quantize.to_int8 import prepare
from .changes import Layer
from .checkpoints import Checkpoints
from .foresight import foresee
from .model import Model
from .quantized import calibrated_graph, device_graph
from .state import Job, OnProgress, State
from .substitute import pack_layers

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..train.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Result:
    graph: Graph  # QUANTIZED
    layers: dict[str, Layer]  # by name, those that a step changed
    model: Model  # FLOAT, after the last step


def compress(
    graph: Graph,
    recipe: Recipe,
    dataset: Dataset | None,
    log: Log = unsaid,
    *,
    validation: Dataset | None = None,
    on_progress: OnProgress = lambda title, progress: None,
    trainer: Callable[[], Trainer] | None = None,
    checkpoints: Path | None = None,
) -> Result:
    """Apply the recipe's steps, quantise what stays dense, and pack what was compressed.

    Args:
        graph: FLOAT.
        dataset: training samples, of which some calibrate; None: synthetic ones, with a warning from the quantiser.
        validation: samples by which steps that train choose epochs and learning rates, and see whether they made it
            worse; None: nothing is chosen.
        on_progress: is given the progress of each retraining.
        trainer: makes what the steps that train need, `edgekc.train.pytorch.trainer`; called only where there are
            such steps. None: there are none.
        checkpoints: a folder that a killed run of the same recipe, model and data resumes from; None: none.

    Raises:
        UsageError: a step that needs what is not given, names no layer, or comes too late.
        ToolError: a step that needs a package which is not installed.
    """
    check_possible(recipe, dataset, trainer is not None, graph)
    graph = prepare(graph)
    foresee(recipe, graph, dataset)
    settings = recipe.quantize
    samples = (
        dataset
        if dataset is not None
        else synthetic(graph, _made_up(recipe, graph), settings.seed, settings.input_range)
    )
    fed = for_graph(samples, graph)
    chooses = None if validation is None else for_graph(validation, graph)
    made = trainer() if trainer is not None and recipe.needs_trainer else None
    job = Job(graph, recipe, dataset, fed, log, on_progress, chooses, made)
    store = Checkpoints.open(checkpoints, graph, recipe, fed, chooses, made)
    state = State(Model(graph))
    for i, step in enumerate(recipe.compress):
        where = f"compress[{i}]"
        done = store.load(i)
        if done is not None:
            log(f"{where}: {step.method} is done, taken from {store.folder}")
            state = done
            continue
        if step.trains or store.first:
            state = step.apply(replace(job, where=where, training=store.training(i)), state)
        state = store.shared(state)
        store.save(i, state)
    if state.ranges is not None:
        quantized = device_graph(job, state.model, state.ranges)
    else:
        quantized = calibrated_graph(job, state, log)
    packed, dense = pack_layers(state.model, quantized)
    for name in dense:
        log(f"note: {name}: stays dense, it has no packed form")
    return Result(packed, {name: layer for name, layer in state.layers.items() if name not in dense}, state.model)


def _made_up(recipe: Recipe, graph: Graph) -> int:
    """How many samples to make where there is no data: as many as the steps may look at."""
    settings = recipe.quantize
    if recipe.samples_wanted is None:
        return settings.samples
    stated = settings.samples if settings.counted else 0
    return max(affordable.samples(graph, recipe.samples_wanted), stated)


def check_possible(recipe: Recipe, dataset: Dataset | None, can_train: bool, graph: Graph) -> None:
    """Refuses, before hours of work, what a later step could not do.

    Raises:
        UsageError: a step whose samples lack labels or sequences, or that takes no network with a state.
        ToolError: a step that needs a package which is not installed, or a trainer that was not passed.
    """
    for i, step in enumerate(recipe.compress):
        where, package = f"compress[{i}]", step.package
        if graph.states and not step.sequences:
            takes = "cluster, codebook, pairs, svd, retrain and prune take such a network"
            raise UsageError(f"method {step.method} takes no network that keeps a state", where=where, fix=takes)
        step.check(dataset, graph, where)
        if package is not None and importlib.util.find_spec(package.module) is None:
            raise ToolError(f"method {step.method} needs {package.name}", where=where, fix=package.fix)
        if step.needs_trainer and not can_train:
            fix = "pass trainer=edgekc.train.pytorch.trainer"
            raise ToolError(f"method {step.method} needs a trainer", where=where, fix=fix)
