"""A study of the fake engine in this process, as `edgekc.search` runs one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_engine import FakeEngine

from edgekc.exploration.candidate import Budget
from edgekc.study import conduct, finish, journal, worker
from edgekc.study.engine import Settings
from edgekc.study.trials import Trial

BUDGET = Budget(flash=4_000, loss=1.0)


@dataclass
class Told:
    """What a study said."""

    lines: list[str] = field(default_factory=list)
    progress: list[tuple[str, int, int]] = field(default_factory=list)

    def reports(self, callbacks: Sequence[Callable[[Trial], None]] = ()) -> conduct.Reports:
        return conduct.Reports(self.lines.append, lambda *now: self.progress.append(now), lambda *now: None, callbacks)


def run(
    engine: FakeEngine, folder: Path, told: Told | None = None, *, serve: tuple[str, int] | None = None,
    callbacks: Sequence[Callable[[Trial], None]] = (), **settings: Any,
) -> finish.Finished:  # fmt: skip
    """From a folder to what a search hands over."""
    chosen = Settings(**{"budget": BUDGET, "trials": 12, **settings})
    with journal.opened(folder) as storage:
        if serve is not None:
            worker.serve(storage, *serve)
        study = conduct.conduct(engine, chosen, folder, storage, (told or Told()).reports(callbacks))
        return finish.finish(engine, chosen.budget, folder, study, (told or Told()).lines.append)
