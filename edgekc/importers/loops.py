"""Limits of unrolling, and what is said where a loop leaves them: for loops of .tflite and .onnx files alike."""

from __future__ import annotations

from ..errors import UnsupportedError

MAX_OPERATORS = 8192  # of a model whose loops are unrolled; each becomes a node, and code
DEEPEST = 4  # loops and branches within another
FIX = "use fewer time steps, or make a streaming network that takes one step at a time (docs/streaming.md)"


def too_long(where: str) -> UnsupportedError:
    what = f"a loop that becomes more than {MAX_OPERATORS} operators; supported: so many in all"
    return UnsupportedError(what, where=where, fix=FIX)


def too_deep(what: str, where: str) -> UnsupportedError:
    return UnsupportedError(f"{DEEPEST} {what} within another; supported: fewer", where=where)


def unknown_length(fix: str, where: str) -> UnsupportedError:
    what = "a loop whose number of steps depends on what the model computes; supported: one that the file states"
    return UnsupportedError(what, where=where, fix=fix)
