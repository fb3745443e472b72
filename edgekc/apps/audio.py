"""What apps that listen share: a made-up voice, and WAV files."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..graph.ir import Array
from .frontend_tables import SAMPLE_HZ

_CLASS = b"clas"


def made_up() -> Array:
    """Two seconds (32,000,) int16 of a voice-like sound: harmonics that glide, syllables, a little noise."""
    rng = np.random.default_rng(0)
    t = np.arange(2 * SAMPLE_HZ) / SAMPLE_HZ
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * t)) / SAMPLE_HZ
    voice = sum(np.sin(k * pitch) / k for k in range(1, 25)) * np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    return np.round(6000 * voice + rng.normal(0, 60, t.size)).astype(np.int16)


def second(listens: float, decides: float) -> dict[str, Any]:
    """What `make cycles` counts of a second of audio, by how often each function is called in it (`cycles.parts`)."""
    return {"of": "a second of audio", "parts": {"front end": f"listen*{listens:g}", "network": f"decide*{decides:g}"}}


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound and what is in it.

    Attributes:
        samples: (n,) int16, 16 kHz, one channel.
        index: of its class; None: nobody says.
    """

    samples: Array
    index: int | None = None


def wav(samples: Array, index: int | None = None) -> bytes:
    """A WAV file of 16 kHz, 16 bits and one channel; the class is in a chunk `clas`, which players pass over."""
    data = samples.astype("<i2").tobytes()
    chunks = [(b"fmt ", struct.pack("<HHIIHH", 1, 1, SAMPLE_HZ, 2 * SAMPLE_HZ, 2, 16))]
    chunks += [] if index is None else [(_CLASS, struct.pack("<I", index))]
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(of)) + of for name, of in [*chunks, (b"data", data)])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def recordings(data: bytes, where: str) -> list[Recording]:
    """The recordings of WAV files one behind the other, as runtime_c/apps/ek_wav.c reads them.

    Raises:
        UsageError: it is damaged, or not of 16 kHz, 16 bits and one channel.
    """
    found: list[Recording] = []
    at, fits, index, begun = 0, False, None, False
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk, at = data[at + 8 : at + 8 + size], at + 8 + size + size % 2
        if name == b"RIFF" and chunk[:4] == b"WAVE":
            at, fits, index, begun = at - size - size % 2 + 4, False, None, True
        elif name == b"RIFF" or not begun:
            break
        elif name == b"fmt " and size >= 16:
            kind, channels, hertz, _, _, bits = struct.unpack("<HHIIHH", chunk[:16].ljust(16, b"\0"))
            fits = (kind, channels, hertz, bits) == (1, 1, SAMPLE_HZ, 16)
        elif name == _CLASS and len(chunk) >= 4:
            index = int.from_bytes(chunk[:4], "little")
        elif name == b"data" and fits:
            found.append(Recording(np.frombuffer(chunk[: len(chunk) // 2 * 2], "<i2"), index))
            fits = False
        elif name == b"data" or at > len(data):
            break
    else:
        if found and at >= len(data):
            return found
    fix = "convert it: sox IN.wav -r 16000 -b 16 -c 1 OUT.wav"
    raise UsageError("is no WAV file of 16 bits, 16 kHz and one channel", where=where, fix=fix)
