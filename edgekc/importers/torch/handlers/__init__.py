"""Turns an operator of a torch.export program into nodes: a handler for each operator, by kind in one file each."""

from __future__ import annotations

from . import elements, layers, logic, moves, reductions, spatial
from .common import Handler

HANDLERS: dict[str, Handler] = {
    **layers.HANDLERS,
    **spatial.HANDLERS,
    **elements.HANDLERS,
    **reductions.HANDLERS,
    **moves.HANDLERS,
    **logic.HANDLERS,
}
