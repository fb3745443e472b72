"""Look-up table over one byte: what stand-alone activations and requantisation become.

Whatever maps one int8 value to one int8 value is 256 bytes, computed when the model is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Shape, View
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known, require_int8
from .shared.linear import activation_range
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


def _levels(dtype: str) -> Array:
    """The value of each of the 256 bytes, in the order of the bytes."""
    return np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64)


def _lowered(view: View, levels: Array) -> Lowered:
    """`levels`: the output level of each byte, in the output's range."""
    table = constant(f"{view.node.name}/table", levels.astype(view.out.dtype).view(np.int8), Role.REQUANT)
    return Lowered("lut", dict(out_unsigned=int(view.out.dtype == "uint8")), activation_inputs(view), (table,))


def _rescaled(view: View, ratio: float) -> Array:
    """The levels of every byte in the output's scale, not clamped."""
    multiplier, shift = quantize_multiplier(ratio)
    centred = _levels(view.x.dtype) - view.x.q.zero_point
    return requantize(centred, multiplier, shift, DOUBLE) + view.out.q.zero_point


def _require_small_ratio(view: View) -> None:
    # Above it the left shift of TFLite's arithmetic leaves 32 bits.
    if view.x.q.scale / view.out.q.scale >= 2.0**22:
        raise UnsupportedError("the input scale is more than 2**22 output scales", where=view.node.name)


def lower_relu(view: View) -> Lowered:
    require_int8(view)
    _require_small_ratio(view)
    # TFLite divides these scales in float32, and those of `quantize` in float64.
    ratio = float(np.float32(view.x.q.scale) / np.float32(view.out.q.scale))
    return _lowered(view, np.clip(_rescaled(view, ratio), *activation_range(view)))


def lower_quantize(view: View) -> Lowered:
    for tensor in (view.x, view.out):
        if tensor.dtype not in ("int8", "uint8"):
            raise UnsupportedError(f"quantize of {tensor.dtype} ({tensor.name})", where=view.node.name)
    _require_small_ratio(view)
    info = np.iinfo(view.out.dtype)
    return _lowered(view, np.clip(_rescaled(view, view.x.q.scale / view.out.q.scale), info.min, info.max))


def lower_logistic(view: View) -> Lowered:
    """TFLite's reference kernel is itself a table, computed in float32."""
    require_int8(view)
    out = view.out.q
    if (out.scale, out.zero_point) != (1 / 256, -128):
        raise UnsupportedError(
            f"logistic output with scale {out.scale} and zero point {out.zero_point}, not 1/256 and -128",
            where=view.node.name,
        )
    real = np.float32(view.x.q.scale) * (_levels("int8") - view.x.q.zero_point).astype(np.float32)
    # Python's exp, rounded to float32, is the correctly rounded one; numpy's float32 exp is off by a bit at times.
    exps = np.array([np.float32(min(math.exp(min(-float(v), 700.0)), 3e38)) for v in real], np.float32)
    value = np.float32(1) / (np.float32(1) + exps)
    levels = np.floor(value.astype(np.float64) * 256 + 0.5).astype(np.int64) - 128
    return _lowered(view, np.clip(levels, -128, 127))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """The extremes of the table over the values that a channel takes."""
    x = known(view.x, inputs[0])
    table = view.operand("table").value.view(view.out.dtype).astype(np.int64)
    order = np.argsort(_levels(view.x.dtype), kind="stable")
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
    kernels=KERNELS,
    lowers={"relu": lower_relu, "quantize": lower_quantize, "logistic": lower_logistic},
    ranges=ranges,
    channels=channelwise_shared,
    cases=cases,
)
