"""Ctrl-C, SIGTERM and SIGHUP to an orderly end: what is half done is put back, then the exit code says which it was."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # not all systems have all


class Stopped(SystemExit):
    """Ends the process as a shell expects of one that a signal ended: 130 for Ctrl-C."""


@dataclass(slots=True)
class _State:
    held: int = 0  # how many steps are being done that are not to be left in the middle
    pending: int = 0  # the signal that came meanwhile


_STATE = _State()


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Signals end the process by an exception, so that everything on the way out is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python takes signals in its main thread only
        return
    before = {}
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        # One that is ignored (nohup, a job in the background) stays ignored.
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            before[number] = signal.signal(number, _stop)
    try:
        yield
    except Stopped:
        with suppress(OSError, ValueError):
            print("edgekc: interrupted", file=sys.stderr)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    if _STATE.held:
        _STATE.pending = number
    else:
        _raise(number)


def _raise(number: int) -> NoReturn:
    raise Stopped(128 + number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A short step that a signal finds either not begun or done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal comes here
        return
    _STATE.held += 1
    try:
        yield
    finally:
        _STATE.held -= 1
        if not _STATE.held and _STATE.pending:
            number, _STATE.pending = _STATE.pending, 0
            _raise(number)


def in_threads(job: Callable[[Item], Result], items: Iterable[Item], workers: int) -> list[Result]:
    """The job of each item, as many at once as there are workers; however it ends, none of them still runs then."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            with uninterrupted():  # the pool would not wait for a thread in whose start a signal came
                begun = [pool.submit(job, item) for item in items]
            return [future.result() for future in begun]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those not begun; leaving the block waits for the others
            raise
