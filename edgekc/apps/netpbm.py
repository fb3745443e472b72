"""Frames and what is in them to a file of PGM and PPM images, and back: the project's input.bin.

The format is that of netpbm(5): binary, 8 bits, one image behind the other. What is in a frame is in its comments:
`# class 7`, or for each box `# box 7 12 20 44 60`, which are index, left, top, right and bottom. Numbers there have at
most four digits. Other comments, and boxes without area, mean nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..graph.ir import Array
from .boxes import Box
from .scaling import LONGEST

LONGEST_SIDE = 65535  # pixels
MOST_TRUTHS = 16  # that the firmware reads of a frame
_MAGIC = {1: b"P5", 3: b"P6"}
_GAP = rb"(?:\s|#[^\n]*\n)*"
_HEADER = re.compile(rb"P([56])(%b0*(\d{1,5})\s%b0*(\d{1,5})\s%b255)\s" % (_GAP, _GAP, _GAP))
_COMMENT = re.compile(rb"#([^\n]*)\n")
_TRUTH = re.compile(rb" (?:class (\d{1,4})|box (\d{1,4}) (\d{1,4}) (\d{1,4}) (\d{1,4}) (\d{1,4}))")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame and what is in it.

    Attributes:
        pixels: (h, w, 1) grey or (h, w, 3) red, green, blue, uint8.
        index: of its class; None where nobody says.
        truths: boxes that are in it; their level means nothing.
    """

    pixels: Array
    index: int | None = None
    truths: tuple[Box, ...] = ()


def written(frames: list[Frame]) -> bytes:
    """The file."""
    made = []
    for frame in frames:
        height, width, channels = frame.pixels.shape
        comments = [] if frame.index is None else [f"# class {frame.index}\n"]
        comments += [f"# box {b.label} {b.left} {b.top} {b.right} {b.bottom}\n" for b in frame.truths]
        head = f"\n{''.join(comments)}{width} {height}\n255\n".encode()
        made += [_MAGIC[channels], head, np.ascontiguousarray(frame.pixels, np.uint8).tobytes()]
    return b"".join(made)


def read(data: bytes, where: str) -> list[Frame]:
    """The frames of a file.

    Raises:
        UsageError: it has none, or something else.
    """
    frames, at = [], 0
    while at < len(data):
        head = _HEADER.match(data, at)
        channels = 1 if head is not None and head[1] == b"5" else 3
        count = 0 if head is None else int(head[3]) * int(head[4]) * channels
        if head is None or not 0 < count <= len(data) - head.end() or max(int(head[3]), int(head[4])) > LONGEST_SIDE:
            raise UsageError(f"no binary PGM or PPM image of 8 bits at byte {at}", where=where)
        pixels = np.frombuffer(data, np.uint8, count, head.end())
        index: int | None = None
        truths: list[Box] = []
        for found in map(_TRUTH.fullmatch, _COMMENT.findall(head[2])):
            if found is None:
                continue
            if found[1] is not None:
                index = int(found[1])
            else:
                number, left, top, right, bottom = (int(part) for part in found.groups()[1:])
                if left < right <= LONGEST and top < bottom <= LONGEST and len(truths) < MOST_TRUTHS:
                    truths.append(Box(left, top, right, bottom, number, 0))
        frames.append(Frame(pixels.reshape(int(head[4]), int(head[3]), channels), index, tuple(truths)))
        at = head.end() + count
    if not frames:
        raise UsageError("holds no image", where=where)
    return frames
