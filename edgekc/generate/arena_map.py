"""A Plan to its map of the arena: what lies where, from which layer to which, as manifest.json tells it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .plan import Plan
from .row_groups import HELD_BYTES

Kind = Literal["activation", "scratch", "rows", "held"]


@dataclass(frozen=True, slots=True)
class Placed:
    """Bytes of the arena that one thing takes for some layers.

    Attributes:
        name: of a tensor, or of the layer that a scratch buffer is for.
        kind: `activation`: a whole tensor; `scratch`: what a kernel works in; `rows`: a ring of some rows of a tensor;
            `held`: which rows each ring of a group has.
        offset, bytes: into the arena.
        first, last: layers, both included, that find it in use.
        rows: of a ring, how many it has room for; else 0.
        height: of a ring, how many rows the tensor has; else 0.
    """

    name: str
    kind: Kind
    offset: int
    bytes: int
    first: int
    last: int
    rows: int = 0
    height: int = 0


@dataclass(slots=True)
class _Open:
    """A tensor whose last reader is not known yet."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


def arena_map(plan: Plan) -> tuple[Placed, ...]:
    """Every buffer of the arena, in the order in which they come into use.

    A tensor is in use from the layer that writes it to the last one that reads it. One that is written over in place
    ends with the layer that does so. Parts of a concatenation are tensors of their own. Buffers of layers that run by
    rows are in use as long as their group runs.
    """
    found: list[Placed] = []
    open_: list[_Open] = []
    grouped = {i: group for group in plan.groups for i in group.steps}
    inner = {id(group): {t.name for t in group.rows.tensors[1:-1]} for group in plan.groups}
    for i, step in enumerate(plan.steps):
        group = grouped.get(i)
        read = [t for t in step.view.inputs if t.data is None]
        for tensor, at in zip(read, step.inputs, strict=True):
            if at.space == "arena":
                for held in open_:
                    if at.offset < held.offset + held.bytes and held.offset < at.offset + tensor.nbytes:
                        held.last = group.steps[-1] if group is not None else i
        if step.scratch is not None:
            found.append(Placed(step.view.node.name, "scratch", step.scratch.offset, step.scratch_bytes, i, i))
        out, at = step.view.out, step.output
        if at.space != "arena" or (group is not None and out.name in inner[id(group)]):
            continue
        for held in [h for h in open_ if at.offset < h.offset + h.bytes and h.offset < at.offset + out.nbytes]:
            found.append(_closed(held))
            open_.remove(held)
        open_.append(_Open(out.name, at.offset, out.nbytes, group.first if group is not None else i, i))
    found += [_closed(held) for held in open_]
    for group in plan.groups:
        first, last = group.steps[0], group.steps[-1]
        found.append(
            Placed("rows of each buffer", "held", group.held.offset, HELD_BYTES * len(group.places), first, last)
        )
        rings = list(zip(group.rows.tensors, group.places, strict=True))
        for k, (held_rows, place) in enumerate(rings):
            ring = 0 < k < len(rings) - 1 or (k == 0 and group.rows.feed)
            if ring and place.space == "arena" and held_rows.buffer == k:
                found.append(
                    Placed(
                        held_rows.name,
                        "rows",
                        place.offset,
                        held_rows.bytes,
                        first,
                        last,
                        held_rows.room,
                        held_rows.height,
                    )
                )
    return tuple(sorted(found, key=lambda p: (p.first, p.offset, p.kind, p.name)))


def _closed(held: _Open) -> Placed:
    return Placed(held.name, "activation", held.offset, held.bytes, held.first, held.last)


def arena_json(plan: Plan) -> list[dict[str, Any]]:
    """The map as manifest.json has it; `rows` and `height` are there for rings only."""
    return [{k: v for k, v in asdict(p).items() if v or k not in ("rows", "height")} for p in arena_map(plan)]
