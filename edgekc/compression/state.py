"""What the steps of a recipe are given, and what they hand on to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..data import Dataset
from ..graph.ir import Graph
from ..progress import Log
from ..quantize import calibrate
from .changes import Layer
from .model import Model

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..train.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is, after each of its steps."""

    epoch: int  # from 0
    epochs: int
    step: int  # of the epoch, from 0
    steps: int
    loss: float  # mean of the epoch so far
    accuracy: float | None  # of the epoch so far on augmented training samples, 0..1; None without labels
    seconds_left: float
    unit: str = "epoch"  # what an epoch is called


OnProgress: TypeAlias = Callable[[str, Progress], None]  # what is trained, and where it is


@dataclass(frozen=True, slots=True)
class Job:
    """What a step is given beside the state."""

    source: Graph  # FLOAT, prepared: the teacher of retraining
    recipe: Recipe
    dataset: Dataset | None  # as given; None: none
    samples: Dataset  # the dataset, or synthetic samples, in the layout of the graph's input
    log: Log
    on_progress: OnProgress
    validation: Dataset | None = None  # in the layout of the graph's input; chooses; None: nothing is chosen
    trainer: Trainer | None = None  # of the steps that train; None where the recipe has none
    where: str = ""  # the step's place in the recipe, for errors: compress[1]
    training: Path | None = None  # where the step's training keeps its own checkpoint; None: nowhere


@dataclass(frozen=True, slots=True)
class State:
    """The walk through the steps: what a checkpoint holds."""

    model: Model
    layers: dict[str, Layer] = field(default_factory=dict)
    train_books: frozenset[str] = frozenset()  # codebooks that retraining may change
    ranges: dict[str, calibrate.Range] | None = None  # of activations, fixed by training on device arithmetic
