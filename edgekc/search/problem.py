"""A float model, data and a board to what a search works on: samples that calibrate or choose, and a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..boards.board import Board
from ..data import Source
from ..graph.ir import Graph
from ..parts import Parts
from ..progress import Log, unsaid
from ..quantize.settings import Quantize


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
            UsageError: the model is quantised already, there is no data, or nothing can be split off to choose by;
                labelled samples of one class only.
            BoardError: there is no such board.
            ModelError, UnsupportedError, ToolError: as importing.
        """
        raise NotImplementedError
