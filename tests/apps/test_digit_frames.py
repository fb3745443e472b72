"""Frames that are made of digits: digits keep their shape, boxes are around them, and the same are made again."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.apps import digit_frames

pytestmark = pytest.mark.fast


def test_a_larger_digit_reduced_again_is_nearly_the_digit() -> None:
    digit = digit_frames.judging_digits()[0][3]
    found = digit_frames.larger(digit, 64)
    assert found.shape == (64, 64) and found.min() == 0 and 200 < found.max() <= 256
    middles = found.reshape(8, 8, 8, 8).mean(axis=(1, 3)) / 16
    assert np.corrcoef(middles.ravel(), digit.ravel())[0, 1] > 0.98


def test_frames_are_the_same_again_and_boxes_hold_the_ink() -> None:
    frames = digit_frames.judging_frames(several=True, count=6)
    again = digit_frames.judging_frames(several=True, count=6)
    assert all((a.pixels == b.pixels).all() and a.truths == b.truths for a, b in zip(frames, again, strict=True))
    for frame in frames:
        assert 1 <= len(frame.truths) <= digit_frames.MOST_DIGITS
        for box in frame.truths:
            inside = frame.pixels[box.top : box.bottom, box.left : box.right].astype(int)
            assert inside.max() - np.median(frame.pixels) > 30  # bright on dark
