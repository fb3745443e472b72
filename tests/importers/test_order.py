"""Memory orders against numpy: an order is right when it arranges an array as numpy's transpose does."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekc.importers import order as od


@st.composite
def walks(draw):
    """A shape, the axes in memory order, and a few reshapes and transposes of the source."""
    shape = tuple(draw(st.lists(st.sampled_from((1, 2, 3, 4)), min_size=1, max_size=4)))
    perm = tuple(draw(st.permutations(range(len(shape)))))
    return shape, perm, draw(st.randoms(use_true_random=False))


@given(walks())
def test_orders_follow_reshapes_and_transposes(walk):
    shape, perm, rng = walk
    source = np.arange(math.prod(shape)).reshape(shape)
    memory = source.transpose(perm).ravel()
    order = od.order_of(shape, perm)
    np.testing.assert_array_equal(od.arrange(order, source), memory)
    for _ in range(4):
        if rng.random() < 0.5:
            sizes = [d for d in range(1, source.size + 1) if source.size % d == 0]
            first = rng.choice(sizes)
            source = source.reshape(rng.choice([(first, -1), (-1,), (1, first, -1), (first, 1, -1, 1)]))
            continue
        axes = list(range(source.ndim))
        rng.shuffle(axes)
        moved = od.transposed(order, source.shape, axes)
        if moved is None:  # an axis straddles what lies apart in memory: refused by the importers
            return
        source, order = source.transpose(axes).copy(), moved
        # `source` holds the elements under their new names; memory did not move.
        np.testing.assert_array_equal(od.arrange(order, source), memory)


def test_equal_orders_compare_equal():
    assert od.nhwc((1, 5, 1, 1)) == od.plain((1, 5)) == od.plain((5,))
    assert od.nhwc((1, 1, 4, 6)) == od.plain((24,))
    assert od.nhwc((1, 3, 2, 2)) == od.order_of((3, 4), (1, 0)) != od.plain((12,))


@given(walks(), st.randoms(use_true_random=False))
def test_moves_between_orders(walk, rng):
    """The transpose between two orders of the same elements; None only where they have no common split."""
    shape, perm, _ = walk
    source = np.arange(math.prod(shape)).reshape(shape)
    old, other = od.order_of(shape, perm), list(range(len(shape)))
    rng.shuffle(other)
    new = od.order_of(shape, other)
    move = od.between(old, new)
    assert move is not None
    moved = od.arrange(old, source).reshape(move.factors).transpose(move.perm).ravel()
    np.testing.assert_array_equal(moved, od.arrange(new, source))


@given(walks())
def test_axes_as_they_lie_in_memory(walk):
    shape, perm, _ = walk
    assert od.axes(od.order_of(shape, perm), shape) == [a for a in perm if shape[a] != 1]


def test_axes_that_are_torn_apart():
    order = od.transposed(od.plain((4, 6)), (2, 2, 6), (1, 0, 2))
    assert order is not None and od.axes(order, (4, 6)) is None and od.axes(order, (2, 2, 6)) == [1, 0, 2]
    assert od.between(od.order_of((2, 3), (1, 0)), od.order_of((3, 2), (1, 0))) is None
