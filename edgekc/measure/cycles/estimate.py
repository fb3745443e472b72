"""Weighs the blocks that one inference ran by the core's published timing: estimated cycles by layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...emulate.plugin import Counts
from ...firmware.elf import Elf, slot_finder
from .decode import Instruction, instructions
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
    """Cycles of the first inference without wait states; `counts` are traced, so that they have its blocks.

    The emulator also ends blocks where a page ends. What follows is no jump then, and weighed behind the instruction
    before: else cycles would depend on where the linker puts a loop.
    """
    slots = [ZERO] * (len(counts.layers) + 1)
    slot_of = slot_finder(counts.ranges)
    passed: Counter[tuple[int, int]] = Counter()  # slot and end of blocks to how often no jump followed
    last: dict[int, Instruction] = {}
    codes = [instructions(elf.code(block.start, block.end), elf.machine) for block in counts.blocks]
    for block, code in zip(counts.blocks, codes, strict=True):
        passed[block.slot, block.end] += block.runs - block.jumps
        last[block.end] = code[-1]
    for block, code in zip(counts.blocks, codes, strict=True):
        behind = min(passed[block.slot, block.start], block.runs)
        passed[block.slot, block.start] -= behind
        jumped = weigh(timing, code)
        through = weigh(timing, code, last[block.start]) if behind else jumped
        at = block.start
        for instruction, after_jump, after in zip(code, jumped, through, strict=True):
            own = slot_of(at)
            slot = block.slot if own is None else own
            slots[slot] += after_jump * (block.runs - behind) + after * behind
            at += instruction.size_bytes
        slots[slot] += timing.jump * block.jumps
    return Estimate(slots[0], tuple(slots[1:]))
