"""What the steps of a recipe are given, and what they hand on to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import recipe as rc
from ..data import Dataset
from ..graph.ir import Graph
from ..quantize import calibrate
from .changes import Layer
from .model import Model

if TYPE_CHECKING:
    from ..train.loop import Progress

Log = Callable[[str], None]
TrainingReport = Callable[[str, "Progress"], None]  # what is trained, and where it is


@dataclass(frozen=True, slots=True)
class Job:
    """What a run of a recipe is given, and stays."""

    source: Graph  # FLOAT, prepared: the teacher of retraining
    recipe: rc.Recipe
    dataset: Dataset | None  # as given; None: none
    samples: Dataset  # the dataset, or synthetic samples, in the layout of the graph's input
    log: Log
    report: TrainingReport


@dataclass(frozen=True, slots=True)
class State:
    """The walk through the steps: what a checkpoint holds."""

    model: Model
    layers: dict[str, Layer] = field(default_factory=dict)
    train_books: frozenset[str] = frozenset()  # codebooks that retraining may change
    ranges: dict[str, calibrate.Range] | None = None  # of activations, fixed by training on device arithmetic
