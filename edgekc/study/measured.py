"""A problem to the engine of a study: candidates from its tables, measured on what is built of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__, used
from .. import recipe as rc
from ..boards.board import Board
from ..data import Source, for_graph
from ..errors import UsageError
from ..exploration import solve, space, truth, widths
from ..exploration.candidate import Budget, Candidate, Figures
from ..exploration.problem import Problem
from ..graph.ir import dump
from ..judgement import Judgement, judge
from ..parts import check_test, described, read_test, shared
from ..progress import Log, Progress
from .engine import Identity, Space, checkpoint_folder

if TYPE_CHECKING:
    from ..compression.state import OnProgress


@dataclass(slots=True)
class Measured:
    """What `engine.Engine` says, of a real network, real samples and a real compiler.

    Args:
        problem: what is searched.
        data: as it was given; its test part is read by `judge` alone.
        test: labelled samples that judge; None: the test part of the data.
        epochs: of the longest training of a candidate; 0: none is trained.
    """

    problem: Problem
    data: Source | None
    test: Source | None
    log: Log
    epochs: int = 0
    _identity: Identity | None = None
    _widths: dict[float, widths.Width] = field(default_factory=dict)  # what `keep` of a candidate leaves

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
        epochs = self.epochs if self.trainable else 0
        self._widths[1.0] = widths.whole(self.problem, epochs, folder=folder, on_progress=progress)

    def space(self, budget: Budget) -> Space:
        """Every choice, for speed and for size, with all RAM and with the budget's, and every width."""
        ram = (None,) if budget.ram is None else (None, budget.ram)
        prunes = self.epochs > 0 and self.trainable and self.labelled
        return Space(dict(self._width(1.0).choices), ("speed", "size"), ram, (1.0, *(space.KEEP if prunes else ())))

    def candidates(self, budget: Budget, count: int) -> Sequence[Candidate]:
        """The solver's, of each way to plan and to build; where there is training, a third learns steps."""
        return self._proposed(budget, count, 1.0)

    def may_narrow_to(self, budget: Budget) -> bool:
        """By what is least times the narrowest network's share of computation, with which the others fall, about."""
        floor, most = solve.least(self._width(1.0).cost), min(self.space(budget).keep)
        asked = ((budget.flash, floor.flash), (budget.ram, floor.ram), (budget.seconds, floor.seconds))
        return most < 1 and all(limit is None or least is None or limit >= most * least for limit, least in asked)

    def narrower(
        self, budget: Budget, count: int, keep: float, folder: Path, *, on_training: OnProgress, progress: Progress,
        log: Log,
    ) -> Sequence[Candidate]:  # fmt: skip
        """The network is pruned in earnest, once; the folder keeps what came out, for the candidates too."""
        title = f"keep-{keep:g}"
        progress(f"a network of {keep:.0%} of the computation", 0, 0)
        self._widths[keep] = widths.narrower(
            self.problem, keep, self.epochs, folder=folder / "widths" / title,
            checkpoints=checkpoint_folder(folder / "checkpoints", Candidate((), keep=keep)),
            on_training=on_training, on_progress=progress, log=log,
        )  # fmt: skip
        try:
            return self._proposed(budget, count, keep)
        except UsageError as error:
            log(f"note: a network of {keep:.0%} of the computation: {error}")
            return []

    def corrected(self, budget: Budget, candidate: Candidate, figures: Figures) -> Candidate | None:
        """By the tables of its width, and of its choices where it learns steps."""
        width = self._width(candidate.keep)
        own = space.stepped(width.choices) if space.learns_steps(candidate) else width.choices
        return solve.corrected(width.cost, width.losses, budget, candidate, figures, own)

    def learns(self, candidate: Candidate) -> bool:
        """Whether it has layers on steps."""
        return space.learns_steps(candidate)

    def proxy(self, candidate: Candidate) -> float | None:
        """Summed over layers; None of a trained candidate, of which the tables know nothing."""
        width = self._widths.get(candidate.keep)
        return None if candidate.epochs or width is None else width.proxy(candidate)

    def measure(
        self, candidate: Candidate, *, checkpoints: Path | None, on_progress: OnProgress, log: Log
    ) -> tuple[bytes, Figures]:
        """See `search.truth.measure`."""
        return truth.measure(self.problem, candidate, checkpoints=checkpoints, on_progress=on_progress, log=log)

    def recipe(self, candidate: Candidate) -> str:
        """Every key is written out."""
        return rc.dump(self.problem.recipe(candidate))

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

    def _width(self, keep: float) -> widths.Width:
        if keep not in self._widths:
            raise UsageError("the tables are not there yet")
        return self._widths[keep]

    def _proposed(self, budget: Budget, count: int, keep: float) -> list[Candidate]:
        width = self._width(keep)
        learning = count // 3 if self.epochs and self.trainable else 0
        found = self._solved(budget, count - learning, keep, width.choices)
        if learning:
            with suppress(UsageError):  # the budgets are below what 2 bits everywhere take
                found += self._solved(budget, learning, keep, space.stepped(width.choices))
        return list(dict.fromkeys(found))

    def _solved(
        self, budget: Budget, count: int, keep: float, own: Mapping[str, tuple[str, ...]]
    ) -> list[Candidate]:  # fmt: skip
        """The solver's of these choices, the most promising first."""
        width = self._width(keep)
        cost = width.cost.within(own)
        found: list[Candidate] = []
        for ram in self.space(budget).ram:
            # What a plan within less RAM takes is not in the tables: there it is no limit.
            limits = budget if ram is None else replace(budget, ram=None)
            found += solve.candidates(cost, width.losses, limits, count, Candidate((), keep=keep, ram=ram))
        proxies = [solve.predicted(cost, width.losses, candidate).proxy for candidate in found]
        order = sorted(range(len(found)), key=lambda i: (proxies[i], i))
        return [found[i] for i in order][:count]


def board_key(board: Board) -> str:
    """A board's name and a hash of all that its file says."""
    said = {**asdict(board), "path": ""}
    # A set is written in another order by each process.
    return f"{board.name} {_sha(json.dumps(said, sort_keys=True, default=sorted))[:12]}"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
