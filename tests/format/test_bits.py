"""The compressed encodings alone: bit order, rounding, binary points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.errors import ModelError
from edgekc.graph.bits import decode_centers, encode_centers, index_bits, pack_indices, packed_bytes, unpack_indices


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8), st.lists(st.integers(0, 255), max_size=40))
def test_indices_follow_the_written_bit_order(bits: int, raw: list[int]) -> None:
    """Checked against one big integer: element i at bit i * bits, least significant bit first."""
    values = [v & (1 << bits) - 1 for v in raw]
    expected = sum(v << i * bits for i, v in enumerate(values)).to_bytes((len(values) * bits + 7) // 8, "little")
    packed = pack_indices(np.array(values, np.uint8), bits)
    assert packed == expected and len(packed) == packed_bytes(len(values), bits)
    assert unpack_indices(packed, bits, len(values)).tolist() == values


def test_example_of_the_specification() -> None:
    assert pack_indices(np.array([1, 2, 7, 0], np.uint8), 3) == bytes([0xD1, 0x01])


@pytest.mark.parametrize(("top", "bits"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (127, 7), (128, 8), (255, 8)])
def test_index_bits(top: int, bits: int) -> None:
    assert index_bits(np.array([0, top], np.uint8)) == bits


def test_index_too_large() -> None:
    with pytest.raises(ModelError, match="does not fit"):
        pack_indices(np.array([4], np.uint8), 2)


def test_centers_get_the_finest_step_that_fits() -> None:
    raw, points = encode_centers(np.array([[1.0, -1.0], [0.0, 0.0], [32767.0, -32768.0], [32767.5, 0.0], [-2.0, 0.5]]))
    assert points == (14, 0, 0, -1, 14)
    assert raw.tolist() == [[16384, -16384], [0, 0], [32767, -32768], [16384, 0], [-32768, 8192]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=8))
def test_centers_are_within_half_a_step(values: list[float]) -> None:
    real = np.array([values])
    raw, points = encode_centers(real)
    assert np.all(np.abs(decode_centers(raw, points) - real) <= 2.0 ** -points[0] / 2)


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e40])
def test_centers_refuse(value: float) -> None:
    with pytest.raises(ModelError):
        encode_centers(np.array([[value]]))
