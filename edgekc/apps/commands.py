"""Of the kind `keyword` what hears several words: a second of MFCCs through a network, again and again, smoothed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..emulate import reference
from ..errors import UsageError
from ..graph.ir import Array, Graph
from ..packages.net import Net
from ..packages.sample import fnv1a
from . import frontend_tables, mfcc, mfcc_tables
from .app import Fitted, c_string
from .audio import Recording, made_up, recordings, second, wav
from .mfcc_tables import COEFFICIENTS, FRAMES, SECOND, STEP

# The twelve classes of MLPerf Tiny's keyword spotting, in its order.
MLPERF_TINY = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
_NO_WORDS = ("silence", "unknown")  # and what begins with _
_MS_OF_A_STEP = 20
_THRESHOLD, _MEAN, _STEP_MS = 0.6, 3, 200  # unless the model says otherwise
_ANY = 1 << 30  # a sum of outputs lies within
_KEYS = ("labels", "threshold", "mean", "step_ms")
_SOURCES = ("mfcc.c", "mfcc.h", "mfcc_bands.c", "mfcc_fft.c", "mfcc_tables.h", "frontend_log.c", "frontend_log.h")
SOURCES = (*(f"frontend/ek_{name}" for name in _SOURCES), "apps/ek_wav.c", "apps/ek_wav.h")


@dataclass(frozen=True, slots=True)
class Settings:
    """How outputs become words.

    Attributes:
        labels: of the classes.
        threshold: the mean output above which a word is heard, in the output's real numbers.
        mean: outputs that the mean is of.
        step_ms: from one output to the next; a multiple of 20.
    """

    labels: tuple[str, ...]
    threshold: float = _THRESHOLD
    mean: int = _MEAN
    step_ms: int = _STEP_MS

    @property
    def words(self) -> tuple[bool, ...]:
        """Which classes are words, and not silence or anything else."""
        return tuple(not (label.startswith("_") or label.casefold() in _NO_WORDS) for label in self.labels)


def settings(model: Path, classes: int) -> Settings:
    """From the JSON beside a model, or the text file with a label a line; without one the defaults.

    Raises:
        UsageError: it is damaged, or has another number of labels.
    """
    given, lines = model.with_suffix(".json"), model.with_suffix(".txt")
    default = MLPERF_TINY if classes == len(MLPERF_TINY) else tuple(f"class_{i}" for i in range(classes))
    try:
        if given.is_file():
            return _checked(json.loads(given.read_text(encoding="utf-8")), default, classes)
        if lines.is_file():
            return _checked({"labels": lines.read_text(encoding="utf-8").split("\n")[:-1]}, default, classes)
    except (OSError, ValueError, TypeError, RecursionError, OverflowError) as error:
        where, what = str(given if given.is_file() else lines), str(error).replace("\n", " ")
        fix = f"it may have {', '.join(_KEYS)}, as the app's README says"
        raise UsageError(f"damaged ({what})", where=where, fix=fix) from None
    return Settings(default)


def _checked(read: Any, default: tuple[str, ...], classes: int) -> Settings:
    if not isinstance(read, dict) or set(read) - set(_KEYS):
        raise ValueError(f"expected an object of {', '.join(_KEYS)}")
    labels = read.get("labels", list(default))
    if not (isinstance(labels, list) and len(labels) == classes and all(isinstance(label, str) for label in labels)):
        count = len(labels) if isinstance(labels, list) else "no"
        raise ValueError(f"{count} labels, and the model has {classes} classes")
    cleaned = tuple(c_string(label.strip()) for label in labels)
    if not all(cleaned) or len(set(cleaned)) < classes:
        raise ValueError("two labels are the same, or one is empty")
    threshold = float(read.get("threshold", _THRESHOLD))
    mean, step_ms = int(read.get("mean", _MEAN)), int(read.get("step_ms", _STEP_MS))
    if not (np.isfinite(threshold) and 1 <= mean <= 100 and step_ms % _MS_OF_A_STEP == 0 and 20 <= step_ms <= 1000):
        raise ValueError("mean is 1 to 100, step_ms a multiple of 20 up to 1000, threshold a number")
    return Settings(cleaned, threshold, mean, step_ms)


def fits(net: Net) -> bool:
    """Whether it is a classifier of a second of coefficients, in int8."""
    if len(net.inputs) != 1 or len(net.outputs) != 1 or net.state_bytes:
        return False
    source, target = net.inputs[0], net.outputs[0]
    sizes = [size for size in source.shape if size != 1]
    return sizes == [FRAMES, COEFFICIENTS] and source.c_type == target.c_type == "int8_t" and target.count > 1


@dataclass(frozen=True, slots=True)
class Hearing:
    """A network and how its outputs become words, by the definitions.

    Attributes:
        graph: the packed network.
        said: labels, and how outputs are smoothed.
        threshold: of the sum of `said.mean` outputs, as the C has it.
        scale, zero_point: of the network's input.
    """

    graph: Graph
    said: Settings
    threshold: int
    scale: float
    zero_point: int

    def outputs(self, samples: Array) -> Array:
        """(decisions, classes) int8 of a recording; see `inputs`."""
        x = inputs(samples, self.said.step_ms, self.scale, self.zero_point)
        shaped = x.reshape(len(x), *self.graph.of(self.graph.inputs)[0].shape[1:])
        return np.asarray(reference.outputs(self.graph, [shaped])[0]).reshape(len(x), -1)

    def words(self, outputs: Array) -> list[str]:
        """The lines of words that begin to be heard."""
        lines, before, said = [], -1, self.said
        for i in range(said.mean - 1, len(outputs)):
            sums = outputs[i + 1 - said.mean : i + 1].astype(int).sum(axis=0)
            best = int(sums.argmax())
            hears = sums[best] > self.threshold and said.words[best]
            if hears and best != before:
                lines.append(f"{said.labels[best]} at ms {1000 + i * said.step_ms}")
            before = best if hears else -1
        return lines

    def report(self, sounds: Sequence[Recording]) -> str:
        """What the firmware says of recordings: the lines of result.txt."""
        lines, everything, decisions, known, right = [], [], 0, 0, 0
        for sound in sounds:
            outputs = self.outputs(sound.samples)
            last = int(outputs[-1].argmax())
            lines += [*self.words(outputs), f"class {self.said.labels[last]}"]
            known += sound.index is not None
            right += sound.index == last
            everything.append(outputs.tobytes())
            decisions += len(outputs)
        if known:
            lines += [f"recordings whose class is known: {known}", f"of these right: {right}"]
        lines += [f"decisions of the network: {decisions}", f"FNV-1a of all outputs: {fnv1a(b''.join(everything))}"]
        return "\n".join(lines) + "\n"


def hearing(net: Net, graph: Graph, model: Path) -> Hearing:
    """Of a network that `fits`; `settings` says what lies beside the model.

    Args:
        net: the compiled network.
        graph: the packed one.
        model: the file that it comes from.
    """
    source, target = net.inputs[0], net.outputs[0]
    said = settings(model, target.count)
    level = Fraction(said.threshold) / Fraction(float(target.scale)) + target.zero_point
    threshold = max(-_ANY, min(_ANY, int(said.mean * level // 1)))
    return Hearing(graph, said, threshold, float(source.scale), source.zero_point)


def fit(net: Net, graph: Graph, model: Path) -> Fitted:
    """The rest of a project around a network that `fits`."""
    hears = hearing(net, graph, model)
    said, (factor, shift) = hears.said, mfcc.multiplier(hears.scale)
    beside = model.with_suffix(".wav")
    known = beside.is_file()
    data = beside.read_bytes() if known else wav(made_up())
    view: dict[str, Any] = {
        "labels": said.labels, "words": [int(word) for word in said.words], "cutoff": said.threshold,
        "threshold": hears.threshold, "window_outputs": said.mean, "steps": said.step_ms // _MS_OF_A_STEP,
        "step_ms": said.step_ms, "factor": factor, "shift": shift, "scale": hears.scale,
        "zero_point": hears.zero_point, **tables(),
        "cycles": second(1000 / _MS_OF_A_STEP, 1000 / said.step_ms),
        "input": f"{beside.name}, which lay beside the model" if known else "a made-up sound without words",
    }  # fmt: skip
    expected = hears.report(recordings(data, str(beside)))
    return Fitted(view, {"input.bin": data, "expected.txt": expected.encode()}, ("words", "commands"), SOURCES)


def tables() -> Mapping[str, Any]:
    """The front end's constants for the template, as lists."""
    widths, weights = mfcc_tables.bands()
    made = {
        "window": mfcc_tables.window(), "sines": mfcc_tables.sines(), "widths": widths, "weights": weights,
        "roots": mfcc_tables.roots(), "sums": mfcc_tables.sums(), "cosines": mfcc_tables.cosines(),
        "logarithms": frontend_tables.logarithms(),
    }  # fmt: skip
    return {name: values.tolist() for name, values in made.items()}


def inputs(samples: Array, step_ms: int, scale: float, zero_point: int) -> Array:
    """What the network gets of a recording: (decisions, 49, 10) int8, the first one at the end of the first second.

    Args:
        samples: (n,) int16, 16 kHz; of less than a second with zeros behind it.
        step_ms: from one to the next.
        scale, zero_point: of the network's input.
    """
    whole = np.zeros(max(SECOND, len(samples) // STEP * STEP), np.int16)
    whole[: len(samples)] = samples[: len(whole)]
    logs, made = mfcc.logs(whole), []
    for first in range(0, len(whole) - SECOND + 1, step_ms // _MS_OF_A_STEP * STEP):
        frames = logs[first // STEP : first // STEP + FRAMES]
        found = mfcc.coefficients(frames, int(whole[first : first + SECOND].max()))
        made.append(mfcc.quantised(found, scale, zero_point))
    return np.stack(made)
