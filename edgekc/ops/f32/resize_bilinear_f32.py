"""An image of another size, linear between pixels, in single precision: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from ..shared import resize, single
from ..shared.checks import activation_inputs
from ..shared.operands import X

ATTRS = (*resize.SIZES, "scale_h", "scale_w", "half")  # scales: input pixels from one output pixel to the next
_HALF = np.float32(0.5)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [resize.image(shapes[0], (attrs["out_h"], attrs["out_w"]))]


def _along(attrs: IntAttrs, letter: str, size: int) -> tuple[Array, Array, Array]:
    """Of each output pixel along an axis: the pixels around its place, and how far it is behind the first."""
    scale = single.of_bits(attrs[f"scale_{letter}"])
    number = np.arange(attrs[f"out_{letter}"]).astype(np.float32)
    place = (number + _HALF) * scale - _HALF if attrs["half"] else number * scale
    first = place.astype(np.int32)  # of what lies before the image it is 0
    second = first + (place > first)
    first, second = (np.minimum(pixel, size - 1) for pixel in (first, second))
    return first, second, place - first.astype(np.float32)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The sum of four pixels: upper left, lower left, upper right, lower right."""
    x, one = inputs[0], np.float32(1)
    y0, y1, down = _along(attrs, "h", x.shape[1])
    x0, x1, across = _along(attrs, "w", x.shape[2])
    dy, dx = down[:, None, None], across[None, :, None]
    parts = [
        x[:, rows][:, :, columns] * v * h
        for columns, h in ((x0, one - dx), (x1, dx))
        for rows, v in ((y0, one - dy), (y1, dy))
    ]
    return [((parts[0] + parts[1]) + parts[2]) + parts[3]]


def lower(view: View) -> Lowered:
    single.require_single(view)
    align, half = resize.corners(view)
    if align and half:
        raise single.unsupported(view, "align_corners together with half_pixel_centers")
    attrs = dict(half=int(half))
    for axis, letter in ((1, "h"), (2, "w")):
        size, count = np.float32(view.x.shape[axis]), np.float32(view.out.shape[axis])
        scale = (size - 1) / (count - 1) if align and count > 1 else size / count
        attrs |= {f"out_{letter}": view.out.shape[axis], f"scale_{letter}": single.bits_of(float(scale))}
    return Lowered("resize_bilinear_f32", attrs, activation_inputs(view))


def validate(view: View) -> None:
    single.check_all(view)
    for letter in "hw":
        scale = single.of_bits(view[f"scale_{letter}"])
        if not 0 <= scale <= resize.LARGEST:
            raise ModelError(f"scale_{letter} is {scale}, expected 0 to {resize.LARGEST}")
        if float(scale) * view[f"out_{letter}"] >= 2**31 - 1:
            raise ModelError(f"scale_{letter} {scale} leads out of 32 bits")
    if view["half"] not in (0, 1):
        raise ModelError(f"half is {view['half']}, expected 0 or 1")


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape, size in resize.shapes():
        scales = [np.float32(shape[i + 1]) / np.float32(size[i]) for i in (0, 1)]
        for k, (fill, x) in enumerate(single.reals(rng, shape)):
            attrs = dict(out_h=size[0], out_w=size[1], half=k % 2)
            attrs |= {f"scale_{letter}": single.bits_of(float(scales[i])) for i, letter in enumerate("hw")}
            out.append(Case(f"{name}-{fill}", attrs, (x,)))
    beyond = dict(out_h=5, out_w=4, scale_h=single.bits_of(0.7), scale_w=single.bits_of(3.1), half=1)
    return [*out, Case("beyond-the-corners", beyond, (rng.normal(size=(1, 3, 4, 2)).astype(np.float32),))]


OP = Op(
    name="resize_bilinear_f32",
    code=113,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_resize_bilinear_f32",
            header="ek_resize_f32.h",
            struct="ek_resize_bilinear_f32_params",
            fields=(
                *(("uint32_t", name) for name in ("in_h", "in_w", "channels", "out_h", "out_w", "half")),
                *(("int32_t", name) for name in ("scale_h", "scale_w")),
            ),
            params=lambda view: {
                **dict(zip(("in_h", "in_w", "channels"), view.x.shape[1:], strict=True)),
                **{name: view[name] for name in ATTRS},
            },
        ),
    ),
    macs=lambda view: 4 * int(np.prod(view.out.shape[1:])),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {"resize_bilinear": lower}
