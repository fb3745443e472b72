"""A float model, data and a budget to the model that meets it, and hosts that help to find it."""

from __future__ import annotations

import importlib.util
import math
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tables
from ..boards.board import Board
from ..errors import ToolError, UsageError
from ..exploration.candidate import Budget
from ..figures import parse_bytes, parse_seconds
from ..files.output import check_writable, write_file
from ..format.fields import MAGIC
from ..format.pack import read
from ..judgement import Judgement
from ..names import check_name
from ..progress import Log, Progress, silent, unsaid
from ..recipe import Recipe
from ..recipe import parse as parse_recipe
from ..study.engine import Engine, Settings
from ..study.picture import picture
from ..study.report import Findings
from ..study.trials import Trial
from .model import Model, check_float, load
from .samples import source_of

if TYPE_CHECKING:
    from ..exploration.problem import Problem
    from ..study.measured import Measured

_LINGER_S = 2.0  # that a search is served beyond its end, so that workers see it
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trials(tables.Shown, Sequence[Trial]):
    """All candidates of a search, in the order in which they began; a sequence of records.

    Attributes:
        findings: what they are a part of.
    """

    findings: Findings = field(repr=False)

    def __len__(self) -> int:
        return len(self.findings.trials)

    def __getitem__(self, index: Any) -> Any:
        return self.findings.trials[index]

    def to_dict(self) -> list[dict[str, Any]]:
        """A list of plain records: candidate, figures, phase, seconds, error."""
        found: list[dict[str, Any]] = self.findings.as_json()["trials"]
        return found

    def parts(self) -> list[tables.Part]:
        """The table of all that were measured; a star marks those that no other one beats."""
        return [self.findings.sheet()]

    def _repr_html_(self) -> str:
        """The table, below loss over flash as a picture."""
        f = self.findings
        return picture(f.name, f.board, f.trials, f.best, f.budget, f.unit) + tables.html(self.parts())


