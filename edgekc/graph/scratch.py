"""A kernel's scratch: named regions of memory, one behind the other, whose places its C function is told.

The first region begins where scratch does. The offsets of the others are fields of the struct `scratch` in the kernel's
parameters, by the regions' names: nothing in C computes where a region lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """Memory under a name. It has 0 bytes in layers for which the kernel has no use for it."""

    name: str
    bytes: int
    holds: str  # and in which shape and type
    align: int = 4  # bytes, of which its offset is a multiple
    over: str = ""  # the region where it begins, if it is used only while that and those behind it are not


Regions = tuple[Region, ...]


def offsets(regions: Sequence[Region]) -> dict[str, int]:
    """Where each region begins, in bytes from the beginning of scratch; ValueError where two have one name."""
    found: dict[str, int] = {}
    end = 0
    for region in regions:
        if region.name in found:
            raise ValueError(f"scratch has two regions with the name {region.name}")
        begin = found[region.over] if region.over else -(-end // region.align) * region.align
        found[region.name] = begin
        end = max(end, begin + region.bytes)
    return found


def scratch_bytes(regions: Sequence[Region]) -> int:
    """All regions, and what aligns them."""
    places = offsets(regions)
    return max((places[region.name] + region.bytes for region in regions), default=0)
