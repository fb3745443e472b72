"""Chooses what memory layout a model's inputs have: the one with which the fewest elements have to be moved."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from ..errors import EdgekcError
from ..graph.ir import Graph
from ..ops import SOURCES
from .builder import Builder, LayoutError


def import_in_best(
    make: Callable[[Builder], Graph], where: str, ranks: Sequence[int], quantized: bool = False
) -> Graph:
    """The graph that `make` builds with a builder.

    Inputs of four dimensions are NCHW and become NHWC, unless the model transposes them itself, as converters from
    TensorFlow write it. Inputs of three dimensions are rows of vectors, unless the model convolves over them.
    A model that fits a layout as it is has no transposes; of all others the one with the smallest transposes is taken.

    Args:
        ranks: how many dimensions each input has.

    Raises:
        LayoutError: elements would have to move, and nothing moves them.
    """
    images, rows = ([False, True] if rank in ranks else [False] for rank in (4, 3))
    layouts = [(i, r) for i, r in itertools.product(images, rows)]

    def attempt(layout: tuple[bool, bool], moving: bool) -> tuple[int, Graph]:
        b = Builder(where, quantized, channels_last=layout[0], rows_last=layout[1], moving=moving)
        graph = make(b)
        return b.moved_elements, graph

    try:
        return attempt(layouts[0], False)[1]
    except LayoutError as error:
        refused: EdgekcError = error
    found = []
    for moving in (False, True) if "transpose" in SOURCES else (False,):
        for layout in layouts:
            try:
                if moving or layout != layouts[0]:
                    found.append(attempt(layout, moving))
            except EdgekcError as error:
                refused = error if moving and layout == layouts[0] else refused
        if found:
            return min(found, key=lambda pair: pair[0])[1]
    raise refused
