"""The kind `keyword`: 16 kHz audio in, the wake word out. Front end, streaming network, sliding mean, threshold.

Networks that tell several words apart take another front end; `commands.py` has the rest of their projects.
"""

from __future__ import annotations

import importlib.util
import json
import wave
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..emulate import reference
from ..errors import UsageError
from ..graph.ir import Array, Graph
from ..packages.net import Net
from ..packages.sample import fnv1a
from . import commands, frontend, frontend_tables
from .app import App, Fitted, c_string, edges, reading
from .audio import made_up, second, wav
from .frontend_tables import CHANNELS, FEATURE_SCALE, SAMPLE_HZ, STEP

_LEVELS = 1 << 16  # of the front end's output


def _models() -> Path | None:
    found = importlib.util.find_spec("pymicro_wakeword")
    return None if found is None or found.origin is None else Path(found.origin).parent / "models"


def _default() -> Path:
    folder = _models()
    if folder is None:
        raise UsageError("its models are those of pymicro-wakeword, which is not installed", where="keyword",
                         fix="pip install 'edgekc[benchmarks]', or name a --model")  # fmt: skip
    return folder / "okay_nabu.tflite"


def settings(model: Path) -> tuple[str, float, int]:
    """Label, least mean probability and steps of it: from the JSON that microWakeWord writes beside a model.

    Raises:
        UsageError: it is damaged.
    """
    path = model.with_suffix(".json")
    if not path.is_file():
        return model.stem, 0.9, 5
    with reading(path, "it needs wake_word, and micro with probability_cutoff and sliding_window_size"):
        read = json.loads(path.read_text(encoding="utf-8"))
        micro = read["micro"]
        label, cutoff = str(read["wake_word"]), float(micro["probability_cutoff"])
        steps, step_ms = int(micro["sliding_window_size"]), int(micro.get("feature_step_size", 10))
    if not (0 < cutoff < 1 and 1 <= steps <= 255 and step_ms == 10):
        fix = "a probability_cutoff between 0 and 1, a window of 1 to 255 and a feature_step_size of 10 are possible"
        raise UsageError(f"cutoff {cutoff}, window {steps}, step {step_ms} ms", where=str(path), fix=fix)
    return label, cutoff, steps


def quantised(features: Array, scale: float, zero_point: int) -> Array:
    """Levels (n, 40) of the front end as the network's int8 input, at most 127. Halves go up."""
    levels = np.floor(features * FEATURE_SCALE / scale + 0.5) + zero_point
    return np.asarray(np.clip(levels, -128, 127), np.int8)


def multiplier(scale: float) -> tuple[int, int, int]:
    """(factor, shift, top) with which integers round every level as `quantised` does; from level top on all are 127.

    Raises:
        UsageError: none do.
    """
    levels = np.arange(_LEVELS, dtype=np.int64)
    wanted = np.floor(levels * FEATURE_SCALE / scale + 0.5)
    top = int(np.argmax(wanted >= 255))
    for shift in range(28, 7, -1):
        factor, half = round(FEATURE_SCALE / scale * (1 << shift)), 1 << (shift - 1)
        if top and top * factor + half < 1 << 32:
            found = (levels[: top + 1] * factor + half) >> shift
            if np.array_equal(np.minimum(found, 255), np.minimum(wanted[: top + 1], 255)):
                return factor, shift, top
    raise UsageError(f"input scale {scale} is none of audio features", where="keyword", fix="take another model")


