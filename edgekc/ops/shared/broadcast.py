"""Element by element over two tensors of up to five runs of axes: the loops that newer operators have in common.

Runs are axes that broadcast alike (`elementwise.runs`). Five are what six axes with a batch of one can have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...graph.ir import Array, Role, constant
from ...graph.op import Field, IntAttrs, Interval, Kernel, Lowered, Number, Param, Shape, Struct, View
from . import elementwise as ew
from .checks import channels_of, known, spread

MOST_RUNS = 5
LOOPS_STRUCT = Struct("ek_loops", tuple(("uint32_t", f"{kind}{i}") for kind in "nab" for i in range(MOST_RUNS)))
LOOPS_FIELD: Field = (LOOPS_STRUCT, "loops")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    out = ew.broadcast_shape(shapes[0], shapes[1])
    ew.runs(out, shapes[0], shapes[1], MOST_RUNS)
    return [out]


def loops(view: View, size: int = 1) -> dict[str, Param]:
    """A value for LOOPS_FIELD: the sizes of the runs, and how far both operands go from one element to the next.

    Args:
        size: bytes of an element.
    """
    found = ew.runs(view.out.shape, view.inputs[0].shape, view.inputs[1].shape, MOST_RUNS)
    values: dict[str, Number] = {}
    steps = {"a": size, "b": size}
    for i, (count, in_a, in_b) in reversed(list(enumerate(found))):
        values[f"n{i}"] = count
        for name, present in (("a", in_a), ("b", in_b)):
            values[f"{name}{i}"] = steps[name] if present else 0
            steps[name] *= count if present else 1
    return {"loops": values}


def kernels(
    op: str, fields: Sequence[Field], params: Callable[[View], dict[str, Param]], bits: int = 8
) -> tuple[Kernel, ...]:
    """The kernel of two activations, and that of an activation and a constant, all of 8 or 16 bits."""
    return ew.kernels(op, (LOOPS_FIELD, *fields), lambda view: {**loops(view), **params(view)}, bits)


def as_table(view: View, lowered: Lowered, reference: Callable[[IntAttrs, Sequence[Array]], list[Array]]) -> Lowered:
    """The same as a table where the constant is one value: each byte of the input then has one output."""
    activation = next(t for t in view.inputs if t.data is None)
    if len(lowered.constants) != 1 or lowered.constants[0].value.size != 1 or activation.shape != view.out.shape:
        return lowered
    every, value = np.arange(256, dtype=np.uint8).view(np.int8), lowered.constants[0].value
    (levels,) = reference(lowered.attrs, [every.reshape(1, 256), value.reshape(1, 1)])
    table = constant(f"{view.node.name}/table", levels.ravel(), Role.REQUANT)
    return Lowered("lut", dict(out_unsigned=0), lowered.activations, (table,))


def corners(
    view: View, inputs: Sequence[Interval | None], compute: Callable[[Array, Array], Array], inside: Sequence[int] = ()
) -> Interval:
    """The extremes of what takes them where each operand is lowest or highest.

    Args:
        compute: the output, int8, from both operands.
        inside: values of the first operand that are corners too where it can take them.
    """
    channels = channels_of(view.out)
    a, b = (spread(known(t, i), channels) for t, i in zip(view.inputs, (*inputs, None), strict=False))
    firsts = [a.low, a.high, *(np.clip(value, a.low, a.high) for value in inside)]
    found = np.stack([compute(x[None], y[None])[0] for x in firsts for y in (b.low, b.high)])
    return Interval(found.min(0).astype(np.int64), found.max(0).astype(np.int64))


def pairs_of_inputs(rng: np.random.Generator) -> list[tuple[str, Array, Array]]:
    """Operands for cases: those of `elementwise`, and axes that alternate three and four times."""
    out = ew.pairs_of_inputs(rng)
    for name, a, b in (
        ("four-runs", (1, 3, 1, 5, 1), (1, 1, 2, 1, 4)),
        ("five-runs", (1, 2, 1, 3, 1, 4), (1, 1, 2, 1, 3, 4)),
        ("five-runs-of-one", (1, 3, 2, 2, 2, 3), (1, 3, 1, 2, 1, 3)),
    ):
        x, y = (rng.integers(-128, 128, shape).astype(np.int8) for shape in (a, b))
        out.append((name, x, y))
    return out
