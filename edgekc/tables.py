"""Rows to the tables that edgekc shows: on a terminal of any width, in a pipe, as text and as HTML for notebooks.

A table is as wide as its content where there is room. Where there is not, columns of words go on in the next line, then
the table is split into parts that repeat its first column; a name is shortened in its middle only if it fits nowhere.
No word is broken. A pipe has room for everything.
"""

from __future__ import annotations

import html as _html
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from .figures import short_hash, short_size, size
from .terminal import console, styled

__all__ = [
    "Column", "Part", "Sheet", "Shown", "html", "number", "short_hash", "short_size", "show", "size", "text", "words",
]  # fmt: skip
Cell: TypeAlias = "str | Text"
_SHORTEST = 8  # characters that a shortened name keeps at least


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and how its cells are set.

    Attributes:
        right: aligned to the right, as numbers are.
        words: a cell may go on in the next line, between two words.
    """

    title: str
    right: bool = False
    words: bool = False


def number(title: str) -> Column:
    """A column of figures."""
    return Column(title, right=True)


def words(title: str) -> Column:
    """A column of text that may take several lines."""
    return Column(title, words=True)


class Sheet:
    """A table: rows of cells below headings.

    Args:
        title: printed above; empty: none.
        columns: strings are columns of names, aligned to the left.
        keys: so many columns say what a row is about: every part of a split table begins with them.
    """

    def __init__(self, title: Cell, *columns: str | Column, keys: int = 1) -> None:
        self.title = title if isinstance(title, Text) else styled(title, "italic")
        self.columns = [c if isinstance(c, Column) else Column(c) for c in columns]
        self.keys = keys
        self.rows: list[tuple[Text, ...]] = []
        self.rules: set[int] = set()  # numbers of rows that a rule is drawn behind

    def add(self, *cells: Cell) -> None:
        """One row; cells that are missing at its end are empty."""
        assert len(cells) <= len(self.columns)
        row = [c if isinstance(c, Text) else styled(c, "") for c in cells]
        self.rows.append(tuple(row + [styled("", "")] * (len(self.columns) - len(row))))

    def rule(self) -> None:
        """A line below the last row."""
        self.rules.add(len(self.rows) - 1)

    # ---- as text ----

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> RenderResult:
        bar = "-" if options.ascii_only else "─"
        if self.title.plain:
            yield from self.title.wrap(screen, options.max_width)
        for part, widths, gap in self._parts(options.max_width):
            rule = styled(" " * gap, "").join(styled(bar * w, "") for w in widths)
            if any(column.title for column in self.columns):
                heads = [styled(self.columns[i].title, "bold") for i in part]
                yield from self._lines(screen, heads, part, widths, gap)
                yield rule
            for k, row in enumerate(self.rows):
                yield from self._lines(screen, [row[i] for i in part], part, widths, gap)
                if k in self.rules and k < len(self.rows) - 1:
                    yield rule
            yield styled("", "")

    def _lines(
        self, screen: Console, cells: Sequence[Text], part: Sequence[int], widths: Sequence[int], gap: int
    ) -> Iterator[Text]:
        """One row as lines of the screen."""
        columns = []
        for cell, i, width in zip(cells, part, widths, strict=True):
            lines = self._wrapped(screen, cell, i, width)
            for line in lines:
                line.rstrip()
                room = width - line.cell_len
                if self.columns[i].right:
                    line.pad_left(room)
                else:
                    line.pad_right(room)
            columns.append(lines)
        for k in range(max(map(len, columns))):
            line = styled(" " * gap, "").join(
                lines[k] if k < len(lines) else styled(" " * width, "")
                for lines, width in zip(columns, widths, strict=True)
            )
            line.rstrip()
            line.no_wrap, line.overflow = True, "ignore"
            yield line

    def _wrapped(self, screen: Console, cell: Text, i: int, width: int) -> list[Text]:
        if not self.columns[i].words and cell.plain != self.columns[i].title:
            return [_shortened(line, width) for line in cell.split("\n", allow_blank=True)] or [cell.copy()]
        if any(_length(word) > width for word in cell.plain.split()):
            cell = styled(" ".join(_shortened(styled(w, ""), width).plain for w in cell.plain.split()), "")
        return list(cell.wrap(screen, width)) or [cell.copy()]

    def _parts(self, room: int) -> Iterator[tuple[list[int], list[int], int]]:
        """The columns that are shown beside each other, their widths, and the space between two of them."""
        natural = [self._width(i) for i in range(len(self.columns))]
        least = [self._least(i) for i in range(len(self.columns))]
        for gap in (2, 1):
            if sum(natural) + gap * (len(natural) - 1) <= room:
                yield list(range(len(natural))), natural, gap
                return
        if sum(least) + len(least) - 1 <= room:
            yield list(range(len(least))), _shared_out(least, natural, room - len(least) + 1), 1
            return
        # Of the columns that are repeated, the last holds the longest names.
        keys = [*least[: self.keys - 1], min(least[self.keys - 1], max(room // 2, _SHORTEST))]
        used = sum(keys) + len(keys) - 1
        part: list[int] = []
        for i in range(self.keys, len(least)):
            if part and used + sum(least[k] + 1 for k in (*part, i)) > room:
                yield self._part(part, keys, least, natural, room)
                part = []
            part.append(i)
        yield self._part(part, keys, least, natural, room)

    def _part(
        self, part: list[int], keys: list[int], least: Sequence[int], natural: Sequence[int], room: int
    ) -> tuple[list[int], list[int], int]:
        left = max(room - sum(keys) - len(keys), _SHORTEST)
        lows = [*keys, *(min(least[i], left) for i in part)]
        part = [*range(self.keys), *part]
        return part, _shared_out(lows, [natural[i] for i in part], room - len(part) + 1), 1

    def _cells(self, i: int) -> Iterator[str]:
        for row in self.rows:
            yield from row[i].plain.split("\n")

    def _width(self, i: int) -> int:
        return max((_length(text) for text in (self.columns[i].title, *self._cells(i))), default=0)

    def _least(self, i: int) -> int:
        """A heading may always take several lines."""
        cells = [w for text in self._cells(i) for w in text.split()] if self.columns[i].words else self._cells(i)
        return max((_length(text) for text in (*self.columns[i].title.split(), *cells)), default=0)

    # ---- as HTML ----

    def html(self) -> str:
        """A `<table>`, with every text escaped."""
        head = "".join(_html_cell("th", column, column.title) for column in self.columns)
        rows = "".join(
            f"<tr>{''.join(_html_cell('td', c, cell.plain) for c, cell in zip(self.columns, row, strict=True))}</tr>"
            for row in self.rows
        )
        caption = f"<caption>{_html.escape(self.title.plain)}</caption>" if self.title.plain else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    # ---- as Markdown ----

    def markdown(self) -> str:
        """A table of GitHub's Markdown below its title, with what would be markup escaped."""
        lines = [_markdown_text(self.title.plain), ""] if self.title.plain else []
        lines.append(_markdown_row(column.title for column in self.columns))
        lines.append("|" + "|".join("--:" if column.right else "---" for column in self.columns) + "|")
        return "\n".join([*lines, *(_markdown_row(cell.plain for cell in row) for row in self.rows)])


