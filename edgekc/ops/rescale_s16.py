"""Each value by itself from one scale to another, from or to int16: QUANTIZE, ReLU and leaky ReLU of 16x8 models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from .shared import int16
from .shared.channels import channelwise
from .shared.checks import activation_inputs, known
from .shared.linear import activation_range
from .shared.operands import X
from .shared.testing import fills

ATTRS = (
    *("in_zero", "multiplier", "shift", "below_multiplier", "below_shift"),  # below: of values below the zero point
    *("out_zero", *int16.CLAMP, "out_bytes"),
)
MAX_SHIFT = {1: 22, 2: 15}  # by the bytes of a value: of values so shifted left none leaves 31 bits
_TYPES = {1: np.int8, 2: np.int16}


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [tuple(shapes[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    v = inputs[0].astype(np.int64) - attrs["in_zero"]
    above = requantize(v, attrs["multiplier"], attrs["shift"], DOUBLE)
    below = requantize(v, attrs["below_multiplier"], attrs["below_shift"], DOUBLE)
    y = np.where(v < 0, below, above) + attrs["out_zero"]
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(_TYPES[attrs["out_bytes"]])]


def _lowered(view: View, above: float, below: float, low: int, high: int) -> Lowered:
    """Of the ratios above and below the zero point."""
    sizes = [np.dtype(t.dtype).itemsize for t in (view.x, view.out)]
    for t in (view.x, view.out):
        if t.dtype not in ("int8", "int16"):
            raise UnsupportedError(f"{view.node.op} of int16 beside {t.dtype} ({t.name})", where=view.node.name)
        if t.dtype == "int16" and t.q.zero_point:
            raise UnsupportedError("int16 with a zero point; supported: zero point 0", where=view.node.name)
    (m, s), (m_below, s_below) = quantize_multiplier(above), quantize_multiplier(below)
    if max(s, s_below) > MAX_SHIFT[sizes[0]]:
        raise UnsupportedError(
            f"the input scale is more than 2**{MAX_SHIFT[sizes[0]]} output scales", where=view.node.name
        )
    attrs = dict(in_zero=view.x.q.zero_point, multiplier=m, shift=s, below_multiplier=m_below, below_shift=s_below)
    attrs.update(out_zero=view.out.q.zero_point, clamp_min=low, clamp_max=high, out_bytes=sizes[1])
    return Lowered("rescale_s16", attrs, activation_inputs(view))


def lower_quantize(view: View) -> Lowered:
    """A change of scale, in TFLite a quotient of doubles."""
    info, ratio = np.iinfo(view.out.dtype), view.x.q.scale / view.out.q.scale
    return _lowered(view, ratio, ratio, int(info.min), int(info.max))


def _ratio(view: View, factor: float = 1.0) -> float:
    return float(np.float32(view.x.q.scale) * np.float32(factor) / np.float32(view.out.q.scale))


def lower_relu(view: View) -> Lowered:
    """TFLite divides these scales in float32; its kernel of the clamp to -1 .. 1 has no int16."""
    if view.node.attrs["activation"] == "relu_n1_to_1":
        raise UnsupportedError("the clamp to -1 .. 1 of int16, by itself", where=view.node.name)
    return _lowered(view, _ratio(view), _ratio(view), *activation_range(view))


def lower_leaky_relu(view: View) -> Lowered:
    alpha = float(view.node.attrs["alpha"])
    if alpha < 0 or math.isnan(alpha):
        raise UnsupportedError(f"leaky ReLU of int16 with alpha {alpha:g}, below 0", where=view.node.name)
    return _lowered(view, _ratio(view), _ratio(view, alpha), int16.LOW, int16.HIGH)


def validate(view: View) -> None:
    """The bounds on which the kernel's 32-bit arithmetic rests."""
    types = (view.x.dtype, view.out.dtype)
    if "int16" not in types or not set(types) <= {"int8", "int16"}:
        raise ModelError(f"rescale_s16 from {types[0]} to {types[1]}")
    info = np.iinfo(view.out.dtype)
    if view["out_bytes"] != info.bits // 8:
        raise ModelError(f"out_bytes is {view['out_bytes']}, of {view.out.dtype}")
    if not info.min <= view["clamp_min"] <= view["clamp_max"] <= info.max:
        raise ModelError(f"clamp_min {view['clamp_min']} and clamp_max {view['clamp_max']} leave no {view.out.dtype}")
    for t, zero in ((view.x, view["in_zero"]), (view.out, view["out_zero"])):
        if t.dtype == "int16" and zero:
            raise ModelError(f"int16 with the zero point {zero} ({t.name})")
    limit = MAX_SHIFT[np.dtype(view.x.dtype).itemsize]
    if max(view["shift"], view["below_shift"]) > limit:
        raise ModelError(f"a shift of {view.x.dtype} is above {limit}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Monotone on either side of the zero point, and 0 there."""
    x, attrs = known(view.x, inputs[0]), {name: view[name] for name in ATTRS}
    low, high = (reference(attrs, [end])[0].astype(np.int64) for end in (x.low, x.high))
    return Interval(low, high)


def _params(view: View) -> dict[str, Param]:
    values: dict[str, Param] = {name: view[name] for name in ATTRS}
    return {**values, "count": math.prod(view.x.shape), "in_bytes": np.dtype(view.x.dtype).itemsize}


KERNELS = (
    Kernel(
        symbol="ek_rescale_s16",
        header="ek_rescale_s16.h",
        struct="ek_rescale_s16_params",
        fields=(
            ("uint32_t", "count"),
            *(("int32_t", name) for name in ("multiplier", "below_multiplier")),
            *(("int8_t", name) for name in ("shift", "below_shift")),
            *(("uint8_t", name) for name in ("in_bytes", "out_bytes")),
            *(("int16_t", name) for name in ("in_zero", "out_zero", *int16.CLAMP)),
        ),
        params=_params,
        # A value is read before it, or one before it, is written.
        in_place=lambda view: (0,) if view.x.nbytes >= view.out.nbytes else (),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    shapes: tuple[tuple[str, Shape], ...] = (("image", (1, 3, 5, 7)), ("one", (1, 1)), ("long", (1, 300)))
    kinds = (("plain", 1.0, 1.0), ("other", 0.37, 0.37), ("leaky", 3.1, 0.4), ("left", 2.0**14.5, 0.0))
    for name, shape in shapes:
        for i, (fill, x) in enumerate(int16.fills(rng, shape)):
            for kind, real, below in kinds:
                pairs = [quantize_multiplier(r) for r in (real, below)]
                attrs = dict(in_zero=0, multiplier=pairs[0][0], shift=pairs[0][1])
                attrs.update(below_multiplier=pairs[1][0], below_shift=pairs[1][1], out_zero=0, out_bytes=2)
                attrs.update(dict(clamp_min=0, clamp_max=8000) if i == 2 else int16.FULL)
                out.append(Case(f"{name}-{fill}-{kind}", attrs, (x,)))
            m, s = quantize_multiplier(float(rng.uniform(0.5, 2)) / 256)
            attrs = dict(in_zero=0, multiplier=m, shift=s, below_multiplier=m, below_shift=s, out_bytes=1)
            attrs.update(out_zero=int(rng.integers(-128, 128)), clamp_min=-128, clamp_max=127)
            out.append(Case(f"{name}-{fill}-to-bytes", attrs, (x,)))
        for fill, x in fills(rng, shape):
            m, s = quantize_multiplier(float(rng.uniform(0.5, 2)) * 256)
            attrs = dict(in_zero=int(rng.integers(-128, 128)), multiplier=m, shift=s, below_multiplier=m, below_shift=s)
            attrs.update(out_zero=0, out_bytes=2, **int16.FULL)
            out.append(Case(f"{name}-{fill}-from-bytes", attrs, (x,)))
    return out


OP = Op(
    name="rescale_s16",
    code=85,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise,
    cases=cases,
)
