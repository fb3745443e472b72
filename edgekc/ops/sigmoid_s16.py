"""Logistic and tanh of int16, by a table of 256 numbers between which lines run: definition, lowering, C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from .shared import int16
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known
from .shared.operands import TABLE, X

ATTRS = ("multiplier", "right", "tanh")  # tanh: 0 for the logistic
MOST_MULTIPLIER = 2**16 - 1  # times an int16 it fits 32 bits
ENTRIES = 256
# Entries of LiteRT's table that are one above the nearest number.
_ABOVE = (
    *(4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46),
    *(49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255),
)


def table() -> Array:
    """int16 (256,), to be read as unsigned: the logistic of i / 24 in 2**-16."""
    exact = [math.floor(2**16 / (1 + math.exp(-i / 24)) + 0.5) + (i in _ABOVE) for i in range(ENTRIES)]
    return np.array(exact, np.uint16).view(np.int16)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if shapes[1] != (ENTRIES,):
        raise ModelError(f"a table of shape {list(shapes[1])}, expected [{ENTRIES}]")
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """x in 1/12288, or 1/6144 for tanh: its upper bits choose two entries, the other 9 or 8 a place between them."""
    x, entries = inputs[0].astype(np.int64), inputs[1].view(np.uint16).astype(np.int64)
    right, bits = attrs["right"], 8 if attrs["tanh"] else 9
    v = (x * attrs["multiplier"] + ((1 << right) >> 1)) >> right
    size = np.abs(v)
    place = np.minimum(size >> bits, ENTRIES - 1)
    first, second = entries[place], entries[np.minimum(place + 1, ENTRIES - 1)]
    value = (first << bits) + (size & (1 << bits) - 1) * (second - first)
    if attrs["tanh"]:
        value = np.where(place == ENTRIES - 1, 0xFFFF << 8, value) - (1 << 23)
        y = np.where(v >= 0, value + 128, 127 - value) >> 8
    else:
        value = np.where(place == ENTRIES - 1, 0x7FFF << 10, value)
        y = np.where(v >= 0, value + 512, (1 << 25) + 511 - value) >> 10
    return [y.astype(np.int16)]


def scale_attrs(scale: float, tanh: bool) -> dict[str, int]:
    """Multiplier and right shift of an input scale; powers of two that need no bits are exact, as in TFLite."""
    log = math.log2(scale)
    left = 12 + round(log)
    if abs(log - round(log)) < 1e-3 and (left == 0 or (tanh and left == 1)):
        return dict(multiplier=3 << left, right=0)
    multiplier, right = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and right <= 30:
        multiplier, right = multiplier * 2.0, right + 1
    return dict(multiplier=int(multiplier), right=right)


def lower(view: View) -> Lowered:
    """Of a QUANTIZED logistic or tanh of int16."""
    int16.require_wide(view)
    where, tanh = view.node.name, view.node.op == "tanh"
    if view.out.q.scale != 2.0**-15:
        what = f"{view.node.op} of int16 with output scale {view.out.q.scale}, not 1/32768"
        raise UnsupportedError(what, where=where)
    attrs = {**scale_attrs(view.x.q.scale, tanh), "tanh": int(tanh)}
    if attrs["multiplier"] > MOST_MULTIPLIER:
        raise UnsupportedError(f"{view.node.op} of int16 with input scale {view.x.q.scale:g}", where=where)
    entries = constant(f"{where}/table", table(), Role.REQUANT)
    return Lowered("sigmoid_s16", attrs, activation_inputs(view), (entries,))


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests; a table that rises, from a half on."""
    int16.require_types(view)
    if not 0 <= view["multiplier"] <= MOST_MULTIPLIER or not 0 <= view["right"] <= 31 or view["tanh"] not in (0, 1):
        raise ModelError(f"multiplier {view['multiplier']}, right {view['right']}, tanh {view['tanh']}")
    if view["right"] and view["multiplier"] > 2**15:
        raise ModelError(f"multiplier {view['multiplier']} with a shift to the right")
    entries = view.operand("table").value.view(np.uint16).astype(np.int64)
    if entries[0] < 2**15 or np.any(np.diff(entries) < 0):
        raise ModelError("the table of a logistic falls, or starts below a half")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The table rises, and so does what lies between."""
    x, attrs = known(view.x, inputs[0]), {name: view[name] for name in ATTRS}
    entries = view.operand("table").value
    low, high = (reference(attrs, [end, entries])[0].astype(np.int64) for end in (x.low, x.high))
    return Interval(low, high)


def _params(view: View) -> dict[str, Param]:
    values: dict[str, Param] = {name: view[name] for name in ATTRS}
    return {**values, "table": view.operand("table").name, "count": math.prod(view.x.shape)}


KERNELS = (
    Kernel(
        symbol="ek_sigmoid_s16",
        header="ek_sigmoid_s16.h",
        struct="ek_sigmoid_s16_params",
        fields=(
            ("const ek_s16 *", "table"),
            ("uint32_t", "count"),
            ("int32_t", "multiplier"),
            ("uint8_t", "right"),
            ("uint8_t", "tanh"),
        ),
        params=_params,
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (("image", (1, 3, 5, 7)), ("one", (1, 1)), ("long", (1, 700))):
        for fill, x in int16.fills(rng, shape):
            for tanh in (0, 1):
                scale = float(np.exp(rng.uniform(-12, 0)))
                attrs = {**scale_attrs(scale, bool(tanh)), "tanh": tanh}
                out.append(Case(f"{name}-{fill}-{('logistic', 'tanh')[tanh]}", attrs, (x, table())))
    x = np.arange(-(2**15), 2**15, 7).astype(np.int16).reshape(1, -1)
    for tanh, scale in ((0, 2.0**-12), (1, 2.0**-11), (1, 2.0**-12), (0, 5.0), (1, 1e-9)):
        out.append(Case(f"all-{tanh}-{scale:g}", {**scale_attrs(scale, bool(tanh)), "tanh": tanh}, (x, table())))
    return out


OP = Op(
    name="sigmoid_s16",
    code=87,
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
