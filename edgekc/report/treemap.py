"""Flash by layer and kind to a treemap.

The layout is the squarified one of Bruls, Huizing and van Wijk, "Squarified Treemaps", VisSym 2000: rectangles whose
areas are the sizes, as near to squares as a row by row filling gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import tables
from ..measure.by_layer import COLUMNS, OUTSIDE
from .chart import Chart
from .drawing import Drawing, fitted, text_on, width_of

# Kinds that belong together have neighbouring colours.
KINDS = {
    "weights": "blue", "index": "sky", "codebook": "orange", "pairs": "red", "centers": "yellow", "bias": "green",
    "requant": "green", "laid out": "blue", "layer tables": "pink", "code": "grey", "format": "pale", "padding": "pale",
}  # fmt: skip
_WIDTH, _HEIGHT, _HEAD = 920.0, 430.0, 17.0  # pixels; a layer's heading


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """A rectangle for each size, in order; areas are in proportion to the sizes, which are above 0.

    Sizes that come in falling order give the squarest rectangles.
    """
    total = sum(sizes)
    if not sizes or total <= 0 or box.width <= 0 or box.height <= 0:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in sizes]
    areas = [size * box.width * box.height / total for size in sizes]
    found: list[Box] = []
    at, left = 0, box
    while at < len(areas):
        side = max(min(left.width, left.height), 1e-9)
        count = 1
        while at + count < len(areas) and _worst(areas[at : at + count + 1], side) <= _worst(
            areas[at : at + count], side
        ):
            count += 1
        row = areas[at : at + count]
        thick = sum(row) / side
        along = 0.0
        for area in row:
            length = area / thick if thick else 0.0
            if left.width >= left.height:
                found.append(Box(left.x, left.y + along, thick, length))
            else:
                found.append(Box(left.x + along, left.y, length, thick))
            along += length
        if left.width >= left.height:
            left = Box(left.x + thick, left.y, left.width - thick, left.height)
        else:
            left = Box(left.x, left.y + thick, left.width, left.height - thick)
        at += count
    return found


def _worst(row: Sequence[float], side: float) -> float:
    """The largest ratio of two sides in a row of these areas along a side."""
    total = sum(row)
    return max(side * side * max(row) / total**2, total**2 / (side * side * min(row)))


def flash_by_layer(m: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """{layer: {kind: bytes}} of the model, without harness; of what `edgekc measure --json` prints."""
    found: dict[str, dict[str, int]] = {}
    for row in m["by_layer"]:
        if row["layer"] != OUTSIDE and row["size_bytes"]:
            kinds = found.setdefault(str(row["layer"]), {})
            kinds[str(row["kind"])] = kinds.get(str(row["kind"]), 0) + int(row["size_bytes"])
    return found


def treemap(m: Mapping[str, Any]) -> Chart:
    """Flash of the model, by layer and kind; `m` is what `edgekc measure --json` prints."""
    layers = flash_by_layer(m)
    order = sorted(layers, key=lambda name: -sum(layers[name].values()))
    total = sum(sum(kinds.values()) for kinds in layers.values())
    drawing = Drawing(_WIDTH, _HEIGHT + 34, f"Flash of {m['name']} by layer and kind: {total:,} bytes")
    boxes = squarify([sum(layers[name].values()) for name in order], Box(0, 0, _WIDTH, _HEIGHT))
    for name, box in zip(order, boxes, strict=True):
        _layer(drawing, name, layers[name], box, total)
    used = [kind for kind in COLUMNS if any(kind in kinds for kinds in layers.values())]
    drawing.height = drawing.legend(0, _HEIGHT + 22, _legend(used)) - 4
    lead = (
        f"{total:,} bytes of flash belong to the model. Each outlined area is a layer; colours say what the bytes are. "
        "Every byte of the linked program is in one of them, or is the harness's."
    )
    return Chart("flash", "Flash", lead, (drawing.svg(),), (_sheet(layers, used, total),))


def _legend(used: Sequence[str]) -> list[tuple[str, str]]:
    by_colour: dict[str, list[str]] = {}
    for kind in used:
        by_colour.setdefault(KINDS.get(kind, "grey"), []).append(kind)
    return [(name, ", ".join(kinds)) for name, kinds in by_colour.items()]


def _layer(drawing: Drawing, name: str, kinds: Mapping[str, int], box: Box, total: int) -> None:
    size = sum(kinds.values())
    whole = f"{name}  {size:,}"
    label = (
        whole if width_of(whole, 11.5, bold=True) < box.width - 10 else fitted(name, box.width - 10, 11.5, bold=True)
    )
    head = _HEAD if label and box.height > 2 * _HEAD else 0.0
    inner = Box(box.x + 2, box.y + 2 + head, max(box.width - 4, 0.5), max(box.height - 4 - head, 0.5))
    drawing.rect(box.x + 0.75, box.y + 0.75, box.width - 1.5, box.height - 1.5, "panel", stroke="rule", radius=2)
    if head:
        drawing.text(box.x + 6, box.y + 13.5, label, size=11.5, bold=True)
    order = sorted(kinds, key=lambda kind: -kinds[kind])
    for kind, leaf in zip(order, squarify([kinds[kind] for kind in order], inner), strict=True):
        fill = KINDS.get(kind, "grey")
        hint = f"{name}: {kind} {kinds[kind]:,} bytes, {kinds[kind] / total:.1%} of the model's flash"
        drawing.rect(
            leaf.x + 0.5, leaf.y + 0.5, max(leaf.width - 1, 0.3), max(leaf.height - 1, 0.3), fill, hint, radius=1
        )
        if leaf.height > 18:
            words = fitted(f"{kind} {kinds[kind]:,}", leaf.width - 8, 10.5) or fitted(kind, leaf.width - 6, 10.5)
            if "…" not in words:
                drawing.text(leaf.x + 5, leaf.y + 14, words, size=10.5, fill=text_on(fill))


def _sheet(layers: Mapping[str, Mapping[str, int]], used: Sequence[str], total: int) -> tables.Sheet:
    sheet = tables.Sheet("bytes of flash", "layer", *map(tables.number, used), tables.number("all"))
    for name, kinds in layers.items():
        sheet.add(name, *(f"{kinds[k]:,}" if k in kinds else "" for k in used), f"{sum(kinds.values()):,}")
    sheet.rule()
    sums = [sum(kinds.get(k, 0) for kinds in layers.values()) for k in used]
    sheet.add("model", *(f"{n:,}" for n in sums), f"{total:,}")
    return sheet
