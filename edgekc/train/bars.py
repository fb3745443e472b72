"""Progress to bars on the terminal: what a command does and for how long; of a training loss, accuracy and time left.

They are on standard error, and only where that is a terminal. A training says each epoch in pipes and files too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from .. import progress, terminal
from ..names import visible

if TYPE_CHECKING:
    from ..compression.state import OnProgress
    from ..compression.state import Progress as Training

_LONGEST = 60  # characters of what a line says


@dataclass(frozen=True, slots=True)
class Bars:
    """Where progress is told.

    Attributes:
        progress: what is being done, how many are done, of how many.
        training: the state of a training, batch by batch.
    """

    progress: progress.Progress
    training: OnProgress


@contextmanager
def bars(console: Console | None = None, *, shown: bool = True) -> Iterator[Bars]:
    """A line for what is being done now, and one for each training. Print nothing to standard output meanwhile.

    Args:
        shown: False: nothing is, because the command prints what it does.
    """
    if not shown:
        yield Bars(progress.silent, lambda title, now: None)
        return
    console = console or terminal.console(stderr=True)
    if not console.is_terminal:  # no bars at all: older rich prints an empty line where it shows none

        def report_epochs(title: str, now: Training) -> None:
            if now.step == now.steps - 1:
                console.print(f"{title}: {_state(now)}", highlight=False)

        yield Bars(progress.silent, report_epochs)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
    )
    # Rich would take what goes to standard output and print it to this console, away from a pipe.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as screen:
        tasks: dict[str, TaskID] = {}
        now_doing = screen.add_task("", total=None, state="")

        def step(what: str, done: int, total: int) -> None:
            state = f"{done} of {total}" if total else ""
            screen.update(now_doing, description=_short(what), completed=done, total=total or None, state=state)

        def on_progress(title: str, now: Training) -> None:
            if title not in tasks:
                screen.update(now_doing, visible=False)
                tasks[title] = screen.add_task(_short(title), total=now.epochs * now.steps, state="")
            done, total = now.epoch * now.steps + now.step + 1, now.epochs * now.steps  # epochs of windows differ
            screen.update(tasks[title], completed=done, total=total, state=_state(now))

        yield Bars(step, on_progress)


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _state(now: Training) -> str:
    accuracy = "" if now.accuracy is None else f", {100 * now.accuracy:.2f}% of training samples right"
    minutes, seconds = divmod(round(now.seconds_left), 60)
    return f"{now.unit} {now.epoch + 1} of {now.epochs}: loss {now.loss:.4f}{accuracy}, {minutes}:{seconds:02} left"
