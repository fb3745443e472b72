"""Workers of the fake engine, each a process of its own that is there at once: this one imports, and forks.

Each line of standard input starts one: FILE PORT SECONDS [FIELD VALUE]. Its process id is printed, and what it says
at its end goes into FILE.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import optuna
from fake_engine import FakeEngine

from edgekc.errors import UsageError
from edgekc.progress import silent, unsaid
from edgekc.study import worker


def work(port: str, wait: str, field: str = "", value: str = "") -> str:
    worker.BEAT_S = 0.05
    engine = FakeEngine(wait=float(wait))
    if field:
        engine.identity = replace(engine.identity, **{field: value})
    try:
        worker.work("localhost", int(port), lambda identity: engine, patience=10.0, log=unsaid, progress=silent)
    except UsageError as error:
        return f"refused: {error}"
    return " ".join(engine.calls)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warm = optuna.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=1, multivariate=True))
    warm.optimize(lambda trial: trial.suggest_categorical("a", [1, 2]), n_trials=3)  # imports what is imported late
    for line in sys.stdin:
        file, *words = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        try:
            said = work(*words)
        except BaseException:
            said = traceback.format_exc()
        Path(f"{file}.part").write_text(said)
        Path(f"{file}.part").rename(file)
        os._exit(0)


if __name__ == "__main__":
    main()
