"""16-bit audio to the features of wake words: the definition of the C in runtime_c/frontend, in integers.

A frame goes through: Hann's window; a transform of 512 points in 16 bits, scaled up as far as the frame allows;
energies and 40 mel bands; square roots; noise reduction; gain control by PCAN (Wang et al., "Trainable Frontend For
Robust and Far-Field Keyword Spotting", 2017); logarithms. Each step gives the bits of TensorFlow's audio front end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.ir import Array
from . import frontend_tables as tables
from .frontend_tables import CHANNELS, FFT_SIZE, STEP, WINDOW

_HALF = FFT_SIZE // 2
_ROUND, _FRACTION = 1 << 14, 15


def _wrap(values: Array) -> Array:
    """To 16 bits, as the machine stores them."""
    return values.astype(np.int16).astype(np.int64)


def _share(values: Array, parts: int) -> Array:
    """By 2 or 4, rounded: the transform's guard against overflow."""
    return _wrap((values * (32767 // parts) + _ROUND) >> _FRACTION)


def _times(real: Array, imaginary: Array, by: Array) -> tuple[Array, Array]:
    c: Array = by[..., 0].astype(np.int64)
    s: Array = by[..., 1].astype(np.int64)
    return (
        _wrap((real * c - imaginary * s + _ROUND) >> _FRACTION),
        _wrap((real * s + imaginary * c + _ROUND) >> _FRACTION),
    )


def digits_reversed() -> Array:
    """The order (256,) in which the first stage of radix 4 takes its points."""
    order = np.arange(_HALF)
    digits = [((order >> (2 * i)) & 3) << (6 - 2 * i) for i in range(4)]
    return digits[0] | digits[1] | digits[2] | digits[3]


def _complex_transform(x: Array, y: Array) -> tuple[Array, Array]:
    """Four stages of radix 4 over (256,) points, each of which divides by 4."""
    order = digits_reversed()
    x, y = x[order], y[order]
    size = 1
    while size < _HALF:
        stride = _HALF // (4 * size)
        x, y = _share(x, 4).reshape(stride, 4, size), _share(y, 4).reshape(stride, 4, size)
        k = np.arange(size)[:, None] * np.arange(4) * stride
        by = tables.twiddles()[k.T]  # (4, size, 2)
        tx, ty = _times(x[:, 1:], y[:, 1:], by[1:])
        ax, ay = _wrap(x[:, 0] + tx[:, 1]), _wrap(y[:, 0] + ty[:, 1])
        bx, by_ = _wrap(x[:, 0] - tx[:, 1]), _wrap(y[:, 0] - ty[:, 1])
        cx, cy = _wrap(tx[:, 0] + tx[:, 2]), _wrap(ty[:, 0] + ty[:, 2])
        dx, dy = _wrap(tx[:, 0] - tx[:, 2]), _wrap(ty[:, 0] - ty[:, 2])
        x = _wrap(np.stack((ax + cx, bx + dy, ax - cx, bx - dy), axis=1)).reshape(_HALF)
        y = _wrap(np.stack((ay + cy, by_ - dx, ay - cy, by_ + dx), axis=1)).reshape(_HALF)
        size *= 4
    return x, y


def transform(samples: Array) -> tuple[Array, Array]:
    """Real and imaginary part (257,) of the transform of 512 real samples, divided by 1,024."""
    x, y = _complex_transform(samples[0::2], samples[1::2])
    real, imaginary = np.zeros(_HALF + 1, np.int64), np.zeros(_HALF + 1, np.int64)
    first, second = _share(x[:1], 2)[0], _share(y[:1], 2)[0]
    real[0], real[_HALF] = _wrap(first + second), _wrap(first - second)
    k = np.arange(1, _HALF // 2 + 1)
    px, py = _share(x[k], 2), _share(y[k], 2)
    qx, qy = _share(x[_HALF - k], 2), _share(_wrap(-y[_HALF - k]), 2)
    sx, sy = _wrap(px + qx), _wrap(py + qy)
    tx, ty = _times(_wrap(px - qx), _wrap(py - qy), tables.real_twiddles())
    # In this order: the middle bin is written twice.
    real[k], imaginary[k] = (sx + tx) >> 1, (sy + ty) >> 1
    real[_HALF - k], imaginary[_HALF - k] = (sx - tx) >> 1, (ty - sy) >> 1
    return _wrap(real), _wrap(imaginary)


def _root(value: int) -> int:
    """The square root, rounded; below 2^32 a root of 65,535 is not rounded up."""
    root = 0
    rest = value
    bit = 1 << (max(value.bit_length() - 1, 0) & ~1)
    while bit:
        if rest >= root + bit:
            rest -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    limit = 0xFFFF if value < 1 << 32 else 0xFFFFFFFF
    return root + 1 if rest > root and root != limit else root


def bands(real: Array, imaginary: Array) -> list[int]:
    """The weighted energies of the 40 channels, 64 bits each."""
    energy = [int(x) * int(x) + int(y) * int(y) for x, y in zip(real, imaginary, strict=True)]
    found, carried = [], 0
    for channel in tables.channels():
        inside = energy[channel.first : channel.first + len(channel.weights)]
        found.append(carried + sum(int(w) * e for w, e in zip(channel.weights, inside, strict=True)))
        carried = sum(((1 << tables.WEIGHT_BITS) - int(w)) * e for w, e in zip(channel.weights, inside, strict=True))
    return found[1:]


def gain(estimate: int) -> int:
    """The gain for a noise estimate of 32 bits, by the parabola of its power of two."""
    if estimate <= 1:
        return int(tables.gains()[estimate][0])
    bits = estimate.bit_length()
    offset, slope, bend = (int(v) for v in tables.gains()[bits])
    if estimate == 2:
        return offset
    fraction = ((estimate << (11 - bits)) if bits < 11 else (estimate >> (bits - 11))) & 0x3FF
    result = (((bend * fraction) >> 5) + (slope << 5)) * fraction
    return ((result + (1 << 14)) >> 15) + offset


def _shrink(ratio: int) -> int:
    """The square of small ratios of signal to noise, and large ones less 1; 12 fractional bits in, 6 out."""
    if ratio < 2 << 12:
        return (ratio * ratio) >> 20
    return (ratio >> 6) - (1 << 6)


def log2(value: Any, whole: int) -> Any:
    """The logarithm to base 2, with 16 fractional bits, of a value or an array from 2^whole to 2^(whole + 1)."""
    fraction = value - (1 << whole)
    shift = tables.LOG_BITS - whole
    fraction = fraction << shift if shift >= 0 else fraction >> -shift
    segment = fraction >> (tables.LOG_BITS - tables.LOG_SEGMENT_BITS)
    low, high = (tables.logarithms().astype(np.int64)[segment + i] for i in (0, 1))
    rest = fraction - (segment << (tables.LOG_BITS - tables.LOG_SEGMENT_BITS))
    return (whole << tables.LOG_BITS) + fraction + low + (((high - low) * rest) >> tables.LOG_BITS)


def logarithm(value: int) -> int:
    """The natural logarithm of a value above 1, with 6 fractional bits."""
    half = 1 << (tables.LOG_BITS - 1)
    log = (tables.LOG_OF_2 * int(log2(value, value.bit_length() - 1)) + half) >> tables.LOG_BITS
    return ((log << tables.LOG_OUTPUT_BITS) + half) >> tables.LOG_BITS


@dataclass(slots=True)
class Frontend:
    """What is kept from one step to the next.

    Attributes:
        samples: the last ones, at most 480.
        noise: the estimate of each channel, 32 bits with 10 fractional ones.
    """

    samples: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    noise: list[int] = field(default_factory=lambda: [0] * CHANNELS)

    def step(self, samples: Array) -> Array | None:
        """The features (40,) uint16 behind 160 further samples; None for the first two steps, in which no window ends.

        Args:
            samples: (160,) int16, 16 kHz.
        """
        self.samples = np.concatenate([self.samples, samples.astype(np.int64)])[-WINDOW:]
        if len(self.samples) < WINDOW:
            return None
        frame = _wrap((self.samples * tables.window()) >> tables.WINDOW_BITS)
        largest = max(0, int(_wrap(np.abs(frame)).max()))  # -32,768 has no positive twin in 16 bits, and is not seen
        shift = 15 - largest.bit_length()
        scaled = np.zeros(FFT_SIZE, np.int64)
        scaled[:WINDOW] = _wrap(frame << shift)
        levels = [_root(energy) >> shift for energy in bands(*transform(scaled))]
        return np.array([self._level(i, level) for i, level in enumerate(levels)], np.uint16)

    def _level(self, channel: int, level: int) -> int:
        word = 0xFFFFFFFF
        smoothing = tables.NOISE_SMOOTHING[channel & 1]
        scaled = (level << tables.SMOOTHING_BITS) & word
        before = self.noise[channel]
        estimate = (scaled * smoothing + before * ((1 << tables.NOISE_BITS) - smoothing)) >> tables.NOISE_BITS
        self.noise[channel] = estimate & word
        left = (scaled - min(estimate, scaled)) >> tables.SMOOTHING_BITS
        left = max(left, (level * tables.NOISE_LEFT) >> tables.NOISE_BITS)
        ratio = (left * gain(self.noise[channel])) >> (tables.GAIN_BITS - tables.CORRECTION_BITS - 12)
        value = (_shrink(ratio & word) << tables.CORRECTION_BITS) & word
        return min(logarithm(value), 0xFFFF) if value > 1 else 0


def features(samples: Array) -> Array:
    """The features (steps, 40) uint16 of a whole recording, for training.

    Args:
        samples: (n,) int16, 16 kHz, one channel. What is left behind the last 160 is not used.
    """
    frontend = Frontend()
    steps = (frontend.step(samples[at : at + STEP]) for at in range(0, len(samples) - STEP + 1, STEP))
    found = [values for values in steps if values is not None]
    return np.array(found, np.uint16).reshape(-1, CHANNELS)
