"""A study of a fake engine: its phases, its choice, its time, its folder, and what a kill leaves of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")

from fake_engine import FakeEngine, figures, other_model
from studies import BUDGET, Told, run

from edgekc.errors import UsageError
from edgekc.exploration.candidate import Budget, Candidate, Figures
from edgekc.study import journal
from edgekc.study.trials import Trial, near, worth_training


class StoppedError(BaseException):
    """As a signal ends a process: nothing that handles errors sees it."""


def same(first: list[dict[str, object]], second: list[dict[str, object]]) -> bool:
    """Whether two lists of trials are of the same candidates, in the same order, with the same figures."""
    return [(t["candidate"], t["figures"], t["phase"]) for t in first] == [
        (t["candidate"], t["figures"], t["phase"]) for t in second
    ]


def test_all_phases_and_the_choice(tmp_path: Path) -> None:
    engine, told, seen = FakeEngine(), Told(), []
    found = run(engine, tmp_path / "out", told, callbacks=[seen.append])
    trials = found.findings.trials
    assert {t.phase for t in trials} == {"solver", "around", "short", "long"}
    assert {t.candidate.epochs for t in trials} == {0, 2, 20}
    assert len(engine.calls) == len(set(engine.calls)) == len(trials) == len(seen)
    assert all(t.figures == figures(t.candidate) for t in trials)
    best = found.findings.best
    assert best.met and best.phase == "long" and best.figures is not None
    assert best.figures.loss == min(t.figures.loss for t in trials if t.figures is not None and t.met)
    assert told.lines[-1].startswith("best so far: flash") and told.progress[-1][0].endswith(f"{best.figures.loss:.2f}")
    assert json.loads((tmp_path / "out" / "best.ekc").read_text()) == best.candidate.to_dict()
    assert (tmp_path / "out" / "recipe.toml").read_text() == engine.recipe(best.candidate)
    assert found.findings.correlation is not None and found.findings.correlation.spearman > 0.9


@pytest.mark.slow
def test_sampling_finds_more_than_the_solver(tmp_path: Path) -> None:
    """The proxy knows nothing of `size`; a budget of flash that only such code meets with little loss shows it."""
    found = run(FakeEngine(trainable=False), tmp_path / "out", trials=40, budget=Budget(flash=3_000))
    best = found.findings.best
    assert best.met and best.phase == "around" and best.candidate.optimise == "size"
    solver = min(t.figures.loss for t in found.findings.trials if t.phase == "solver" and t.figures)
    assert best.figures is not None and best.figures.loss < solver


def test_it_ends_the_same_again_and_measures_nothing_twice(tmp_path: Path) -> None:
    first, second = FakeEngine(), FakeEngine()
    a = run(first, tmp_path / "a").findings.as_json()
    b = run(second, tmp_path / "b").findings.as_json()
    assert same(a["trials"], b["trials"]) and a["best"] == b["best"]
    again = FakeEngine()
    c = run(again, tmp_path / "a").findings.as_json()
    assert again.calls == [] and same(a["trials"], c["trials"])
    other = run(FakeEngine(), tmp_path / "c", seed=1).findings.as_json()
    assert not same(a["trials"], other["trials"])


@pytest.mark.parametrize("at", [5, 14, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 4, 12, 17))])
def test_a_stopped_search_ends_the_same(tmp_path: Path, at: int) -> None:
    whole = run(FakeEngine(), tmp_path / "whole").findings.as_json()
    engine = FakeEngine()

    def stop(_: Candidate) -> None:
        if len(engine.calls) == at:
            raise StoppedError

    engine.before = stop
    with pytest.raises(StoppedError):
        run(engine, tmp_path / "out")
    after = FakeEngine()
    found = run(after, tmp_path / "out").findings.as_json()
    assert same(sorted(found["trials"], key=lambda t: t["key"]), sorted(whole["trials"], key=lambda t: t["key"]))
    assert found["best"] == whole["best"]
    assert not set(engine.calls[:-1]) & set(after.calls), "what was finished is not measured again"


def test_a_journal_that_was_cut_off_is_read(tmp_path: Path) -> None:
    run(FakeEngine(), tmp_path / "out", trials=8, epochs=0)
    path = tmp_path / "out" / journal.FILE
    path.write_bytes(path.read_bytes() + b'{"op_code":8,"wor')
    (tmp_path / "out" / f"{journal.FILE}.lock").symlink_to("nowhere")
    engine = FakeEngine()
    run(engine, tmp_path / "out", trials=9, epochs=0)
    assert len(engine.calls) <= 1


@pytest.mark.slow
def test_more_trials_go_on(tmp_path: Path) -> None:
    run(FakeEngine(), tmp_path / "out", trials=8, epochs=0)
    engine = FakeEngine()
    found = run(engine, tmp_path / "out", trials=16, epochs=0)
    assert 0 < len(engine.calls) <= 8 and len(found.findings.trials) > 8


@pytest.mark.slow
def test_another_budget_takes_what_was_measured(tmp_path: Path) -> None:
    first = run(FakeEngine(), tmp_path / "out", epochs=0)
    engine = FakeEngine()
    found = run(engine, tmp_path / "out", epochs=0, budget=Budget(flash=3_500))
    known = {t.candidate.key for t in first.findings.trials}
    assert not known & set(engine.calls)
    assert known & {t.candidate.key for t in found.findings.trials}


@pytest.mark.slow
def test_time_bounds_all_phases(tmp_path: Path) -> None:
    began = time.monotonic()
    found = run(FakeEngine(wait=0.05), tmp_path / "out", seconds=5.0, trials=1000)
    assert time.monotonic() - began < 5.0 + 1.0
    assert {"solver", "short"} <= {t.phase for t in found.findings.trials}
    assert max(t.candidate.epochs for t in found.findings.trials) < 20, "there is no time for all epochs"


def test_time_that_is_up_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--time: time was up before a candidate was measured"):
        run(FakeEngine(), tmp_path / "out", seconds=1e-6)
    assert run(FakeEngine(), tmp_path / "out", seconds=60.0, trials=6, epochs=0).findings.trials


def test_candidates_that_cannot_be_built(tmp_path: Path) -> None:
    every = FakeEngine().candidates(BUDGET, 99)
    engine = FakeEngine(broken=frozenset(c.key for c in every[:3]))
    found = run(engine, tmp_path / "out", epochs=0)
    failed = [t for t in found.findings.trials if t.figures is None]
    assert {t.candidate.key for t in failed} == engine.broken
    assert all("does not link" in t.error for t in failed)
    again = FakeEngine()
    run(again, tmp_path / "out", epochs=0)
    assert again.calls == [], "they are not tried again"


def test_no_candidate_can_be_built(tmp_path: Path) -> None:
    engine = FakeEngine(broken=frozenset(c.key for c in FakeEngine().candidates(BUDGET, 99)))
    with pytest.raises(UsageError, match=r"none of 1 candidates could be built; the first: .*does not link"):
        run(engine, tmp_path / "out", trials=1, epochs=0)


def test_a_budget_below_the_least(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--max-flash: the least possible is 2,200 bytes"):
        run(FakeEngine(), tmp_path / "out", budget=Budget(flash=100))


def test_nothing_meets_the_budget(tmp_path: Path) -> None:
    found = run(FakeEngine(trainable=False), tmp_path / "out", budget=Budget(flash=2_600, loss=0.5))
    findings = found.findings
    assert not findings.best.met
    assert "no candidate meets the budgets. The nearest is" in findings.verdict()[0]
    assert findings.as_json()["binding"] == max(findings.best.over, key=lambda name: findings.best.over[name])
    others = [sum(t.over.values()) for t in findings.trials if t.figures is not None]
    assert sum(findings.best.over.values()) == min(others)


def test_what_is_near_a_limit_is_corrected(tmp_path: Path) -> None:
    """A first layer of other bits, as the engine says, while that is something new."""
    whole = run(FakeEngine(corrects=True), tmp_path / "whole", epochs=0, trials=12).findings
    corrected = [t for t in whole.trials if t.phase == "corrected"]
    solver = [t for t in whole.trials if t.phase == "solver"]
    assert corrected and {t.number for t in corrected} == {len(solver) + i for i in range(len(corrected))}
    sources = {(t.candidate.layers[1:], t.candidate.optimise) for t in (*solver, *corrected)}
    assert all((t.candidate.layers[1:], t.candidate.optimise) in sources for t in corrected)
    engine = FakeEngine(corrects=True)

    def stop(_: Candidate) -> None:
        if len(engine.calls) == len(solver) + 1:
            raise StoppedError

    engine.before = stop
    with pytest.raises(StoppedError):
        run(engine, tmp_path / "out", epochs=0, trials=12)
    again = run(FakeEngine(corrects=True), tmp_path / "out", epochs=0, trials=12).findings
    assert {t.candidate.key for t in again.trials if t.phase == "corrected"} == {t.candidate.key for t in corrected}


def test_of_each_kind_some_are_trained() -> None:
    """Those that learn more by training look worse before it. Those beyond a limit of flash stay out."""
    kinds = [("cluster4", i) for i in range(5)] + [("steps4", 9 + i) for i in range(5)]
    trials = [
        Trial(i, "solver", Candidate((("a", kind), (f"{i}", "int8"))), figures, figures.over(Budget(3_100)), None, 1.0)
        for i, (kind, loss) in enumerate(kinds)
        for figures in [Figures(3_000 + 400 * (i == 5), 900, None, None, loss, 0.9, 0)]
    ]
    learns = lambda candidate: dict(candidate.layers)["a"] == "steps4"  # noqa: E731
    assert [t.number for t in worth_training(trials, Budget(flash=3_100), 4, learns)] == [6, 0, 7, 1]
    assert [t.number for t in worth_training(trials[:6], Budget(flash=3_100), 4, learns)] == [0, 1, 2, 3]
    assert [t.number for t in near(trials, Budget(flash=3_100, loss=1), 2)] == [0, 1]
    assert near(trials, Budget(loss=1.0), 2) == []


def test_widths_come_behind_the_whole_network(tmp_path: Path) -> None:
    engine = FakeEngine(widths=(0.75, 0.5))
    found = run(engine, tmp_path / "out", budget=Budget(flash=2_500)).findings
    keeps = [t.candidate.keep for t in found.trials if t.phase in ("solver", "around")]
    first = next(i for i, keep in enumerate(keeps) if keep < 1)
    assert set(keeps[:first]) == {1.0} and set(keeps[first:]) >= {0.75, 0.5}
    drawn = [t for t in found.trials if t.phase == "around"]
    assert any(t.candidate.keep < 1 for t in drawn) and any(t.candidate.epochs for t in found.trials)
    assert found.best.met and found.best.candidate.keep < 1, "with so little flash"


def test_widths_may_meet_what_the_whole_network_cannot(tmp_path: Path) -> None:
    told = Told()
    found = run(FakeEngine(widths=(0.75, 0.5)), tmp_path / "out", told, budget=Budget(flash=2_100)).findings
    assert found.best.met and {t.candidate.keep for t in found.trials if t.phase == "solver"} == {0.75, 0.5}
    assert "note: the least possible is 2,200 bytes; networks of fewer channels are tried" in told.lines
    assert all(t.phase != "untrained" for t in found.trials)
    engine = FakeEngine(widths=(0.75, 0.5))
    run(engine, tmp_path / "out", budget=Budget(flash=2_100))
    assert engine.calls == [], "it resumes from its end"


def test_no_width_meets_a_budget_either(tmp_path: Path) -> None:
    class Large(FakeEngine):
        def narrower(self, *given: object, **more: object) -> list[Candidate]:
            return []

    with pytest.raises(UsageError, match="the least possible is 2,200 bytes"):
        run(Large(widths=(0.75, 0.5)), tmp_path / "out", budget=Budget(flash=2_100))


def test_a_width_that_there_is_not(tmp_path: Path) -> None:
    class Whole(FakeEngine):
        def narrower(self, *given: object, **more: object) -> list[Candidate]:
            raise UsageError("no filter of these layers can be removed")

    told = Told()
    found = run(Whole(widths=(0.75, 0.5)), tmp_path / "out", told, trials=4, epochs=2).findings
    assert {t.candidate.keep for t in found.trials} == {1.0} and found.best.phase == "short"
    assert [line for line in told.lines if "no filter" in line] == [
        "note: no network of 75% of the computation: no filter of these layers can be removed"
    ]


# ---- folders ----


def test_a_folder_of_another_search(tmp_path: Path) -> None:
    run(FakeEngine(), tmp_path / "out", trials=4, epochs=0)
    before = (tmp_path / "out" / journal.FILE).read_bytes()
    with pytest.raises(UsageError, match="is a search of another model"):
        run(other_model(FakeEngine()), tmp_path / "out")
    assert (tmp_path / "out" / journal.FILE).read_bytes() == before


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match=r"has other files in it, thesis\.txt; name a new or empty folder"):
        run(FakeEngine(), tmp_path)
    with pytest.raises(UsageError, match="exists and is not a folder"):
        run(FakeEngine(), tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("text", ["no journal\n", "[1]\n", '{"op_code": 99}\n', '{"op_code": 4, "study_id": 7}\n'])
def test_a_journal_of_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / journal.FILE).write_text(text)
    with pytest.raises(UsageError, match="is no journal of a search"):
        run(FakeEngine(), tmp_path)
    assert (tmp_path / journal.FILE).read_text() == text


def test_two_searches_in_one_folder(tmp_path: Path) -> None:
    with journal.opened(tmp_path / "out"), pytest.raises(UsageError, match="another search runs in it"):
        run(FakeEngine(), tmp_path / "out")
