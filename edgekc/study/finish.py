"""A study that has ended to its output folder: the packed model, its recipe, all candidates, a picture and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

from ..exploration.candidate import Budget
from ..exploration.solve import Correlation, rank_correlation
from ..files.output import write_file
from ..progress import Log
from . import evaluate, journal
from .engine import Engine
from .picture import picture
from .report import Findings, to_json
from .trials import Trial, ranked

_LEAST = 3  # candidates whose ranking says something


@dataclass(frozen=True, slots=True)
class Finished:
    """What a search hands over.

    Attributes:
        findings: what is reported.
        data: bytes of the best model's .ekc.
        recipe: TOML text that makes it.
    """

    findings: Findings
    data: bytes
    recipe: str


def finish(engine: Engine, budget: Budget, folder: Path, study: optuna.Study, log: Log) -> Finished:
    """Choose, judge and write.

    Raises:
        UsageError: a file cannot be written; what was measured stays in the folder.
    """
    trials = evaluate.records(study, budget, engine.proxy)
    best = ranked(trials, budget)[0]
    data = _model(engine, folder, study, best, log)
    recipe = engine.recipe(best.candidate)
    write_file(folder / "best.ekc", data)
    write_file(folder / "recipe.toml", recipe.encode())
    findings = Findings(
        engine.name, engine.board, engine.identity, budget, tuple(trials), best, _correlation(trials), engine.labelled,
        engine.judge(data, recipe, folder),
    )  # fmt: skip
    drawn = picture(findings.name, findings.board, trials, best, budget, findings.unit)
    write_file(folder / "pareto.svg", drawn.encode())
    write_file(folder / "report.md", findings.markdown(recipe).encode())
    write_file(folder / "pareto.json", to_json(findings))
    return Finished(findings, data, recipe)


def _model(engine: Engine, folder: Path, study: optuna.Study, best: Trial, log: Log) -> bytes:
    """The packed model as it was measured: kept here, sent by a worker, or made again."""
    kept = folder / journal.MODELS / f"{best.candidate.key}.ekc"
    if kept.is_file():
        return kept.read_bytes()
    for trial in study.get_trials(deepcopy=False):
        candidate = evaluate.candidate_of(trial)
        if candidate is not None and candidate.key == best.candidate.key:
            sent = evaluate.received_model(trial)
            if sent is not None:
                return sent
    log(f"note: {best.candidate.key} is made again: a worker measured it")
    data, figures = engine.measure(
        best.candidate, checkpoints=None, on_progress=lambda title, now: None, log=log
    )  # fmt: skip
    if figures != best.figures:
        log(f"warning: {best.candidate.key} is another one here: {figures}, and at the worker {best.figures}")
    return data


def _correlation(trials: Sequence[Trial]) -> Correlation | None:
    pairs = [(t.proxy, t.figures.loss) for t in trials if t.proxy is not None and t.figures is not None]
    if len(pairs) < _LEAST:
        return None
    return rank_correlation([proxy for proxy, _ in pairs], [loss for _, loss in pairs])
