"""Recordings that the front end meets: by name (16,000,) int16, 16 kHz, the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekc.apps.audio import made_up
from edgekc.apps.keyword import spoken

Array = np.ndarray[Any, np.dtype[Any]]


def sounds(samples: int = 16000) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    t = np.arange(samples) / 16000
    bursts = rng.normal(0, 8000, samples) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)) ** 4
    found = {
        "silence": np.zeros(samples),
        "one": np.eye(1, samples, samples // 2)[0],
        "least": rng.integers(-2, 3, samples),
        "noise": rng.normal(0, 3000, samples),
        "full scale": rng.integers(-32768, 32768, samples),
        "lowest": np.full(samples, -32768),
        "square": np.where(np.sin(2 * np.pi * 440 * t) > 0, 32767, -32768),
        "tone": 20000 * np.sin(2 * np.pi * 1000 * t),
        "sweep": 32767 * np.sin(2 * np.pi * (50 + 3900 * t) * t),
        "bursts": bursts,
        "steps": np.repeat(rng.integers(-32768, 32768, samples // 100 + 1), 100)[:samples],
        "louder": rng.normal(0, 1, samples) * 10 ** (4.5 * t / t[-1]),
        "voice": np.resize(made_up(), samples),
        "speech": np.resize(spoken(), samples),
    }
    return {name: np.clip(np.round(x), -32768, 32767).astype(np.int16) for name, x in found.items()}
