"""Operators on images that are neither convolutions nor pools."""

from __future__ import annotations

from ....errors import ModelError
from ..builder import Builder, Handler
from ..file import FileOperator


def _resize(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        shape, size = b.tensors[x].shape, b.ints(op, 1, "size")
        if len(shape) != 4:
            raise b.unsupported(op, f"input of shape {list(shape)}", "4 dimensions, NHWC")
        if len(size) != 2 or min(size) < 1:
            raise ModelError(f"size {size}, expected a height and a width", where=b.at(op))
        attrs = {"align_corners": int(bool(op.options["AlignCorners"]))}
        attrs["half_pixel_centers"] = int(bool(op.options["HalfPixelCenters"]))
        b.add(op, kind, (x,), attrs, (shape[0], *size, shape[3]))

    return handler


HANDLERS: dict[str, Handler] = {
    "RESIZE_BILINEAR": _resize("resize_bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("resize_nearest"),
}
