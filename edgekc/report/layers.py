"""A measurement's layers to bars: instructions that were counted, and cycles, counted or estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import tables
from .chart import Chart
from .drawing import Drawing, fitted, short, ticks

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 920.0, 190.0, 130.0, 22.0, 30.0  # pixels


def first(counts: Any) -> int | None:
    """Of the first inference; None where nothing was counted."""
    return int(counts[0]) if counts else None


def cycles_of(layer: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """(low, likely, high) of a layer: estimated, or thrice what a board counted; None where there is neither."""
    counted, estimated = first(layer.get("cycles")), layer.get("estimated_cycles")
    if counted is not None:
        return float(counted), float(counted), float(counted)
    if estimated:
        return float(estimated["low"]), float(estimated["likely"]), float(estimated["high"])
    return None


def cycles_by_layer(m: Mapping[str, Any]) -> Chart | None:
    """Bars of cycles and instructions; None where nothing was counted. `m` is what `measure --json` prints."""
    layers = m["layers"]
    cycles = [cycles_of(layer) for layer in layers]
    counts = [first(layer["instructions"]) for layer in layers]
    known = [c[2] for c in cycles if c] + [float(n) for n in counts if n is not None]
    if not known:
        return None
    drawing = Drawing(_WIDTH, _TOP + _ROW * len(layers) + 48, f"Cycles and instructions of {m['name']} by layer")
    height = _TOP + _ROW * len(layers)
    marks = ticks(0, max(known))
    scale = (_WIDTH - _LEFT - _RIGHT) / marks[-1]
    for tick in marks:
        drawing.line(_LEFT + tick * scale, _TOP - 4, _LEFT + tick * scale, height)
        drawing.text(_LEFT + tick * scale, _TOP - 8, short(tick), size=11, fill="quiet", anchor="middle")
    on_board = any(layer.get("cycles") for layer in layers)
    total = sum(c[1] for c in cycles if c) or sum(n or 0 for n in counts)
    for i, (layer, cost, count) in enumerate(zip(layers, cycles, counts, strict=True)):
        y = _TOP + i * _ROW
        drawing.text(_LEFT - 8, y + _ROW * 0.62, fitted(layer["name"], _LEFT - 12), anchor="end")
        if cost is not None:
            low, likely, high = cost
            span = "" if low == high else f", {low:,.0f} to {high:,.0f}"
            hint = f"{layer['name']}: {likely:,.0f} {'counted' if on_board else 'estimated'} cycles{span}"
            drawing.rect(_LEFT, y + 4, likely * scale, 12, "blue", f"{hint}, by {layer['kernel']}", radius=2)
            if low != high:
                drawing.line(_LEFT + low * scale, y + 10, _LEFT + high * scale, y + 10, "ink", width=1.5)
        if count is not None:
            hint = f"{layer['name']}: {count:,} instructions, counted"
            drawing.rect(_LEFT, y + 18, count * scale, 6, "orange", hint, radius=1)
        shown = cost[1] if cost is not None else count
        if shown is not None:
            share = f"{shown / max(total, 1):.1%}"
            drawing.text(_WIDTH - 48, y + _ROW * 0.62, f"{shown:,.0f}", size=11.5, anchor="end")
            drawing.text(_WIDTH, y + _ROW * 0.62, share, size=11.5, fill="quiet", anchor="end")
    what = "cycles, counted by the board" if on_board else "cycles, estimated; the line is their range"
    entries = [("blue", what)] * any(cycles) + [("orange", "instructions, counted")] * any(
        n is not None for n in counts
    )
    drawing.height = drawing.legend(_LEFT, height + 22, entries) - 4
    return Chart("layers", "Cycles and instructions", _lead(m), (drawing.svg(),), (_sheet(m),))


def _lead(m: Mapping[str, Any]) -> str:
    said, speed = [], m.get("speed")
    if m["instructions"]:
        said.append(f"One inference takes {m['instructions'][0]:,} instructions, counted by {m['emulator']}.")
    if speed:
        c = speed["cycles"]
        rough = ", roughly," if speed["rough"] else ""
        said.append(
            f"Its cycles are estimated{rough} by the published timing of the {speed['core']}: {c['likely']:,.0f} "
            f"({c['low']:,.0f} to {c['high']:,.0f}), without wait states."
        )
    return " ".join(said) or "Nothing was counted by layer."


def _sheet(m: Mapping[str, Any]) -> tables.Sheet:
    number = tables.number
    sheet = tables.Sheet("one inference", "layer", "kernel", number("MACs"), number("instructions"), number("per MAC"),
                         number("cycles, low"), number("likely"), number("high"))  # fmt: skip
    for layer in m["layers"]:
        count, cost, macs = first(layer["instructions"]), cycles_of(layer), int(layer["macs"])
        per = f"{count / macs:.2f}" if count is not None and macs else ""
        three = ("", "", "") if cost is None else tuple(f"{c:,.0f}" for c in cost)
        sheet.add(layer["name"], layer["kernel"], f"{macs:,}", tables.size(count, ""), per, *three)
    return sheet
