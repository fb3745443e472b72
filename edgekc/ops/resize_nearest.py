"""An image of another size by its nearest pixels, int8: the definition, its lowering and its C kernel.

Which row and column each output pixel is copied from is computed here, in the single precision of TFLite's kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, Constant, IntAttrs, Interval, Kernel, Learned, Lowered, Op, Operand, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import int16, resize
from .shared.channels import channelwise_shared
from .shared.checks import activation_inputs, known, require_moved, require_one_width, require_same_quant, width
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import channelwise


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, rows, columns = shapes
    if len(rows) != 1 or len(columns) != 1:
        raise ModelError(f"rows {list(rows)} and columns {list(columns)} must have one dimension")
    return [resize.image(x, (rows[0], columns[0]))]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, rows, columns = inputs
    return [x[:, rows][:, :, columns]]


def validate(view: View) -> None:
    require_one_width(view)
    for name, axis in (("rows", 1), ("columns", 2)):
        index, size = view.operand(name).value, view.x.shape[axis]
        if index.min() < 0 or index.max() >= size:
            raise ModelError(f"{name} from {index.min()} to {index.max()}; the input has {size}")


def lower(view: View) -> Lowered:
    require_moved(view)
    require_same_quant(view)
    tables = [
        constant(
            f"{view.node.name}/{name}",
            resize.nearest(view.x.shape[axis], view.out.shape[axis], *resize.corners(view)),
            Role.REQUANT,
        )
        for name, axis in (("rows", 1), ("columns", 2))
    ]
    return Lowered("resize_nearest", {}, activation_inputs(view), tuple(tables))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return known(view.x, inputs[0])


def _params(view: View) -> dict[str, Param]:
    _, out_h, out_w, channels = view.out.shape
    channels *= width(view)  # bytes of a pixel
    values: dict[str, Param] = dict(rows=view.operand("rows").name, columns=view.operand("columns").name)
    return {
        **values,
        "row_bytes": view.x.shape[2] * channels,
        "out_h": out_h,
        "out_w": out_w,
        "channels": channels,
        "in_h": view.x.shape[1],
    }


KERNELS = (
    Kernel(
        symbol="ek_resize_nearest_s8",
        header="ek_resize.h",
        struct="ek_resize_nearest_params",
        fields=(
            ("const int32_t *", "rows"),
            ("const int32_t *", "columns"),
            *(("uint32_t", name) for name in ("row_bytes", "out_h", "out_w", "channels", "in_h")),
        ),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, shape, size) in enumerate(resize.shapes()):
        rules = ((False, False), (True, False), (False, True))[i % 3]
        tables = [resize.nearest(shape[axis], size[axis - 1], *rules) for axis in (1, 2)]
        out += [Case(f"{name}-{fill}", {}, (x, *tables)) for fill, x in fills(rng, shape)]
    x = rng.integers(-128, 128, (1, 4, 5, 3)).astype(np.int8)
    last = (np.full(3, 3, np.int32), np.array([4, 0, 4, 2], np.int32))
    return [*out, *int16.twins(rng, out), *in_float(out), Case("in-any-order", {}, (x, *last))]


def _real(view: View, operands: Sequence[Array]) -> Array:
    return np.asarray(_taken(view, operands[0], resize.in_numpy))


def _taken(view: View, x: Any, take: Any) -> Any:
    for axis in (1, 2):
        index = resize.nearest(view.x.shape[axis], view.out.shape[axis], *resize.corners(view))
        x = take(x, axis, index)
    return x


OP = Op(
    name="resize_nearest",
    code=48,
    attrs=(),
    operands=(
        X,
        Operand("rows", Constant.ALWAYS, Role.REQUANT),
        Operand("columns", Constant.ALWAYS, Role.REQUANT),
    ),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    moves=True,
    channels=channelwise_shared,
    learned=lambda view: {name: Learned(0, view.x.shape[axis] - 1) for name, axis in (("rows", 1), ("columns", 2))},
    cases=cases,
)
SOURCE = SourceOp(
    "resize_nearest",
    lower,
    FloatHalf(
        _real,
        lambda torch, view, operands: _taken(view, operands[0], resize.in_torch(torch)),
        channelwise,
        shares_scale=True,
        scales_along=True,
    ),
    clamps=False,
)
IN_FLOAT = {"resize_nearest": lower}
