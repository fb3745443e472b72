"""An image of another size, linear between pixels, as TensorFlow Lite computes it in uint8: the definition.

LiteRT's kernel is in single precision, and so is the definition. The C kernel has the same bits from integers alone: it
sums in fixed point, and only where that sum is next to a half it goes through the float32 operations one by one. What
it needs for that is in `validate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.scratch import Region
from .shared import resize, single
from .shared.channels import channelwise
from .shared.checks import activation_inputs, known
from .shared.operands import X
from .shared.testing import fills

ATTRS = (*resize.SIZES, "scale_h", "scale_w", "half_pixels")
AXES = ((1, "h"), (2, "w"))
HALF, ONE = np.float32(0.5), np.float32(1)
BITS = 30  # behind the binary point of a weight in the C kernel
EXACT_BITS = 14  # of the weights of both axes: sums below 1024 then have 24 bits, and no float32 operation rounds
DOUBT = 1024  # in 2**-20: more than the C kernel's sum and that of float32 are apart


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [resize.image(shapes[0], (attrs["out_h"], attrs["out_w"]))]


def scales(size: int, count: int) -> tuple[np.float32, np.float32]:
    """Input pixels from one output pixel to the next, by default and with align_corners."""
    plain = np.float32(size) / np.float32(count)
    return plain, np.float32(size - 1) / np.float32(count - 1) if count > 1 else plain


def _scaled(count: int, scale: np.float32, half: int) -> Array:
    at = np.arange(count, dtype=np.float32)
    return (at + HALF) * scale if half else at * scale


def weights(size: int, count: int, scale: np.float32, half: int) -> tuple[Array, Array, Array, Array]:
    """(first, second, before, after): the two pixels of each output pixel along an axis, and their float32 weights.

    In front of the middle of the first pixel both are the first one, with weights above 1 and below 0.
    """
    at = _scaled(count, scale, half)
    at = at - HALF if half else at
    first = np.maximum(np.floor(at), 0).astype(np.int64)
    second = np.minimum(np.ceil(at), size - 1).astype(np.int64)
    after = at - first.astype(np.float32)
    return first, second, ONE - after, after


def _of_axis(attrs: IntAttrs, size: int, letter: str) -> tuple[Array, Array, Array, Array]:
    scale = single.of_bits(attrs[f"scale_{letter}"])
    return weights(size, attrs[f"out_{letter}"], scale, attrs["half_pixels"])


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Levels of uint8, each times the weight of its row, then of its column; summed in this order, halves up."""
    levels = inputs[0].astype(np.float32) + np.float32(128)
    top, bottom, above, below = _of_axis(attrs, levels.shape[1], "h")
    left, right, before, after = _of_axis(attrs, levels.shape[2], "w")
    above, below = above[:, None, None], below[:, None, None]
    before, after = before[:, None], after[:, None]
    total = levels[:, top][:, :, left] * above * before
    total = total + levels[:, bottom][:, :, left] * below * before
    total = total + levels[:, top][:, :, right] * above * after
    total = total + levels[:, bottom][:, :, right] * below * after
    return [((total + HALF).astype(np.int32) - 128).astype(np.int8)]


def _is_held(size: int, count: int, scale: np.float32, half: int) -> bool:
    """Whether the C kernel's fixed point holds an axis' weights, and all that float32 makes of products of them."""
    places, after = (
        np.ldexp(v.astype(np.float64), BITS)
        for v in (_scaled(count, scale, half), weights(size, count, scale, half)[3])
    )
    whole = (places == np.rint(places)) & (after == np.rint(after))
    coarse = after % 2.0 ** (BITS - 23) == 0
    return bool(np.all(whole & (coarse | (np.abs(after) >= 2.0 ** (BITS - 15)))))


def validate(view: View) -> None:
    attrs = {name: view[name] for name in ATTRS}
    if attrs["half_pixels"] not in (0, 1):
        raise ModelError(f"half_pixels is {attrs['half_pixels']}, not 0 or 1")
    for axis, letter in AXES:
        size, count, scale = view.x.shape[axis], attrs[f"out_{letter}"], single.of_bits(attrs[f"scale_{letter}"])
        if scale not in scales(size, count):
            raise ModelError(f"scale_{letter} {scale} is not that of {size} and {count} pixels")
        first = _of_axis(attrs, size, letter)[0]
        if first.max() >= size or not _is_held(size, count, scale, attrs["half_pixels"]):
            raise ModelError(f"scale_{letter} {scale} gives weights of more than {BITS} bits")


