"""Turns estimated cycles into milliseconds and microjoules at a clock, with what the flash's wait states may add."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...boards.board import Board
from ...errors import UsageError
from .timing import ONE, Cycles, Timing

# What each wait state of a flash behind a prefetch buffer and a small cache adds. Calibrated on the one published pair
# of the same kernels: CMSIS-NN on the image classification network of MLPerf Tiny takes 389.6 ms on an STM32L4R5 at
# 120 MHz and 5 wait states, which is 1.35 times this model's cycles without any. The range goes from a cache that
# always has the code to twice that.
_PER_WAIT_STATE = Cycles(0.0, 0.07, 0.14)


# Of the current that a data sheet gives for each MHz. Its tables for several programs lie within a tenth of each other.
# The figure is often that of a low clock: the core voltage of the highest one takes up to 1.4 times as much.
_CURRENT = Cycles(0.9, 1.0, 1.4)


@dataclass(frozen=True, slots=True)
class Speed:
    """What one inference is estimated to take. Nothing here was measured on a device."""

    core: str  # whose timing it is
    rough: bool  # not from a published table
    cycles: Cycles  # without wait states
    clock_hz: int | None  # None: neither the board nor the user says
    flash_wait_states: int | None  # at that clock; None: the board does not say
    milliseconds: Cycles | None  # None: no clock
    microjoules: Cycles | None  # of the chip, peripherals off; None: no clock, or the board does not say its current

    @property
    def stalled(self) -> Cycles:
        """Cycles with wait states, as a board counts them."""
        if self.milliseconds is None or self.clock_hz is None:
            return self.cycles
        return self.milliseconds * (self.clock_hz / 1000)


def speed_of(timing: Timing, cycles: Cycles, board: Board, clock_hz: int | None) -> Speed:
    """The estimate at a clock; None: the board's own."""
    clock = clock_hz or (board.timing.clock_hz if board.timing else None)
    waits = _wait_states(board, clock) if clock else None
    time = energy = None
    if clock:
        time = _product(cycles * (1000 / clock), ONE + _PER_WAIT_STATE * (waits or 0))
        if board.power is not None:
            milliwatts = board.power.run_ua_per_mhz * board.power.supply_v * clock / 1e9
            energy = _product(time * milliwatts, _CURRENT)
    return Speed(timing.name, timing.rough, cycles, clock, waits, time, energy)


def _product(a: Cycles, b: Cycles) -> Cycles:
    return Cycles(a.low * b.low, a.likely * b.likely, a.high * b.high)


def _wait_states(board: Board, clock_hz: int) -> int | None:
    """Those of the board's highest clock, less one for each equal step down, as the data sheets' tables go."""
    if board.timing is None or board.timing.flash_wait_states is None:
        return None
    steps = board.timing.flash_wait_states + 1
    return -(-clock_hz * steps // board.timing.clock_hz) - 1


def parse_clock(text: str) -> int:
    """Hertz of 120M, 64MHz, 32768 or 1.5G.

    Raises:
        UsageError: it is none of these, or no whole number of hertz above 0.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kKMG]?)(?:[hH]z)?", text.replace("_", "").strip())
    hertz = float(found[1]) * {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}[found[2]] if found else 0
    if not 1 <= hertz <= 1e11:
        raise UsageError(f"--clock: expected a frequency such as 120M or 64MHz, got '{text}'")
    return round(hertz)
