"""Turns an operator of a .tflite file into nodes: a handler for each builtin operator, by kind in one file each."""

from __future__ import annotations

from ..builder import Handler
from . import copies, detection, elements, layers, logic, lookups, moves, order, recurrent, reductions, spatial, state
from .elements import FLOAT_ONLY

__all__ = ["FLOAT_ONLY", "HANDLERS"]

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
