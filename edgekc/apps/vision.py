"""The kind `vision`: rows of a camera in, a class or boxes out. Crop and scale, network, non-maximum suppression."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..emulate import reference
from ..errors import UsageError
from ..files import limits
from ..files.bounded import read_file
from ..graph.ir import Array, Graph
from ..packages.net import Edge, Net
from ..packages.sample import fnv1a
from . import digit_frames, netpbm
from .app import App, Fitted, c_string, edges, reading
from .boxes import DISTANCES, LARGEST_IMAGE, MOST, Box, Head, boxes_of, factor_of, overlaps
from .netpbm import Frame
from .scaling import centre_crop, pixels, scaled

MATCH = 50  # percent of intersection over union above which a box is the one that it should be
SHOWN = 16  # frames of input.bin
_DATA = Path(__file__).parent / "data"
_DEFAULT = _DATA / "vision_digits.ekc"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the JSON beside a model says.

    Attributes:
        labels: of the classes; empty: their numbers.
        black, white: real numbers that the network takes for levels 0 and 255; None: its least and largest.
        least_score: real number that the score of a box must have.
        overlap: percent of intersection over union above which the box with the lower score is dropped.
    """

    labels: tuple[str, ...] = ()
    black: float | None = None
    white: float | None = None
    least_score: float = 0.0
    overlap: int = 45


def settings(model: Path) -> Settings:
    """What `train.py` writes beside a model; defaults where there is no such file.

    Raises:
        UsageError: it is damaged.
    """
    path = model.with_suffix(".json")
    if not path.is_file():
        return Settings()
    with reading(path, "it needs vision with labels"):
        said = json.loads(path.read_text(encoding="utf-8"))["vision"]
        black, white = (None if said.get(key) is None else float(said[key]) for key in ("black", "white"))
        found = Settings(
            tuple(str(label) for label in said["labels"]), black, white,
            float(said.get("least_score", 0.0)), int(said.get("overlap", 45)),
        )  # fmt: skip
    numbers = (0.0, 1.0) if black is None and white is None else (black, white)
    finite = all(n is not None and math.isfinite(n) for n in (*numbers, found.least_score))
    if not finite or numbers[0] == numbers[1]:
        fix = "black and white are two finite numbers, or neither is there; least_score is finite"
        raise UsageError(f"black {black}, white {white}, least_score {found.least_score}", where=str(path), fix=fix)
    if not 0 <= found.overlap <= 100:
        raise UsageError(f"overlap {found.overlap}", where=str(path), fix="it is a percentage, 0 to 100")
    return found


def levels_of(edge: Edge, known: Settings) -> Array:
    """(256,) int16: what the network takes for each level of a pixel. Halves go up; what is out of range is cut off."""
    lowest = -128 if edge.c_type == "int8_t" else 0
    if known.black is None or known.white is None:
        return np.arange(256, dtype=np.int16) + np.int16(lowest)
    real = known.black + np.arange(256) * (known.white - known.black) / 255
    found = np.floor(real / float(edge.scale) + edge.zero_point + 0.5)
    return np.asarray(np.clip(found, lowest, lowest + 255), np.int16)


def head_of(net: Net, known: Settings) -> Head | None:
    """The grid of a network that gives boxes; None where it gives classes."""
    image, target = net.inputs[0].shape, net.outputs[0]
    if len(target.shape) != 4 or target.count == target.shape[-1]:
        return None
    _, rows, columns, _ = target.shape
    scale, stride = float(target.scale), image[1] // rows
    factor, shift = factor_of(scale, stride)
    least = math.ceil(known.least_score / scale) + target.zero_point
    return Head(rows, columns, stride, target.zero_point, factor, shift, max(-128, min(least, 128)), known.overlap)


def _fits(net: Net) -> bool:
    source, target = net.inputs[0], net.outputs[0]
    if len(net.inputs) != 1 or len(net.outputs) != 1 or net.state_bytes or len(source.shape) != 4:
        return False
    _, height, width, channels = source.shape
    if channels not in (1, 3) or max(height, width) > LARGEST_IMAGE or source.element_bytes != 1:
        return False
    if target.count == target.shape[-1]:
        return target.element_bytes == 1 and target.count > 1
    if len(target.shape) != 4 or target.c_type != "int8_t" or target.shape[-1] <= DISTANCES:
        return False
    _, rows, columns, _ = target.shape
    return height % rows == width % columns == 0 and height // rows == width // columns


def fit(net: Net, graph: Graph, model: Path) -> Fitted:
    """Networks of one image, grey or in colours, to the scores of classes, or to a grid of boxes."""
    source = net.inputs[0]
    if not _fits(net):
        raise UsageError(
            f"is no vision model: {edges(net.inputs)} in, {edges(net.outputs)} out, {net.state_bytes} bytes of state",
            where=str(model),
            fix="take a network of one image, 1xHxWx1 or 1xHxWx3 bytes, to scores 1xN or to a grid 1xRxCx(4+N)",
        )
    seen = seeing(net, graph, model)
    frames, what = _frames(model, several=seen.head is not None)
    whole = np.array_equal(seen.levels, levels_of(source, Settings()))
    view: dict[str, Any] = {
        "width": source.shape[2], "height": source.shape[1], "channels": source.shape[3], "head": seen.head,
        "most": MOST, "labels": seen.labels, "classes": len(seen.labels), "match": MATCH, "input": what,
        "levels": () if whole else seen.levels.tolist(), "signed": source.c_type == "int8_t",
        "cycles": {
            "of": "a frame",
            "parts": {
                "crop and scale": "scale-read/look", f"network{' and boxes' if seen.head else ''}": "look-scale/look",
            },
        },
    }  # fmt: skip
    return Fitted(view, {"input.bin": netpbm.written(frames), "expected.txt": seen.said(frames).encode()})


