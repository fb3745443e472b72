"""Boxes of a grid head: the definition against real numbers, and the C against the definition."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from built import SANITIZED, address_sanitizer
from vision_program import Boxes, boxes, program

from edgekc.apps.boxes import (
    DISTANCES,
    LARGEST_IMAGE,
    PARTS,
    Box,
    Head,
    area,
    boxes_of,
    decoded,
    factor_of,
    overlaps,
    suppressed,
)  # fmt: skip
from edgekc.apps.scaling import LONGEST, Crop


def cases(count: int, seed: int) -> list[Boxes]:
    """Grids, classes, scales, crops and limits of all kinds; few scores, so that many are equal; extremes."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(count):
        rows, columns, classes = (int(n) for n in rng.integers(1, (7, 7, 5)))
        stride, zero_point = int(rng.integers(1, 33)), int(rng.integers(-128, 128))
        factor, shift = factor_of(float(10 ** rng.uniform(-3, 1)), stride)
        head = Head(rows, columns, stride, zero_point, factor, shift, int(rng.integers(-128, 100)), k % 101)
        levels = rng.integers(-128, 128, (rows, columns, DISTANCES + classes))
        levels[..., DISTANCES:] = levels[..., DISTANCES:] // 32 * 32
        if k % 9 == 0:
            levels[:] = rng.choice([-128, 127], levels.shape)
        crop = Crop(*(int(n) for n in rng.integers(0, 50, 2)), *(int(n) for n in rng.integers(1, 300, 2)))
        made.append(Boxes(levels, head, crop, int(rng.integers(0, 40))))
    # The largest image and crop: every cell's box is the whole of it.
    factor, shift = factor_of(100.0, LARGEST_IMAGE // 2)
    head = Head(2, 2, LARGEST_IMAGE // 2, -128, factor, shift, -128, 100)
    made.append(Boxes(np.full((2, 2, 6), 127), head, Crop(0, 0, LONGEST, LONGEST), 8))
    return made


@pytest.fixture(scope="module")
def made() -> Path:
    return program()


def test_the_c_gives_the_definitions_boxes(made: Path) -> None:
    tried = cases(400, 0)
    counts = set()
    for case, found in zip(tried, boxes(made, tried), strict=True):
        assert found == boxes_of(*case), case
        counts.add(len(found))
    assert counts >= set(range(12))


@pytest.mark.fast
def test_distances_are_those_of_real_numbers() -> None:
    """A cell in the middle, whose distances and scale are known, in a frame of twice the image's size."""
    scale, stride = 0.05, 8
    factor, shift = factor_of(scale, stride)
    head = Head(3, 3, stride, -10, factor, shift, -128, 50)
    levels = np.full((3, 3, 6), -128)
    levels[1, 1] = [10, 0, 20, 30, -5, 7]
    found = decoded(levels, dataclasses.replace(head, least=7), Crop(4, 6, 48, 48), 32)
    reach = [(level + 10) * scale * stride for level in (10, 0, 20, 30)]  # pixels of the image
    wanted = [4 + 2 * (12 - reach[0]), 6 + 2 * (12 - reach[1]), 4 + 2 * (12 + reach[2]), 6 + 2 * (12 + reach[3])]
    assert found == [Box(*(int(np.floor(edge + 0.5)) for edge in np.minimum(wanted, [52, 54, 52, 54])), 1, 7)]
    assert factor / 2**shift == pytest.approx(scale * stride * PARTS, rel=1e-6)


@pytest.mark.fast
def test_the_best_boxes_stay() -> None:
    """None that stays overlaps a better one of its class, and whatever went overlaps a better one that stays."""
    rng = np.random.default_rng(1)
    for percent in (0, 30, 50, 100):
        corner, size = rng.integers(0, 60, (40, 2)), rng.integers(1, 40, (40, 2))
        levels = np.sort(rng.integers(-8, 8, 40))[::-1]
        boxes = [
            Box(*map(int, (*corner[k], *(corner[k] + size[k]), rng.integers(2), levels[k]))) for k in range(40)
        ]  # fmt: skip
        kept = suppressed(boxes, percent)
        assert kept[0] == boxes[0] and kept == [box for box in boxes if box in kept]
        for a, b in itertools.combinations(kept, 2):
            assert a.label != b.label or iou(a, b) <= percent / 100
        for i, box in enumerate(boxes):
            better = [b for b in boxes[:i] if b in kept and b.label == box.label]
            assert (box in kept) == all(iou(b, box) <= percent / 100 for b in better)


def iou(a: Box, b: Box) -> float:
    """By counting pixels."""
    seen = np.zeros((2, 128, 128), bool)
    for plane, box in zip(seen, (a, b), strict=True):
        plane[box.top : box.bottom, box.left : box.right] = True
    assert area(a) == seen[0].sum()
    return float((seen[0] & seen[1]).sum() / (seen[0] | seen[1]).sum())


@pytest.mark.fast
def test_ties_and_limits() -> None:
    one, other = Box(0, 0, 10, 10, 0, 5), Box(0, 0, 10, 5, 0, 5)
    assert overlaps(one, other, 49) and not overlaps(one, other, 50)
    assert suppressed([one, other], 49) == [one] and suppressed([other, one], 49) == [other]
    assert suppressed([one, other._replace(label=1)], 0) == [one, other._replace(label=1)]
    head = Head(1, 3, 4, 0, *factor_of(0.5, 4), least=0, overlap=45)
    levels = np.zeros((1, 3, 6), np.int64)
    levels[0, :, :DISTANCES] = 1
    levels[0, :, DISTANCES:] = [[3, 3], [9, 1], [3, 2]]
    found = decoded(levels, head, Crop(0, 0, 12, 4), 2)
    assert [(box.left, box.label, box.level) for box in found] == [(4, 0, 9), (0, 0, 3)]  # of equal ones the first
    levels[0, 1, 0] = levels[0, 1, 2] = 0  # a box without width
    assert [box.left for box in decoded(levels, head, Crop(0, 0, 12, 4), 2)] == [0, 8]


@pytest.mark.slow
def test_sanitizers_find_nothing() -> None:
    address_sanitizer()
    made, tried = program(*SANITIZED), cases(1000, 2)
    assert boxes(made, tried) == [boxes_of(*case) for case in tried]
