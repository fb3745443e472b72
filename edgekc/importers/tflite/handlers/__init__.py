"""Turns an operator of a .tflite file into nodes: a handler for each builtin operator, by kind in one file each."""

from __future__ import annotations

from ..builder import Handler
from . import copies, elements, layers, moves, reductions, state

HANDLERS: dict[str, Handler] = {
    **layers.HANDLERS,
    **elements.HANDLERS,
    **reductions.HANDLERS,
    **moves.HANDLERS,
    **copies.HANDLERS,
    **state.HANDLERS,
}
