"""Turns an operator of a .onnx file into nodes: a handler for each operator, by kind in one file each."""

from __future__ import annotations

from . import classical, elements, layers, logic, moves, recurrent, reductions, spatial
from .common import Handler

HANDLERS: dict[str, Handler] = {
    **layers.HANDLERS,
    **spatial.HANDLERS,
    **elements.HANDLERS,
    **reductions.HANDLERS,
    **recurrent.HANDLERS,
    **moves.HANDLERS,
    **logic.HANDLERS,
    **classical.HANDLERS,
}
