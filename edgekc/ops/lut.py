"""Look-up table over one byte: what stand-alone activations and requantisation become.

Whatever maps one int8 value to one int8 value is 256 bytes, computed when the model is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, half_away, quantize_multiplier, requantize
from ..graph.ir import Array, Quant, Role, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Rows, Shape, View
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known, require_int8
from .shared.operands import TABLE, X
from .shared.testing import fills

ATTRS = ("out_unsigned",)  # 1: the output is uint8, its bits held in the table's int8


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    if len(shapes) == 2 and tuple(shapes[1]) != (256,):
        raise ModelError(f"a look-up table has 256 entries, not {list(shapes[1])}")
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """table[x], x as an unsigned byte."""
    x, table = inputs
    out = table[np.ascontiguousarray(x).view(np.uint8)]
    return [out.view(np.uint8) if attrs["out_unsigned"] else out]


def byte_values(dtype: str) -> Array:
    """The value of each of the 256 bytes, in the order of the bytes."""
    return np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64)


def lowered(view: View, levels: Array) -> Lowered:
    """A node as a table; `levels`: the output level of each byte, in the output's range."""
    table = constant(f"{view.node.name}/table", levels.astype(view.out.dtype).view(np.int8), Role.REQUANT)
    return Lowered("lut", dict(out_unsigned=int(view.out.dtype == "uint8")), activation_inputs(view), (table,))


def rescaled(view: View, ratio: float) -> Array:
    """The levels of every byte in the output's scale, not clamped."""
    # Above it the left shift of TFLite's arithmetic leaves 32 bits.
    if view.x.q.scale / view.out.q.scale >= 2.0**22:
        raise UnsupportedError("the input scale is more than 2**22 output scales", where=view.node.name)
    multiplier, shift = quantize_multiplier(ratio)
    centred = byte_values(view.x.dtype) - view.x.q.zero_point
    return requantize(centred, multiplier, shift, DOUBLE) + view.out.q.zero_point


def tabulated(view: View, function: Callable[[float], float], fixed: Quant | None = None) -> Lowered:
    """A real function as TFLite's own tables of it: computed in float32, rounded half away from zero, clamped.

    UnsupportedError where the output's quantisation is not the one that TFLite fixes, if it fixes one.
    """
    require_int8(view)
    x, out = view.x.q, view.out.q
    if fixed is not None and (out.scale, out.zero_point) != (fixed.scale, fixed.zero_point):
        raise UnsupportedError(
            f"{view.node.op} output with scale {out.scale} and zero point {out.zero_point}, "
            f"not {fixed.scale} and {fixed.zero_point}",
            where=view.node.name,
        )
    real = np.float32(x.scale) * (byte_values("int8") - x.zero_point).astype(np.float32)
    # A value in double precision, rounded to float32, is the correctly rounded one; float32's own may be off by a bit.
    value = np.array([function(float(v)) for v in real]).astype(np.float32)
    with np.errstate(over="ignore"):  # infinity is clamped as any other level
        scaled = value * (np.float32(1) / np.float32(out.scale))
    return lowered(view, np.clip(half_away(scaled) + out.zero_point, -128, 127))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The extremes of the table over the values that a channel takes."""
    x = known(view.x, inputs[0])
    table = view.operand("table").value.view(view.out.dtype).astype(np.int64)
    order = np.argsort(byte_values(view.x.dtype), kind="stable")
    base = int(np.iinfo(view.x.dtype).min)
    slices = [table[order[low - base : high - base + 1]] for low, high in zip(x.low, x.high, strict=True)]
    return Interval(np.array([s.min() for s in slices], np.int64), np.array([s.max() for s in slices], np.int64))


KERNELS = (
    Kernel(
        symbol="ek_lut_s8",
        header="ek_lut.h",
        struct="ek_lut_params",
        fields=(("const int8_t *", "table"), ("uint32_t", "bytes")),
        params=lambda view: dict(table=view.operand("table").name, bytes=view.x.nbytes),
        in_place=lambda view: (0,),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape in (("image", (1, 3, 5, 7)), ("one", (1, 1)), ("all", (1, 256))):
        for fill, x in fills(rng, shape):
            table = rng.integers(-128, 128, 256).astype(np.int8)
            out.append(Case(f"{name}-{fill}", dict(out_unsigned=0), (x, table)))
    every = np.arange(256, dtype=np.uint8).reshape(1, 256)
    flip = (np.arange(256) - 128).astype(np.int8)
    out.append(Case("from-unsigned", dict(out_unsigned=0), (every, flip)))
    out.append(Case("to-unsigned", dict(out_unsigned=1), (every.view(np.int8), flip)))
    return out


OP = Op(
    name="lut",
    code=12,
    attrs=ATTRS,
    operands=(X, TABLE),
    infer=infer,
    reference=reference,
    rows=Rows.SAME,
    kernels=KERNELS,
    ranges=ranges,
    channels=channelwise_shared,
    tabulates=True,
    elementwise=True,
    cases=cases,
)
