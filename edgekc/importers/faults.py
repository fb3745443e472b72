"""Tells a damaged file, which another package refuses in its own words, from a fault of ours while it is read."""

from __future__ import annotations

from pathlib import Path

_OURS = Path(__file__).resolve().parents[1]


def is_ours(error: BaseException) -> bool:
    """Whether our own code raised it, or a package is not what we need: neither is a fault of the user's file."""
    if isinstance(error, ImportError):
        return True
    trace = error.__traceback__
    if trace is None:
        return True
    while trace.tb_next is not None:
        trace = trace.tb_next
    return Path(trace.tb_frame.f_code.co_filename).is_relative_to(_OURS)
