"""Updates on the simulated chip that lose power at each operation of its flash controller.

A setting is a payload, and a second one, whole or as changes, that takes its place. Power fails within and behind each
write and each erased sector of that update, and the core starts again from what the flash holds. Then one of the two
payloads runs, byte by byte, at two starts. A third update is cut at random, often early, and after two more starts a
fourth one has to succeed. Where the payloads are blobs of a network, the network runs at each start, and its output is
that of the blob.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from simulated_device import Device

from edgekc.errors import EdgekcError
from edgekc.simulate.cuts import PowerCut

_EARLY = 25  # operations in which an update sets marks and erases


@dataclass(frozen=True, slots=True)
class Payloads:
    """What updates bring.

    Attributes:
        draw: one of them.
        sample: an input of the network that runs from them; empty: none does.
        outputs: payload -> output of that network.
    """

    draw: Callable[[random.Random], bytes]
    sample: bytes = b""
    outputs: Mapping[bytes, bytes] = field(default_factory=dict)


def any_bytes(longest: int) -> Payloads:
    """Payloads of 1 to so many random bytes."""
    return Payloads(lambda chance: chance.randbytes(chance.randint(1, longest)))


@dataclass(slots=True)
class Counts:
    """What was found."""

    settings: int = 0
    cuts: int = 0
    old_runs: int = 0
    new_runs: int = 0
    doubtful_starts: int = 0  # one payload ran at the first start, another at the second
    neither: int = 0
    next_update_refused: int = 0
    words_written_twice: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """What the flash holds, with the old payload, and the update that is cut."""

    payloads: Payloads
    flash: bytes
    old: bytes
    new: bytes
    update: bytes
    operations: int  # of the whole update


def prepare(device: Device, payloads: Payloads, chance: random.Random) -> Setting:
    """A device that runs a first payload; the second update is tried once without a cut."""
    flash = device.mcu.flash
    device.clear(chance)
    old = new = payloads.draw(chance)
    while new == old:
        new = payloads.draw(chance)
    changes = chance.random() < 0.5
    assert device.update(device.file(old, 1)).sequence == 1
    before, start = bytes(flash.memory), flash.operations
    update = device.file(new, 2, old if changes else None)
    assert device.update(update).sequence == 2
    return Setting(payloads, before, old, new, update, flash.operations - start)


def running(device: Device, payloads: Payloads, count: Counts, written: list[bytes]) -> int | None:
    """Which of the payloads runs, as the device says, its flash holds and its network computes; it starts twice."""
    found: list[int | None] = []
    for _ in range(2):
        state = device.restart()
        held = b"" if state.slot is None else device.payload(state.slot, state.payload_bytes)
        which = next((i for i in reversed(range(len(written))) if written[i] == held), None)
        if which is not None and payloads.sample:
            runs = state.runs and device.run(payloads.sample) == payloads.outputs[held]
            which = which if runs else None
        found.append(which)
    count.neither += found.count(None)
    count.doubtful_starts += found[0] != found[1]
    return found[1]


def tries(setting: Setting, chance: random.Random, each: int) -> Iterator[PowerCut]:
    """Cuts behind each operation, and `each` within it."""
    for operation in range(setting.operations):
        yield PowerCut(operation, False, random.Random(chance.random()))
        for _ in range(each):
            yield PowerCut(operation, True, random.Random(chance.random()))


def try_cut(device: Device, setting: Setting, cut: PowerCut, chance: random.Random, count: Counts) -> None:
    """One cut, two starts, another cut, two starts, and an update that has to succeed."""
    flash, payloads = device.mcu.flash, setting.payloads
    flash.fill(setting.flash)
    device.restart()
    twice = flash.reprogrammed
    count.cuts += device.cut_update(setting.update, cut)
    runs = running(device, payloads, count, [setting.old, setting.new])
    count.old_runs += runs == 0
    count.new_runs += runs == 1
    if runs is None:
        return
    third, fourth = payloads.draw(chance), payloads.draw(chance)
    early = chance.randrange(_EARLY if chance.random() < 0.75 else setting.operations)
    later = PowerCut(early, chance.random() < 0.5, random.Random(chance.random()))
    count.cuts += device.cut_update(device.file(third, 3), later)
    if running(device, payloads, count, [setting.old, setting.new, third]) is None:
        return
    try:
        taken = device.update(device.file(fourth, 4)).sequence == 4
    except EdgekcError:
        taken = False
    count.next_update_refused += not taken or running(device, payloads, count, [fourth]) != 0
    count.words_written_twice += flash.reprogrammed - twice
