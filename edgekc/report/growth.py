"""Two builds to what grew and what shrank: bars to both sides of zero."""

from __future__ import annotations

from collections.abc import Sequence

from .. import tables
from ..measure.difference import Change
from .chart import Chart
from .drawing import Drawing, fitted, short, ticks

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 920.0, 270.0, 150.0, 24.0, 22.0  # pixels
_MOST = 40  # figures of a picture; the table has all


def growth(before: str, after: str, changes: Sequence[Change], sheets: Sequence[tables.Sheet]) -> list[Chart]:
    """Charts of flash, of RAM, and of instructions and cycles; figures that did not change are in the table.

    Args:
        before, after: what the builds are called.
        changes: all figures of either.
        sheets: the same as tables, which go behind the first chart.
    """
    counted = ("instructions", "cycles", "estimated cycles")
    differ = [c for c in changes if c.delta]
    counts = [c for c in differ if c.what.startswith(counted)]
    flash = [c for c in differ if c.what.startswith("flash")]
    ram = [c for c in differ if c not in counts and c not in flash]
    charts: list[Chart] = []
    for key, title, unit, some in (
        ("grew-flash", "What grew: flash", "bytes of flash", flash),
        ("grew-ram", "What grew: RAM", "bytes of RAM", ram),
        ("grew-counts", "What grew: instructions and cycles", "", counts),
    ):
        lead = _lead(before, after, some, unit)
        drawn = (_bars(f"{title}, {before} to {after}", some[:_MOST], unit),) if some else ()
        charts.append(Chart(key, title, lead, drawn, tuple(sheets) if not charts else ()))
    return charts


def _lead(before: str, after: str, some: Sequence[Change], unit: str) -> str:
    if not some:
        what = unit.removeprefix("bytes of ") or "instructions or cycles"
        return f"No figure of {what} differs from {before} to {after}."
    top = some[0]
    found = f"From {before} to {after}: {top.what} {top.before or 0:,} to {top.after or 0:,}"
    share = f", {top.delta / top.before:+.1%}" if top.before else ""
    return f"{found}{share}. Blue shrank, red grew."


def _bars(title: str, some: Sequence[Change], unit: str) -> str:
    height = _TOP + _ROW * len(some)
    drawing = Drawing(_WIDTH, height + 8, title)
    low, high = min(0, *(c.delta for c in some), 0), max(0, *(c.delta for c in some), 0)
    marks = ticks(low, high, 6)
    scale = (_WIDTH - _LEFT - _RIGHT) / (marks[-1] - marks[0])

    def x(value: float) -> float:
        return _LEFT + (value - marks[0]) * scale

    for tick in marks:
        drawing.line(x(tick), _TOP - 4, x(tick), height, "quiet" if tick == 0 else "rule")
        sign = "+" if tick > 0 else ""
        drawing.text(x(tick), _TOP - 9, f"{sign}{short(tick)}", size=11, fill="quiet", anchor="middle")
    for i, c in enumerate(some):
        y = _TOP + i * _ROW
        name = c.what.removeprefix("flash, ").removeprefix("instructions, ").removeprefix("cycles, ")
        drawing.text(_LEFT - 10, y + 15, fitted(name, _LEFT - 14), anchor="end", bold=", " not in c.what)
        hint = (
            f"{c.what}: {tables.size(c.before, 'none')} to {tables.size(c.after, 'none')}, {c.delta:+,} {unit}".rstrip()
        )
        begin, end = sorted((x(0), x(c.delta)))
        drawing.rect(begin, y + 4, max(end - begin, 1), _ROW - 8, "red" if c.delta > 0 else "blue", hint, radius=2)
        share = f"{c.delta / c.before:+.1%}" if c.before else "new" if c.before is None else ""
        drawing.text(_WIDTH - 62, y + 15, f"{c.delta:+,}", size=11.5, anchor="end")
        drawing.text(_WIDTH, y + 15, "gone" if c.after is None else share, size=11.5, fill="quiet", anchor="end")
    return drawing.svg()
