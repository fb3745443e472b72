"""An image of another size, linear between pixels, int8 in fixed point: the definition, its lowering, its C kernel.

Places in the input are in units of 1/1024 pixel, as TFLite's int8 kernel has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import INT32_MAX, rounding_divide_by_pot
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from . import resize_bilinear_unsigned
from .shared import resize
from .shared.channels import channelwise
from .shared.checks import activation_inputs, is_unsigned, known
from .shared.operands import X
from .shared.testing import fills
from .shared.ties import channelwise as channelwise_ties

ATTRS = (*resize.SIZES, "step_h", "step_w", "offset_h", "offset_w")
BITS = 10  # of the fraction of a place
ONE = 1 << BITS


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [resize.image(shapes[0], (attrs["out_h"], attrs["out_w"]))]


def places(count: int, size: int, step: int, offset: int) -> Array:
    """int64 (count): where each output pixel lies along an axis of `size` pixels, kept inside, in 1/1024 pixel."""
    return np.clip(np.arange(count, dtype=np.int64) * step + offset, 0, (size - 1) << BITS)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The weighted sum of four pixels, rounded once, halves away from zero."""
    x = inputs[0].astype(np.int64)
    for axis, letter in ((1, "h"), (2, "w")):
        at = places(attrs[f"out_{letter}"], x.shape[axis], attrs[f"step_{letter}"], attrs[f"offset_{letter}"])
        first = at >> BITS
        second = np.minimum(first + 1, x.shape[axis] - 1)
        weight = (at & (ONE - 1)).reshape([-1 if a == axis else 1 for a in range(4)])
        x = np.take(x, first, axis) * (ONE - weight) + np.take(x, second, axis) * weight
    return [rounding_divide_by_pot(x, 2 * BITS).astype(np.int8)]


def validate(view: View) -> None:
    for letter in "hw":
        step, offset = view[f"step_{letter}"], view[f"offset_{letter}"]
        if step < 0 or abs(offset) >= 2**30 or view[f"out_{letter}"] * step + abs(offset) > INT32_MAX:
            raise ModelError(f"step_{letter} {step} and offset_{letter} {offset} lead out of 32 bits")


def steps(size: int, count: int, align: bool, half: bool) -> tuple[int, int]:
    """(step, offset) of an axis, in 1/1024 pixel."""
    if align and count > 1:
        return (ONE * (size - 1) + (count - 1) // 2) // (count - 1), 0
    step = (ONE * size + count // 2) // count
    return step, step // 2 - ONE // 2 if half else 0


def lower(view: View) -> Lowered:
    resize.require_image(view)
    if all(resize.corners(view)):
        raise UnsupportedError("align_corners together with half_pixel_centers", where=view.node.name)
    if is_unsigned(view):
        return resize_bilinear_unsigned.lower(view)
    attrs = {}
    for axis, letter in ((1, "h"), (2, "w")):
        size, count = view.x.shape[axis], view.out.shape[axis]
        attrs[f"out_{letter}"] = count
        attrs[f"step_{letter}"], attrs[f"offset_{letter}"] = steps(size, count, *resize.corners(view))
    return Lowered("resize_bilinear", attrs, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """What lies between two values of a channel lies in its interval."""
    return known(view.x, inputs[0])


def _params(view: View) -> dict[str, Param]:
    _, in_h, in_w, channels = view.x.shape
    return {"in_h": in_h, "in_w": in_w, "channels": channels, **{name: view[name] for name in ATTRS}}


KERNELS = (
    Kernel(
        symbol="ek_resize_bilinear_s8",
        header="ek_resize.h",
        struct="ek_resize_bilinear_params",
        fields=(
            *(("uint32_t", name) for name in ("in_h", "in_w", "channels", "out_h", "out_w")),
            *(("int32_t", name) for name in ("step_h", "step_w", "offset_h", "offset_w")),
        ),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape, size in resize.shapes():
        for k, rules in enumerate(((False, False), (True, False), (False, True))):
            attrs: dict[str, int] = {}
            for i, letter in enumerate("hw"):
                attrs[f"out_{letter}"] = size[i]
                attrs[f"step_{letter}"], attrs[f"offset_{letter}"] = steps(shape[i + 1], size[i], *rules)
            out += [Case(f"{name}-{k}-{fill}", attrs, (x,)) for fill, x in fills(rng, shape)]
    wide = dict(out_h=5, out_w=4, step_h=700, step_w=3000, offset_h=-900, offset_w=2000)
    return [*out, Case("beyond-the-corners", wide, (rng.integers(-128, 128, (1, 3, 4, 2)).astype(np.int8),))]


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x = operands[0]
    return resize.interpolated(view, x, resize.in_torch(torch), lambda w: torch.as_tensor(w, device=x.device))


OP = Op(
    name="resize_bilinear",
    code=49,
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
SOURCE = SourceOp(
    "resize_bilinear",
    lower,
    FloatHalf(
        lambda view, operands: np.asarray(resize.interpolated(view, operands[0], resize.in_numpy, lambda w: w)),
        _in_torch,
        channelwise_ties,
        shares_scale=True,
        scales_along=True,
    ),
    clamps=False,
)
