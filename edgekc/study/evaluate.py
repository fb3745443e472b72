"""One trial of a study, from its order to its figures: the same for the search itself and for workers elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ..errors import EdgekcError, UsageError
from ..exploration.candidate import Budget, Candidate, Figures
from ..progress import Log
from .engine import Measure, Space
from .trials import Trial, objectives

ORDERS = "orders"  # of a study: what is to be done, read by workers
_AGAIN = 25  # candidates in a row that are known already: the sampler has no new ones
_STARTUP = 4  # trials that are drawn at random, where the solver gave fewer
_LOST = 5  # workers that one candidate may lose: it may be what ends them
_CHUNK = 1 << 20  # characters of a model in one attribute: a message of gRPC holds 4 MiB
UNTRAINED = ("solver", "corrected", "around")  # phases of candidates that `epochs` of training come behind
OnTraining = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a study asks of those who work for it, as one attribute of it.

    Attributes:
        phase: what is being done, for people.
        sampling: whether new candidates may be drawn; else those that wait are all.
        trials: most untrained candidates.
        seed: of the sampler.
        space: what it chooses from.
        budget: what is within limits.
        done: the search has ended.
        widths: whether candidates that are drawn may be narrower than the network.
    """

    phase: str
    sampling: bool
    trials: int
    seed: int
    space: Space
    budget: Budget
    done: bool = False
    widths: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        return asdict(self)

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> Orders:
        """What `to_dict` gave, as JSON has it."""
        layers = {layer: tuple(names) for layer, names in found["space"]["layers"].items()}
        others = {name: tuple(found["space"][name]) for name in ("optimise", "ram", "keep")}
        space = Space(layers, **others)
        return Orders(**{**found, "space": space, "budget": Budget(**found["budget"])})

    def parameters(self) -> Iterator[tuple[str, Sequence[Any]]]:
        """Names and choices, in one order."""
        for layer, names in self.space.layers.items():
            yield f"layer {layer}", names
        yield "optimise", self.space.optimise
        yield "ram", self.space.ram
        yield "keep", self.space.keep

    def drawn(self, values: Mapping[str, Any]) -> Candidate:
        """The candidate of a parameter's value each."""
        layers = tuple((layer, values[f"layer {layer}"]) for layer in self.space.layers)
        return Candidate(layers, values["keep"], values["optimise"], values["ram"])

    def fixed(self, candidate: Candidate) -> dict[str, Any]:
        """The parameters nearest to a candidate that the solver proposed."""
        layers = dict(candidate.layers)
        wanted: dict[str, Any] = {f"layer {layer}": layers.get(layer) for layer in self.space.layers}
        wanted |= {"optimise": candidate.optimise, "ram": candidate.ram, "keep": candidate.keep}
        return {name: wanted[name] if wanted[name] in choices else choices[0] for name, choices in self.parameters()}


def is_final(trial: FrozenTrial) -> bool:
    """Whether a trial has said all that it will say: figures, or why there are none."""
    return trial.state is TrialState.COMPLETE or bool(error_of(trial))


def error_of(trial: FrozenTrial) -> str:
    """Why a trial has no figures, and another one of its candidate would have none either; empty otherwise."""
    if trial.state is TrialState.FAIL and trial.user_attrs.get("lost", 0) >= _LOST - 1:
        return str(trial.user_attrs.get("error") or f"its worker was lost {_LOST} times")
    return str(trial.user_attrs.get("error", ""))


def candidate_of(trial: FrozenTrial) -> Candidate | None:
    """What a trial is about; None where its process was killed before it said so."""
    found = trial.user_attrs.get("candidate")
    return None if found is None else Candidate.from_dict(found)


@lru_cache(4096)
def key_of(candidate: Candidate) -> str:
    """Its key, which takes a while to make and is asked for again and again."""
    return candidate.key


def enqueue(study: optuna.Study, orders: Orders, candidate: Candidate, phase: str, lost: int = 0) -> None:
    """A candidate to those that wait."""
    attrs = {"candidate": candidate.to_dict(), "phase": phase, "lost": lost}
    study.enqueue_trial(orders.fixed(candidate), user_attrs=attrs)


