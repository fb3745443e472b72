"""Layers to a roofline: what a core could compute and fetch at most, and what each layer reaches of it.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures",
CACM 52(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import tables
from ..boards.cores import Core
from ..measure.cycles.timing import ONE, TIMINGS
from .chart import Chart
from .drawing import Drawing, fitted, width_of
from .layers import cycles_of

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 920.0, 400.0, 62.0, 24.0, 20.0, 48.0  # pixels
# int8 products that one instruction adds up. DSP: SMLAD, two halfwords (Armv7-M ARM, A7.7.128). Helium: VMLADAV.S8,
# sixteen bytes (Armv8.1-M ARM, C2.4). A64: SDOT, sixteen bytes; SMLAL without it, eight.
_PRODUCTS = {"mve": 16, "dotprod": 16, "neon": 8, "dsp": 2}
_BYTES = {"mve": 16, "dotprod": 16, "neon": 16}  # of one vector load; other cores load words of 4


@dataclass(frozen=True, slots=True)
class Roof:
    """What a core does at most, without wait states.

    Attributes:
        macs: multiply-accumulates of int8 in a cycle.
        bytes: loaded in a cycle.
    """

    macs: float
    bytes: float

    def at(self, intensity: float) -> float:
        """Most multiply-accumulates in a cycle, where so many are done for each byte that is moved."""
        return min(self.macs, self.bytes * intensity)


@dataclass(frozen=True, slots=True)
class Point:
    """A layer under the roof: multiply-accumulates for each byte that is moved at least, and in each cycle."""

    name: str
    intensity: float
    macs_per_cycle: float


def roof_of(core: Core) -> Roof | None:
    """By the timing of the core that estimates use; None where there is none."""
    timing = TIMINGS.get(core.name)
    if timing is None:
        return None
    kinds = timing.kinds
    family = next((name for name in _PRODUCTS if name in core.features), "")
    if family in ("mve", "dotprod", "neon"):
        macs = _PRODUCTS[family] / kinds.get("vector", ONE).likely
        loads = kinds.get("vector_load", ONE).likely
    elif family == "dsp":
        macs, loads = _PRODUCTS["dsp"] / kinds.get("dsp", ONE).likely, (timing.behind_memory or ONE).likely
    else:
        # ARMv6-M has no multiplication that adds: a second instruction does.
        adds = "thumb1" in core.features
        macs = 1 / (kinds.get("mul", ONE).likely + 1 if adds else kinds.get("mla", ONE).likely)
        loads = (timing.behind_memory or kinds.get("load", ONE)).likely
    return Roof(macs, _BYTES.get(family, 4) / loads)


def points_of(m: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[Point]:
    """Layers that multiply and whose cycles are known.

    What is moved at least is each layer's constants and output once, and the output of the layer before it.
    """
    found, before = [], sum(int(e["bytes"]) for e in manifest["inputs"])
    costs = {str(layer["name"]): cycles_of(layer) for layer in m["layers"]}
    for layer in manifest["layers"]:
        moved = before + int(layer.get("constant_bytes", 0)) + int(layer["output_bytes"])
        before, cost = int(layer["output_bytes"]), costs.get(str(layer["name"]))
        if layer["macs"] and cost is not None and cost[1] > 0:
            found.append(Point(str(layer["name"]), layer["macs"] / moved, layer["macs"] / cost[1]))
    return found


def roofline(m: Mapping[str, Any], manifest: Mapping[str, Any], core: Core) -> Chart | None:
    """The picture; None where the core has no timing, or no layer has cycles."""
    roof, points = roof_of(core), points_of(m, manifest)
    if roof is None or not points:
        return None
    xs = [p.intensity for p in points] + [roof.macs / roof.bytes]
    ys = [p.macs_per_cycle for p in points] + [roof.macs]
    x0, x1 = math.floor(math.log10(min(xs)) * 2) / 2, math.ceil(math.log10(max(xs)) * 2 + 0.2) / 2
    y0, y1 = math.floor(math.log10(min(ys)) * 2 - 0.15) / 2, math.ceil(math.log10(max(ys)) * 2 + 0.3) / 2
    drawing = Drawing(_WIDTH, _HEIGHT, f"Roofline of the {m['name']} layers on a {core.name}")

    def x(value: float) -> float:
        return _LEFT + (math.log10(value) - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (math.log10(value) - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)

    for value in _decades(x0, x1):
        drawing.line(x(value), _TOP, x(value), _HEIGHT - _BOTTOM)
        drawing.text(x(value), _HEIGHT - _BOTTOM + 17, f"{value:g}", size=11, fill="quiet", anchor="middle")
    for value in _decades(y0, y1):
        drawing.line(_LEFT, y(value), _WIDTH - _RIGHT, y(value))
        drawing.text(_LEFT - 8, y(value) + 4, f"{value:g}", size=11, fill="quiet", anchor="end")
    ends = [10**x0, roof.macs / roof.bytes, 10**x1]
    line = [(x(v), min(y(roof.at(v)), _HEIGHT - _BOTTOM)) for v in ends if 10**x0 <= v <= 10**x1]
    drawing.path(line, "quiet", width=2)
    words = f"{roof.macs:g} MACs a cycle at most"
    drawing.text(_WIDTH - _RIGHT - 4, y(roof.macs) - 7, words, size=11, fill="quiet", anchor="end")
    taken: list[tuple[float, float]] = []
    for p in sorted(points, key=lambda p: -p.macs_per_cycle):
        share = p.macs_per_cycle / roof.at(p.intensity)
        hint = (
            f"{p.name}: {p.macs_per_cycle:.2f} MACs a cycle, {share:.0%} of the roof, "
            f"{p.intensity:.1f} MACs for each byte"
        )
        at = x(p.intensity), y(p.macs_per_cycle)
        drawing.circle(*at, 6, "blue" if share <= 1 else "orange", hint)
        if all(abs(at[0] - a) > 90 or abs(at[1] - b) > 13 for a, b in taken):
            right = at[0] + 10 + width_of(p.name, 11) < _WIDTH - _RIGHT
            drawing.text(at[0] + (10 if right else -10), at[1] + 4, fitted(p.name, 170, 11), size=11,
                         anchor="start" if right else "end")  # fmt: skip
            taken.append(at)
    drawing.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "MACs for each byte of input, output and constants",
                 size=11.5, fill="quiet", anchor="middle")  # fmt: skip
    drawing.text(_LEFT, _TOP - 7, "MACs in a cycle", size=11.5, fill="quiet")
    lead = (
        f"The line is what a {core.name} reaches at most: {roof.macs:g} products in a cycle, and {roof.bytes:g} bytes "
        "loaded. A layer above it, in orange, multiplies less than its MACs say, as Winograd's kernels and those of "
        "templates do."
    )
    return Chart("roofline", "Roofline", lead, (drawing.svg(),), (_sheet(points, roof),))


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times each power of ten between two powers."""
    values = [k * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for k in (1, 2, 5)]
    return [v for v in values if 10**low <= v * 1.0001 and v <= 10**high * 1.0001]


def _sheet(points: list[Point], roof: Roof) -> tables.Sheet:
    number = tables.number
    sheet = tables.Sheet("", "layer", number("MACs a byte"), number("MACs a cycle"), number("roof"), number("share"))
    for p in points:
        most = roof.at(p.intensity)
        cells = (f"{p.intensity:.2f}", f"{p.macs_per_cycle:.3f}", f"{most:.2f}", f"{p.macs_per_cycle / most:.0%}")
        sheet.add(p.name, *cells)
    return sheet
