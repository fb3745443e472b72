"""A confusion matrix to shaded cells, and accuracies with their intervals to lines on one axis."""

from __future__ import annotations

from collections.abc import Sequence

from .. import tables
from .chart import Chart
from .drawing import Drawing, colour, fitted, width_of

_ROOM = 620.0  # pixels for all cells


def confusion(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], lead: str, sheets: Sequence[tables.Sheet]
) -> Chart:
    """Rows are labels, columns are answers.

    Args:
        matrix: counts, (classes, classes).
        lead: the accuracy in words.
        sheets: the same as a table.
    """
    count = len(classes)
    cell = max(min(_ROOM / max(count, 1), 46.0), 14.0)
    left = min(max(map(width_of, classes), default=0.0) + 16, 170.0)
    top = left if max(map(width_of, classes), default=0.0) > cell - 4 else 26.0
    drawing = Drawing(left + count * cell + 70, top + count * cell + 24, "Samples by label and answer")
    for i, name in enumerate(classes):
        row = matrix[i]
        total = sum(row)
        y = top + i * cell
        drawing.text(left - 8, y + cell * 0.62, fitted(name, left - 10, 11.5), size=11.5, anchor="end")
        x = left + i * cell + cell * 0.6
        if top == left:
            drawing.text(x, top - 8, fitted(name, top - 12, 11.5), size=11.5, turned=-90)
        else:
            drawing.text(left + i * cell + cell / 2, top - 8, name, size=11.5, anchor="middle")
        for k, n in enumerate(row):
            share = n / total if total else 0.0
            hint = f"{name} taken for {classes[k]}: {n:,} of {total:,}, {share:.1%}"
            if i == k:
                hint = f"{name} is right: {n:,} of {total:,}, {share:.1%}"
            fill = colour("blue" if i == k else "red")
            drawing.rect(left + k * cell + 0.5, y + 0.5, cell - 1, cell - 1, "panel", radius=2)
            drawing.rect(left + k * cell + 0.5, y + 0.5, cell - 1, cell - 1, fill, hint, radius=2,
                         opacity=max(share**0.6, 0.001))  # fmt: skip
            if n and cell >= 24 and width_of(f"{n:,}", 10.5) < cell - 2:
                strong = share**0.6 > 0.55
                drawing.text(left + k * cell + cell / 2, y + cell * 0.62, f"{n:,}", size=10.5, anchor="middle",
                             fill="ground" if strong else "ink")  # fmt: skip
        right = f"{100 * row[i] / total:.1f} %" if total else ""
        drawing.text(left + count * cell + 8, y + cell * 0.62, right, size=11.5, fill="quiet")
    drawing.text(left, top + count * cell + 17, "rows: label; columns: answer; blue is right, red is wrong", size=11,
                 fill="quiet")  # fmt: skip
    drawing.width = max(drawing.width, left + width_of("rows: label; columns: answer; blue is right, red is wrong", 11))
    return Chart("confusion", "Accuracy", lead, (drawing.svg(),), tuple(sheets))
