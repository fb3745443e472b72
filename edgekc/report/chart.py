"""A chart as reports and notebooks show it: a picture, a sentence, and the figures as a table behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from .. import tables
from ..names import visible


@dataclass(frozen=True, slots=True)
class Chart(tables.Shown):
    """One part of a report.

    Attributes:
        key: its place in a page, a word.
        title: its heading.
        lead: what it shows, and how its figures are known: one or two sentences.
        pictures: SVG elements, or other HTML; empty: there is nothing to draw.
        sheets: the same figures as tables.
    """

    key: str
    title: str
    lead: str
    pictures: tuple[str, ...] = field(repr=False)
    sheets: tuple[tables.Sheet, ...] = field(default=(), repr=False)

    def parts(self) -> list[tables.Part]:
        """The sentence and the tables: what a terminal shows."""
        return [f"{self.title}: {self.lead}", *self.sheets]

    def body(self) -> str:
        """Pictures, each of which may be scrolled, and the tables folded behind them, as HTML."""
        drawn = "".join(f'<div class="scroll" style="overflow-x:auto">{picture}</div>' for picture in self.pictures)
        if not self.sheets:
            return drawn
        inside = "".join(f'<div class="scroll" style="overflow-x:auto">{sheet.html()}</div>' for sheet in self.sheets)
        return f"{drawn}<details><summary>The same as a table</summary>{inside}</details>"

    def _repr_html_(self) -> str:
        """The chart by itself, for a notebook."""
        title, lead = escape(visible(self.title)), escape(visible(self.lead))
        return f"<h4>{title}</h4><p>{lead}</p>{self.body()}"
