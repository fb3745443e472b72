"""Softmax of int16 over the last axis, by two tables between whose entries lines run: definition and C kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, Constant, IntAttrs, Kernel, Lowered, Op, Operand, Param, Shape, View
from .shared import int16
from .shared.checks import activation_inputs
from .shared.operands import X

ATTRS = ("multiplier", "shift")
MAX_DEPTH = 2**16 - 1  # exponentials, of 15 bits each, whose sum fits 31
MAX_SHIFT = 15  # by which a difference, of 16 bits, may go left
SPAN = 10.0  # below the largest value: what lies further down counts as the end
_ENTRIES = 513


def _away(x: float) -> float:
    return math.trunc(x + math.copysign(0.5, x))


def _table(function: Callable[[float], float], low: float, high: float) -> Array:
    """int16 (513,): a function in 2**-15 over its range, less half of what a line misses in the middle of a step."""
    step, unit = (high - low) / (_ENTRIES - 1), 2.0**15

    levels = []
    for i in range(_ENTRIES - 1):
        x = low + i * step
        sample, middle = _away(function(x) * unit), _away(function(x + step / 2) * unit)
        line = _away((function(x + step) * unit + sample) / 2)
        levels.append(sample - _away((line - middle) / 2))
    return np.clip([*levels, _away(function(high) * unit)], int16.LOW, int16.HIGH).astype(np.int16)


def exponentials() -> Array:
    """int16 (513,): exp(x) of -10 to 0."""
    return _table(math.exp, -SPAN, 0.0)


def reciprocals() -> Array:
    """int16 (513,): 1 / (1 + x) of 0 to 1."""
    return _table(lambda x: 1 / (1 + x), 0.0, 1.0)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes[0]) < 2 or not 1 <= shapes[0][-1] <= MAX_DEPTH:
        raise ModelError(f"softmax over the last axis of {list(shapes[0])}; its size must be 1 to {MAX_DEPTH}")
    if shapes[1] != (_ENTRIES,) or shapes[2] != (_ENTRIES,):
        raise ModelError(f"tables of shapes {list(shapes[1])} and {list(shapes[2])}, expected [{_ENTRIES}]")
    return [tuple(shapes[0])]


def _look_up(x: Array, table: Array) -> Array:
    """The table's line at each int16: the upper 9 bits choose it."""
    entries, place = table.astype(np.int64), 256 + (x >> 7)
    first = entries[place]
    return np.asarray(first + (((entries[place + 1] - first) * (x & 127) + 64) >> 7))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """exp(x - max) / sum of exp(x - max), in 2**-15."""
    x, exps, reciprocal = inputs
    diff = x.astype(np.int64) - x.max(-1, keepdims=True)
    scaled = requantize(diff, attrs["multiplier"], attrs["shift"], DOUBLE)  # 2**16 - 1 for 10
    e = _look_up(np.clip(scaled + int16.HIGH, int16.LOW, int16.HIGH), exps)
    total = e.sum(-1, keepdims=True)
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # of the sum: it is 2**(bits - 1) * (1 + fraction)
    fraction = ((total << (31 - bits)) + (1 << 13)) >> 14
    r = _look_up(np.clip(fraction - 2**15 - 2**16, int16.LOW, int16.HIGH), reciprocal)
    y = (e * r + (np.int64(1) << bits - 2)) >> bits - 1
    return [np.clip(y, 0, int16.HIGH).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED softmax of int16."""
    int16.require_wide(view)
    where = view.node.name
    if view.out.q.scale != 2.0**-15:
        raise UnsupportedError(f"softmax of int16 with output scale {view.out.q.scale}, not 1/32768", where=where)
    if not view.x.shape or view.x.shape[-1] > MAX_DEPTH:
        raise UnsupportedError(f"softmax of int16 of shape {list(view.x.shape)}", where=where)
    multiplier, shift = quantize_multiplier(float(view.node.attrs["beta"]) * view.x.q.scale / (SPAN / 65535))
    if shift > MAX_SHIFT:
        raise UnsupportedError(f"softmax of int16 with input scale {view.x.q.scale:g}", where=where)
    tables = (
        constant(f"{where}/exponentials", exponentials(), Role.REQUANT),
        constant(f"{where}/reciprocals", reciprocals(), Role.REQUANT),
    )
    return Lowered("softmax_s16", dict(multiplier=multiplier, shift=shift), activation_inputs(view), tables)


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    int16.require_types(view)
    if view["shift"] > MAX_SHIFT:
        raise ModelError(f"the shift of a softmax of int16 is {view['shift']}, above {MAX_SHIFT}")
    exps, reciprocal = view.operand("exponentials").value, view.operand("reciprocals").value
    if exps[0] < 0 or np.any(exps[1:] < exps[:-1]) or exps[-2] < 2**14 or reciprocal.min() < 0:
        raise ModelError("the exponentials of a softmax fall or end below a half, or a reciprocal is negative")


def _params(view: View) -> dict[str, Param]:
    values: dict[str, Param] = {name: view.operand(name).name for name in ("exponentials", "reciprocals")}
    values.update(rows=math.prod(view.x.shape[:-1]), depth=view.x.shape[-1])
    return {**values, "multiplier": view["multiplier"], "shift": view["shift"]}


KERNELS = (
    Kernel(
        symbol="ek_softmax_s16",
        header="ek_softmax_s16.h",
        struct="ek_softmax_s16_params",
        fields=(
            *(("const ek_s16 *", name) for name in ("exponentials", "reciprocals")),
            *(("uint32_t", name) for name in ("rows", "depth")),
            *(("int32_t", name) for name in ATTRS),
        ),
        params=_params,
        # A row's maximum and sum are taken before its first value is written.
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out, tables = [], (exponentials(), reciprocals())
    shapes: tuple[tuple[str, Shape], ...]
    shapes = (("ten", (1, 10)), ("one", (1, 1)), ("two", (1, 2)), ("pixels", (1, 3, 2, 5)), ("wide", (1, 999)))
    for name, shape in shapes:
        for fill, x in int16.fills(rng, shape):
            multiplier, shift = quantize_multiplier(float(np.exp(rng.uniform(-6, 9))))
            out.append(Case(f"{name}-{fill}", dict(multiplier=multiplier, shift=shift), (x, *tables)))
    return out


OP = Op(
    name="softmax_s16",
    code=88,
    attrs=ATTRS,
    operands=(
        X,
        Operand("exponentials", Constant.ALWAYS, Role.REQUANT),
        Operand("reciprocals", Constant.ALWAYS, Role.REQUANT),
    ),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    validate=validate,
    wide=True,
    cases=cases,
)