def take(study: optuna.Study, orders: Orders) -> tuple[optuna.Trial, Candidate] | None:
    """The next candidate: one that waits, or one that is drawn; None where there is none."""
    trials = study.get_trials(deepcopy=False)
    if not any(t.state is TrialState.WAITING for t in trials) and not (orders.sampling and not _enough(trials, orders)):
        return None
    # A sampler that begins anew with each trial draws the same behind a kill as without one.
    begun = sum(is_final(t) or t.state is TrialState.RUNNING for t in trials)
    seed = hashlib.sha256(f"{orders.seed} {begun}".encode()).digest()
    sampler: optuna.samplers.BaseSampler = optuna.samplers.TPESampler(
        seed=int.from_bytes(seed[:4], "little"), n_startup_trials=_STARTUP, multivariate=True
    )
    study.sampler = sampler if orders.widths else optuna.samplers.PartialFixedSampler({"keep": 1.0}, sampler)
    trial = study.ask()
    values = {name: trial.suggest_categorical(name, choices) for name, choices in orders.parameters()}
    given = trial.user_attrs.get("candidate")
    if given is not None:
        return trial, Candidate.from_dict(given)
    if not orders.sampling:  # somebody else took what waited
        study.tell(trial, state=TrialState.FAIL)
        return None
    candidate = orders.drawn(values)
    trial.set_user_attr("candidate", candidate.to_dict())
    trial.set_user_attr("phase", "around")
    return trial, candidate


def _enough(trials: Sequence[FrozenTrial], orders: Orders) -> bool:
    begun = [t for t in trials if t.user_attrs.get("phase") in UNTRAINED]
    final = [t for t in begun if is_final(t)]
    running = [t for t in begun if t.state is TrialState.RUNNING]
    last = final[-_AGAIN:]
    exhausted = len(last) == _AGAIN and all(t.user_attrs.get("again") for t in last)
    return exhausted or len(final) + len(running) >= orders.trials


def known(studies: Sequence[optuna.Study]) -> dict[str, FrozenTrial]:
    """Finished trials by their candidate's key, of other budgets too: figures do not depend on what is allowed."""
    found: dict[str, FrozenTrial] = {}
    for study in studies:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            candidate = candidate_of(trial)
            if candidate is not None and "figures" in trial.user_attrs:
                found.setdefault(key_of(candidate), trial)
    return found


def evaluate(
    study: optuna.Study,
    orders: Orders,
    trial: optuna.Trial,
    candidate: Candidate,
    engine: Measure,
    earlier: FrozenTrial | None,
    *,
    worker: str,
    checkpoints: Path | None,
    on_progress: OnTraining,
    log: Log,
    keep: Callable[[optuna.Trial, Candidate, bytes], None],
    persist: Callable[[Callable[[], None]], None] = lambda job: job(),
) -> None:
    """Measure a candidate that was taken, and say what was found.

    Args:
        earlier: the trial of the same candidate that was finished before; None: there is none.
        keep: is given the packed model.
        persist: does what is to be done however often that takes.

    Raises:
        Whatever is no fault of the candidate; the trial then stays as one whose process was killed.
    """
    began = time.monotonic()
    if earlier is not None:
        attrs = earlier.user_attrs
        trial.set_user_attr("again", True)
        _finish(study, orders, trial, Figures.from_dict(attrs["figures"]), attrs["seconds"], attrs["worker"])
        return
    try:
        data, figures = engine.measure(candidate, checkpoints=checkpoints, on_progress=on_progress, log=log)
    except EdgekcError as error:
        _fail(study, trial, str(error), worker, time.monotonic() - began)
        return
    took = time.monotonic() - began

    def say() -> None:
        keep(trial, candidate, data)
        _finish(study, orders, trial, figures, took, worker)

    try:
        persist(say)
    except UpdateFinishedTrialError:
        log("note: a candidate took so long that it was given to somebody else")


