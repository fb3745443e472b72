"""In which order the elements of a source tensor lie in memory here, where NCHW becomes NHWC.

The graph's activations are NHWC while the source speaks of NCHW. A reshape or a transpose of the source moves
nothing here: it only changes what the source calls the same bytes. So every value carries an `Order`, and an
operator that needs a certain order (a convolution: NHWC) compares it with the one that it finds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.ir import Array

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What is stored is the source's elements, reshaped to `factors` and transposed by `perm`.

    Canonical, so that equal orders compare equal: no factor is 1, and no two neighbours stay neighbours.
    """

    factors: Shape
    perm: Shape

    @property
    def plain(self) -> bool:
        """Memory order is the source's."""
        return len(self.perm) <= 1


def order_of(factors: Sequence[int], perm: Sequence[int]) -> Order:
    """The canonical order of a tensor of shape `factors` whose axes are stored as `perm` says."""
    kept = [a for a in perm if factors[a] != 1]
    rank = {a: i for i, a in enumerate(sorted(kept))}
    groups: list[list[int]] = []
    for axis in kept:
        if groups and rank[groups[-1][-1]] + 1 == rank[axis]:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    in_source = sorted(groups)
    sizes = tuple(math.prod(factors[a] for a in group) for group in in_source)
    return Order(sizes, tuple(in_source.index(group) for group in groups))


def plain(shape: Sequence[int]) -> Order:
    return order_of(shape, range(len(shape)))


def nhwc(shape: Sequence[int]) -> Order:
    """The order of a source tensor (n, c, h, w) that is stored as (n, h, w, c)."""
    return order_of(shape, (0, 2, 3, 1))


def nwc(shape: Sequence[int]) -> Order:
    """The order of a source tensor (n, c, w) that is stored as (n, w, c)."""
    return order_of(shape, (0, 2, 1))


def between(old: Order, new: Order) -> Order | None:
    """The transpose from one order to another, of what lies in memory; None where they have no common split.

    Memory in the old order, reshaped to `factors` and transposed by `perm`, is memory in the new one.
    """
    atoms = _refine(old.factors, new.factors)
    if atoms is None:
        return None
    stored, wanted = (
        [i for factor in order.perm for i, atom in enumerate(atoms) if atom[which] == factor]
        for order, which in ((old, 1), (new, 2))
    )
    return order_of([atoms[i][0] for i in stored], [stored.index(i) for i in wanted])


def axes(order: Order, shape: Shape) -> list[int] | None:
    """The axes of more than one element as they lie in memory; None where one is torn apart."""
    atoms = _refine(order.factors, shape)
    if atoms is None:
        return None
    stored = [i for factor in order.perm for i, atom in enumerate(atoms) if atom[1] == factor]
    found: list[int] = []
    last = -1
    for i in stored:
        axis = atoms[i][2]
        if found and found[-1] == axis and i == last + 1:
            last = i
            continue
        if axis in found or (i > 0 and atoms[i - 1][2] == axis):
            return None
        found.append(axis)
        last = i
    return found


def transposed(order: Order, shape: Shape, perm: Sequence[int]) -> Order | None:
    """The order after the source transposes its tensor of `shape` by `perm`; None where axes straddle factors."""
    atoms = _refine(order.factors, shape)
    if atoms is None:
        return None
    moved = [i for axis in perm for i, (_, _, a) in enumerate(atoms) if a == axis]  # in the new source order
    stored = [i for factor in order.perm for i, (_, f, _) in enumerate(atoms) if f == factor]
    return order_of([atoms[i][0] for i in moved], [moved.index(i) for i in stored])


def _refine(factors: Shape, shape: Shape) -> list[tuple[int, int, int]] | None:
    """The coarsest split of both: (size, index of the factor, axis of the shape), in the source's order."""
    atoms: list[tuple[int, int, int]] = []
    axes = [(size, axis) for axis, size in enumerate(shape) if size != 1]
    left_factor, left_axis, factor, axis = 1, 1, -1, -1
    while True:
        if left_factor == 1:
            factor += 1
            if factor == len(factors):
                return atoms
            left_factor = factors[factor]
        if left_axis == 1:
            axis += 1
            left_axis = axes[axis][0]
        size = min(left_factor, left_axis)
        if left_factor % size or left_axis % size:
            return None
        atoms.append((size, factor, axes[axis][1]))
        left_factor //= size
        left_axis //= size


def arrange(order: Order, data: Array) -> Array:
    """The elements of `data` (source order, any shape) as a flat array in memory order."""
    return data.reshape(order.factors).transpose(order.perm).ravel()
