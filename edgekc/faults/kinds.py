"""The kinds of faults: what is injected, where and when, each drawn by a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

import numpy as np

from .records import REGISTERS, Buffer, NowhereError, Verdict

if TYPE_CHECKING:
    from .trial import Trial  # which needs the package unicorn

_HALVINGS = 9  # of the share of RAM that a brown-out loses: from a half to a thousandth
_WORD = 4
_STACK_ALIGNMENT = 8  # AAPCS, 6.2.1.2

# What became of it, and where it was.
Found = tuple[Verdict, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of faults.

    Attributes:
        name: of options and tables.
        what: is injected, in a few words.
        inject: draws one and says what became of it; of a kind `during` a run, which stands behind so many
            instructions. Else that is 0, and the core stands behind its startup.
        during: at a random instruction of NAME_run.
        each_input: there is nothing to draw: each input is tried once.
        needs: what a network has to have: state, or check.
    """

    name: str
    what: str
    inject: Callable[[Trial, Random, int, int], Found]
    during: bool = False
    each_input: bool = False
    needs: Literal["", "state", "check"] = ""


def _bit(chance: Random, ranges: Sequence[Buffer]) -> tuple[int, int]:
    """Address and number of one of the ranges' bits. NowhereError, where they have none."""
    size_bytes = sum(r.size_bytes for r in ranges)
    if size_bytes == 0:
        raise NowhereError
    at = chance.randrange(size_bytes)
    for r in ranges:
        if at < r.size_bytes:
            return r.address + at, chance.randrange(8)
        at -= r.size_bytes
    raise AssertionError("it lies behind the ranges")


def _said(trial: Trial, address: int, bit: int) -> str:
    inside = (s for s in trial.core.elf.symbols if s.size_bytes and s.address <= address < s.address + s.size_bytes)
    symbol = next(inside, None)
    place = f"0x{address:08x}" if symbol is None else f"{symbol.name}+{address - symbol.address}"
    return f"{place} bit {bit}"


def _in_flash(trial: Trial, chance: Random, sample: int, ranges: Sequence[Buffer]) -> Found:
    address, bit = _bit(chance, ranges)
    trial.core.flip(address, bit)
    found = trial.use(sample)
    trial.core.flip(address, bit)
    return found, _said(trial, address, bit)


def _weights(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    return _in_flash(trial, chance, sample, trial.places.weights)


def _tables(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    return _in_flash(trial, chance, sample, trial.places.tables)


def _code(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    return _in_flash(trial, chance, sample, trial.places.code)


def _tables_late(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    address, bit = _bit(chance, trial.places.tables)
    noticed = trial.prepare(sample) or trial.check()
    trial.core.flip(address, bit)
    found = noticed or trial.run(sample)
    trial.core.flip(address, bit)
    return found, _said(trial, address, bit)


def _stuck_flash(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    """What is written there, such as the same image once more, changes nothing."""
    places = trial.places
    (address, bit), value = _bit(chance, (*places.weights, *places.tables, *places.code)), chance.randrange(2)
    written = trial.core.bytes_of(Buffer(address, 1))[0]
    trial.core.put(address, written & ~(1 << bit) | value << bit)
    found = trial.use(sample)
    trial.core.put(address, written)
    return found, f"{_said(trial, address, bit)} is {value}"


def _arena(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    address, bit = _bit(chance, [trial.core.arena])
    trial.after(sample)
    trial.core.flip(address, bit)
    return trial.use((sample + 1) % trial.samples), _said(trial, address, bit)


def _state(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    address, bit = _bit(chance, [trial.core.state])
    return trial.next_step(sample, address, bit), _said(trial, address, bit)


def _arena_in_run(trial: Trial, chance: Random, sample: int, done: int) -> Found:
    address, bit = _bit(chance, [trial.core.arena])
    trial.core.flip(address, bit)
    return trial.finish(sample, done), f"{_said(trial, address, bit)} behind instruction {done:,}"


def _register(trial: Trial, chance: Random, sample: int, done: int) -> Found:
    register = chance.choice(list(REGISTERS))
    bit = chance.choice(REGISTERS[register])
    trial.core.flip_register(register, bit)
    return trial.finish(sample, done), f"{register} bit {bit} behind instruction {done:,}"


def _stuck_ram(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    core = trial.core
    (address, bit), value = _bit(chance, (core.arena, core.input, core.output, core.state)), chance.randrange(2)
    with core.held(address, bit, value):
        found = trial.use(sample)
    return found, f"{_said(trial, address, bit)} is {value}"


def _brown_out(trial: Trial, chance: Random, sample: int, done: int) -> Found:
    halvings = chance.randrange(_HALVINGS + 1)
    trial.core.decay(np.random.default_rng(chance.getrandbits(64)), halvings)
    trial.core.start()
    return trial.use(sample), f"behind instruction {done:,}, 1 bit of {2 << halvings} lost"


def _reset(trial: Trial, _chance: Random, sample: int, done: int) -> Found:
    trial.core.start()
    return trial.use(sample), f"behind instruction {done:,}"


def _stack(trial: Trial, _chance: Random, sample: int, _done: int) -> Found:
    core, room = trial.core, trial.core.stack_top - 64
    trial.prepare(sample)
    trial.on_stack(sample, room)
    depth = room - trial.lowest_word()
    trial.reset()
    trial.prepare(sample)
    short = core.stack_limit + (depth - _WORD) // _STACK_ALIGNMENT * _STACK_ALIGNMENT
    return trial.on_stack(sample, short), f"{short - core.stack_limit} bytes of stack, {depth} are needed"


def _alignment(trial: Trial, chance: Random, sample: int, _done: int) -> Found:
    off = chance.randrange(1, 16)
    noticed = trial.prepare(sample) or trial.check()
    arena, *others = trial.arguments
    return noticed or trial.run(sample, (arena + off, *others)), f"{off} bytes off"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("weights", "a bit of the embedded model flips", _weights),
        Kind("tables", "a bit of the layer tables, or of their copies, flips", _tables),
        Kind("late-tables", "the same between NAME_check and NAME_run", _tables_late, needs="check"),
        Kind("code", "a bit of the code flips", _code),
        Kind("stuck-flash", "a bit of model, tables or code keeps its value", _stuck_flash),
        Kind("arena", "a bit of the arena flips between two runs", _arena),
        Kind("state", "a bit of the state flips between two steps", _state, needs="state"),
        Kind("run-arena", "a bit of the arena flips during a run", _arena_in_run, during=True),
        Kind("registers", "a bit of a core register flips during a run", _register, during=True),
        Kind("brown-out", "RAM loses bits during a run, and the core restarts", _brown_out, during=True),
        Kind("reset", "a watchdog resets the core during a run", _reset, during=True),
        Kind("stack", "the stack is a word too small", _stack, each_input=True),
        Kind("alignment", "the arena is not 16-byte aligned", _alignment),
        # The last: once a load was hooked, Unicorn is slower for good.
        Kind("stuck-ram", "a bit of arena, input, output or state keeps its value", _stuck_ram),
    )
}
