"""Power that fails within or behind an operation of the simulated flash controller, and what the chip finds then."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("unicorn", reason="unicorn is not installed")

from edgekc.simulate import flash as f
from edgekc.simulate.cuts import PowerCut
from edgekc.simulate.flash import BASE, Flash
from edgekc.simulate.mcu import Chip, Mcu
from simulated_mcu.test_core import ADDS_R0_1, LOOP, chip_with
from simulated_mcu.test_flash import erase, program, unlocked

WORD = 0x5A5AC3C3.to_bytes(4, "little")


def cut_at(flash: Flash, operation: int, *, within: bool, seed: int = 0) -> list[bool]:
    """Whether power has failed, once it has."""
    failed: list[bool] = []
    flash.cut = PowerCut(operation, within, random.Random(seed))
    flash.on_cut = lambda: failed.append(True)
    return failed


def test_behind_an_operation_it_is_done_and_nothing_else_is() -> None:
    flash = unlocked()
    failed = cut_at(flash, 1, within=False)
    program(flash, BASE, WORD)
    assert not failed
    program(flash, BASE + 4, WORD)
    program(flash, BASE + 8, WORD)
    erase(flash, 0)
    assert failed == [True] and bytes(flash.memory[:12]) == WORD + WORD + b"\xff" * 4
    flash.power_up()
    flash.reset()
    assert flash.operations == 2 and bytes(flash.memory[:8]) == WORD + WORD


@pytest.mark.fast
@given(st.integers(0, 10**6))
def test_a_torn_word_has_bits_of_before_and_after(seed: int) -> None:
    flash = unlocked()
    program(flash, BASE, b"\xff\xff\x0f\xff")
    cut_at(flash, 1, within=True, seed=seed)
    program(flash, BASE, WORD)
    for _ in range(3):
        found = int.from_bytes(flash.memory[:4], "little")
        assert found & ~0xFF0FFFFF == 0 and found & 0x5A0AC3C3 == 0x5A0AC3C3  # 0 stays 0, and 1 where it is to stay 1
        flash.power_up()
    assert set(flash.memory[4:]) == {0xFF}


def test_bits_in_doubt_read_differently_until_they_are_written() -> None:
    seen: list[set[bytes]] = []
    for seed in range(12):
        flash = unlocked()
        cut_at(flash, 0, within=True, seed=seed)
        program(flash, BASE, bytes(4))
        found = set()
        for _ in range(6):
            flash.power_up()
            found.add(bytes(flash.memory[:4]))
        seen.append(found)
        flash.reset()
        for key in f.KEYS:
            flash.write_register(f.KEYR, key, debugger_attached=False)
        if seed % 2:
            program(flash, BASE, bytes(4))
        else:
            erase(flash, 0)
        flash.power_up()
        assert set(flash.memory[:4]) == ({0} if seed % 2 else {0xFF})
    assert any(len(found) > 1 for found in seen)
    assert any(len(found) == 1 for found in seen)


def test_a_half_erased_sector_is_all_of_it_and_no_other() -> None:
    held = set()
    for seed in range(8):
        flash = unlocked()
        flash.fill(bytes(len(flash.memory)))
        cut_at(flash, 0, within=True, seed=seed)
        erase(flash, 1)
        sector = bytes(flash.memory[0x4000:0x8000])
        held.add(sum(byte.bit_count() for byte in sector) * 10 // (8 * len(sector)))
        assert not any(flash.memory[:0x4000]) and not any(flash.memory[0x8000:])
    assert {0, 5} <= held and held & {9, 10}  # early, in the middle, late


def test_a_debugger_s_write_can_be_cut() -> None:
    mcu = Mcu(Chip(flash_cut=0))
    for key in f.KEYS:
        mcu.flash.write_register(f.KEYR, key, debugger_attached=False)
    mcu.flash.write_register(f.CR, f.PG | 2 << 8, debugger_attached=False)
    mcu.debug_write(0x20000000, 4, 0x12345678)
    mcu.debug_write(BASE + 0x100, 4, 0)
    assert mcu.flash.cut is None and mcu.debug_read(0x20000000, 4) == 0x12345678
    mcu.run(100)  # the core is locked up, as its flash is empty
    assert mcu.debug_read(0x20000000, 4) == 0xDBDBDBDB


def test_a_core_that_does_not_count_runs_the_same_code() -> None:
    exact = chip_with([ADDS_R0_1, ADDS_R0_1, LOOP])
    quick = Mcu(Chip(), exact=False)
    quick.flash.fill(bytes(exact.flash.memory))
    quick.reset()
    for mcu in (exact, quick):
        mcu.run(100)
        mcu.debug_write(0xE000EDF0, 4, 0xA05F0003)
        mcu.debug_write(0xE000EDF4, 4, 0)
        assert mcu.debug_read(0xE000EDF8, 4) == 2
