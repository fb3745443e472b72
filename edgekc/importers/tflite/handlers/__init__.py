"""Turns an operator of a .tflite file into nodes: a handler for each builtin operator, by kind in one file each."""

from __future__ import annotations

from ..builder import Handler
from . import copies, detection, elements, layers, logic, lookups, moves, order, recurrent, reductions, spatial, state

__all__ = ["FLOAT_ONLY", "HANDLERS"]

FLOAT_ONLY: dict[str, Handler] = {**elements.FLOAT_ONLY, **reductions.FLOAT_ONLY}
HANDLERS: dict[str, Handler] = {
    **layers.HANDLERS,
    **elements.HANDLERS,
    **reductions.HANDLERS,
    **spatial.HANDLERS,
    **moves.HANDLERS,
    **copies.HANDLERS,
    **state.HANDLERS,
    **recurrent.HANDLERS,
    **logic.HANDLERS,
    **order.HANDLERS,
    **lookups.HANDLERS,
    **detection.HANDLERS,
}
