"""Mel-frequency cepstral coefficients by their definitions, with numpy: what MLPerf Tiny's keyword spotting takes."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def cepstra(x: Array) -> Array:
    """(49, 10) of a second of 16 kHz that was divided by its largest sample.

    Frames of 30 ms each 20 ms, Hann's window, 40 mel bands from 20 to 4,000 Hz, logarithms, DCT-II.
    """
    at = np.arange(49)[:, None] * 320 + np.arange(480)
    spectrum = np.abs(np.fft.rfft(x[at] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)), 512))
    mel = 1127 * np.log1p(np.arange(257) * 31.25 / 700)
    edges = np.linspace(*(1127 * np.log1p(np.array([20.0, 4000.0]) / 700)), 42)
    rise = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    rows = 2 / np.sqrt(80) * np.cos(np.pi * np.arange(10)[:, None] * (np.arange(40) + 0.5) / 40)
    found: Array = np.log(spectrum @ np.maximum(0, np.minimum(rise, fall)) + 1e-6) @ rows.T
    return found
