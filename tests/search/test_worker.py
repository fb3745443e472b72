"""Workers in processes of their own: they measure, are refused, and killing them loses nothing that was finished."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="the extra `search` is not installed")
pytest.importorskip("optuna", reason="the extra `search` is not installed")

from fake_engine import FakeEngine, figures
from studies import BUDGET, run

from edgekc.errors import UsageError
from edgekc.study import conduct, worker

PROCESS = Path(__file__).with_name("worker_process.py")


@dataclass
class Workers:
    """Starts workers, and ends those that it started."""

    process: subprocess.Popen[str]
    folder: Path
    pids: list[int] = field(default_factory=list)

    def start(self, port: int, wait: float = 0.0, *more: str) -> int:
        """The number of a new one."""
        assert self.process.stdin is not None and self.process.stdout is not None
        words = [str(self.folder / str(len(self.pids))), str(port), str(wait), *more]
        self.process.stdin.write("\t".join(words) + "\n")
        self.process.stdin.flush()
        self.pids.append(int(self.process.stdout.readline()))
        return len(self.pids) - 1

    def kill(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pids[number], signal.SIGKILL)

    def said(self, number: int) -> str:
        path, end = self.folder / str(number), time.monotonic() + 30
        while not path.is_file() and time.monotonic() < end:
            time.sleep(0.02)
        return path.read_text()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    folder = tmp_path / "workers"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, str(PROCESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found = Workers(process, folder)
    yield found
    for number in range(len(found.pids)):
        if not (folder / str(number)).is_file():
            found.kill(number)
    process.kill()
    process.wait()


@pytest.fixture
def port() -> int:
    """One that nobody has just now."""
    with socket.create_server(("localhost", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_two_workers_share_the_work(tmp_path: Path, port: int, workers: Workers) -> None:
    engine, numbers = FakeEngine(wait=0.3, trainable=False), []

    def start(_: object) -> None:
        if not numbers:
            numbers.extend(workers.start(port, 0.1) for _ in range(2))

    engine.before = start
    found = run(engine, tmp_path / "out", serve=("localhost", port), trials=40)
    said = [workers.said(number).split() for number in numbers]
    assert all(said) and len({t.worker for t in found.findings.trials if t.worker}) == 2
    measured = [*engine.calls, *said[0], *said[1]]
    assert len(measured) - len(set(measured)) <= 3, "but for what is drawn twice at the same moment"
    assert {t.candidate.key for t in found.findings.trials} == set(measured)
    assert (tmp_path / "out" / "best.ekc").read_bytes() == found.data


@pytest.mark.slow
def test_a_trained_model_comes_from_its_worker(tmp_path: Path, port: int, workers: Workers) -> None:
    engine, numbers = FakeEngine(), []

    def start(candidate: object) -> None:
        if not numbers:
            numbers.append(workers.start(port))
        if candidate.epochs:  # type: ignore[attr-defined]
            time.sleep(2)

    engine.before = start
    found = run(engine, tmp_path / "out", serve=("localhost", port), trials=4, epochs=2)
    trained = [t for t in found.findings.trials if t.candidate.epochs]
    sent = [t for t in trained if t.worker]
    assert sent, "the worker is the faster one"
    assert not {t.candidate.key for t in sent} & set(engine.calls)
    best = found.findings.best
    assert found.data.decode().startswith('{"layers"') and f'"epochs": {best.candidate.epochs}' in found.data.decode()


@pytest.mark.slow
def test_workers_of_something_else_are_refused(tmp_path: Path, port: int, workers: Workers) -> None:
    cases = {
        ("edgekc", "0.0.9"): "is a search of edgekc 0.1.0, here is 0.0.9",
        ("model", "other"): "is a search of another model",
        ("data", "other"): "is a search of other data",
        ("board", "other 1"): "is a search of another board",
    }
    said: list[str] = []

    def refuse(_: object) -> None:
        if not said:
            numbers = [workers.start(port, 0.0, *case) for case in cases]
            said.extend(workers.said(number) for number in numbers)

    found = run(FakeEngine(trainable=False, before=refuse), tmp_path / "out", serve=("localhost", port), trials=4)
    for line, why in zip(said, cases.values(), strict=True):
        assert line.startswith(f"refused: localhost:{port}: {why}")
        assert line.endswith("start it from the same edgekc, model and data as the search")
    assert not any(t.worker for t in found.findings.trials)


@pytest.mark.slow
def test_a_worker_killed_at_any_moment_loses_no_finished_trial(
    tmp_path: Path, port: int, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty workers one after the other, each killed at a random moment while the search goes on."""
    monkeypatch.setattr(conduct, "LOST_S", 1.0)
    rng, killed = random.Random(0), threading.Event()
    seen: set[int] = set()

    def kill_on_and_on() -> None:
        for _ in range(20):
            number = workers.start(port, 0.02)
            time.sleep(0.1 + rng.random())
            workers.kill(number)
        killed.set()

    def wait(_: object) -> None:
        """The search has something left to do until the last one is killed."""
        time.sleep(0.0 if killed.is_set() else 0.4)

    killer = threading.Thread(target=kill_on_and_on)
    engine = FakeEngine(trainable=False, before=wait)
    killer.start()
    try:
        found = run(
            engine, tmp_path / "out", serve=("localhost", port), trials=60,
            callbacks=[lambda trial: seen.add(trial.number)],
        )  # fmt: skip
    finally:
        killer.join()
    trials = found.findings.trials
    assert seen == {t.number for t in trials}, "what was finished is there at the end"
    assert all(t.figures == figures(t.candidate) for t in trials)
    proposed = FakeEngine().candidates(BUDGET, 16)
    assert {c.key for c in proposed} <= {t.candidate.key for t in trials}, "what was lost was given to others"
    assert any(t.worker for t in trials), "some were measured before the kill"


# ---- addresses ----


@pytest.mark.fast
@pytest.mark.parametrize("text", ["", "host", "host:", "host:0", "host:99999", ":13000", "a b:13000", "host:port"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="is no HOST:PORT"):
        worker.address(text, "--serve")


@pytest.mark.fast
def test_addresses() -> None:
    assert worker.address("0.0.0.0:13000", "") == ("0.0.0.0", 13000)
    assert worker.address("grpc://desk.local:1", "") == ("desk.local", 1)
    assert worker.address("[::1]:13000", "") == ("[::1]", 13000)


def test_nobody_answers(port: int) -> None:
    with pytest.raises(UsageError, match=f"localhost:{port}: no search answers there"):
        worker.work("localhost", port, lambda identity: FakeEngine(), patience=0.2, log=print, progress=print)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        number = int(taken.getsockname()[1])
        with pytest.raises(UsageError, match=f"--serve localhost:{number}: cannot be served: Address already in use"):
            run(FakeEngine(), tmp_path / "out", serve=("localhost", number))
