"""Cases of int16 activations for LiteRT: those of int8, with 16 bits in the place of 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from edgekc.fuzzing.wide import is_taken, wide_view
from edgekc.graph.ir import Quant
from edgekc.graph.op import View
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


def every(cases: Cases) -> Cases:
    """Of an operator on one value: every twelfth case over all int16; of QUANTIZE also from int8 and to int8."""

    def wide() -> Iterator[LoweringCase]:
        for i, case in enumerate(islice(cases(), 0, None, 12)):
            if (view := wide_view(case.view, np.random.default_rng([i, 16]))) is None:
                continue
            for twin in (view, *(_casts(view, i) if view.node.op == "quantize" else ())):
                count = 2 ** np.iinfo(twin.x.dtype).bits
                values = np.arange(count).astype(f"u{twin.x.dtype}").view(twin.x.dtype).reshape(1, count)
                twin = replace(
                    twin,
                    inputs=(replace(twin.x, shape=(1, count)),),
                    outputs=(replace(twin.out, shape=(1, count)),),
                )
                if is_taken(twin):
                    yield replace(case, view=twin, values={twin.x.name: values}, plain=twin)

    return wide


def _casts(view: View, seed: int) -> Iterator[View]:
    """The same node to int8 and from int8, whose zero points are any."""
    zero = int(np.random.default_rng([seed, 18]).integers(-128, 128))
    bytes_in, bytes_out = (replace(t, dtype="int8", quant=Quant(t.q.scales, (zero,))) for t in (view.x, view.out))
    yield replace(view, outputs=(bytes_out,))
    yield replace(view, inputs=(bytes_in,))


def rows(cases: Cases) -> Cases:
    """Of softmax: as `widened`, and many rows, whose sums reach all entries of the table of reciprocals."""

    def wide() -> Iterator[LoweringCase]:
        for i, case in enumerate(widened(cases)()):
            yield case
            if i < 6:
                rng, shape = np.random.default_rng([i, 19]), (1, 500, 7)
                x, y = (replace(t, shape=shape) for t in (case.view.x, case.view.out))
                x = replace(x, quant=Quant((2.0**-9,), (0,)))
                view = replace(case.view, inputs=(x,), outputs=(y,))
                values = {x.name: rng.normal(0, 400, shape).astype(np.int16)}
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
    "mean": widened,
    "relu": every,
    "leaky_relu": every,
    "quantize": every,
    "logistic": every,
    "tanh": every,
    "softmax": rows,
    "transpose_conv": widened,
    "batch_matmul": widened,
    **dict.fromkeys(MOVES, widened),
}
