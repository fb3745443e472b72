"""16-bit audio to mel-frequency cepstral coefficients: the definition of runtime_c/frontend/ek_mfcc*.c, in integers.

It is what MLPerf Tiny's keyword spotting was trained with, in fixed point. There a second is divided by its largest
sample, and goes through tf.signal's stft, linear_to_mel_weight_matrix, log(mel + 1e-6) and
mfccs_from_log_mel_spectrograms. Here a frame becomes the logarithms of its bands as soon as its samples are there. The
division by the largest sample of a second is then a subtraction.
"""

from __future__ import annotations

import numpy as np

from ..graph.ir import Array
from . import mfcc_tables as tables
from .frontend import digits_reversed, log2
from .mfcc_tables import BANDS, COEFFICIENTS, FFT_SIZE, FRAMES, SECOND, STEP, WINDOW

_HALF = FFT_SIZE // 2
_POINT_BITS = 21  # of the largest sample of a frame: 480 of them add up to less than 2^30
COEFFICIENT_BITS = tables.LOG_BITS + tables.COSINE_BITS  # fractional ones of `coefficients`
_CHUNK = 4096  # frames at a time


def _bits(values: Array) -> Array:
    """How many bits each number below 2^53 has."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _shifted(values: Array, left: Array) -> Array:
    """By so many bits to the left, or to the right."""
    return np.asarray(np.where(left >= 0, values << np.maximum(left, 0), values >> np.maximum(-left, 0)))


def _twiddles(index: Array) -> tuple[Array, Array]:
    """Real and imaginary part of e^(-2 pi i index / 512) with 30 fractional bits."""
    quarter = tables.sines().astype(np.int64)
    half = np.concatenate([quarter, quarter[-2::-1]])
    wave = np.concatenate([half, -half[1:-1]])
    return wave[(index + 128) % FFT_SIZE], -wave[index % FFT_SIZE]


def _times(re: Array, im: Array, index: Array) -> tuple[Array, Array]:
    c, s = _twiddles(index)
    half = 1 << (tables.TWIDDLE_BITS - 1)
    return (re * c - im * s + half) >> tables.TWIDDLE_BITS, (re * s + im * c + half) >> tables.TWIDDLE_BITS


def _complex_transform(re: Array, im: Array) -> tuple[Array, Array]:
    """Four stages of radix 4 over (n, 256) points."""
    order, count = digits_reversed(), len(re)
    re, im = re[:, order], im[:, order]
    size = 1
    while size < _HALF:
        stride = _HALF // (4 * size)
        index = 2 * np.arange(4)[:, None] * np.arange(size) * stride
        tr, ti = _times(re.reshape(count, stride, 4, size), im.reshape(count, stride, 4, size), index)
        ar, ai, br, bi = (tr[:, :, 0] + tr[:, :, 2], ti[:, :, 0] + ti[:, :, 2],
                          tr[:, :, 0] - tr[:, :, 2], ti[:, :, 0] - ti[:, :, 2])  # fmt: skip
        cr, ci, dr, di = (tr[:, :, 1] + tr[:, :, 3], ti[:, :, 1] + ti[:, :, 3],
                          tr[:, :, 1] - tr[:, :, 3], ti[:, :, 1] - ti[:, :, 3])  # fmt: skip
        re = np.stack((ar + cr, br + di, ar - cr, br - di), axis=2).reshape(count, _HALF)
        im = np.stack((ai + ci, bi - dr, ai - ci, bi + dr), axis=2).reshape(count, _HALF)
        size *= 4
    return re, im


def transform(points: Array) -> tuple[Array, Array]:
    """Real and imaginary parts (n, 127) of bins 1 to 127 of (n, 512) samples of at most 21 bits."""
    re, im = _complex_transform(points[:, 0::2], points[:, 1::2])
    k = np.arange(1, tables.BINS + 1)
    pr, pi, qr, qi = re[:, k] >> 1, im[:, k] >> 1, re[:, _HALF - k] >> 1, -im[:, _HALF - k] >> 1
    tr, ti = _times(pr - qr, pi - qi, k + 128)  # times -i
    return pr + qr + tr, pi + qi + ti


def magnitudes(re: Array, im: Array) -> Array:
    """Their absolute values, to 16 bits, cut off."""
    energy = re * re + im * im
    lift = (32 - _bits_of_squares(energy)) & ~1  # an even shift to at least 2^30
    mantissa = _shifted(energy, lift)
    segment, between = mantissa >> 25, (mantissa & ((1 << 25) - 1)) >> 10
    table = tables.roots().astype(np.int64)
    at = np.maximum(segment - 32, 0)
    low, high = table[at], table[np.minimum(at + 1, 96)]
    root = low + (((high - low) * between) >> 15)
    return np.asarray(np.where(energy == 0, 0, _shifted(root, -(lift >> 1))))


def _bits_of_squares(values: Array) -> Array:
    """As `_bits`, up to 2^62, where a float would round up."""
    high = values >> 31
    return np.asarray(np.where(high > 0, _bits(high) + 31, _bits(values & ((1 << 31) - 1))))


def _logs_of_frames(frames: Array) -> Array:
    """Of frames (n, 480) the logarithms of the bands (n, 40)."""
    rising = tables.window().astype(np.int64)
    windowed = (frames * np.concatenate([rising, rising[-2:0:-1]])) >> 15  # 15 fractional bits
    largest = np.abs(windowed).max(axis=1, keepdims=True)
    lift = np.where(largest > 0, _POINT_BITS - _bits(largest), 0)
    rounding = np.where(lift < 0, 1 << np.maximum(-lift - 1, 0), 0)
    points = np.zeros((len(frames), FFT_SIZE), np.int64)
    points[:, :WINDOW] = _shifted(windowed + rounding, lift)
    found = magnitudes(*transform(points))
    widths, weights = tables.bands()
    segments = np.repeat(np.arange(BANDS + 1), widths)
    edges = np.concatenate([[0], np.cumsum(widths[:-1].astype(int))])
    assert len(segments) == found.shape[1]
    rising = np.add.reduceat(found * weights.astype(np.int64), edges, axis=1)
    falling = np.add.reduceat(found * ((1 << tables.WEIGHT_BITS) - weights.astype(np.int64)), edges, axis=1)
    energy = rising[:, :-1] + falling[:, 1:]
    lift_of = 32 - _bits(energy)
    logs = log2(_shifted(energy, lift_of), 31) - ((lift_of + lift + tables.WEIGHT_BITS + 15) << 16)
    rounded = (logs + (1 << (15 - tables.LOG_BITS))) >> (16 - tables.LOG_BITS)
    return np.asarray(np.where(energy == 0, -32768, np.clip(rounded, -32768, 32767)))


def logs(samples: Array) -> Array:
    """Logarithms to base 2 of the bands of each frame: (frames, 40) int16 with 10 fractional bits.

    Args:
        samples: (n,) int16, 16 kHz. A frame of 480 begins every 320.
    """
    count = max(0, (len(samples) - WINDOW) // STEP + 1)
    made = [np.zeros((0, BANDS), np.int16)]
    for first in range(0, count, _CHUNK):
        at = np.arange(first, min(first + _CHUNK, count))[:, None] * STEP + np.arange(WINDOW)
        made.append(_logs_of_frames(samples[at].astype(np.int64)).astype(np.int16))
    return np.concatenate(made)


def coefficients(bands: Array, peak: int) -> Array:
    """The coefficients (frames, 10) int32 of frames of a second whose largest sample is `peak`, 23 fractional bits.

    Args:
        bands: (frames, 40) int16 of `logs`.
        peak: the largest of the second's samples; below 1 counts as 1.
    """
    peak = max(peak, 1)
    loud = (int(log2(peak, peak.bit_length() - 1)) + (1 << (15 - tables.LOG_BITS))) >> (16 - tables.LOG_BITS)
    least, values = tables.FLOOR + loud, bands.astype(np.int64)
    apart = np.minimum(np.abs(values - least), (12 << tables.LOG_BITS) - 1)
    segment, between = apart >> tables.SUM_STEP_BITS, apart & ((1 << tables.SUM_STEP_BITS) - 1)
    table = tables.sums().astype(np.int64)
    more = table[segment] - (((table[segment] - table[segment + 1]) * between) >> tables.SUM_STEP_BITS)
    values = np.maximum(values, least) + more - loud
    first, last = values[:, : BANDS // 2], values[:, : BANDS // 2 - 1 : -1]
    rows = tables.cosines().astype(np.int64)
    even, odd = (first + last) @ rows[0::2].T, (first - last) @ rows[1::2].T
    return np.stack([even, odd], axis=2).reshape(len(bands), COEFFICIENTS).astype(np.int32)


def multiplier(scale: float) -> tuple[int, int]:
    """(factor, shift) with which a coefficient of 23 fractional bits becomes a level: factor / 2^shift, 31 bits."""
    shift, value = 0, 1 / (scale * (1 << COEFFICIENT_BITS))
    while value * 2 < 1 << 31 and shift < 62:
        value, shift = value * 2, shift + 1
    return int(value), shift


def quantised(found: Array, scale: float, zero_point: int) -> Array:
    """Coefficients of 23 fractional bits as levels of an int8 input. Halves go up."""
    factor, shift = multiplier(scale)
    levels = ((found.astype(np.int64) * factor + (1 << (shift - 1))) >> shift) + zero_point
    return np.asarray(np.clip(levels, -128, 127), np.int8)


def features(samples: Array) -> Array:
    """The coefficients (49, 10) float32 of one second, for training: what the device computes, and no more.

    Args:
        samples: (n,) int16, 16 kHz, one channel. A shorter one is filled with zeros, of a longer one the first second
            counts.
    """
    second = np.zeros(SECOND, np.int16)
    second[: len(samples)] = samples[:SECOND]
    found = coefficients(logs(second), int(second.max()))
    assert len(found) == FRAMES
    return (found / (1 << COEFFICIENT_BITS)).astype(np.float32)
