"""A packed network beside its float model: how far each layer is off, and the picture of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import tables
from ..emulate import reference
from ..graph.ir import Array, Graph
from ..quantize import float_reference
from .chart import Chart
from .drawing import Drawing, fitted, ticks

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 920.0, 190.0, 70.0, 22.0, 24.0  # pixels
_MOST_DB = 80.0  # of a layer without any error


@dataclass(frozen=True, slots=True)
class LayerError:
    """What one layer's output says of the float model's.

    Attributes:
        name: of the layer.
        signal_to_error_db: ten times the decimal logarithm of the float output's variance over that of the error.
        correlation: of the two, -1 to 1.
    """

    name: str
    signal_to_error_db: float
    correlation: float


def layer_errors(packed: Graph, exact: Graph, levels: Sequence[Array], reals: Sequence[Array]) -> list[LayerError]:
    """Layers that both graphs have by the same name and shape, in order.

    The integers of an inner layer have no scale in a packed model. They are compared behind the straight line that fits
    them best, which is what a scale and a zero point are.

    Args:
        packed: INTEGER, without states.
        exact: FLOAT, the model that it was made from.
        levels: an array for each input of `packed`, (batch, *shape[1:]).
        reals: the same samples as real numbers for `exact`.
    """
    found, values = [], reference.run(packed, levels)
    wanted = float_reference.run(exact, reals)
    for node in packed.nodes:
        name = node.outputs[0]
        if name not in wanted or name in packed.inputs or wanted[name].shape != values[name].shape:
            continue
        x = values[name].astype(np.float64).reshape(-1)
        y = wanted[name].astype(np.float64).reshape(-1)
        x, y = x - x.mean(), y - y.mean()
        power = float(x @ x) * float(y @ y)
        if power <= 0:
            continue
        r = float(x @ y) / math.sqrt(power)
        db = -10 * math.log10(max(1 - r * r, 10 ** (-_MOST_DB / 10)))
        found.append(LayerError(name, db, r))
    return found


def error_chart(errors: Sequence[LayerError], source: str, inputs: str) -> Chart | None:
    """Bars by layer; None where no layer could be compared.

    Args:
        source: what the float model is called.
        inputs: what was run, and how many of it.
    """
    if not errors:
        return None
    drawing = Drawing(_WIDTH, _TOP + _ROW * len(errors) + 8, "Signal to error by layer, in decibels")
    marks = ticks(0, max(max(e.signal_to_error_db for e in errors), 1.0))
    scale = (_WIDTH - _LEFT - _RIGHT) / marks[-1]
    for tick in marks:
        drawing.line(_LEFT + tick * scale, _TOP - 4, _LEFT + tick * scale, _TOP + _ROW * len(errors))
        drawing.text(_LEFT + tick * scale, _TOP - 8, f"{tick:g} dB", size=11, fill="quiet", anchor="middle")
    sheet = tables.Sheet("", "layer", tables.number("signal to error, dB"), tables.number("correlation"))
    worst = min(errors, key=lambda e: e.signal_to_error_db)
    for i, e in enumerate(errors):
        y = _TOP + i * _ROW
        drawing.text(_LEFT - 8, y + 16, fitted(e.name, _LEFT - 12), anchor="end", bold=e is worst)
        hint = f"{e.name}: {e.signal_to_error_db:.1f} dB, correlation {e.correlation:.5f}"
        drawing.rect(_LEFT, y + 4, e.signal_to_error_db * scale, _ROW - 9, "orange" if e is worst else "blue", hint,
                     radius=2)  # fmt: skip
        drawing.text(_WIDTH, y + 16, f"{e.signal_to_error_db:.1f}", size=11.5, anchor="end")
        sheet.add(e.name, f"{e.signal_to_error_db:.2f}", f"{e.correlation:.6f}")
    lead = (
        f"How well each layer's output follows that of {source} on {inputs}: longer is better, six decibels "
        f"are one bit. {worst.name} is the furthest off. Errors of the layers before are in it."
    )
    return Chart("float", "Error against float", lead, (drawing.svg(),), (sheet,))
