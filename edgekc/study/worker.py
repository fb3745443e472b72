"""A study served over gRPC, and the workers elsewhere that measure candidates for it.

The transport is Optuna's: its gRPC proxy over the search's storage. A worker asks for a candidate as the search does,
and tells it what it found. While it measures, it changes an attribute of its trial: the search knows that it lives.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import GrpcStorageProxy, run_grpc_proxy_server

from ..errors import UsageError
from ..exploration.candidate import Candidate
from ..progress import Log, Progress
from . import evaluate as ev
from . import journal
from .conduct import BEAT
from .engine import Measure, checkpoint_folder

Result = TypeVar("Result")
BEAT_S = 5.0  # between two signs of life; the search waits for many of them
_POLL_S = 0.3
_READY_S = 10.0  # that a server may take to start


def address(text: str, option: str) -> tuple[str, int]:
    """HOST:PORT, also behind `grpc://`. UsageError where it is something else."""
    match = re.fullmatch(r"(?:grpc://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/?", text.strip(), re.ASCII)
    if match is None or not 0 < int(match[2]) < 65536:
        raise UsageError(f"{text!r} is no HOST:PORT", where=option, fix="write it like 0.0.0.0:13000")
    return match[1], int(match[2])


def serve(storage: optuna.storages.BaseStorage, host: str, port: int) -> None:
    """Serve a storage to workers for as long as the process lives.

    Raises:
        UsageError: the address cannot be bound.
    """
    where = f"--serve {host}:{port}"
    try:  # gRPC shares a port with whoever has it already
        with socket.create_server((host.strip("[]"), port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot be served: {error.strerror or error}", where=where, fix="name another port"
        ) from error
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_grpc_proxy_server(storage, host=host, port=port)
        except Exception as error:
            failed.append(error)

    threading.Thread(target=run, name="edgekc-serve", daemon=True).start()
    if not _listens("localhost" if host in ("0.0.0.0", "[::]") else host, port, _READY_S, lambda: not failed):
        raise UsageError(f"cannot be served: {failed[0] if failed else 'no answer'}", where=where)


def _listens(host: str, port: int, patience: float, hope: Callable[[], bool] = lambda: True) -> bool:
    """Whether somebody listens there, at once or a little later.

    gRPC's own way to wait leaves a thread behind that prints a traceback where nobody comes.
    """
    end = time.monotonic() + patience
    while hope():
        try:
            socket.create_connection((host.strip("[]"), port), timeout=max(patience, 1.0)).close()
            return True
        except OSError:
            if time.monotonic() >= end:
                return False
            time.sleep(min(_POLL_S, max(end - time.monotonic(), 0.01)))
    return False


@contextmanager
def _beating(trial: optuna.Trial) -> Iterator[None]:
    """Says that this worker lives, while the trial is measured."""
    stop = threading.Event()

    def beat() -> None:
        for n in itertools.count():
            try:
                trial.set_user_attr(BEAT, n)
            except UpdateFinishedTrialError:
                return  # somebody else has it now
            except grpc.RpcError:
                pass  # the search may come back
            if stop.wait(BEAT_S):
                return

    thread = threading.Thread(target=beat, name="edgekc-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def work(
    host: str,
    port: int,
    open_engine: Callable[[dict[str, Any]], Measure],
    *,
    patience: float,
    log: Log,
    progress: Progress,
    checkpoints: Path | None = None,
) -> int:
    """Measure candidates for a search until it ends; how many were measured.

    Args:
        open_engine: is given the search's identity, as a dict, and opens the model and the data here.
        patience: seconds to wait for a search that does not answer, before and after.
        checkpoints: a folder for those of trainings; None: none is kept.

    Raises:
        UsageError: nobody answers, or the search is of another version, model, data, board or seed.
    """
    where = f"{host}:{port}"
    me = f"{socket.gethostname()}:{threading.get_native_id()}"
    with journal.quiet():
        storage = GrpcStorageProxy(host=host, port=port)
        try:
            _wait(host, port, patience)
            study = _patiently(lambda: _open_study(storage, where, patience), host, port, patience)
            engine = open_engine(dict(study.user_attrs["identity"]))
            fix = "start it from the same edgekc, model and data as the search"
            journal.check_identity(storage, engine.identity, where, fix)
            return _loop(storage, host, port, engine, me, patience, log, progress, checkpoints)
        finally:
            storage.close()


def _loop(
    storage: GrpcStorageProxy,
    host: str,
    port: int,
    engine: Measure,
    me: str,
    patience: float,
    log: Log,
    progress: Progress,
    checkpoints: Path | None,
) -> int:
    measured = 0

    def keep(trial: optuna.Trial, candidate: Candidate, data: bytes) -> None:
        if candidate.epochs:  # all others are made again in seconds
            ev.send_model(trial, data)

    def step() -> bool | None:
        """Whether one was measured; None where the search has ended."""
        study = _open_study(storage, f"{host}:{port}", patience)
        orders = ev.Orders.from_dict(study.user_attrs[ev.ORDERS])
        if orders.done:
            return None
        taken = ev.take(study, orders)
        if taken is None:
            return False
        trial, candidate = taken
        progress(f"measure {candidate.key}", measured, 0)
        with _beating(trial):
            ev.evaluate(
                study, orders, trial, candidate, engine, ev.known([study]).get(candidate.key), worker=me,
                checkpoints=None if checkpoints is None else checkpoint_folder(checkpoints, candidate),
                on_progress=lambda title, now: None, log=log, keep=keep,
                persist=lambda job: _patiently(job, host, port, patience),
            )  # fmt: skip
        return True

    while True:
        found = _patiently(step, host, port, patience)
        if found is None:
            return measured
        measured += found
        if not found:
            progress("wait for the search", measured, 0)
            time.sleep(_POLL_S)


def _open_study(storage: GrpcStorageProxy, where: str, patience: float) -> optuna.Study:
    """The study that has not ended, or else the last one."""
    end = time.monotonic() + patience
    while True:
        studies = [s for s in journal.every_study(storage) if ev.ORDERS in s.user_attrs]
        if studies:
            return next((s for s in studies if not s.user_attrs[ev.ORDERS]["done"]), studies[-1])
        if time.monotonic() > end:
            raise UsageError("no search of edgekc is served there", where=where)
        time.sleep(_POLL_S)


def _wait(host: str, port: int, patience: float) -> None:
    if not _listens(host, port, patience):
        fix = "start `edgekc search --serve` first"
        raise UsageError("no search answers there", where=f"{host}:{port}", fix=fix)


def _patiently(job: Callable[[], Result], host: str, port: int, patience: float) -> Result:
    """The job's result; where the search does not answer, it may come back within `patience`."""
    end: float | None = None
    while True:
        try:
            return job()
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else None  # type: ignore[no-untyped-call]
            end = time.monotonic() + patience if end is None else end
            if code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                why = "does not answer" if code is grpc.StatusCode.UNAVAILABLE else f"failed: {code}"
                raise UsageError(f"the search there {why}", where=f"{host}:{port}") from error
            _wait(host, port, max(end - time.monotonic(), 0.0))
            time.sleep(_POLL_S)
