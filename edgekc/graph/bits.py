"""Numpy arrays to the three compressed encodings of .ekc and back: bit-packed indices, binary16 pairs, centers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ModelError
from .bounds import MAX_POINT
from .ir import Array


def index_bits(indices: Array) -> int:
    """The least number of bits (1..8) that holds every index."""
    return max(1, int(indices.max(initial=0)).bit_length())


def packed_bytes(count: int, bits: int) -> int:
    """Bytes of `count` indices of `bits` bits."""
    return (count * bits + 7) // 8


def pack_indices(indices: Array, bits: int) -> bytes:
    """Index i (C order) to bits i*bits .. (i+1)*bits - 1 of the stream, least significant bit first.

    Bit j of the stream is bit j % 8 of byte j // 8. Rows are not aligned; spare bits of the last byte are 0.
    """
    flat = np.ascontiguousarray(indices, np.uint8).reshape(-1, 1)
    if flat.size and int(flat.max()) >> bits:
        raise ModelError(f"index {int(flat.max())} does not fit into {bits} bits")
    planes = np.unpackbits(flat, axis=1, count=bits, bitorder="little")  # (count, bits)
    return np.packbits(planes.reshape(-1), bitorder="little").tobytes()


def unpack_indices(data: bytes, bits: int, count: int) -> Array:
    """The first `count` indices of a stream, uint8 (count,)."""
    stream = np.unpackbits(np.frombuffer(data, np.uint8), count=count * bits, bitorder="little")
    return np.packbits(stream.reshape(count, bits), axis=1, bitorder="little").reshape(count)


def encode_centers(real: Array) -> tuple[Array, tuple[int, ...]]:
    """Real centers (groups, ...) to int16 of that shape and the binary point of each group.

    A group gets the largest point whose values still fit: the finest step, 2**-point. A group of zeros gets 0.
    """
    wide = np.asarray(real, np.float64)
    if not np.isfinite(wide).all():
        raise ModelError("a center is not finite")
    raw = np.zeros(wide.shape, np.int16)
    points = []
    for g, group in enumerate(wide):
        point, best = _best_point(group)
        points.append(point)
        raw[g] = best
    return raw, tuple(points)


def _best_point(group: Array) -> tuple[int, Array]:
    if not group.any():
        return 0, np.zeros(group.shape, np.int16)
    for point in range(MAX_POINT, -MAX_POINT - 1, -1):
        scaled = np.rint(np.ldexp(group, point))
        if scaled.min() >= -32768 and scaled.max() <= 32767:
            return point, scaled.astype(np.int16)
    raise ModelError("a center is too large for 16 bits at any binary point")


def decode_centers(raw: Array, points: Sequence[int]) -> Array:
    """int16 (groups, ...) to float64: raw * 2**-point, exact."""
    exponents = -np.asarray(points, np.int64).reshape(-1, *(1,) * (raw.ndim - 1))
    return np.asarray(np.ldexp(raw.astype(np.float64), exponents))
