"""The constants of the MFCC front end, all integers: window, transform, mel bands, roots, sums of logarithms, cosines.

The settings are those of the keyword spotting benchmark of MLPerf Tiny: 16 kHz, Hann windows of 30 ms every 20 ms, a
transform of 512 points, magnitudes in 40 mel bands from 20 to 4,000 Hz, 10 coefficients, 49 frames of a second.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..graph.ir import Array

WINDOW, STEP = 480, 320  # samples: 30 ms and 20 ms
FFT_SIZE = 512
BANDS, COEFFICIENTS, FRAMES = 40, 10, 49
SECOND = 16_000  # samples; FRAMES windows lie in them
LOWEST_HZ, HIGHEST_HZ = 20.0, 4000.0
HERTZ_OF_BIN = SECOND / FFT_SIZE  # 31.25
BINS = 127  # from the first above 0 Hz to the last below 4,000 Hz
WINDOW_BITS, TWIDDLE_BITS, WEIGHT_BITS, LOG_BITS, COSINE_BITS = 30, 30, 15, 10, 13  # fractional ones
FLOOR = round(math.log2(1e-6) * (1 << LOG_BITS))  # what is added to a band before its logarithm
SUM_STEP_BITS = 7  # a segment of `sums` is an eighth


@cache
def window() -> Array:
    """Hann's window, periodic, up to its middle: (241,) int32 with 30 fractional bits."""
    return np.array([round(math.sin(math.pi * n / WINDOW) ** 2 * (1 << WINDOW_BITS)) for n in range(241)], np.int32)


@cache
def sines() -> Array:
    """A quarter of a wave of 512 points: (129,) int32, sin(2 pi n / 512) with 30 fractional bits."""
    return np.array([round(math.sin(2 * math.pi * n / FFT_SIZE) * (1 << TWIDDLE_BITS)) for n in range(129)], np.int32)


def _mel(hertz: float) -> float:
    return 1127.0 * math.log1p(hertz / 700.0)


@cache
def bands() -> tuple[Array, Array]:
    """Bins between two neighbouring band edges, and their weights.

    Returns:
        (41,) uint8, how many bins lie between edge i and edge i + 1, from bin 1 on; and (127,) uint16, a bin's share in
        the band that rises there, with 15 fractional bits. The band that falls there has the rest.
    """
    low, high = _mel(LOWEST_HZ), _mel(HIGHEST_HZ)
    edges = [low + (high - low) * i / (BANDS + 1) for i in range(BANDS + 2)]
    mels = [_mel(HERTZ_OF_BIN * k) for k in range(1, BINS + 1)]
    widths = np.histogram(mels, edges)[0]
    segments = np.repeat(np.arange(BANDS + 1), widths)
    shares = [(mel - edges[i]) / (edges[i + 1] - edges[i]) for mel, i in zip(mels, segments, strict=True)]
    return widths.astype(np.uint8), np.array([round(s * (1 << WEIGHT_BITS)) for s in shares], np.uint16)


@cache
def roots() -> Array:
    """sqrt(i 2^25) for i from 32 to 128: (97,) uint16; the last one, 65,536, is one less."""
    return np.array([min(round(math.sqrt(i << 25)), 65535) for i in range(32, 129)], np.uint16)


@cache
def sums() -> Array:
    """log2(1 + 2^-d) for d from 0 to 12 in eighths: (97,) uint16 with 10 fractional bits."""
    return np.array([round(math.log2(1 + 2 ** (-d / 8)) * (1 << LOG_BITS)) for d in range(97)], np.uint16)


@cache
def cosines() -> Array:
    """The first half of the cosine transform's rows: (10, 20) int16 with 13 fractional bits.

    A row is 2 / sqrt(80) ln 2 cos(pi k (m + 1/2) / 40): tf.signal's scale, and from logarithms of 2 to natural ones.
    The second half is the first one backwards, in odd rows with the other sign.
    """
    scale = 2 / math.sqrt(2 * BANDS) * math.log(2) * (1 << COSINE_BITS)
    rows = [[scale * math.cos(math.pi * k * (m + 0.5) / BANDS) for m in range(20)] for k in range(COEFFICIENTS)]
    return np.round(rows).astype(np.int16)
