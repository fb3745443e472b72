"""The constants of the audio front end: window, twiddle factors, mel weights, gains and logarithms, all integers.

They are those of TensorFlow's audio front end (tensorflow/lite/experimental/microfrontend), as microWakeWord's models
were trained with it: 16 kHz, windows of 30 ms every 10 ms, 40 channels from 125 to 7,500 Hz, PCAN. Where that front end
computes a constant in single precision, so does this file, since the last bit of a weight counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..graph.ir import Array

SAMPLE_HZ = 16_000
WINDOW, STEP = 480, 160  # samples: 30 ms and 10 ms
FFT_SIZE = 512
CHANNELS = 40
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0
HERTZ_OF_BIN = SAMPLE_HZ / FFT_SIZE  # 31.25
# Bins at whose frequency log1pf of glibc 2.36 is one unit in the last place above or below the rounded value. Weights
# of channels depend on it.
_LOG1P_ABOVE = frozenset({56, 98, 116, 216, 218, 225, 236, 240})
_LOG1P_BELOW = frozenset({6, 13, 15, 31, 38, 50, 99, 100, 108, 115, 126, 148})
WINDOW_BITS = WEIGHT_BITS = 12  # fractional bits of window and mel weights
SMOOTHING_BITS, NOISE_BITS = 10, 14
NOISE_SMOOTHING = (409, 983)  # of even and odd channels: 0.025 and 0.06 with 14 fractional bits, cut off
NOISE_LEFT = 819  # of 2^14: at least 5 % of a channel stays
GAIN_STRENGTH, GAIN_OFFSET, GAIN_BITS = np.float32(0.95), np.float32(80.0), 21
CORRECTION_BITS = 3  # the filter bank's values are 2^3 too small: log2(512) less half of the weights' bits
LOG_BITS, LOG_SEGMENT_BITS, LOG_OUTPUT_BITS = 16, 7, 6
LOG_OF_2 = 45_426  # ln 2 with 16 fractional bits
FEATURE_SCALE = 0.0390625  # 10 / 256: what a level of the output is worth in the training of microWakeWord


@dataclass(frozen=True, slots=True)
class Channel:
    """The bins of one band, which rise to its centre from the one below.

    Attributes:
        first: the first bin.
        weights: (bins,) int16, their share in this channel, of 4,096; the rest is in the channel above.
    """

    first: int
    weights: Array


@cache
def window() -> Array:
    """Hann's window (480,) int16, sampled in the middle of each sample."""
    half, angle = np.float32(0.5), np.float32(math.pi * 2.0 / WINDOW)
    cosines = [np.float32(math.cos(float(angle * (np.float32(i) + half)))) for i in range(WINDOW)]
    return np.array([_level(half - half * cosine, WINDOW_BITS) for cosine in cosines], np.int16)


def _level(real: np.float32, bits: int) -> int:
    return math.floor(float(real * np.float32(1 << bits) + np.float32(0.5)))


def _unit(phase: float) -> tuple[int, int]:
    return math.floor(0.5 + 32767 * math.cos(phase)), math.floor(0.5 + 32767 * math.sin(phase))


@cache
def twiddles() -> Array:
    """Of the complex transform of 256 points: (256, 2) int16, e^(-2 pi i k / 256) with 15 fractional bits."""
    half = FFT_SIZE // 2
    return np.array([_unit(-2 * math.pi * k / half) for k in range(half)], np.int16)


@cache
def real_twiddles() -> Array:
    """Of the step from 256 complex points to 512 real ones: (128, 2) int16, e^(-pi i ((k + 1) / 256 + 1 / 2))."""
    half = FFT_SIZE // 2
    return np.array([_unit(-math.pi * ((k + 1) / half + 0.5)) for k in range(half // 2)], np.int16)


def _mel(hertz: float) -> np.float32:
    logarithm = np.float32(math.log1p(float(np.float32(hertz) / np.float32(700.0))))
    bin_ = hertz / HERTZ_OF_BIN
    if bin_ in _LOG1P_ABOVE or bin_ in _LOG1P_BELOW:
        logarithm = np.nextafter(logarithm, np.float32(math.inf if bin_ in _LOG1P_ABOVE else -math.inf))
    return np.float32(1127.0) * logarithm


@cache
def channels() -> tuple[Channel, ...]:
    """41 of them: the first one's own share is dropped, and it only gives to the next."""
    low, high = _mel(LOWEST_HZ), _mel(HIGHEST_HZ)
    spacing = (high - low) / np.float32(CHANNELS + 1)
    centres = [low + spacing * np.float32(i + 1) for i in range(CHANNELS + 1)]
    bin_, made = int(1.5 + LOWEST_HZ / HERTZ_OF_BIN), []  # never the mean of the signal
    below = low
    for centre in centres:
        first, weights = bin_, []
        while (mel := _mel(bin_ * HERTZ_OF_BIN)) <= centre:
            weight = (centre - mel) / (centre - below)
            weights.append(_level(weight, WEIGHT_BITS))
            bin_ += 1
        made.append(Channel(first, np.array(weights, np.int16)))
        below = centre
    return tuple(made)


def _gain(x: int) -> int:
    """(x + 80)^-0.95 of a noise estimate, with 21 fractional bits, at most 32,767."""
    real = np.float32(x) / np.float32(1 << (SMOOTHING_BITS - CORRECTION_BITS)) + GAIN_OFFSET
    gain = np.float32(1 << GAIN_BITS) * np.float32(math.pow(float(real), -float(GAIN_STRENGTH)))
    return 32767 if gain > 32767 else int(gain + np.float32(0.5))


@cache
def gains() -> Array:
    """A parabola for each power of two of the noise estimate: (33, 3) int16; rows 0 and 1 are of the values 0 and 1."""
    rows = [(_gain(0), 0, 0), (_gain(1), 0, 0)]
    for bits in range(2, 33):
        x0 = 1 << (bits - 1)
        x2 = x0 + (x0 - 1) if bits == 32 else 2 * x0
        y0, y1, y2 = _gain(x0), _gain(x0 + (x0 >> 1)), _gain(x2)
        slope = 4 * (y1 - y0) - (y2 - y0)
        rows.append((y0, slope, y2 - y0 - slope))
    return np.array(rows, np.int64).astype(np.int16)


@cache
def logarithms() -> Array:
    """log2(1 + k / 128) - k / 128 with 16 fractional bits, cut off: (130,) uint16; the last one is never weighed."""
    values = [math.log2(1 + k / 128) - k / 128 for k in range(129)]
    return np.array([*(math.floor(v * (1 << LOG_BITS) + 0.5) for v in values), 0], np.uint16)
