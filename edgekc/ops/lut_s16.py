"""A function of one int16 value, by a table of 513 numbers between which lines run: definition, lowering, C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from .shared import int16
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known
from .shared.operands import TABLE, X

ATTRS = ("out_bytes",)
ENTRIES = 513
STEP = 128  # levels of the input from one entry to the next
PARTS = 256  # of a level of int8, which an entry counts
MOST_OF_BYTES = 127 * PARTS
_TYPES = {1: np.int8, 2: np.int16}


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if shapes[1] != (ENTRIES,):
        raise ModelError(f"a table of shape {list(shapes[1])}, expected [{ENTRIES}]")
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The upper 9 bits of x choose two entries, the lower 7 a place between them; to nearest, halves up.

    An entry is a level of int16, or a 256th of a level of int8.
    """
    x, entries = inputs[0].astype(np.int64) - int16.LOW, inputs[1].astype(np.int64)
    place, part = x // STEP, x % STEP
    value = entries[place] * STEP + part * (entries[place + 1] - entries[place])
    unit = STEP * (PARTS if attrs["out_bytes"] == 1 else 1)
    return [((value + unit // 2) // unit).astype(_TYPES[attrs["out_bytes"]])]


def entries_of(levels: Array, zero_point: int, dtype: str) -> Array:
    """int16 (513,): the entries of a function's real levels, clamped to those of `dtype`, int8 or int16."""
    parts, most = (PARTS, MOST_OF_BYTES) if dtype == "int8" else (1, int16.HIGH)
    found: Array = np.clip(np.rint((levels + zero_point) * parts), int16.LOW, most)
    return found.astype(np.int16)


def lower(view: View) -> Lowered:
    """Of a QUANTIZED table of int16."""
    int16.require_wide(view, view.x)
    attrs = dict(out_bytes=np.dtype(view.out.dtype).itemsize)
    return Lowered("lut_s16", attrs, activation_inputs(replace(view, inputs=(view.x,))), (view.operand("table"),))


def validate(view: View) -> None:
    """The input and the entries are int16; those of a table of bytes stay within them."""
    entries = view.operand("table").value
    if view.x.dtype != "int16" or view.out.dtype not in ("int8", "int16") or entries.dtype != np.int16:
        raise ModelError(f"lut_s16 from {view.x.dtype} to {view.out.dtype} by a table of {entries.dtype}")
    if view["out_bytes"] != np.dtype(view.out.dtype).itemsize:
        raise ModelError(f"out_bytes is {view['out_bytes']}, of {view.out.dtype}")
    if view["out_bytes"] == 1 and entries.max() > MOST_OF_BYTES:
        raise ModelError(f"an entry of {entries.max()} is beyond int8")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Between the least and the most of the entries around a channel's values: lines stay between their ends."""
    x, entries = known(view.x, inputs[0]), view.operand("table").value
    first, last = ((end - int16.LOW) // STEP for end in (x.low, x.high))
    spans = [entries[a : b + 2] for a, b in zip(first, last, strict=True)]
    ends = (np.array([f(span) for span in spans], np.int64) for f in (np.min, np.max))
    parts = PARTS if view["out_bytes"] == 1 else 1
    return Interval(*((end + parts // 2) // parts for end in ends))


def _params(view: View) -> dict[str, Param]:
    return dict(table=view.operand("table").name, count=math.prod(view.x.shape), out_bytes=view["out_bytes"])


KERNELS = (
    Kernel(
        symbol="ek_lut_s16",
        header="ek_lut_s16.h",
        struct="ek_lut_s16_params",
        fields=(("const ek_s16 *", "table"), ("uint32_t", "count"), ("uint8_t", "out_bytes")),
        params=_params,
        in_place=lambda view: (0,),  # a value is read before it, or one before it, is written
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Any entries, a curve and both ends; every input of int16 once."""
    curve = np.tanh(np.linspace(-4, 4, ENTRIES))
    out = []
    for dtype, most in (("int16", int16.HIGH), ("int8", MOST_OF_BYTES)):
        attrs = dict(out_bytes=np.dtype(dtype).itemsize)
        tables = [("any", rng.integers(int16.LOW, most + 1, ENTRIES).astype(np.int16))]
        tables.append(("curve", entries_of(curve * (100 if dtype == "int8" else 30000), 0, dtype)))
        tables.append(("ends", np.where(rng.integers(0, 2, ENTRIES), int16.LOW, most).astype(np.int16)))
        for kind, table in tables:
            for name, shape in (("image", (1, 3, 5, 7)), ("one", (1, 1))):
                for fill, x in int16.fills(rng, shape):
                    out.append(Case(f"{name}-{fill}-{kind}-{dtype}", attrs, (x, table)))
            every = np.arange(int16.LOW, int16.HIGH + 1, 3 if kind == "curve" else 97).astype(np.int16)
            out.append(Case(f"all-{kind}-{dtype}", attrs, (every.reshape(1, -1), table)))
    return out


OP = Op(
    name="lut_s16",
    code=117,
    attrs=ATTRS,
    operands=(X, TABLE),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise_shared,
    cases=cases,
)
