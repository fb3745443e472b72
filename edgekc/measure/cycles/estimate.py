"""Weighs the blocks that one inference ran by the core's published timing: estimated cycles by layer."""

from __future__ import annotations

from dataclasses import dataclass

from ...emulate.plugin import Counts
from ...firmware.elf import Elf, slot_finder
from .decode import instructions
from .timing import ZERO, Cycles, Timing, weigh


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cycles of one inference that nobody measured."""

    outside: Cycles  # entry, checks and return of the network function
    layers: tuple[Cycles, ...]

    @property
    def total(self) -> Cycles:
        return sum(self.layers, self.outside)


def estimate(timing: Timing, elf: Elf, counts: Counts) -> Estimate:
    """Cycles of the first inference without wait states; `counts` are traced, so that they have its blocks."""
    slots = [ZERO] * (len(counts.layers) + 1)
    slot_of = slot_finder(counts.ranges)
    for block in counts.blocks:
        code = instructions(elf.code(block.start, block.end), elf.machine)
        at = block.start
        for instruction, cycles in zip(code, weigh(timing, code), strict=True):
            own = slot_of(at)
            slot = block.slot if own is None else own
            slots[slot] += cycles * block.runs
            at += instruction.size_bytes
        slots[slot] += timing.jump * block.jumps
    return Estimate(slots[0], tuple(slots[1:]))
