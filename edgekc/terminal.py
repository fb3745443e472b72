"""All that edgekc prints. Text may come from a model file: a terminal obeys none of it, and any encoding takes it."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from .errors import UsageError
from .names import visible


def styled(text: str, style: str) -> Text:
    """A cell or line in a style; strings have none, since their brackets are somebody's names."""
    return Text(visible(text), style)


def lines(*parts: str) -> Text:
    """Several lines in one cell."""
    return Text("\n".join(map(visible, parts)))


_PIPE_COLUMNS = 10_000  # no line of ours is longer
_RULE_COLUMNS = 80  # of a rule in a pipe


class _Console(Console):
    """Takes every string as plain text of one line."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        with _complaining():
            super().print(*objects, **options)

    def rule(self, title: Any = "", **options: Any) -> None:
        before = self.width
        try:
            self.width = min(before, _RULE_COLUMNS) if before == _PIPE_COLUMNS else before
            super().rule(title, **options)
        finally:
            self.width = before


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Where tables go: no markup, no emoji codes, frames of ASCII where the encoding has no others.

    A pipe or file has room for whole lines, unless COLUMNS or `width` says otherwise.
    """
    made = _Console(stderr=stderr, markup=False, emoji=False, **options)
    if not made.is_terminal and options.get("width") is None and not os.environ.get("COLUMNS"):
        made.width = _PIPE_COLUMNS
    return made


def say(text: str, *, err: bool = False) -> None:
    """One line."""
    with _complaining():
        print(visible(text), file=sys.stderr if err else sys.stdout, flush=True)


def say_row(cells: Iterable[str]) -> None:
    """One line for programs, with tabs between its cells."""
    with _complaining():
        print("\t".join(map(visible, cells)), flush=True)


def say_json(data: Any, indent: int = 1) -> None:
    """JSON in ASCII, all else escaped."""
    with _complaining():
        print(json.dumps(data, indent=indent), flush=True)


def accept_any_text() -> None:
    """Standard output and error write an escape for a character that their encoding has not, such as under LC_ALL=C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _complaining() -> Iterator[None]:
    """An output that cannot be written is the user's to know, by its name; a reader that went away is not."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # What could not be written is still in the buffer, and Python would try once more when it ends.
        with suppress(OSError), open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        raise UsageError(f"cannot be written: {error.strerror}", where="standard output") from error
