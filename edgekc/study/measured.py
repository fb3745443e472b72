"""A problem to the engine of a study: candidates from its tables, measured on what is built of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__, used
from .. import recipe as rc
from ..boards.board import Board
from ..data import Source, for_graph
from ..errors import UsageError
from ..exploration import costs, sensitivity, solve, space, truth
from ..exploration.candidate import Budget, Candidate, Figures
from ..exploration.problem import Problem
from ..graph.ir import dump
from ..judgement import Judgement, judge
from ..parts import check_test, described, read_test, shared
from ..progress import Log, Progress
from .engine import Identity, Space

if TYPE_CHECKING:
    from ..compression.state import OnProgress


@dataclass(slots=True)
class Measured:
    """What `engine.Engine` says, of a real network, real samples and a real compiler.

    Args:
        problem: what is searched.
        data: as it was given; its test part is read by `judge` alone.
        test: labelled samples that judge; None: the test part of the data.
    """

    problem: Problem
    data: Source | None
    test: Source | None
    log: Log
    _identity: Identity | None = None
    _cost: costs.CostTable | None = None
    _sensitivity: sensitivity.SensitivityTable | None = None
    _choices: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.problem.name

    @property
    def board(self) -> str:
        return self.problem.board.name

    @property
    def labelled(self) -> bool:
        validation = self.problem.parts.validation
        return validation is not None and validation.y is not None

    @property
    def trainable(self) -> bool:
        return importlib.util.find_spec("torch") is not None

    @property
    def identity(self) -> Identity:
        """Hashes of what figures depend on; of the samples it takes a moment, so it is made once."""
        if self._identity is None:
            problem = self.problem
            graph = dump(replace(problem.graph, name="", metadata={}))
            parts = [part.sha256 for name, part in problem.parts.described() if name != "data"]
            self._identity = Identity(
                __version__, _sha(graph), _sha(" ".join(parts)), board_key(problem.board), problem.seed
            )
        return self._identity

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Both tables; that of sensitivities goes on from what a killed run left."""
        progress("costs of every layer and choice", 0, 0)
        self._choices = space.choices(self.problem.graph)
        self._cost = costs.table(self.problem, self._choices)
        self._sensitivity = sensitivity.table(self.problem, self._choices, on_progress=progress, folder=folder)

    def space(self, budget: Budget) -> Space:
        """Every choice, for speed and for size, with all RAM and with the budget's."""
        ram = (None,) if budget.ram is None else (None, budget.ram)
        return Space(dict(self._choices), ("speed", "size"), ram)

    def candidates(self, budget: Budget, count: int) -> Sequence[Candidate]:
        """The solver's, of each way to plan and to build."""
        cost, table = self._tables()
        found: list[Candidate] = []
        ways = [Candidate((), ram=ram) for ram in self.space(budget).ram]
        for base in ways:
            # What a plan within less RAM takes is not in the tables: there it is no limit.
            limits = budget if base.ram is None else replace(budget, ram=None)
            found += solve.candidates(cost, table, limits, count, base)
        first = [solve.predicted(cost, table, candidate).proxy for candidate in found]
        order = sorted(range(len(found)), key=lambda i: (first[i], i))
        return [found[i] for i in order][:count]

    def proxy(self, candidate: Candidate) -> float | None:
        """Summed over layers; None of a trained candidate, of which the tables know nothing."""
        if candidate.epochs or candidate.keep != 1.0 or self._sensitivity is None:
            return None
        return self._sensitivity.proxy(dict(candidate.layers))

    def measure(
        self, candidate: Candidate, *, checkpoints: Path | None, on_progress: OnProgress, log: Log
    ) -> tuple[bytes, Figures]:
        """See `search.truth.measure`."""
        return truth.measure(self.problem, candidate, checkpoints=checkpoints, on_progress=on_progress, log=log)

    def recipe(self, candidate: Candidate) -> str:
        """Every key is written out."""
        return rc.dump(self._recipe(candidate))

    def check(self) -> None:
        """UsageError where the test part could not be judged by: said before hours of work."""
        check_test(self.data, self.test, rc.Recipe(quantize=self.problem.settings), self.problem.graph)

    def judge(self, data: bytes, recipe_text: str, project: Path) -> Judgement | None:
        """By the test part, with what speaks against it; what was used is recorded in the project's folder."""
        problem = self.problem
        steps = rc.parse(recipe_text)
        samples = read_test(self.data, self.test, steps)
        if samples is None:
            return None
        part = described("test", samples)
        key = _sha(f"{dump(problem.graph)}{json.dumps(steps.model_dump(mode='json'), sort_keys=True)}")
        flags = shared(problem.parts.train, samples, "training", "test")
        if problem.parts.validation is not None:
            flags += shared(problem.parts.validation, samples, "validation", "test")
        flags += used.flags(used.read(project), part, key)
        for flag in flags:
            self.log(f"warning: {flag}")
        found = judge(problem.graph, data, for_graph(samples, problem.graph), part, [], False)
        used.add(project, [*problem.parts.described(), ("test", part)], key, problem.name)
        return replace(found, flags=tuple(flags))

    def _recipe(self, candidate: Candidate) -> rc.Recipe:
        return space.recipe(candidate, self.problem.graph, data_settings=self.problem.settings)

    def _tables(self) -> tuple[costs.CostTable, sensitivity.SensitivityTable]:
        if self._cost is None or self._sensitivity is None:
            raise UsageError("the tables are not there yet")
        return self._cost, self._sensitivity


def board_key(board: Board) -> str:
    """A board's name and a hash of all that its file says."""
    return f"{board.name} {_sha(repr(replace(board, path=Path())))[:12]}"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
