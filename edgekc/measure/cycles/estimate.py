"""Weighs the blocks that one inference ran by the core's published timing: estimated cycles by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...emulate.plugin import Block
from ...firmware.elf import CodeRange, Elf
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


def estimate(timing: Timing, elf: Elf, blocks: Sequence[Block], ranges: Sequence[CodeRange], layers: int) -> Estimate:
    """Cycles of the first inference without wait states.

    Args:
        blocks: what ran, as the emulator saw it.
        ranges: which layer each of the network function's own instructions is of.
        layers: how many there are.
    """
    slots = [ZERO] * (layers + 1)
    for block in blocks:
        code = instructions(elf.code(block.start, block.end), elf.machine)
        at = block.start
        for instruction, cycles in zip(code, weigh(timing, code), strict=True):
            slot = next((r.slot for r in ranges if r.low <= at < r.high), block.slot)
            slots[slot] += cycles * block.runs
            at += instruction.size_bytes
        slots[slot] += timing.jump * block.jumps
    return Estimate(slots[0], tuple(slots[1:]))
