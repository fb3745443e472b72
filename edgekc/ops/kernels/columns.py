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


def order(taps: int) -> list[int]:
    """A filter's taps as columns have them: those in no group of four, then the even and the odd ones of each four."""
    rest = taps % 4
    first = [1, 0, 2] if rest == 3 else list(range(rest))
    return first + [start + tap for start in range(rest, taps, 4) for tap in (0, 2, 1, 3)]


def interleaved(view: View) -> dict[str, Array]:
    """The weights, as many bytes as ever: two filters at a time, tap by tap; a last filter without another alone."""
    w = view.weights.value
    filters = w.reshape(w.shape[0], -1)
    ordered = filters[:, order(filters.shape[1])]
    twos = len(filters) // 2 * 2
    pairs = ordered[:twos].reshape(-1, 2, filters.shape[1]).transpose(0, 2, 1)
    return {view.weights.name: np.concatenate([pairs.reshape(-1), ordered[twos:].reshape(-1)])}


def regions(view: View) -> Regions:
    oc = view.out.shape[3]
    alone = 16 + (2 * taps(view) + 3) // 4 * 4 if oc % 2 else 0  # a filter without another, and one of zeros
    held = "ek_filter (out_c): what follows each accumulator; and what ek_columns_begin_dsp makes"
    return (
        Region("filters", 16 * oc + alone, held),
        Region("columns", 16 * -(-taps(view) // 2), "what four pixels see, as ek_columns.h has it"),
    )