@dataclass(frozen=True, slots=True)
class Search(tables.Shown):
    """What a search found.

    Attributes:
        findings: all of it, as a record.
        data: bytes of the chosen model's .ekc.
        recipe: by which `compress` makes it again.
        folder: where everything is.
    """

    findings: Findings = field(repr=False)
    data: bytes = field(repr=False)
    recipe: Recipe = field(repr=False)
    folder: Path

    @property
    def met(self) -> bool:
        """Whether the chosen model is within all budgets; else it is the nearest."""
        return self.findings.best.met

    @property
    def best(self) -> Trial:
        """The chosen candidate, with its figures."""
        return self.findings.best

    @property
    def trials(self) -> Trials:
        """All candidates, as a table."""
        return Trials(self.findings)

    @property
    def judgement(self) -> Judgement | None:
        """The chosen model by the test part; None where there is none."""
        return self.findings.judgement

    @property
    def model(self) -> Model:
        """The chosen model, as `load` gives it of its file: `compile` takes it."""
        where = f"{self.findings.name}.ekc"
        return Model(self.findings.name, read(self.data, where).graph, where, Path(where), self.data)

    def save(self, path: str | Path) -> Path:
        """Write the chosen model's .ekc, completely or not at all, over an earlier .ekc or an empty file.

        Raises:
            UsageError: something else is there, or it cannot be written.
        """
        target = Path(path)
        check_writable(target, magic=MAGIC)
        write_file(target, self.data, magic=MAGIC, force=False)
        return target

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc search --json` prints, and `pareto.json` holds."""
        return self.findings.as_json()

    def parts(self) -> list[tables.Part]:
        """The choice, the candidates that no other one beats, and what more budget would buy."""
        return self.findings.lines()


def search(
    model: Any,
    *,
    data: Any,
    board: str | Path | Board,
    out: str | Path,
    max_flash: int | str | None = None,
    max_ram: int | str | None = None,
    max_latency: float | str | None = None,
    max_loss: float | None = None,
    time: float | str | None = None,
    trials: int = 60,
    epochs: int = 20,
    validation: Any = None,
    test: Any = None,
    name: str = "",
    seed: int = 0,
    serve: str = "",
    callbacks: Sequence[Callable[[Trial], None]] = (),
    log: Log = unsaid,
    progress: Progress = silent,
    on_progress: Callable[[str, Any], None] = lambda title, now: None,
) -> Search:
    """Find how to compress a float model within budgets, and write the model, its recipe and a report.

    What was measured is kept in the folder. A search that was killed, or is to go on for longer, goes on from there.

    Args:
        model: a path or Model, or whatever else `load` takes, if it is float.
        data: samples to calibrate and train on, as in `compress`.
        board: what candidates are built for: a name, the path of a board file, or a Board.
        out: the folder for everything; new, empty, or that of an earlier search of the same model, data and board.
        max_flash: bytes of weights, tables and code, as 64000, "64k" or "64Ki" (65,536); None: as many as it takes.
        max_ram: bytes of arena, state, static data and stack, likewise.
        max_latency: seconds of one run by estimated cycles, as 0.05 or "50ms".
        max_loss: points of accuracy below the float model; of a model without classes percent of output error.
        time: seconds of all runs in the folder together, as 7200 or "2h"; None: until `trials` are measured, and the
            best of them trained.
        trials: most candidates that are measured without training.
        epochs: of the last training of the best candidates; 0: nothing is trained.
        validation: samples that choose, as in `compress`.
        test: labelled samples that judge the chosen model, once, as in `compress`.
        name: of the network. Default: the model's.
        seed: of all that is drawn. With the same seed the same model is chosen, where time cut nothing and no worker
            helped.
        serve: HOST:PORT at which workers find the search, until the process ends; empty: nobody helps.
        callbacks: are given each finished trial.
        log: is given a line for each new best candidate, and for what each step did.
        progress: is told the best candidate so far, and how many are measured.
        on_progress: is given a title and the state of each training, batch by batch.

    Raises:
        UsageError: a budget is below the least possible, says the least; no budget, data or validation samples; the
            folder holds another search; nothing could be measured; a file cannot be written.
        BoardError: there is no such board.
        ModelError, UnsupportedError, ToolError: as `load`; the extra `search` is not installed.
    """
    budget = _budget(max_flash, max_ram, max_latency, max_loss)
    seconds = None if time is None else _seconds(time, "--time")
    _check_count(trials, "--trials", 1)
    _check_count(epochs, "--epochs", 0)
    _check_count(seed, "--seed", 0)
    _need_packages()
    from ..study import conduct, finish, journal, worker
    from ..study.measured import Measured

    address = worker.address(serve, "--serve") if serve else None
    folder = Path(out)
    began = clock.monotonic()
    journal.check_folder(folder)
    problem = _problem(model, data, validation, board, name, seed, log)
    engine: Engine = Measured(problem, source_of(data), source_of(test), log, epochs)
    engine.check()
    with journal.opened(folder) as storage:
        if address is not None:
            worker.serve(storage, *address)
        reports = conduct.Reports(log, progress, on_progress, callbacks)
        settings = Settings(budget, seconds, trials, epochs, seed)
        study = conduct.conduct(engine, settings, folder, storage, reports, began=began)
        found = finish.finish(engine, budget, folder, study, log)
        if address is not None:
            clock.sleep(_LINGER_S)
    return Search(found.findings, found.data, parse_recipe(found.recipe), folder)


def work(
    address: str,
    *,
    model: str | Path,
    data: Any,
    validation: Any = None,
    board: str | Path | Board = "",
    checkpoints: str | Path | None = None,
    patience: float = _PATIENCE_S,
    log: Log = unsaid,
    progress: Progress = silent,
) -> int:
    """Measure candidates for a search that runs elsewhere, until it ends; how many were measured.

    Args:
        address: HOST:PORT that the search was given as `serve`.
        model: the float model's file, the same as there.
        data: the same samples as there; order and split follow from the search's seed.
        validation: as there.
        board: as there. Default: the board of that name.
        checkpoints: a folder for those of trainings; None: none are kept.
        patience: seconds to wait for a search that does not answer.
        log: is given what each step did.
        progress: is told what is measured.

    Raises:
        UsageError: no search answers, or it is of another edgekc, another model, other data or another board.
        ModelError, UnsupportedError, ToolError, BoardError: as `search`.
    """
    _need_packages()
    from ..study import worker
    from ..study.measured import Measured

    host, port = worker.address(address, "address")

    def open_engine(identity: dict[str, Any]) -> Measured:
        chosen = board or str(identity["board"]).partition(" ")[0]
        problem = _problem(model, data, validation, chosen, "", int(identity["seed"]), log)
        return Measured(problem, None, None, log)

    kept = None if checkpoints is None else Path(checkpoints)
    return worker.work(host, port, open_engine, patience=patience, log=log, progress=progress, checkpoints=kept)


def _problem(
    model: Any, data: Any, validation: Any, board: str | Path | Board, name: str, seed: int, log: Log
) -> Problem:
    """The problem of a file, or of whatever else `load` takes."""
    from ..exploration.problem import Problem

    more: dict[str, Any] = {"validation": source_of(validation), "board": board, "seed": seed, "log": log}
    if name:
        check_name(name)
    if isinstance(model, (str, Path)):
        return Problem.open(Path(model), source_of(data), name=name, **more)
    loaded = load(model, name=name)
    check_float(loaded)
    name = name or loaded.name
    if loaded.path is not None:
        return Problem.open(loaded.path, source_of(data), name=name, **more)
    return replace(Problem.open(loaded.graph, source_of(data), name=name, **more), origin=loaded.origin)


def _budget(flash: int | str | None, ram: int | str | None, latency: float | str | None, loss: float | None) -> Budget:
    if (flash, ram, latency, loss) == (None, None, None, None):
        fix = "give one of --max-flash, --max-ram, --max-latency and --max-loss"
        raise UsageError("a search without a budget has nothing to look for", fix=fix)
    if loss is not None and not (isinstance(loss, (int, float)) and math.isfinite(loss) and loss >= 0):
        raise UsageError(f"{loss!r} is no number of points", where="--max-loss", fix="write 1.0 for one point")
    return Budget(
        None if flash is None else _bytes(flash, "--max-flash"),
        None if ram is None else _bytes(ram, "--max-ram"),
        None if latency is None else _seconds(latency, "--max-latency"),
        None if loss is None else float(loss),
    )


def _bytes(value: int | str, option: str) -> int:
    found = parse_bytes(str(value), option)
    if found <= 0:
        raise UsageError(f"{option} {value!r}: nothing fits into that")
    return found


def _seconds(value: float | str, option: str) -> float:
    if isinstance(value, str):
        return parse_seconds(value, option)
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
        raise UsageError(f"{value!r} is no number of seconds above 0", where=option)
    return float(value)


def _check_count(value: int, option: str, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**32:
        raise UsageError(f"{value!r} is no whole number from {least} on", where=option)


def _need_packages() -> None:
    for module in ("optuna", "grpc", "scipy"):
        if importlib.util.find_spec(module) is None:
            raise ToolError(f"a search needs {module}", fix="pip install 'edgekc[search]'")
