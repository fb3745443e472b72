"""The kind `sensor`: samples of an IMU in, the activity or an anomaly's score out. Windows, network, decisions."""

from __future__ import annotations

import json
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
from .app import App, Fitted, c_string, edges, reading
from .decisions import LARGEST_WINDOW, NONE, Errors, alarms, errors_of, scores, steady
from .windows import Channel, channel_of, cut, ends, levels

GAP = -32768  # as the answer of a row: rows are missing here, and the row itself is none
UNKNOWN = -1  # as the answer of a row
_STATES = ("normal", "anomaly")
_DEFAULT = Path(__file__).parent / "data" / "sensor_motions.ekc"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the JSON beside a model says.

    Attributes:
        middle, unit: of each channel, the sample that is 0 for the network, and how many more are 1.
        stride: rows from a window to the next one.
        hold: windows in a row after which another decision stands.
        labels: of classes; empty: the network is an autoencoder.
        threshold, release: scores above which an alarm begins, and at which it ends.
    """

    middle: tuple[int, ...]
    unit: tuple[float, ...]
    stride: int
    hold: int
    labels: tuple[str, ...]
    threshold: int
    release: int


def settings(model: Path) -> Settings:
    """What `train.py` writes beside a model.

    Raises:
        UsageError: it is not there, or damaged.
    """
    path = model.with_suffix(".json")
    fix = "train.py writes it: sensor with middle and unit of each channel, stride, and labels or threshold"
    with reading(path, fix, "missing or damaged"):
        said = json.loads(path.read_text(encoding="utf-8"))["sensor"]
        labels = tuple(str(label) for label in said.get("labels", ()))
        threshold = 0 if labels else int(said["threshold"])
        found = Settings(
            tuple(int(n) for n in said["middle"]), tuple(float(n) for n in said["unit"]), int(said["stride"]),
            int(said.get("hold", 1)), labels, threshold, int(said.get("release", threshold)),
        )  # fmt: skip
    if not 1 <= found.hold <= 255 or not 0 <= found.release <= found.threshold < 1 << 32:
        fix = "hold is 1 to 255, release at most threshold, and both are numbers of 32 bits"
        said = f"hold {found.hold}, threshold {found.threshold}, release {found.release}"
        raise UsageError(said, where=str(path), fix=fix)
    if not 0 < len(found.middle) == len(found.unit) < 1 << 8 or len(labels) >= NONE:
        fix = f"1 to 255 channels and at most {NONE - 1} labels are possible"
        said = f"{len(found.middle)} middles, {len(found.unit)} units, {len(labels)} labels"
        raise UsageError(said, where=str(path), fix=fix)
    return found


@dataclass(frozen=True, slots=True)
class Sensing:
    """The app by its definitions.

    Attributes:
        graph: the packed network.
        known: the model's settings.
        channels: of a row.
        length: rows of a window.
        zero_point: of the network's input.
        errors: how an autoencoder's output is compared; None: the network gives classes.
        labels: of decisions, as C has them.
    """

    graph: Graph
    known: Settings
    channels: tuple[Channel, ...]
    length: int
    zero_point: int
    errors: Errors | None
    labels: tuple[str, ...]

    def windows(self, rows: Array) -> Array:
        """Rows (n, channels) as the network's inputs (windows, length, channels) int8."""
        return cut(levels(rows, self.channels, self.zero_point), self.length, self.known.stride)

    def outputs(self, windows: Array) -> Array:
        """What the network makes of windows: (n, outputs) int8."""
        shape = self.graph.of(self.graph.inputs)[0].shape[1:]
        return np.asarray(reference.outputs(self.graph, [windows.reshape(-1, *shape)])[0]).reshape(len(windows), -1)

    def scores(self, windows: Array) -> Array:
        """Scores (n,) of windows, where the network is an autoencoder."""
        assert self.errors is not None
        return scores(windows, self.outputs(windows), self.errors)

    def said(self, stream: Array) -> str:
        """What the firmware says of a stream: the lines of result.txt.

        Args:
            stream: (n, channels + 1) int16. The last column is the answer: the index of the row's label, or of an
                anomaly 1 and else 0. UNKNOWN: nobody knows. GAP: rows are missing, and windows begin anew.
        """
        lines, made, count, right = [], b"", 0, [[0, 0] for _ in self.labels]
        for piece in np.split(stream, np.flatnonzero(stream[:, -1] == GAP)):
            piece = piece[1:] if len(piece) and piece[0, -1] == GAP else piece
            windows = self.windows(piece[:, :-1])
            if not len(windows):
                continue
            outputs = self.outputs(windows)
            made += outputs.tobytes()
            if self.errors is None:
                found, what = outputs.argmax(axis=1).tolist(), [""] * len(windows)
                stands = steady(found, self.known.hold)
            else:
                numbers = scores(windows, outputs, self.errors).tolist()
                found, what = alarms(numbers, self.known.threshold, self.known.release), [f", {n}" for n in numbers]
                stands = steady(found, self.known.hold, 0)
            before = NONE if self.errors is None else 0
            for k, end in enumerate(ends(len(piece), self.length, self.known.stride)):
                lines.append(f"window {count}: {self.labels[found[k]]}{what[k]}")
                if stands[k] != before:
                    lines.append(f"now: {self.labels[stands[k]]}")
                before = stands[k]
                answers = piece[end - self.length : end, -1]
                if 0 <= answers[0] < len(self.labels) and (answers == answers[0]).all():
                    right[answers[0]][0] += int(found[k] == answers[0])
                    right[answers[0]][1] += 1
                count += 1
        for label, (hits, of) in zip(self.labels, right, strict=True):
            lines.append(f"right: {hits} of {of} windows, {label}")
        return "\n".join([*lines, f"FNV-1a of all outputs: {fnv1a(made)}"]) + "\n"


