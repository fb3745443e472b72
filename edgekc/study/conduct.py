"""An engine and settings to measured candidates: the phases of a study, their time, and those who work for it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..errors import EdgekcError, UsageError
from ..exploration.candidate import Candidate
from ..files.output import write_file
from ..progress import Log, Progress
from . import evaluate as ev
from . import journal
from .engine import Engine, Settings, checkpoint_folder
from .trials import OBJECTIVES, Trial, near, ranked, worth_training

BEAT = "beat"  # of a trial at a worker: a number that changes as long as the worker lives
LOST_S = 60.0  # without a beat a worker is lost
_POLL_S = 0.2
_SOLVER = 16  # candidates of the solver, at most a third of all
_SHORT = (4, 2)  # candidates of the short training, and its epochs
_LONG = 2  # candidates of the long one
_NEAR, _CORRECTIONS = 4, 3  # of the solver's candidates that are followed by corrected ones, and how often
_NARROW, _AROUND = 4, 8  # of each width candidates of the solver, and of all of them drawn ones
_SURE = 0.05  # of a training: before, nobody knows how long it takes
_PHASES = {
    "untrained": "candidates without training",
    "widths": "candidates of narrower networks",
    "short": "short trainings",
    "long": "long trainings",
}
_UNTRAINED = ("untrained", "widths")  # phases whose candidates are not retrained
_SPENT = "spent"  # of a study: seconds of all runs so far


class TimeUpError(Exception):
    """A training would not end in time."""


@dataclass(slots=True)
class Reports:
    """Who is told what; see `edgekc.search`."""

    log: Log
    progress: Progress
    on_training: ev.OnTraining
    callbacks: Sequence[Callable[[Trial], None]] = ()


@dataclass(slots=True)
class _Run:
    """What changes while a study runs."""

    engine: Engine
    settings: Settings
    folder: Path
    study: optuna.Study
    others: Sequence[optuna.Study]
    reports: Reports
    orders: ev.Orders
    began: float = field(default_factory=time.monotonic)
    spent: float = 0.0  # by earlier runs
    told: set[int] = field(default_factory=set)  # numbers of trials that callbacks know
    best: str = ""  # its line
    beats: dict[int, tuple[Any, float]] = field(default_factory=dict)  # number -> last beat, and when it changed
    ends: float | None = None  # of the phase, on the clock that `began` is of

    # ---- time ----

    @property
    def left(self) -> float | None:
        """Seconds of the whole study."""
        if self.settings.seconds is None:
            return None
        return self.settings.seconds - self.spent - (time.monotonic() - self.began)

    def begin(self, phase: str, later: Sequence[str]) -> None:
        """Give a phase its share of the time, and tell workers."""
        shares, left = self.settings.shares, self.left
        self.ends = None
        if left is not None:
            share = shares[phase] / sum(shares[name] for name in (phase, *later))
            self.ends = time.monotonic() + share * left
        bound = "" if left is None else f", at most {share * max(left, 0.0):.0f} s"
        self.reports.log(f"note: {_PHASES[phase]}{bound}")
        self.give(replace(self.orders, phase=phase, sampling=False))

    def fits(self, seconds: float) -> bool:
        """Whether something of so many seconds ends within the phase."""
        return self.ends is None or time.monotonic() + seconds <= self.ends

    def give(self, orders: ev.Orders) -> None:
        self.orders = orders
        self.study.set_user_attr(ev.ORDERS, orders.to_dict())

    # ---- trials ----

    def records(self) -> list[Trial]:
        return ev.records(self.study, self.settings.budget, self.engine.proxy)

    def add(self, candidates: Sequence[Candidate], phase: str) -> None:
        """Those that are not there yet, to those that wait."""
        trials = self.study.get_trials(deepcopy=False)
        alive = [t for t in trials if t.state in (TrialState.WAITING, TrialState.RUNNING) or ev.is_final(t)]
        there = {ev.key_of(c) for t in alive if (c := ev.candidate_of(t)) is not None}
        for candidate in candidates:
            if ev.key_of(candidate) not in there:
                ev.enqueue(self.study, self.orders, candidate, phase)
                there.add(ev.key_of(candidate))

    def work(self, expected: float) -> None:
        """Measure what there is, and wait for what workers measure, until nothing is left or time is up.

        Args:
            expected: seconds that one candidate takes, before any was measured.
        """
        while True:
            self.look()
            if not self.fits(self.typical(expected)):
                self.drop()
                return
            taken = ev.take(self.study, self.orders)
            if taken is not None:
                self.one(*taken)
            elif any(t.state is TrialState.RUNNING for t in self.study.get_trials(deepcopy=False)):
                time.sleep(_POLL_S)
            else:
                self.look()
                return

    def typical(self, expected: float) -> float:
        """Seconds that the next candidate takes: as the longest of the last ones of this phase."""
        phases = ev.UNTRAINED if self.orders.phase in _UNTRAINED else (self.orders.phase,)
        trials = [t for t in self.study.get_trials(deepcopy=False) if t.user_attrs.get("phase") in phases]
        seconds = [float(t.user_attrs.get("seconds", 0.0)) for t in trials if t.state is TrialState.COMPLETE]
        return max(seconds[-5:], default=expected)

    def one(self, trial: optuna.Trial, candidate: Candidate) -> None:
        """Measure one candidate here."""
        earlier = ev.known([self.study, *self.others]).get(ev.key_of(candidate))
        trains = candidate.epochs > 0 or candidate.keep < 1
        checkpoints = checkpoint_folder(self.folder / "checkpoints", candidate) if trains else None

        def keep(_trial: optuna.Trial, found: Candidate, data: bytes) -> None:
            write_file(self.folder / journal.MODELS / f"{found.key}.ekc", data)

        try:
            ev.evaluate(
                self.study, self.orders, trial, candidate, self.engine, earlier, worker="", checkpoints=checkpoints,
                on_progress=self.on_training, log=self.reports.log, keep=keep,
            )  # fmt: skip
        except TimeUpError:
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            self.reports.log(f"note: {candidate.key}: its training would not have ended in time")
        self.keep_time()

    def on_training(self, title: str, now: Any) -> None:
        """TimeUpError where a training would end later than the phase."""
        self.reports.on_training(title, now)
        late = self.ends is not None and time.monotonic() + now.seconds_left > self.ends
        if late and now.epoch * now.steps + now.step >= _SURE * now.epochs * now.steps:
            raise TimeUpError

    def keep_time(self) -> None:
        """For the next run, if this one is killed."""
        self.study.set_user_attr(_SPENT, round(self.spent + time.monotonic() - self.began, 3))

    def drop(self) -> None:
        """What still waits when a phase's time is up; a later run with more time takes it up again."""
        self.give(replace(self.orders, sampling=False))
        while (taken := ev.take(self.study, self.orders)) is not None:
            self.study.tell(taken[0], state=TrialState.FAIL, skip_if_finished=True)
        self.look()

    def look(self) -> None:
        """Tell of what is new, and give back what lost workers had."""
        trials, now = self.study.get_trials(deepcopy=False), time.monotonic()
        new = {t.number for t in trials if ev.is_final(t)} - self.told
        if new:
            self.tell(new, trials)
        for trial in (t for t in trials if t.state is TrialState.RUNNING):
            beat = trial.user_attrs.get(BEAT)
            before, since = self.beats.setdefault(trial.number, (beat, now))
            if beat != before:
                self.beats[trial.number] = (beat, now)
            elif now - since > LOST_S:
                self.reports.log(f"warning: a worker was lost, and trial {trial.number} is given to others")
                ev.give_back(self.study, self.orders, trial, lost=True)

    def tell(self, new: set[int], trials: Sequence[FrozenTrial]) -> None:
        found = self.records()
        self.told |= new
        if best := ranked(found, self.settings.budget)[:1]:
            line = short_line(best[0])
            if line != self.best:
                self.reports.log(f"best so far: {line}")
            self.best = line
        untrained = self.orders.phase in _UNTRAINED
        total = self.orders.trials if untrained else len(trials)
        done = len([t for t in found if t.candidate.epochs == 0]) if untrained else len(found)
        self.reports.progress(self.best, min(done, total), total)
        for trial in found:
            if trial.number in new:
                for callback in self.reports.callbacks:
                    callback(trial)


