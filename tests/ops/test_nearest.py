"""Multipliers that round like a double: checked on every accumulator near a half."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgekc.graph.fixedpoint import SINGLE, quantize_multiplier, requantize
from edgekc.ops.shared.nearest import nearest_multipliers


def _double(acc: np.ndarray, scale: float) -> np.ndarray:
    real = acc * scale
    return np.sign(real) * np.floor(np.abs(real) + 0.5)


def _near_halves(scale: float, reach: int) -> np.ndarray:
    """Accumulators on both sides of every place where the output level changes."""
    at = np.floor((np.arange(255) + 0.5) / scale)
    acc = np.unique(np.concatenate([at + step for step in range(-2, 4)]))
    acc = acc[(acc >= 0) & (acc <= reach)]
    return np.concatenate([-acc, acc])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(1e-6, 30.0), st.integers(1, 2**20))
@example(0.5, 1000)
@example(2.0**-12, 2**20)
@example(1.0, 255)
@example(0.7, 45)  # no multiplier serves: see nearest_multipliers
def test_every_accumulator_rounds_as_in_double(scale: float, reach: int) -> None:
    (multiplier, shift), *_ = nearest_multipliers([scale], [(-reach, reach)])
    assert 2**30 <= multiplier < 2**31
    acc = _near_halves(scale, reach)
    exact = _double(acc, scale)
    seen = np.abs(exact) <= 255

    def serves(multiplier: int) -> bool:
        return np.array_equal(requantize(acc[seen], multiplier, shift, SINGLE), exact[seen])

    # Another multiplier next to it would serve if any did: all that do are neighbours.
    assert serves(multiplier) or not any(serves(multiplier + step) for step in range(-3, 4))


def test_the_plain_multiplier_is_not_enough() -> None:
    """The search has work to do, and nearly always succeeds: accumulators of 23 bits, where the last bit shows."""
    rng, wrong, repaired = np.random.default_rng(0), 0, 0
    for scale in np.exp(rng.uniform(-12, -6, 4000)):
        acc = _near_halves(float(scale), 2**23)
        exact = _double(acc, float(scale))
        if np.array_equal(requantize(acc, *quantize_multiplier(float(scale)), SINGLE), exact):
            continue
        wrong += 1
        found = nearest_multipliers([float(scale)], [(-(2**23), 2**23)])[0]
        repaired += np.array_equal(requantize(acc, *found, SINGLE), exact)
    assert wrong > 20
    assert repaired > 0.5 * wrong


def test_channels_with_one_scale_share_a_multiplier() -> None:
    assert len(nearest_multipliers([0.001] * 5, [(-1000, 1000)] * 5)) == 1
    assert len(nearest_multipliers([0.001, 0.002], [(-1000, 1000)] * 2)) == 2