def sensing(net: Net, graph: Graph, model: Path) -> Sensing:
    """The definitions of a model.

    Raises:
        UsageError: it does not fit the kind, or what lies beside it does not fit the model.
    """
    source, target = net.inputs[0], net.outputs[0]
    if len(net.inputs) != 1 or len(net.outputs) != 1 or net.state_bytes or not (_levels(source) and _levels(target)):
        raise UsageError(
            f"is no sensor model: {edges(net.inputs)} in, {edges(net.outputs)} out, {net.state_bytes} bytes of state",
            where=str(model),
            fix="take a network of one int8 window, 1xROWSxCHANNELS, to int8 scores 1xN or to an int8 window",
        )
    known = settings(model)
    where, width = str(model.with_suffix(".json")), len(known.middle)
    length = source.count // width
    if source.count % width:
        raise UsageError(f"has {width} channels, the network's window {source.count} elements", where=where)
    if not 1 <= known.stride <= length:
        raise UsageError(f"stride {known.stride}", where=where, fix=f"it is 1 to {length}, the rows of a window")
    if known.labels and len(known.labels) != target.count:
        raise UsageError(f"has {len(known.labels)} labels, the network {target.count} outputs", where=where)
    errors = None
    if not known.labels:
        if target.count != source.count or source.count > LARGEST_WINDOW:
            said = f"has no labels, and the network makes {target.count} of {source.count} elements"
            fix = f"an autoencoder gives its window, {LARGEST_WINDOW} elements at most"
            raise UsageError(said, where=where, fix=fix)
        errors = errors_of(float(source.scale), source.zero_point, float(target.scale), target.zero_point)
    scale = float(source.scale)
    channels = tuple(channel_of(m, u, scale) for m, u in zip(known.middle, known.unit, strict=True))
    labels = tuple(c_string(label) for label in known.labels or _STATES)
    return Sensing(graph, known, channels, length, source.zero_point, errors, labels)


def _levels(edge: Edge) -> bool:
    return edge.c_type == "int8_t" and 1 < edge.count < 1 << 16


def fit(net: Net, graph: Graph, model: Path) -> Fitted:
    """Networks of one window to the scores of classes, or to the window as an autoencoder sees it."""
    sense = sensing(net, graph, model)
    stream, what = _stream(sense, model)
    expected = sense.said(stream)
    if not expected.startswith("window"):
        raise UsageError(f"has no window of {sense.length} rows", where=str(model.with_suffix(".bin")))
    view: dict[str, Any] = {
        "channels": sense.channels, "width": len(sense.channels), "rows": sense.length, "stride": sense.known.stride,
        "hold": sense.known.hold, "labels": sense.labels, "errors": sense.errors, "threshold": sense.known.threshold,
        "release": sense.known.release, "zero_point": sense.zero_point, "none": NONE, "gap": GAP, "input": what,
        "cycles": {
            "of": "a window",
            "parts": {f"{sense.known.stride} rows": f"rows*{sense.known.stride}", "network and decision": "decide*1"},
        },
    }  # fmt: skip
    return Fitted(view, {"input.bin": stream.astype("<i2").tobytes(), "expected.txt": expected.encode()})


def _stream(sense: Sensing, model: Path) -> tuple[Array, str]:
    """What input.bin has: (n, channels + 1) int16, and what it is."""
    path, width = model.with_suffix(".bin"), len(sense.channels) + 1
    if path.is_file():
        data = read_file(path, limits.unpacked_bytes())
        if not data or len(data) % (2 * width):
            fix = f"a row has {2 * width} bytes: an int16 of each channel, and one that is the answer"
            raise UsageError(f"has {len(data)} bytes", where=str(path), fix=fix)
        what = "the test part of BasicMotions" if model == _DEFAULT else c_string(path.name)
        return np.frombuffer(data, "<i2").reshape(-1, width), what
    middle, unit = np.array(sense.known.middle), np.array(sense.known.unit)
    swing = np.sin(np.arange(4 * sense.length)[:, None] / (3 + np.arange(width - 1)))
    stream = np.full((4 * sense.length, width), UNKNOWN, np.int16)
    stream[:, :-1] = np.clip(np.round(middle + unit * swing), -32768, 32767)
    return stream, "made-up oscillations, which the network need not know"


_FILES = ("window.c", "window.h", "decision.c", "decision.h")
APP = App(
    "sensor",
    "samples of an IMU in, the activity or an anomaly's score out",
    lambda: _DEFAULT,
    fit,
    tuple(f"apps/ek_{name}" for name in _FILES),
)
