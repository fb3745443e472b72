"""A manifest's map of the arena to RAM over time: layers go down, addresses go to the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import tables
from .chart import Chart
from .drawing import Drawing, fitted, short, text_on, ticks

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 920.0, 190.0, 70.0, 22.0, 26.0  # pixels
_FILLS = {"activation": "blue", "scratch": "orange", "rows": "green", "held": "pink"}
_WORDS = {
    "activation": "activation",
    "scratch": "scratch of a kernel",
    "rows": "ring of some rows",
    "held": "which rows are held",
}


def in_use(manifest: Mapping[str, Any], layer: int) -> int:
    """Bytes of the arena that lie below the last one in use while a layer runs."""
    live = [p for p in manifest["arena"] if p["first"] <= layer <= p["last"]]
    taken, end = 0, 0
    for p in sorted(live, key=lambda p: int(p["offset"])):
        first, last = max(int(p["offset"]), end), int(p["offset"]) + int(p["bytes"])
        taken += max(last - first, 0)
        end = max(end, last)
    return taken


def ram_over_time(manifest: Mapping[str, Any]) -> Chart | None:
    """What lies where in the arena while each layer runs; None where the manifest has no map, or an arena of 0."""
    layers, places, arena = manifest["layers"], manifest.get("arena"), int(manifest["arena_bytes"])
    if not places or not arena:
        return None
    height = _TOP + _ROW * len(layers)
    drawing = Drawing(_WIDTH, height + 48, f"Arena of {manifest['name']} over time: {arena:,} bytes")
    scale = (_WIDTH - _LEFT - _RIGHT) / arena
    marks = [t for t in ticks(0, arena) if t <= arena]
    for tick in marks:
        drawing.line(_LEFT + tick * scale, _TOP - 4, _LEFT + tick * scale, height)
        drawing.text(_LEFT + tick * scale, _TOP - 8, short(tick), size=11, fill="quiet", anchor="middle")
    drawing.line(_LEFT + arena * scale, _TOP - 4, _LEFT + arena * scale, height, "quiet", dashes="4 3")
    sums = [in_use(manifest, i) for i in range(len(layers))]
    most = max(range(len(layers)), key=lambda i: sums[i])
    for i, layer in enumerate(layers):
        y = _TOP + i * _ROW
        peak = i == most
        drawing.text(_LEFT - 8, y + _ROW * 0.64, fitted(layer["name"], _LEFT - 12), anchor="end", bold=peak)
        drawing.text(_WIDTH, y + _ROW * 0.64, f"{sums[i]:,}", size=11.5, fill="quiet", anchor="end", bold=peak)
    # A tensor that is written over in place ends in the layer that writes the next one: there it lies faintly below.
    starts = {(p["first"], p["offset"]) for p in places if p["kind"] == "activation"}
    for p in places:
        first, last = int(p["first"]), int(p["last"])
        while last > first and p["kind"] == "activation" and (last, p["offset"]) in starts:
            last -= 1
        x, y = _LEFT + p["offset"] * scale, _TOP + first * _ROW
        wide, high = p["bytes"] * scale, (last - first + 1) * _ROW
        if last < p["last"]:
            drawing.rect(x + 0.5, y + high + 1.5, max(wide - 1, 1), _ROW - 3, "blue", radius=3, opacity=0.3)
        ring = f", a ring of {p['rows']} of its {p['height']} rows" if "rows" in p else ""
        ends = "" if first == p["last"] else f" to {layers[p['last']]['name']}"
        hint = (
            f"{p['name']}: {_WORDS[p['kind']]}{ring}, {p['bytes']:,} bytes at {p['offset']:,}, "
            f"in use during {layers[first]['name']}{ends}"
        )
        fill = _FILLS[p["kind"]]
        drawing.rect(x + 0.5, y + 1.5, max(wide - 1, 1), high - 3, fill, hint, radius=3)
        if high >= _ROW:
            words = "scratch" if p["kind"] == "scratch" else p["name"]
            short_words = fitted(words, wide - 10, 10.5)
            if short_words == words or len(short_words) > 7:
                drawing.text(x + 6, y + _ROW * 0.64, short_words, size=10.5, fill=text_on(fill))
    kinds = [k for k in _FILLS if any(p["kind"] == k for p in places)]
    drawing.height = drawing.legend(_LEFT, height + 22, [(_FILLS[k], _WORDS[k]) for k in kinds]) - 4
    lower = int(manifest.get("arena_lower_bound", arena))
    lead = (
        f"The arena has {arena:,} bytes, {arena / max(lower, 1):.3f} of the least that these kernels could have. "
        f"Time goes down, layer by layer; addresses go to the right. The most is in use during "
        f"{layers[most]['name']}. What a layer writes over is faint. Input and output are the caller's, and not in it."
    )
    if manifest.get("state_bytes"):
        lead += f" Nor is the state, of {manifest['state_bytes']:,} bytes."
    return Chart("ram", "RAM over time", lead, (drawing.svg(),), (_sheet(manifest),))


def _sheet(manifest: Mapping[str, Any]) -> tables.Sheet:
    number, names = tables.number, [layer["name"] for layer in manifest["layers"]]
    sheet = tables.Sheet("buffers of the arena", "buffer", "what", number("offset"), number("bytes"), number("rows"),
                         "from", "to")  # fmt: skip
    for p in manifest["arena"]:
        rows = f"{p['rows']} of {p['height']}" if "rows" in p else ""
        cells = (f"{p['offset']:,}", f"{p['bytes']:,}", rows, names[p["first"]], names[p["last"]])
        sheet.add(p["name"], _WORDS[p["kind"]], *cells)
    return sheet
