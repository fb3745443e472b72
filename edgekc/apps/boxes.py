"""A grid head's outputs to boxes in the frame: the definition of runtime_c/apps/ek_boxes.c, in integers.

The head is that of FCOS (Tian et al. 2019, arXiv 1904.01355) at one scale, without its centerness: each cell of the
grid has four distances, from the cell's centre to the left, top, right and bottom edge of a box, in cells, and then a
score for each class. Greedy non-maximum suppression of each class leaves the boxes with the highest scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..graph.ir import Array
from .scaling import Crop

DISTANCES = 4  # channels of the head in front of the scores
PARTS = 256  # of a pixel of the image, in which edges are computed
LARGEST_IMAGE = 1024  # pixels of a side: 1024 x 256 x 4096 is below 2^31
MOST = 32  # candidates that the app keeps


class Box(NamedTuple):
    """In pixels of the frame; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int
    label: int  # index of the class
    level: int  # of the score, as the network gives it


@dataclass(frozen=True, slots=True)
class Head:
    """How to read a head's levels.

    Attributes:
        rows, columns: of the grid.
        stride: pixels of the image that a cell is wide and high.
        zero_point: of the levels.
        factor, shift: a level less the zero point, times factor / 2^shift, is a distance in 256ths of a pixel.
        least: a box has at least this score, a level.
        overlap: percent of intersection over union above which the box with the lower score is dropped.
    """

    rows: int
    columns: int
    stride: int
    zero_point: int
    factor: int
    shift: int
    least: int
    overlap: int


def factor_of(scale: float, stride: int) -> tuple[int, int]:
    """(factor, shift) for distances of `scale` cells a level: the most bits with which 255 levels stay below 2^31."""
    real = scale * stride * PARTS
    shift = 16
    while shift and round(real * (1 << shift)) * 255 >= 1 << 31:
        shift -= 1
    return round(real * (1 << shift)), shift


def decoded(levels: Array, head: Head, crop: Crop, most: int) -> list[Box]:
    """The `most` best candidates of an output (rows, columns, 4 + classes) int8, of equal ones the cell in front.

    A cell's class is the one with the highest score, of equal ones the first. Edges are cut to the crop, rounded to
    pixels of the frame, halves up. Boxes without area are none.
    """
    wide, high = head.columns * head.stride * PARTS, head.rows * head.stride * PARTS
    found = []
    for cell in range(head.rows * head.columns):
        row, column = divmod(cell, head.columns)
        values = levels[row, column].astype(int)
        index = int(values[DISTANCES:].argmax())
        level = int(values[DISTANCES + index])
        reach = [max(int(v) - head.zero_point, 0) * head.factor >> head.shift for v in values[:DISTANCES]]
        x, y = ((2 * at + 1) * head.stride * PARTS // 2 for at in (column, row))
        box = Box(
            crop.left + _in_frame(max(x - reach[0], 0), crop.width, wide),
            crop.top + _in_frame(max(y - reach[1], 0), crop.height, high),
            crop.left + _in_frame(min(x + reach[2], wide), crop.width, wide),
            crop.top + _in_frame(min(y + reach[3], high), crop.height, high),
            index, level,
        )  # fmt: skip
        if level >= head.least and box.left < box.right and box.top < box.bottom:
            found.append(box)
    return sorted(found, key=lambda box: -box.level)[:most]  # sorted keeps the order of equal ones


def _in_frame(edge: int, size: int, parts: int) -> int:
    return (edge * size + parts // 2) // parts


def suppressed(boxes: list[Box], overlap: int) -> list[Box]:
    """Boxes, best first, less those whose overlap with a better one of their class that stays is above the limit."""
    kept: list[Box] = []
    for box in boxes:
        if all(box.label != better.label or not overlaps(better, box, overlap) for better in kept):
            kept.append(box)
    return kept


def overlaps(a: Box, b: Box, percent: int) -> bool:
    """Whether intersection over union is above a limit."""
    across = max(min(a.right, b.right) - max(a.left, b.left), 0)
    both = across * max(min(a.bottom, b.bottom) - max(a.top, b.top), 0)
    either = area(a) + area(b) - both
    return both * 100 > percent * either


def area(box: Box) -> int:
    """Pixels of the frame."""
    return (box.right - box.left) * (box.bottom - box.top)


def boxes_of(levels: Array, head: Head, crop: Crop, most: int) -> list[Box]:
    """What is seen: `decoded`, then `suppressed`."""
    return suppressed(decoded(levels, head, crop, most), head.overlap)
