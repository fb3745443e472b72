"""Handwritten digits of 8x8 pixels to what a camera would show of them: larger, somewhere in a frame, in other light.

The digits are real, from the UCI repository as scikit-learn has them. Place, size, light, gradient and noise are drawn.
They are computed in integers from numpy's RandomState, whose stream stays the same in all versions (NEP 19).
"""

from __future__ import annotations

import numpy as np

from ..assets import DEMO
from ..graph.ir import Array
from .boxes import Box
from .netpbm import Frame

WIDTH, HEIGHT = 160, 120  # pixels of a frame: QQVGA
SIDE = 8  # pixels of a digit as it comes
INK = 16  # the largest value of a digit's pixel
ONE_DIGIT, SEVERAL_DIGITS = (64, 108), (32, 60)  # least and largest size in a frame
MOST_DIGITS = 3  # of a frame with several
_TRIES = 50


def judging_digits() -> tuple[Array, Array]:
    """The demo's 360 digits, (n, 8, 8) of 0 to 16, and their classes. Nothing trains on them."""
    with np.load(DEMO / "digits_test.npz") as data:
        # The demo has 15 * pixel - 128.
        return (data["x"][..., 0].astype(np.int64) + 128) // 15, data["y"].astype(np.int64)


def larger(digit: Array, size: int) -> Array:
    """(8, 8) of 0 to 16 to (size, size) of 0 to 256, by bilinear interpolation between the middles of pixels."""
    at = np.clip((2 * np.arange(size) + 1) * SIDE * 128 // size - 128, 0, (SIDE - 1) * 256)  # 256ths of a pixel
    first = np.minimum(at // 256, SIDE - 2)
    part = at - 256 * first
    weights = np.zeros((size, SIDE), np.int64)
    weights[np.arange(size), first], weights[np.arange(size), first + 1] = 256 - part, part
    return np.asarray(weights @ digit.astype(np.int64) @ weights.T // (INK << 8), np.int64)


def one_digit(digit: Array, index: int, rng: np.random.RandomState) -> Frame:
    """A frame with a digit in its middle, more or less."""
    size = rng.randint(*ONE_DIGIT)
    ink = np.zeros((HEIGHT, WIDTH), np.int64)
    spare = HEIGHT - size
    top, left = rng.randint(spare + 1), (WIDTH - HEIGHT) // 2 + rng.randint(spare + 1)
    ink[top : top + size, left : left + size] = larger(digit, size)
    return Frame(_lit(ink, rng), index)


def several_digits(digits: Array, classes: Array, rng: np.random.RandomState) -> Frame:
    """A frame with one digit or several of (n, 8, 8), which do not touch. A box is what has ink of a digit."""
    ink = np.zeros((HEIGHT, WIDTH), np.int64)
    truths: list[Box] = []
    for _ in range(1 + rng.randint(MOST_DIGITS)):
        chosen = rng.randint(len(digits))
        size = rng.randint(*SEVERAL_DIGITS)
        for _ in range(_TRIES):
            top, left = rng.randint(HEIGHT - size + 1), rng.randint(WIDTH - size + 1)
            if not ink[top : top + size, left : left + size].any():
                drawn = larger(digits[chosen], size)
                ink[top : top + size, left : left + size] = drawn
                truths.append(_box_of(drawn, left, top, int(classes[chosen])))
                break
    return Frame(_lit(ink, rng), None, tuple(truths))


def _box_of(drawn: Array, left: int, top: int, label: int) -> Box:
    rows, columns = (np.flatnonzero((drawn > 64).any(axis=axis)) for axis in (1, 0))
    right, bottom = left + int(columns[-1]) + 1, top + int(rows[-1]) + 1
    return Box(left + int(columns[0]), top + int(rows[0]), right, bottom, label, 0)


def _lit(ink: Array, rng: np.random.RandomState) -> Array:
    """Ink of 0 to 256 as levels (h, w, 1): bright on dark, with light that changes across the frame, and noise."""
    paper, contrast = rng.randint(10, 90), rng.randint(60, 150)
    down, across = rng.randint(-30, 31, 2)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    slope = (down * (2 * rows - HEIGHT)) // HEIGHT + (across * (2 * columns - WIDTH)) // WIDTH
    noise = rng.randint(-12, 13, (HEIGHT, WIDTH)) + rng.randint(-12, 13, (HEIGHT, WIDTH))
    levels = np.clip(paper + slope + ink * contrast // 256 + noise, 0, 255)
    return np.asarray(levels[..., None], np.uint8)


def judging_frames(*, several: bool = False, count: int | None = None) -> list[Frame]:
    """The frames that judge: of each test digit one, or as many with several digits each.

    Args:
        count: only the first ones.
    """
    digits, classes = judging_digits()
    rng = np.random.RandomState(1)
    chosen = range(len(digits) if count is None else count)
    if several:
        return [several_digits(digits, classes, rng) for _ in chosen]
    return [one_digit(digits[k], int(classes[k]), rng) for k in chosen]
