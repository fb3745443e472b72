"""Dense convolutions on cores with the DSP extension: two filters against four columns (ek_columns.h).

Weights lie in the order in which the loop reads them. The C generator writes them so in place of the format's order.
"""

from __future__ import annotations

import numpy as np

from ...graph.ir import Array
from ...graph.op import View
from ...graph.scratch import Region, Regions


def taps(view: View) -> int:
    return int(np.prod(view.weights.shape[1:]))


def order(taps: int, run: int) -> list[int]:
    """A filter's taps as columns have them, windows being runs of so many: those in no group of four, then groups.

    Of each four the even ones come first.
    """
    rest = run % 4
    first = [start + i for start in range(0, taps, run) for i in range(rest)]
    fours = (start + i for start in range(0, taps, run) for i in range(rest, run, 4))
    return first + [four + tap for four in fours for tap in (0, 2, 1, 3)]


def run_bytes(view: View) -> int:
    """Of a window: a row of it, or with dilation a pixel."""
    return int(view.x.shape[3]) * (int(view.weights.shape[2]) if view["dilation_w"] == 1 else 1)


def interleaved(view: View) -> dict[str, Array]:
    """The weights, as many bytes as ever: two filters at a time, tap by tap; a last filter without another alone."""
    w = view.weights.value
    filters = w.reshape(w.shape[0], -1)
    ordered = filters[:, order(filters.shape[1], run_bytes(view))]
    twos = len(filters) // 2 * 2
    pairs = ordered[:twos].reshape(-1, 2, filters.shape[1]).transpose(0, 2, 1)
    return {view.weights.name: np.concatenate([pairs.reshape(-1), ordered[twos:].reshape(-1)])}


def places(view: View) -> Region:
    """Where the taps of a window are that ek_columns_windows_dsp.c gathers one by one, and its runs of groups."""
    run, runs = run_bytes(view), taps(view) // run_bytes(view)
    count = runs * (run % 4 + (run >= 4))
    return Region("places", 4 * count, "uint32: where in a row of windows taps and runs are")


def regions(view: View) -> Regions:
    oc = view.out.shape[3]
    alone = 16 + (2 * taps(view) + 3) // 4 * 4 if oc % 2 else 0  # a filter without another, and one of zeros
    held = "ek_filter (out_c): what follows each accumulator; and what ek_columns_begin_dsp makes"
    return (
        Region("filters", 16 * oc + alone, held),
        Region("columns", 16 * -(-taps(view) // 2), "what four pixels see, as ek_columns.h has it"),
    )
