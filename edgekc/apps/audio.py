"""What apps that listen share: a made-up voice, WAV files, and labels in C."""

from __future__ import annotations

import io
import wave

import numpy as np

from ..graph.ir import Array
from .frontend_tables import SAMPLE_HZ

_LONGEST_LABEL = 60  # characters


def c_string(label: str) -> str:
    """A label as the inside of a C string: printable ASCII, cut off."""
    return "".join(c if " " <= c <= "~" and c not in '"\\?' else "_" for c in label[:_LONGEST_LABEL])


def made_up() -> Array:
    """Two seconds (32,000,) int16 of a voice-like sound: harmonics that glide, syllables, a little noise."""
    rng = np.random.default_rng(0)
    t = np.arange(2 * SAMPLE_HZ) / SAMPLE_HZ
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * t)) / SAMPLE_HZ
    voice = sum(np.sin(k * pitch) / k for k in range(1, 25)) * np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    return np.round(6000 * voice + rng.normal(0, 60, t.size)).astype(np.int16)


def wav(samples: Array) -> bytes:
    """16 kHz, 16 bits, one channel."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()
