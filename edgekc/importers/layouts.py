"""Chooses what memory layout a model's inputs have: the one with which the fewest elements have to be moved."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import EdgekcError
from .builder import Builder, LayoutError
from .imported import Imported


def import_in_best(
    make: Callable[[Builder], Imported], where: str, ranks: Sequence[int], quantized: bool = False
) -> Imported:
    """What `make` reads with a builder.

    Inputs of four dimensions are NCHW and become NHWC, unless the model transposes them itself, as converters from
    TensorFlow write it. Inputs of three dimensions are rows of vectors, unless the model convolves over them.
    A model that fits a layout as it is has no transposes; of all others the one with the smallest transposes is taken.
    Of a model that has operators which edgekc lacks, the layout in which the fewest things stand in its way.

    Args:
        ranks: how many dimensions each input has.
    """
    images, rows = ([False, True] if rank in ranks else [False] for rank in (4, 3))
    layouts = [(i, r) for i, r in itertools.product(images, rows)]

    def attempt(layout: tuple[bool, bool], moving: bool) -> tuple[int, Imported]:
        b = Builder(where, quantized, channels_last=layout[0], rows_last=layout[1], moving=moving)
        read = make(b)
        return b.moved_elements, read

    first = attempt(layouts[0], False)[1]
    if not any(isinstance(error, LayoutError) for error in first.refused):
        return first
    found: list[tuple[int, Imported]] = []
    for moving in (False, True):
        for layout in layouts:
            if moving or layout != layouts[0]:
                with suppress(EdgekcError):
                    found.append(attempt(layout, moving))
        if sound := [pair for pair in found if not pair[1].refused]:
            return min(sound, key=lambda pair: pair[0])[1]
    return min([first, *(read for _, read in found)], key=_obstacles)


def _obstacles(read: Imported) -> tuple[int, int]:
    """How much stands in a model's way: elements that nothing moves, and everything."""
    return sum(isinstance(error, LayoutError) for error in read.refused), len(read.refused)
