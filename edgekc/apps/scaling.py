"""A camera's frame to a network's image: the definition of runtime_c/apps/ek_scale.c, in integers.

A pixel of the image is the mean of the area of the crop that it covers, rounded; halves go up. Pixels of the crop that
lie in several areas are shared by how much of them lies in each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..graph.ir import Array

LONGEST = 4096  # pixels of a crop's side: 255 x 4096 x 4096, and half of 4096 x 4096, are below 2^32
LUMA = (19595, 38470, 7471)  # of red, green, blue, with 16 fractional bits: ITU-R BT.601, as Pillow's mode L has it
FORMATS = {"grey": 1, "rgb888": 3, "rgb565": 2, "rgb565_swapped": 2}  # bytes of a pixel


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of the frame, in pixels."""

    left: int
    top: int
    width: int
    height: int


def centre_crop(width: int, height: int, out_width: int, out_height: int) -> Crop:
    """The largest rectangle with the proportions of the image in the middle of a frame, cut to whole pixels."""
    wide = min(width, max(1, height * out_width // out_height))
    high = min(height, max(1, width * out_height // out_width))
    return Crop((width - wide) // 2, (height - high) // 2, wide, high)


def check_crop(crop: Crop, width: int, height: int) -> None:
    """UsageError where it is not within the frame, or too large."""
    inside = 0 <= crop.left <= width - crop.width and 0 <= crop.top <= height - crop.height
    if not (inside and 1 <= crop.width <= LONGEST and 1 <= crop.height <= LONGEST):
        what = f"a crop of {crop.width}x{crop.height} at {crop.left}, {crop.top} of a frame of {width}x{height}"
        raise UsageError(what, fix=f"it lies within the frame, and has at most {LONGEST} pixels a side")


def pixels(raw: Array, format: str, channels: int) -> Array:
    """What a camera's bytes are as pixels.

    Args:
        raw: (h, w * bytes of a pixel) uint8. rgb565 has two bytes, the lower one first; rgb565_swapped the higher one.
        format: one of FORMATS.
        channels: 1: luma of colours; 3: red, green, blue, which are equal in grey frames.

    Returns:
        (h, w, channels) uint8. Fields of 5 and 6 bits are widened by their own highest bits.
    """
    size = FORMATS[format]
    parts = raw.reshape(raw.shape[0], -1, size).astype(np.int64)
    if size == 2:
        low, high = (1, 0) if format == "rgb565_swapped" else (0, 1)
        word = parts[..., low] | parts[..., high] << 8
        red, green, blue = word >> 11, word >> 5 & 63, word & 31
        parts = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1)
    if channels == 1 and size > 1:
        parts = (parts @ np.array(LUMA) + (1 << 15) >> 16)[..., None]
    return np.asarray(np.repeat(parts, channels // parts.shape[-1], axis=-1), np.uint8)


def scaled(frame: Array, crop: Crop, out_width: int, out_height: int) -> Array:
    """The image of a crop.

    Args:
        frame: (h, w, channels) uint8.
        crop: within it.

    Returns:
        (out_height, out_width, channels) uint8.

    Raises:
        UsageError: the crop is not within the frame.
    """
    check_crop(crop, frame.shape[1], frame.shape[0])
    bottom, right = crop.top + crop.height, crop.left + crop.width
    cut = frame[crop.top : bottom, crop.left : right].astype(np.int64)
    down, across = _shares(crop.height, out_height), _shares(crop.width, out_width)
    sums = np.einsum("jx,yxc->yjc", across, cut)
    sums = np.einsum("iy,yjc->ijc", down, sums)
    total = crop.width * crop.height
    return np.asarray((sums + total // 2) // total, np.uint8)


def _shares(size: int, out: int) -> Array:
    """(out, size): how much of each pixel lies in each area, where a pixel is `out` long and an area `size`."""
    pixel, area = np.arange(size) * out, np.arange(out)[:, None] * size
    return np.asarray(np.maximum(np.minimum(pixel + out, area + size) - np.maximum(pixel, area), 0))
