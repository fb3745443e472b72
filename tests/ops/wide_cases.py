"""Cases of int16 activations for LiteRT: those of int8, with 16 bits in the place of 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from wide_nets import is_taken, wide_view

from edgekc.ops.shared import int16

if TYPE_CHECKING:
    from lowering_cases import Cases, LoweringCase


def widened(cases: Cases) -> Cases:
    """Every second case with int16 activations, as far as the lowering takes it."""

    def wide() -> Iterator[LoweringCase]:
        for i, case in enumerate(islice(cases(), 0, None, 2)):
            view = wide_view(case.view, np.random.default_rng([i, 16]))
            if view is not None and is_taken(view):
                values = {n: int16.widened(v, np.random.default_rng([i, 17])) for n, v in case.values.items()}
                yield replace(case, view=view, values=values, plain=view)

    return wide


MOVES = """
reshape pad concat transpose strided_slice tile broadcast_to take mirror_pad resize_nearest
""".split()
WIDE: dict[str, Callable[[Cases], Cases]] = {
    "conv2d": widened,
    "grouped_conv2d": widened,
    "depthwise": widened,
    "average_pool": widened,
    "max_pool": widened,
    "add": widened,
    "sub": widened,
    "mul": widened,
    **dict.fromkeys(MOVES, widened),
}