def short_line(trial: Trial) -> str:
    """A trial's figures, for a progress line."""
    f = trial.figures
    assert f is not None
    took = "" if f.seconds is None else f", {1000 * f.seconds:.3g} ms"
    beyond = "" if trial.met else f", beyond {', '.join(trial.over)}"
    return f"flash {f.flash:,} B, RAM {f.ram:,} B{took}, loss {f.loss:.2f}{beyond}"


def conduct(
    engine: Engine,
    settings: Settings,
    folder: Path,
    storage: optuna.storages.JournalStorage,
    reports: Reports,
    *,
    began: float | None = None,
) -> optuna.Study:
    """Run all phases, from where a killed run left them; what was measured is in the study, see `evaluate.records`.

    Args:
        began: when the time began, on the monotonic clock; None: now.

    Raises:
        UsageError: the folder's study is of something else, a budget is below the least possible, or time was up before
            anything was measured.
    """
    began = time.monotonic() if began is None else began
    journal.check_identity(storage, engine.identity, str(folder))
    ev.check_attributes(journal.every_study(storage), str(folder / journal.FILE))
    engine.prepare(folder, reports.progress)
    space = engine.space(settings.budget)
    proposed, beyond = _proposed(engine, settings, reports)
    orders = ev.Orders("untrained", False, settings.trials, settings.seed, space, settings.budget)
    study = _study(storage, engine, orders)
    others = [s for s in journal.every_study(storage) if s.study_name != study.study_name]
    for other in others:
        _close(other)
    run = _Run(engine, settings, folder, study, others, reports, orders, began, float(study.user_attrs.get(_SPENT, 0)))
    run.told = {t.number for t in study.get_trials(deepcopy=False) if ev.is_final(t)}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        ev.give_back(study, orders, trial, lost=False)
    trains = engine.trainable and settings.epochs > 0
    later = ("widths",) * bool(space.keep[1:]) + ("short", "long") if trains else ()
    run.begin("untrained", later)
    if beyond is None:
        run.add(proposed, "solver")
        run.work(0.0)
        _correct(run, proposed)
        run.give(replace(run.orders, sampling=True))
        run.work(0.0)
    if trains:
        if space.keep[1:]:
            _narrow(run, space.keep[1:])
        _train(run)
    run.give(replace(run.orders, done=True, sampling=False))
    if not ranked(run.records(), settings.budget):
        raise beyond if beyond is not None and run.fits(0.0) and not run.records() else _nothing(run)
    return study