def _finish(
    study: optuna.Study, orders: Orders, trial: optuna.Trial, figures: Figures, seconds: float, worker: str
) -> None:
    trial.set_user_attr("figures", asdict(figures))
    trial.set_user_attr("seconds", round(seconds, 3))
    trial.set_user_attr("worker", worker)
    for name, most in asdict(orders.budget).items():
        value = getattr(figures, name)
        if most is not None:
            trial.set_constraint(name, 0.0 if value is None else (value - most) / (most or 1))
    study.tell(trial, objectives(figures), skip_if_finished=True)


def _fail(study: optuna.Study, trial: optuna.Trial, error: str, worker: str, seconds: float) -> None:
    try:
        trial.set_user_attr("error", error)
        trial.set_user_attr("worker", worker)
        trial.set_user_attr("seconds", round(seconds, 3))
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    except UpdateFinishedTrialError:
        pass


def give_back(study: optuna.Study, orders: Orders, trial: FrozenTrial, *, lost: bool) -> None:
    """A trial whose process is gone, to those that wait.

    Args:
        lost: its worker was; after some times it waits no more. Else the whole search was stopped.
    """
    candidate, before = candidate_of(trial), int(trial.user_attrs.get("lost", 0))
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    if candidate is None or error_of(trial) or (lost and before >= _LOST - 1):
        return
    enqueue(study, orders, candidate, trial.user_attrs.get("phase", "around"), before + lost)


def send_model(trial: optuna.Trial, data: bytes) -> None:
    """A packed model into the study, in parts that a message holds."""
    text = base64.b64encode(zlib.compress(data, 9)).decode()
    for i in range(0, len(text), _CHUNK):
        trial.set_user_attr(f"model {i // _CHUNK}", text[i : i + _CHUNK])


def received_model(trial: FrozenTrial) -> bytes | None:
    """What `send_model` put there; None where it did not, or where it is damaged."""
    names = (name for name in trial.user_attrs if re.fullmatch(r"model \d+", name))
    parts = sorted(names, key=lambda name: int(name.split()[1]))
    try:
        return zlib.decompress(base64.b64decode("".join(trial.user_attrs[name] for name in parts))) if parts else None
    except (TypeError, ValueError, zlib.error):
        return None


def check_attributes(studies: Sequence[optuna.Study], where: str) -> None:
    """UsageError where a study or a trial of it says something that no search says there."""
    for study in studies:
        try:
            if ORDERS in study.user_attrs:
                Orders.from_dict(study.user_attrs[ORDERS])
            records(study, Budget(), lambda candidate: None)
            for trial in study.get_trials(deepcopy=False):
                int(trial.user_attrs.get("lost", 0)), float(trial.user_attrs.get("seconds", 0.0))
        except (UsageError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            fix = "name a new or empty folder"
            raise UsageError(f"is damaged ({type(error).__name__}: {error})", where=where, fix=fix) from error


def records(study: optuna.Study, budget: Budget, proxy: Callable[[Candidate], float | None]) -> list[Trial]:
    """What a study found, in the order in which it began; a candidate that was drawn again is there once."""
    found: dict[str, Trial] = {}
    trials = study.get_trials(deepcopy=False)
    for trial in sorted(trials, key=lambda t: t.state is not TrialState.COMPLETE):
        attrs, candidate = trial.user_attrs, candidate_of(trial)
        if candidate is None or not is_final(trial) or key_of(candidate) in found:
            continue
        figures = Figures.from_dict(attrs["figures"]) if trial.state is TrialState.COMPLETE else None
        found[key_of(candidate)] = Trial(
            trial.number, attrs.get("phase", "around"), candidate, figures,
            {} if figures is None else figures.over(budget), proxy(candidate), float(attrs.get("seconds", 0.0)),
            "" if figures else error_of(trial), str(attrs.get("worker", "")),
        )  # fmt: skip
    return sorted(found.values(), key=lambda t: t.number)
