"""What flash holds where power fails within an operation of its controller: torn words, half-erased sectors, doubt.

A bit that an operation turns has turned, has not, or is in doubt: then it reads differently at one power-up and at the
next. Early in an operation hardly a bit has turned, late hardly one is missing. tests/update/flash_model.c does so too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.ir import Array

_RARE = 7  # of so many random bits all are 1: one bit in 128


@dataclass(slots=True)
class PowerCut:
    """One loss of power, at an operation of the flash controller: a write to the flash, or an erased sector.

    Attributes:
        operation: how many operations go before it, counted from 0 as `Flash.operations` counts them.
        within: in the middle of that operation; False: right behind it.
        chance: what decides about torn bits.
    """

    operation: int
    within: bool = True
    chance: random.Random = field(default_factory=lambda: random.Random(0))


class Doubt:
    """Bits of the flash that read differently at each power-up, until they are programmed to 0 or erased.

    Args:
        memory: of the whole flash, which the bits are set in.
    """

    def __init__(self, memory: Any) -> None:
        self._memory: Array = np.frombuffer(memory, np.uint8)
        self._mask: Array = np.zeros(len(memory), np.uint8)
        self._low, self._high = len(memory), 0  # outside of them nothing is in doubt
        self._chance = random.Random(0)

    def tear(self, at: int, after: bytes, cut: PowerCut, *, erases: bool) -> None:
        """The flash from offset `at` on as an operation leaves it that would have left `after`."""
        held = self._memory[at : at + len(after)]
        if erases and cut.chance.random() < 0.5:
            held &= _random(cut.chance, len(after), 1)  # some parts program a sector's bits to 0 first
        wanted = np.frombuffer(after, np.uint8)
        turning = (held | self._mask[at : at + len(after)]) ^ wanted
        when = cut.chance.choice(("early", "middle", "late"))
        doubt = turning & _random(cut.chance, len(after), 2 if when == "middle" else _RARE)
        if when == "middle":
            turning &= _random(cut.chance, len(after), 1)
        if when != "early":
            held[:] = held & ~turning | wanted & turning
        self._mask[at : at + len(after)] |= doubt
        self._low, self._high = min(self._low, at), max(self._high, at + len(after))
        self._chance = cut.chance

    def end(self, at: int, data: bytes, *, erases: bool) -> None:
        """An operation that was finished leaves no doubt in bits that it programs to 0 or erases."""
        if at < self._high and self._low < at + len(data):
            self._mask[at : at + len(data)] &= 0 if erases else np.frombuffer(data, np.uint8)

    def settle(self) -> None:
        """At power-up each bit that is in doubt becomes what it reads as this time."""
        if self._low < self._high:
            held, mask = self._memory[self._low : self._high], self._mask[self._low : self._high]
            held ^= mask & _random(self._chance, len(held), 1)


def _random(chance: random.Random, count: int, each: int) -> Array:
    """Bytes whose bits are 1 with a probability of 2^-each."""
    found = np.frombuffer(chance.randbytes(count), np.uint8).copy()
    for _ in range(each - 1):
        found &= np.frombuffer(chance.randbytes(count), np.uint8)
    return found
