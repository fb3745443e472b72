"""The progress of retraining to bars on the terminal: loss, accuracy, and time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from .. import terminal
from ..compress.state import OnProgress
from ..compress.state import Progress as Training
from ..names import visible


@contextmanager
def training_bars(console: Console | None = None) -> Iterator[OnProgress]:
    """What `compress` tells its progress to: a bar for each retraining on standard error, none in pipes and files."""
    console = console or terminal.console(stderr=True)
    if not console.is_terminal:  # no bars at all: older rich prints an empty line where it shows none

        def report_epochs(title: str, now: Training) -> None:
            if now.step == now.steps - 1:
                console.print(f"{title}: {_state(now)}", highlight=False)

        yield report_epochs
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(title: str, now: Training) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(visible(title), total=now.epochs * now.steps, state="")
            done = now.epoch * now.steps + now.step + 1
            bars.update(tasks[title], completed=done, state=_state(now))

        yield on_progress


def _state(now: Training) -> str:
    accuracy = "" if now.accuracy is None else f", accuracy {100 * now.accuracy:.2f}%"
    minutes, seconds = divmod(round(now.seconds_left), 60)
    return f"epoch {now.epoch + 1} of {now.epochs}: loss {now.loss:.4f}{accuracy}, {minutes}:{seconds:02} left"
