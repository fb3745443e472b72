"""A float model, data and a board to what a search works on: samples that calibrate or choose, and a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..boards.board import Board, load_board
from ..data import Dataset, Source, batches_for, for_graph, subset
from ..errors import UsageError
from ..evaluate import Accuracy, accuracy_of, classes_of
from ..graph.ir import Array, Graph
from ..importers import import_model
from ..names import check_name, default_name
from ..ops import legal, source_of
from ..parts import Parts, read_parts
from ..pipeline import read_model, source_metadata
from ..progress import Log, unsaid
from ..quantize import float_reference
from ..quantize.settings import Quantize
from ..quantize.to_int8 import prepare
from ..recipe import Recipe
from ..train.steps.retrain import Retrain
from . import space
from .candidate import Candidate

MOST_JUDGED = 2000  # validation samples that judge a candidate: its accuracy is then known within a point or two


@dataclass(frozen=True)
class Problem:
    """What every part of a search is given. It can be pickled, for workers.

    Attributes:
        name: of the network; becomes C identifiers.
        source: the model's file; None of a graph.
        graph: FLOAT, as imported.
        board: what candidates are built for.
        parts: training and validation samples. The test part is not read.
        seed: of the split and of the calibration samples.
        settings: the recipe's [quantize] of every candidate.
        origin: what a packed model says of its source.
    """

    name: str
    source: Path | None
    graph: Graph
    board: Board
    parts: Parts
    seed: int
    settings: Quantize
    origin: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def open(
        model: Path | Graph,
        data: Source | None,
        *,
        validation: Source | None = None,
        board: str | Path | Board,
        name: str = "",
        seed: int = 0,
        log: Log = unsaid,
    ) -> Problem:
        """Read the model and the samples, and check that a search can judge by them.

        Args:
            model: a float model's file, or the FLOAT graph that one was imported to.
            data: samples to calibrate and train on, as `compress` takes them.
            validation: samples that choose; None: the `validation` split of the data, or some that are split off.
            board: a name, the path of a board file, or a Board.
            name: of the network. Default: the model's.
            seed: of the split, and of what is made up.

        Raises:
            UsageError: the model is quantised already or keeps a state, there is no data, or nothing can be split off
                to choose by; labelled samples of one class only.
            BoardError: there is no such board.
            ModelError, UnsupportedError, ToolError: as importing.
        """
        target = board if isinstance(board, Board) else load_board(board)
        path = model if isinstance(model, Path) else None
        chosen = check_name(name or (default_name(path) if path is not None else model.name))
        graph = import_model(model, chosen) if isinstance(model, Path) else replace(model, name=chosen)
        where = str(path) if path is not None else chosen
        legal.require_float(graph, where)
        if graph.states:
            fix = "compress it by a recipe of your own"
            raise UsageError("a search takes no network that keeps a state", where=where, fix=fix)
        if data is None:
            raise UsageError("a search needs samples to choose by", where=where, fix="pass --data")
        settings = Quantize(seed=seed)
        # As for a recipe that trains: then samples are split off whatever else there is.
        trains = Recipe(compress=(Retrain(method="retrain", epochs=1),), quantize=settings)
        parts = read_parts(data, validation, None, trains, graph, log)
        _check_judges(parts, graph)
        origin = {} if path is None else source_metadata(path, read_model(path), "")
        return Problem(chosen, path, graph, target, parts, seed, settings, origin)

    @cached_property
    def prepared(self) -> Graph:
        """The graph that steps of a recipe see."""
        return prepare(self.graph)

    def recipe(self, candidate: Candidate) -> Recipe:
        """By which `compress` makes a candidate; see `space.recipe`."""
        return space.recipe(candidate, self.graph, data_settings=self.settings, samples=len(self.parts.train))

    @cached_property
    def judging(self) -> Dataset:
        """The validation samples that judge, in the layout of the graph's input: all, or 2,000 picked by the seed."""
        assert self.parts.validation is not None  # `open` has checked
        return subset(for_graph(self.parts.validation, self.graph), MOST_JUDGED, self.seed)

    @property
    def labelled(self) -> bool:
        """Whether candidates are judged by accuracy. Else by how far their outputs are off."""
        return self.judging.y is not None

    @property
    def scores(self) -> str:
        """The activation that has a score for each class: the output, before a softmax that ends the graph."""
        output = self.prepared.outputs[0]
        last = next(node for node in self.prepared.nodes if output in node.outputs)
        return last.inputs[0] if source_of(last).makes_probabilities else output

    @cached_property
    def float_outputs(self) -> Array:
        """The float model's first output on the judging samples, (n, *shape)."""
        parts = [float_reference.outputs(self.graph, [x])[0] for x in batches_for(self.judging, self.graph, 128)]
        return np.concatenate(parts)

    @cached_property
    def float_accuracy(self) -> Accuracy | None:
        """Of the float model on the judging samples; None without labels."""
        return accuracy_of(classes_of(self.float_outputs), self.judging.labels) if self.labelled else None


def _check_judges(parts: Parts, graph: Graph) -> None:
    """UsageError where the validation samples tell nothing about a candidate."""
    found = parts.validation
    if found is None:
        what = f"{len(parts.train)} samples are too few to split off any that choose"
        raise UsageError(what, where=parts.train.where, fix="pass more samples, or --validation")
    for_graph(found, graph)
    for_graph(parts.train, graph)
    if found.y is not None and len(np.unique(found.labels)) < 2:
        what = "its labels are all of one class, by which every model looks alike"
        raise UsageError(what, where=found.where, fix="pass samples of all classes, or samples without labels")