def lower(view: View) -> Lowered:
    align, half = resize.corners(view)
    if view.x.shape[1:3] == (1, 1):  # every output pixel is that one, whatever the weights
        align, half = True, False
    attrs = {"half_pixels": int(half)}
    for axis, letter in AXES:
        size, count = view.x.shape[axis], view.out.shape[axis]
        scale = scales(size, count)[align]
        attrs |= {f"out_{letter}": count, f"scale_{letter}": single.bits_of(float(scale))}
        if not _is_held(size, count, scale, int(half)):
            what = f"resize_bilinear in uint8 from {size} to {count} pixels, whose weights have more than {BITS} bits"
            raise UnsupportedError(what, where=view.node.name)
    return Lowered("resize_bilinear_unsigned", {name: attrs[name] for name in ATTRS}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """What lies between two values of a channel lies in its interval; single precision is off by far less than 1/2."""
    return known(view.x, inputs[0])


def _fraction_bits(after: Array) -> int:
    """Bits behind the binary point of weights, of which an axis has none that `_is_held` refuses."""
    units = np.unique(np.ldexp(after.astype(np.float64), BITS).astype(np.int64))
    return BITS - min((BITS if not u else int(u & -u).bit_length() - 1 for u in units.tolist()), default=BITS)


def _params(view: View) -> dict[str, Param]:
    _, in_h, in_w, channels = view.x.shape
    attrs = {name: view[name] for name in ATTRS}
    values: dict[str, Param] = dict(in_h=in_h, in_w=in_w, channels=channels, half_pixels=attrs["half_pixels"])
    bits = 0
    for axis, letter in AXES:
        mantissa, exponent = _parts(single.of_bits(attrs[f"scale_{letter}"]))
        values[f"out_{letter}"] = attrs[f"out_{letter}"]
        values[f"scale_{letter}"] = mantissa
        values[f"left_{letter}"] = exponent + BITS - 1
        bits += _fraction_bits(_of_axis(attrs, view.x.shape[axis], letter)[3])
    return {**values, "doubt": 0 if bits <= EXACT_BITS else DOUBT}


def _parts(scale: np.float32) -> tuple[int, int]:
    """(mantissa, exponent) with scale = mantissa * 2**exponent; the mantissa is odd, or 0."""
    over, under = float(scale).as_integer_ratio()
    zeros = max((over & -over).bit_length() - 1, 0)
    return over >> zeros, zeros - (under.bit_length() - 1)


KERNELS = (
    Kernel(
        symbol="ek_resize_bilinear_unsigned_s8",
        header="ek_resize.h",
        struct="ek_resize_bilinear_unsigned_params",
        fields=(
            *(("uint32_t", name) for name in ("in_h", "in_w", "channels", "out_h", "out_w", "scale_h", "scale_w")),
            *(("int8_t", name) for name in ("left_h", "left_w")),
            ("uint8_t", "half_pixels"),
            ("uint16_t", "doubt"),
        ),
        params=_params,
        scratch=lambda view: (Region("columns", 16 * view.out.shape[2], "uint32 (out_w, 4): where columns lie"),),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Besides the usual sizes: sixths and tenths, whose sums are often at a half, and the finest weights that fit."""
    halves = [("sixths", (1, 3, 2, 3), (18, 12)), ("tenths", (1, 2, 3, 2), (20, 18)), ("thin", (1, 30, 1, 1), (77, 2))]
    fine = [("fine", (1, 3, 2, 2), (180, 99)), ("binary", (1, 1, 2, 2), (2, 256)), ("long", (1, 2, 700, 1), (3, 1900))]
    out = []
    for name, shape, size in [*resize.shapes(), *halves, *fine]:
        for k, (align, half) in enumerate(((0, 0), (1, 0), (0, 1))):
            attrs, held = {"out_h": size[0], "out_w": size[1], "half_pixels": half}, True
            for i, letter in enumerate("hw"):
                scale = scales(shape[i + 1], size[i])[align]
                attrs[f"scale_{letter}"] = single.bits_of(float(scale))
                held &= _is_held(shape[i + 1], size[i], scale, half)
            out += [Case(f"{name}-{k}-{fill}", attrs, (x,)) for fill, x in fills(rng, shape) if held]
    return out


OP = Op(
    name="resize_bilinear_unsigned",
    code=71,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: 4 * int(np.prod(view.out.shape[1:])),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    cases=cases,
)