def _html_cell(tag: str, column: Column, text: str) -> str:
    align = "right" if column.right else "left"
    return f'<{tag} style="text-align: {align}">{_html.escape(text)}</{tag}>'.replace("\n", "<br>")


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_markdown_text, cells))} |"


def _markdown_text(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]|])", r"\\\1", text)
    return _html.escape(escaped, quote=False).replace("\n", "<br>")


def _length(text: str) -> int:
    return styled(text, "").cell_len


def _shared_out(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Widths between the two; what is left goes to the columns that lack most."""
    widths = list(least)
    for _ in range(max(room - sum(least), 0)):
        lacking = max(range(len(widths)), key=lambda i: natural[i] - widths[i])
        if natural[lacking] <= widths[lacking]:
            break
        widths[lacking] += 1
    return widths


def _shortened(line: Text, width: int) -> Text:
    """The line with its middle left out, where it is too long."""
    if line.cell_len <= width:
        return line
    tail = (width - 1) // 2
    return styled(f"{line.plain[: width - 1 - tail]}…{line.plain[len(line.plain) - tail :]}", "")


# ---- what is shown, of all kinds ----

Part: TypeAlias = "str | Text | Sheet"


def show(parts: Sequence[Part], screen: Console | None = None) -> None:
    """Print tables and lines."""
    screen = screen or console()
    for part in parts:
        if isinstance(part, Sheet) or all(_length(word) <= screen.width for word in _plain(part).split()):
            screen.print(part, highlight=False)
        else:  # a path that is longer than the terminal stays whole, so that it can be copied
            for line in _lines_of_words(_plain(part), screen.width):
                screen.print(styled(line, ""), no_wrap=True, overflow="ignore", crop=False)


def _lines_of_words(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def text(parts: Sequence[Part]) -> str:
    """The same as a string: as wide as the terminal where standard output is one, else as wide as it has to be."""
    file = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show(parts, console(file=file, width=width, force_terminal=False, no_color=True))
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip().split("\n"))


def html(parts: Sequence[Part]) -> str:
    """The same as HTML, every text escaped."""
    return "".join(p.html() if isinstance(p, Sheet) else f"<p>{_html.escape(_plain(p))}</p>" for p in parts)


def _plain(part: str | Text) -> str:
    return part if isinstance(part, str) else part.plain


class Shown:
    """A record that is printed as the table of the command line, and as HTML in a notebook."""

    __slots__ = ()

    def parts(self) -> list[Part]:
        """Tables and lines, in the order in which they are shown."""
        raise NotImplementedError

    def __str__(self) -> str:
        return text(self.parts())

    def _repr_html_(self) -> str:
        return html(self.parts())