def _proposed(engine: Engine, settings: Settings, reports: Reports) -> tuple[Sequence[Candidate], UsageError | None]:
    """The solver's candidates of the whole network; or why it has none, where one of fewer channels may have some."""
    try:
        return engine.candidates(settings.budget, min(_SOLVER, max(settings.trials // 3, 1))), None
    except UsageError as error:
        if not (engine.trainable and settings.epochs > 0 and engine.may_narrow_to(settings.budget)):
            raise
        reports.log(f"note: {error.what}; networks of fewer channels are tried")
        return [], error


def _correct(run: _Run, proposed: Sequence[Candidate]) -> None:
    """What comes near a limit is followed by what saves just the rest, or takes it: figures correct the tables."""
    chains = near([t for t in run.records() if t.candidate in proposed], run.settings.budget, _NEAR)
    for _ in range(_CORRECTIONS):
        asked = [run.engine.corrected(run.settings.budget, t.candidate, t.figures) for t in chains if t.figures]
        new = list(dict.fromkeys(c for c in asked if c is not None))
        if not new:
            return
        run.add(new, "corrected")
        run.work(0.0)
        chains = [t for t in run.records() if t.candidate in new and t.figures]


def _narrow(run: _Run, widths: Sequence[float]) -> None:
    """Networks of fewer channels: each is trained once, and then its candidates are measured like all others."""
    run.begin("widths", ("short", "long"))
    proposed: list[Candidate] = []

    def log(text: str) -> None:
        """A line comes with each round of pruning."""
        run.reports.log(text)
        if not run.fits(0.0):
            raise TimeUpError

    for keep in widths:
        try:
            found = run.engine.narrower(
                run.settings.budget, _NARROW, keep, run.folder, on_training=run.on_training,
                progress=run.reports.progress, log=log,
            )  # fmt: skip
        except TimeUpError:
            run.reports.log(f"note: there is no time for a network of {keep:.0%} of the computation")
            break
        except EdgekcError as error:
            run.reports.log(f"note: no network of {keep:.0%} of the computation: {error}")
            break
        finally:
            run.keep_time()
        run.add(found, "solver")
        proposed += found
        run.work(0.0)
    if proposed:
        _correct(run, proposed)
        run.give(replace(run.orders, sampling=True, widths=True, trials=run.orders.trials + len(proposed) + _AROUND))
        run.work(0.0)


def _train(run: _Run) -> None:
    """Short trainings of the few that may become best, long ones of those that did."""
    count, epochs = _SHORT[0], min(_SHORT[1], run.settings.epochs)
    run.begin("short", ("long",))
    chosen = worth_training(run.records(), run.settings.budget, count, run.engine.learns)
    short = [replace(t.candidate, epochs=epochs) for t in chosen]
    run.add(short, "short")
    run.work(max((t.seconds for t in chosen), default=0.0))
    keys = {candidate.key for candidate in short}
    best = [t for t in ranked(run.records(), run.settings.budget) if t.candidate.key in keys][:_LONG]
    if not best or run.settings.epochs <= epochs:
        return
    run.begin("long", ())
    run.add([replace(t.candidate, epochs=_affordable(run, t, epochs)) for t in best], "long")
    run.work(0.0)


def _affordable(run: _Run, trial: Trial, epochs: int) -> int:
    """Epochs of a long training: all that were asked for, or as many as its share of the time holds."""
    if run.ends is None:
        return run.settings.epochs
    each = trial.seconds / max(epochs, 1)
    room = (run.ends - time.monotonic()) / _LONG
    return max(min(run.settings.epochs, int(0.9 * room / max(each, 1e-9))), epochs + 1)


def _study(storage: optuna.storages.JournalStorage, engine: Engine, orders: ev.Orders) -> optuna.Study:
    """The study of this budget, which workers find by its orders."""
    what = json.dumps([asdict(orders.budget), asdict(orders.space)], sort_keys=True)
    name = f"edgekc-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
    study = optuna.create_study(
        study_name=name, storage=storage, directions=["minimize"] * len(OBJECTIVES), load_if_exists=True
    )
    journal.mark(study, engine.identity)
    study.set_user_attr(ev.ORDERS, orders.to_dict())
    return study


def _close(study: optuna.Study) -> None:
    """A study of another budget: no worker works for it now."""
    found = study.user_attrs.get(ev.ORDERS)
    if found and not found["done"]:
        study.set_user_attr(ev.ORDERS, {**found, "done": True})


def _nothing(run: _Run) -> UsageError:
    """Why a search has measured nothing."""
    errors = [t.error for t in run.records() if t.error]
    if errors:
        return UsageError(f"none of {len(errors)} candidates could be built; the first: {errors[0]}")
    return UsageError(
        "time was up before a candidate was measured", where="--time", fix="start again with more: it goes on from here"
    )
