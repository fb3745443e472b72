"""Measured candidates of a search to points of loss over flash, of which some are beaten by no other one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .drawing import Drawing, ticks

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760.0, 420.0, 70.0, 24.0, 58.0, 60.0  # pixels


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point of the picture.

    Attributes:
        flash: bytes with weights.
        loss: in the unit of the axis.
        hint: what it is.
        kind: the chosen one, one that no other beats, or another one.
    """

    flash: int
    loss: float
    hint: str
    kind: Literal["best", "front", "other"]


_FILLS = {"best": "red", "front": "green", "other": "pale"}


def scatter(
    title: str, candidates: Sequence[Candidate], unit: str, most_flash: int | None, most_loss: float | None
) -> str:
    """The whole SVG. Both axes are linear; that of the loss begins at the least of all.

    Args:
        candidates: at least one.
        unit: of the loss.
        most_flash, most_loss: the budget, drawn as dashed lines; None: there is none.
    """
    flashes = [c.flash for c in candidates] + ([] if most_flash is None else [most_flash])
    losses = [c.loss for c in candidates] + ([] if most_loss is None else [most_loss])
    xs, ys = _axis(min(flashes), max(flashes)), _axis(min(losses), max(losses))

    def x(flash: float) -> float:
        return _LEFT + (flash - xs[0]) / (xs[-1] - xs[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(loss: float) -> float:
        return _HEIGHT - _BOTTOM - (loss - ys[0]) / (ys[-1] - ys[0]) * (_HEIGHT - _TOP - _BOTTOM)

    drawing = Drawing(_WIDTH, _HEIGHT, title)
    drawing.rect(0, 0, _WIDTH, _HEIGHT, "ground")
    drawing.text(_LEFT, 24, title, size=14)
    drawing.text(_LEFT, 42, "green: not dominated; red: chosen; dashed: the budget", fill="quiet")
    for tick in xs:
        drawing.line(x(tick), _TOP, x(tick), _HEIGHT - _BOTTOM)
        drawing.text(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick / 1000:g}", anchor="middle")
    for tick in ys:
        drawing.line(_LEFT, y(tick), _WIDTH - _RIGHT, y(tick))
        drawing.text(_LEFT - 8, y(tick) + 4, f"{tick:g}", anchor="end")
    if most_flash is not None:
        drawing.line(x(most_flash), _TOP, x(most_flash), _HEIGHT - _BOTTOM, "quiet", dashes="4 3")
    if most_loss is not None:
        drawing.line(_LEFT, y(most_loss), _WIDTH - _RIGHT, y(most_loss), "quiet", dashes="4 3")
    order = ("other", "front", "best")
    for c in sorted(candidates, key=lambda c: order.index(c.kind)):
        drawing.circle(x(c.flash), y(c.loss), 5, _FILLS[c.kind], c.hint)
    drawing.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 18, "flash with weights, 1000 bytes", anchor="middle")
    drawing.text(_LEFT, _TOP - 4, f"loss, {unit}", fill="quiet")
    return drawing.svg()


def _axis(low: float, high: float) -> list[float]:
    """Ticks of an axis that is not empty where all points are in one place."""
    span = max(high - low, abs(high) * 0.05, 0.1)
    return ticks(low, low + span)