def _frames(model: Path, *, several: bool) -> tuple[list[Frame], str]:
    """The frames of input.bin, and what they are."""
    if model == _DEFAULT:
        return digit_frames.judging_frames(count=SHOWN), "the first frames of the test part, handwritten digits"
    beside = model.with_suffix(".pnm")
    if beside.is_file():
        data = read_file(beside, limits.unpacked_bytes())
        return netpbm.read(data, str(beside))[:SHOWN], f"the first frames of {c_string(beside.name)}"
    frames = digit_frames.judging_frames(several=several, count=4)
    return [Frame(frame.pixels) for frame in frames], "some frames of digits, which the network need not know"


@dataclass(frozen=True, slots=True)
class Seeing:
    """The app by its definitions.

    Attributes:
        graph: the packed network.
        source: its input.
        levels: (256,), what the network takes for each level of a pixel.
        head: of boxes; None: it gives classes.
        labels: of classes, as C has them.
    """

    graph: Graph
    source: Edge
    levels: Array
    head: Head | None
    labels: tuple[str, ...]

    def outputs(self, frames: Sequence[Frame]) -> Array:
        """What the network makes of frames: (n, *shape)."""
        _, height, width, channels = self.source.shape
        images = []
        for frame in frames:
            high, wide, have = frame.pixels.shape
            crop = centre_crop(wide, high, width, height)
            seen = pixels(frame.pixels.reshape(high, -1), "grey" if have == 1 else "rgb888", channels)
            images.append(self.levels[scaled(seen, crop, width, height)])
        shape = self.graph.of(self.graph.inputs)[0].shape[1:]
        x = np.stack(images).reshape(len(frames), *shape)
        dtype = np.int8 if self.source.c_type == "int8_t" else np.uint8
        return np.asarray(reference.outputs(self.graph, [x.astype(dtype)])[0])

    def said(self, frames: Sequence[Frame]) -> str:
        """What the firmware says of frames: the lines of result.txt."""
        outputs = self.outputs(frames)
        lines = (self._boxes if self.head else self._classes)(frames, outputs)
        return "\n".join([*lines, f"FNV-1a of all outputs: {fnv1a(outputs.tobytes())}"]) + "\n"

    def _classes(self, frames: Sequence[Frame], outputs: Array) -> list[str]:
        found = outputs.reshape(len(frames), -1).argmax(axis=1).tolist()
        lines = [f"frame {i}: {self.labels[index]}" for i, index in enumerate(found)]
        known = [(index, frame.index) for index, frame in zip(found, frames, strict=True) if frame.index is not None]
        right = sum(index == wanted for index, wanted in known)
        return [*lines, f"right: {right} of {len(known)} frames"]

    def _boxes(self, frames: Sequence[Frame], outputs: Array) -> list[str]:
        assert self.head is not None
        _, height, width, _ = self.source.shape
        lines, right, wrong, truths = [], 0, 0, 0
        for i, frame in enumerate(frames):
            high, wide, _ = frame.pixels.shape
            boxes = boxes_of(outputs[i], self.head, centre_crop(wide, high, width, height), MOST)
            for box in boxes:
                edges = f"{box.left} {box.top} {box.right} {box.bottom}"
                lines.append(f"frame {i}: {self.labels[box.label]} at {edges}, level {box.level + 128} of 255")
            matched = matches(boxes, frame.truths)
            right, wrong, truths = right + matched, wrong + len(boxes) - matched, truths + len(frame.truths)
        return [*lines, f"right: {right} of {truths} boxes", f"wrong: {wrong} boxes"]


def matches(boxes: Sequence[Box], truths: Sequence[Box]) -> int:
    """How many boxes, best first, are one of the truths each: the first that is free, of their class, and overlaps."""
    free = list(truths)
    for box in boxes:
        same = (truth for truth in free if truth.label == box.label and overlaps(box, truth, MATCH))
        if (found := next(same, None)) is not None:
            free.remove(found)
    return len(truths) - len(free)


def seeing(net: Net, graph: Graph, model: Path) -> Seeing:
    """The definitions of a model that fits.

    Raises:
        UsageError: the JSON beside it is damaged, or has too few or too many labels.
    """
    known = settings(model)
    target, head = net.outputs[0], head_of(net, known)
    classes = target.shape[-1] - (DISTANCES if head else 0)
    labels = known.labels or tuple(map(str, range(classes)))
    if len(labels) != classes:
        where = str(model.with_suffix(".json"))
        raise UsageError(f"has {len(labels)} labels, the network {classes} classes", where=where)
    return Seeing(graph, net.inputs[0], levels_of(net.inputs[0], known), head, tuple(c_string(s) for s in labels))


_FILES = ("scale.c", "scale.h", "boxes.c", "boxes.h", "netpbm.c", "netpbm.h")
APP = App(
    "vision",
    "rows of a camera in, a class or boxes out",
    lambda: _DEFAULT,
    fit,
    tuple(f"apps/ek_{name}" for name in _FILES),
    input_rows=True,
)
