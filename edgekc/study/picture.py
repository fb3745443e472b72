"""Measured candidates to a picture: loss over flash, as SVG, without a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..exploration.candidate import Budget
from .trials import Trial, front, measured

_INK, _QUIET, _BEST, _FRONT, _OTHER = "#1f2937", "#6b7280", "#b45309", "#0f766e", "#cbd5e1"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 420, 70, 24, 58, 60  # pixels
_TICKS = 5


def picture(name: str, board: str, trials: Sequence[Trial], best: Trial, budget: Budget, unit: str) -> str:
    """The whole SVG. Both axes are linear; that of the loss begins at the least of all.

    Args:
        unit: of the loss.
    """
    shown = measured(trials)
    points = [(t, t.figures.flash, t.figures.loss) for t in shown if t.figures is not None]
    flashes = [flash for _, flash, _ in points] + ([] if budget.flash is None else [budget.flash])
    losses = [loss for _, _, loss in points] + ([] if budget.loss is None else [budget.loss])
    xs, ys = _ticks(min(flashes), max(flashes)), _ticks(min(losses), max(losses))

    def x(flash: float) -> float:
        return _LEFT + (flash - xs[0]) / (xs[-1] - xs[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(loss: float) -> float:
        return _HEIGHT - _BOTTOM - (loss - ys[0]) / (ys[-1] - ys[0]) * (_HEIGHT - _TOP - _BOTTOM)

    title = f"{name} on {board}: loss over flash of {len(points)} candidates"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 24, title, size=14),
        _text(_LEFT, 42, "green: not dominated; brown: chosen; dashed: the budget", fill=_QUIET),
    ]
    for tick in xs:
        parts += [_line(x(tick), _TOP, x(tick), _HEIGHT - _BOTTOM, "#eef2f7"),
                  _text(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick / 1000:g}", anchor="middle")]  # fmt: skip
    for tick in ys:
        parts += [_line(_LEFT, y(tick), _WIDTH - _RIGHT, y(tick), "#eef2f7"),
                  _text(_LEFT - 8, y(tick) + 4, f"{tick:g}", anchor="end")]  # fmt: skip
    if budget.flash is not None:
        parts.append(_line(x(budget.flash), _TOP, x(budget.flash), _HEIGHT - _BOTTOM, _QUIET, "4 3"))
    if budget.loss is not None:
        parts.append(_line(_LEFT, y(budget.loss), _WIDTH - _RIGHT, y(budget.loss), _QUIET, "4 3"))
    keys = {t.candidate.key for t in front(shown)}
    colours = {True: _FRONT, False: _OTHER}
    for trial, flash, loss in sorted(points, key=lambda p: (p[0].candidate.key in keys, p[0] is best)):
        fill = _BEST if trial.candidate.key == best.candidate.key else colours[trial.candidate.key in keys]
        hint = f"{trial.candidate.key}: {flash:,} bytes, {loss:.2f} {unit}"
        parts.append(
            f'<circle cx="{x(flash):.1f}" cy="{y(loss):.1f}" r="5" fill="{fill}"><title>{hint}</title></circle>'
        )
    parts += [
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 18, "flash with weights, 1000 bytes", anchor="middle"),
        _text(_LEFT, _TOP - 4, f"loss, {unit}", fill=_QUIET),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from below the least to above the most."""
    span = max(high - low, abs(high) * 0.05, 0.1)
    step = 10 ** math.floor(math.log10(span / _TICKS))
    step *= next(k for k in (1, 2, 5, 10) if span / (k * step) <= _TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(k * step, 10) for k in range(first, max(last, first + 1) + 1)]


def _text(x: float, y: float, words: str, *, size: int = 12, fill: str = _INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, dashes: str = "") -> str:
    more = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{more}/>'
