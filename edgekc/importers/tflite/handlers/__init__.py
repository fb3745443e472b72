"""Turns an operator of a .tflite file into nodes: a handler for each builtin operator, by kind in one file each."""

from __future__ import annotations

from ..builder import Handler
from . import elements, layers, moves, reductions, spatial

HANDLERS: dict[str, Handler] = {
    **layers.HANDLERS,
    **elements.HANDLERS,
    **reductions.HANDLERS,
    **spatial.HANDLERS,
    **moves.HANDLERS,
}