def fit(net: Net, graph: Graph, model: Path) -> Fitted:
    """Streaming networks of (1, frames, 40) int8 features, with a probability as one byte; classifiers of MFCCs."""
    if commands.fits(net):
        return commands.fit(net, graph, model)
    source, frames = net.inputs[0], net.inputs[0].count // CHANNELS
    target = net.outputs[0]
    fits = (
        len(net.inputs) == len(net.outputs) == 1 and net.state_bytes and source.count == frames * CHANNELS
        and source.shape[-1] == CHANNELS and source.c_type == "int8_t" and source.zero_point == -128
        and target.count == 1 and target.c_type == "uint8_t" and target.zero_point == 0
    )  # fmt: skip
    if not fits:
        raise UsageError(
            f"hears no words: {edges(net.inputs)} in, {edges(net.outputs)} out, {net.state_bytes} bytes of state",
            where=str(model),
            fix=f"take a streaming network of int8 1xNx{CHANNELS} (zero point -128) to one uint8, or an int8 "
            "classifier of 49x10 coefficients",
        )
    label, cutoff, steps = settings(model)
    scale = float(source.scale)
    factor, shift, top = multiplier(scale)
    threshold = int(Fraction(cutoff) * steps / Fraction(float(target.scale)))
    view: dict[str, Any] = {
        "label": c_string(label), "cutoff": cutoff, "window_steps": steps, "threshold": threshold, "frames": frames,
        "multiplier": factor, "shift": shift, "top": top, "scale": source.scale, "zero_point": source.zero_point,
        **tables(), "cycles": second(SAMPLE_HZ / STEP, SAMPLE_HZ / STEP / frames),
    }  # fmt: skip
    own = _models() is not None and model == _default()
    samples = spoken() if own else made_up()
    view["input"] = "the word as eSpeak NG says it" if own else "a made-up sound without the word in it"
    expected = heard(graph, samples, label=label, steps=steps, threshold=threshold, scale=scale, frames=frames)
    return Fitted(view, {"input.bin": wav(samples), "expected.txt": expected.encode()}, ("words", "keyword"))


def tables() -> Mapping[str, Any]:
    """The front end's constants for the template, as lists."""
    channels = frontend_tables.channels()
    return {
        "window": frontend_tables.window().tolist(),
        "twiddles": frontend_tables.twiddles().tolist(),
        "half_twiddles": frontend_tables.real_twiddles().tolist(),
        "widths": [len(channel.weights) for channel in channels],
        "weights": [int(w) for channel in channels for w in channel.weights],
        "gains": frontend_tables.gains().tolist(),
        "logarithms": frontend_tables.logarithms().tolist(),
    }


def heard(graph: Graph, samples: Array, *, label: str, steps: int, threshold: int, scale: float, frames: int) -> str:
    """What the firmware says of a recording, by the definitions: the lines of result.txt.

    Args:
        graph: the packed network.
        samples: (n,) int16, 16 kHz.
        label, steps, threshold: of the sliding mean, as the C has them.
        scale: of the network's input, whose zero point is -128.
        frames: of features in a step.
    """
    levels = quantised(frontend.features(samples), scale, -128)
    count = len(levels) // frames
    shape = graph.of(graph.inputs)[0].shape[1:]
    x = levels[: count * frames].reshape(count, *shape)
    outputs = reference.outputs(graph, [x])[0].reshape(-1).astype(int).tolist() if count else []
    lines, before, largest = [], False, 0
    for i in range(count):
        total = sum(outputs[i + 1 - steps : i + 1]) if i + 1 >= steps else 0
        largest = max(largest, total)
        if total > threshold and not before:
            # The first two steps of 10 ms end no window.
            lines.append(f"{c_string(label)} at ms {((i + 1) * frames + 2) * 1000 * STEP // SAMPLE_HZ}")
        before = total > threshold
    lines += [f"steps of the network: {count}", f"largest sum of outputs: {largest}"]
    lines.append(f"FNV-1a of all outputs: {fnv1a(bytes(outputs))}")
    return "\n".join(lines) + "\n"


def spoken() -> Array:
    """The default model's word, (n,) int16: what eSpeak NG 1.52 makes of "okay nahboo" (en-us, speed 175, pitch 35)."""
    with wave.open(str(Path(__file__).parent / "data" / "okay_nabu.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


_SOURCES = (".c", ".h", "_bands.c", "_fft.c", "_levels.c", "_log.c", "_log.h", "_tables.h")
APP = App(
    "keyword",
    "16 kHz audio in, words out",
    _default,
    fit,
    (*(f"frontend/ek_frontend{part}" for part in _SOURCES), "apps/ek_wav.c", "apps/ek_wav.h"),
)
