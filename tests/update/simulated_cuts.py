"""Updates on the simulated chip that lose power at each operation of its flash controller.

A setting is a random payload, and a second one, whole or as changes, that takes its place. Power fails within and
behind each write and each erased sector of that update, and the core starts again from what the flash holds. Then one
of the two payloads runs, byte by byte, at two starts. A third update is cut at random, often early, and after two more
starts a fourth one has to succeed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from simulated_device import Device, payload_of, update_of

from edgekc.errors import EdgekcError
from edgekc.simulate.cuts import PowerCut

_EARLY = 25  # operations in which an update sets marks and erases


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

    flash: bytes
    old: bytes
    new: bytes
    update: bytes
    operations: int  # of the whole update


def prepare(device: Device, chance: random.Random, longest: int) -> Setting:
    """A device that runs a first payload; the second update is tried once without a cut."""
    flash = device.mcu.flash
    device.clear(chance)
    old, new = payload_of(chance, longest), payload_of(chance, longest)
    changes = chance.random() < 0.5
    if changes:
        at = chance.randrange(len(old))
        new = (old[:at] + payload_of(chance, 40) + old[at:])[: len(old)]
    assert device.update(update_of(old, 1)).sequence == 1
    before, start = bytes(flash.memory), flash.operations
    update = update_of(new, 2, old if changes else None)
    assert device.update(update).sequence == 2
    return Setting(before, old, new, update, flash.operations - start)


def running(device: Device, count: Counts, payloads: list[bytes]) -> int | None:
    """Which of the payloads runs, as the device says and its flash holds; it starts twice."""
    found: list[int | None] = []
    for _ in range(2):
        state = device.restart()
        found.append(None)
        if state.slot is None:
            continue
        held = device.payload(state.slot, state.payload_bytes)
        found[-1] = next((i for i in reversed(range(len(payloads))) if payloads[i] == held), None)
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
    flash = device.mcu.flash
    flash.fill(setting.flash)
    device.restart()
    written = flash.reprogrammed
    count.cuts += device.cut_update(setting.update, cut)
    payloads = [setting.old, setting.new]
    runs = running(device, count, payloads)
    count.old_runs += runs == 0
    count.new_runs += runs == 1
    if runs is None:
        return
    third, fourth = payload_of(chance, 60), payload_of(chance, 60)
    early = chance.randrange(_EARLY if chance.random() < 0.75 else setting.operations)
    later = PowerCut(early, chance.random() < 0.5, random.Random(chance.random()))
    count.cuts += device.cut_update(update_of(third, 3), later)
    runs = running(device, count, [*payloads, third])
    if runs is None:
        return
    try:
        taken = device.update(update_of(fourth, 4)).sequence == 4
    except EdgekcError:
        taken = False
    count.next_update_refused += not taken or running(device, count, [fourth]) != 0
    count.words_written_twice += flash.reprogrammed - written
