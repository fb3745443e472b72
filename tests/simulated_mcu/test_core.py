"""The simulated chip through its debug registers: halt, step, breakpoints, registers, reset, exceptions, counters."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("unicorn", reason="unicorn is not installed")

from edgekc.simulate import system as s
from edgekc.simulate.flash import BASE, BusError
from edgekc.simulate.mcu import Chip, Mcu

HALTED, LOCKUP, RESET = 1 << 17, 1 << 19, 1 << 25
STACK = 0x20001000
# Halfwords of Armv7-M (DDI 0403E, A7.7).
NOP, BKPT, SEMIHOST, LOOP, BX_LR = 0xBF00, 0xBE00, 0xBEAB, 0xE7FE, 0x4770
ADDS_R0_1, ADDS_R1_1, B_BACK_2 = 0x3001, 0x3101, 0xE7FC  # b . - 4


def chip_with(main: list[int], handlers: dict[int, list[int]] | None = None) -> Mcu:
    """A chip whose flash holds vectors, and main at 0x100; each handler has 64 bytes from 0x200 on."""
    mcu = Mcu(Chip())
    vectors = [STACK, BASE + 0x101] + [0] * 62
    for i, (number, code) in enumerate((handlers or {}).items()):
        at = 0x200 + 64 * i
        vectors[number] = BASE + at + 1
        mcu.flash.memory[at : at + 2 * len(code)] = struct.pack(f"<{len(code)}H", *code)
    mcu.flash.memory[: 4 * 64] = struct.pack("<64I", *vectors)
    mcu.flash.memory[0x100 : 0x100 + 2 * len(main)] = struct.pack(f"<{len(main)}H", *main)
    mcu.flash.changed = True
    mcu.reset()
    return mcu


def control(mcu: Mcu, bits: int) -> None:
    mcu.debug_write(s.DHCSR, 4, 0xA05F0000 | bits)


def status(mcu: Mcu) -> int:
    return mcu.debug_read(s.DHCSR, 4)


def register(mcu: Mcu, number: int) -> int:
    mcu.debug_write(s.DCRSR, 4, number)
    return mcu.debug_read(s.DCRDR, 4)


def set_register(mcu: Mcu, number: int, value: int) -> None:
    mcu.debug_write(s.DCRDR, 4, value)
    mcu.debug_write(s.DCRSR, 4, 1 << 16 | number)


def test_identity() -> None:
    mcu = Mcu(Chip())
    assert mcu.debug_read(s.CPUID, 4) == 0x410FC241
    assert mcu.debug_read(0xE0042000, 4) & 0xFFF == 0x441
    assert mcu.debug_read(0x1FFF7A22, 2) == 1024
    with pytest.raises(BusError):
        mcu.debug_read(0x60000000, 4)


def test_reset_loads_stack_and_entry_and_vector_catch_holds_the_core_there() -> None:
    mcu = chip_with([ADDS_R0_1, LOOP])
    control(mcu, 1)
    mcu.debug_write(s.DEMCR, 4, 1)
    mcu.debug_write(s.AIRCR, 4, 0x05FA0004)
    mcu.run(100)
    assert status(mcu) & (HALTED | RESET) == HALTED | RESET
    assert not status(mcu) & RESET  # reading clears
    assert (register(mcu, 15), register(mcu, 13), register(mcu, 0)) == (BASE + 0x100, STACK, 0)
    assert mcu.debug_read(s.DFSR, 4) & s.DFSR_VCATCH


def test_writes_of_dhcsr_need_the_key() -> None:
    mcu = chip_with([LOOP])
    mcu.debug_write(s.DHCSR, 4, 3)
    assert not status(mcu) & HALTED
    control(mcu, 3)
    assert status(mcu) & HALTED


def test_a_held_reset_pin_stops_the_core() -> None:
    mcu = chip_with([ADDS_R0_1, B_BACK_2 + 1, LOOP])
    mcu.hold_reset(True)
    mcu.run(1000)
    assert mcu.system.cycles == 0
    mcu.hold_reset(False)
    mcu.run(1000)
    assert mcu.system.cycles >= 1000


def test_a_reset_lets_a_halted_core_go_unless_halt_is_asked_for_while_the_pin_is_held() -> None:
    mcu = chip_with([LOOP])
    control(mcu, 3)
    mcu.debug_write(s.AIRCR, 4, 0x05FA0004)
    assert not status(mcu) & HALTED
    mcu.hold_reset(True)
    control(mcu, 3)
    mcu.hold_reset(False)
    mcu.run(100)
    assert status(mcu) & HALTED and register(mcu, 15) == BASE + 0x100


def test_bkpt_halts_with_a_debugger() -> None:
    mcu = chip_with([NOP, SEMIHOST, ADDS_R0_1, LOOP])
    control(mcu, 1)
    mcu.run(100)
    assert status(mcu) & HALTED and register(mcu, 15) == BASE + 0x102
    assert mcu.debug_read(s.DFSR, 4) & s.DFSR_BKPT
    set_register(mcu, 15, BASE + 0x104)
    control(mcu, 1)
    mcu.run(100)
    control(mcu, 3)
    assert register(mcu, 0) == 1


def test_bkpt_without_a_debugger_is_a_hard_fault_and_one_in_its_handler_a_lockup() -> None:
    mcu = chip_with([BKPT], {3: [ADDS_R0_1, LOOP]})
    mcu.run(100)  # to the exception
    mcu.run(100)
    control(mcu, 3)
    assert register(mcu, 0) == 1 and register(mcu, 16) & 0x1FF == 3
    assert mcu.debug_read(s.HFSR, 4) >> 30 & 1
    mcu = chip_with([BKPT], {3: [BKPT]})
    mcu.run(100)
    mcu.run(100)
    assert status(mcu) & LOCKUP


def test_a_program_resets_its_chip_but_does_not_halt_itself() -> None:
    # adds r4, #1; ldr r0, [pc, #8]; ldr r1, [pc, #8]; str r1, [r0]; dsb; adds r5, #1; b .; address, value
    store = [0x3401, 0x4802, 0x4903, 0x6001, 0xE7FE, BKPT]
    mcu = chip_with([*store, s.AIRCR & 0xFFFF, s.AIRCR >> 16, 0x0004, 0x05FA])
    for _ in range(5):
        mcu.run(100)
    assert status(mcu) & RESET
    control(mcu, 3)
    assert register(mcu, 4) <= 1  # it never came further, and each time began anew
    mcu = chip_with([*store, s.DHCSR & 0xFFFF, s.DHCSR >> 16, 0x0003, 0xA05F])
    mcu.run(100)
    mcu.run(100)
    assert not status(mcu) & HALTED
    control(mcu, 3)
    assert register(mcu, 15) == BASE + 0x108


def test_a_brownout_takes_ram_and_debug_state_once() -> None:
    mcu = Mcu(Chip(brownout_after=500))
    mcu.flash.memory[:] = chip_with([ADDS_R0_1, 0xE7FD]).flash.memory
    mcu.reset()
    control(mcu, 1)
    mcu.debug_write(0x20000000, 4, 0x12345678)
    while mcu.system.cycles < 500:
        mcu.run(100)
    mcu.run(100)
    assert mcu.debug_read(0x20000000, 4) == 0xDBDBDBDB
    assert status(mcu) & (RESET | 1) == RESET
    mcu.run(1000)
    assert not status(mcu) & RESET


def test_an_erased_chip_locks_up() -> None:
    mcu = Mcu(Chip())
    mcu.run(100)
    assert status(mcu) & LOCKUP
    control(mcu, 3)
    assert status(mcu) & (HALTED | LOCKUP) == HALTED
    control(mcu, 1)
    mcu.run(100)
    assert status(mcu) & LOCKUP  # again


def test_steps_and_breakpoints() -> None:
    mcu = chip_with([ADDS_R0_1, ADDS_R0_1, ADDS_R1_1, ADDS_R0_1, LOOP])
    control(mcu, 1)
    mcu.debug_write(s.DEMCR, 4, 1)
    mcu.debug_write(s.AIRCR, 4, 0x05FA0004)
    control(mcu, 1 | 4)
    assert status(mcu) & HALTED and (register(mcu, 15), register(mcu, 0)) == (BASE + 0x102, 1)
    where = BASE + 0x106
    mcu.debug_write(s.FP_COMP0, 4, where & 0x1FFFFFFC | (2 if where & 2 else 1) << 30 | 1)
    mcu.debug_write(s.FP_CTRL, 4, 3)
    control(mcu, 1)
    mcu.run(100)
    assert status(mcu) & HALTED
    assert (register(mcu, 15), register(mcu, 0), register(mcu, 1)) == (where, 2, 1)
    mcu.debug_write(s.FP_COMP0, 4, 0)
    control(mcu, 1)
    mcu.run(100)
    assert not status(mcu) & HALTED


@settings(max_examples=20)
@given(st.integers(0, 0xFFFFFFFF))
def test_core_registers_hold_what_is_written(value: int) -> None:
    mcu = _shared()
    for number in (*range(13), 14, *range(64, 96)):
        set_register(mcu, number, value ^ number)
    set_register(mcu, 13, value)
    set_register(mcu, 15, value)
    set_register(mcu, 16, value & 0xF8000000)
    for number in (*range(13), 14, *range(64, 96)):
        assert register(mcu, number) == value ^ number
    assert register(mcu, 13) == register(mcu, 17) == value & ~3
    assert register(mcu, 15) == value & ~1
    assert register(mcu, 16) == value & 0xF8000000 | 1 << 24


def _shared(made: list[Mcu] = []) -> Mcu:  # noqa: B006
    if not made:
        made.append(chip_with([LOOP]))
        control(made[0], 3)
    return made[0]


def test_registers_are_out_of_reach_while_the_core_runs() -> None:
    mcu = chip_with([LOOP])
    control(mcu, 1)
    mcu.debug_write(s.DCRDR, 4, 7)
    mcu.debug_write(s.DCRSR, 4, 0)
    assert mcu.debug_read(s.DCRDR, 4) == 7


def test_the_cycle_counter_counts_instructions_while_it_is_on() -> None:
    mcu = chip_with([LOOP])
    mcu.run(50)
    assert mcu.debug_read(s.DWT_CYCCNT, 4) == 0
    mcu.debug_write(s.DWT_CTRL, 4, 1)  # not without TRCENA
    mcu.run(50)
    assert mcu.debug_read(s.DWT_CYCCNT, 4) == 0
    mcu.debug_write(s.DEMCR, 4, 1 << 24)
    mcu.debug_write(s.DWT_CTRL, 4, 1)
    mcu.run(50)
    assert mcu.debug_read(s.DWT_CYCCNT, 4) == 50
    mcu.debug_write(s.DWT_CTRL, 4, 0)
    mcu.run(50)
    assert mcu.debug_read(s.DWT_CYCCNT, 4) == 50


def test_systick_interrupts_at_its_period_and_the_core_goes_on_where_it_was() -> None:
    # The handler counts in r4, which no frame restores; main counts in r0, which one does.
    mcu = chip_with([ADDS_R0_1, 0xE7FD], {15: [0x3401, BX_LR]})  # 0xE7FD: b . - 2; 0x3401: adds r4, #1
    mcu.debug_write(s.SYST_RVR, 4, 99)
    mcu.debug_write(s.SYST_CVR, 4, 0)
    mcu.debug_write(s.SYST_CSR, 4, 7)
    for _ in range(10):
        mcu.run(100)
    control(mcu, 3)
    assert abs(register(mcu, 4) - 10) <= 1
    in_handlers = 2 * register(mcu, 4)
    assert abs(2 * register(mcu, 0) + in_handlers - mcu.system.cycles) <= 2
    assert register(mcu, 13) == STACK


@pytest.mark.parametrize("access", [0x4700, 0x6800])  # bx r0; ldr r0, [r0]
def test_a_wild_jump_and_a_wild_load_fault(access: int) -> None:
    mcu = chip_with([0x2003, 0x0740, access], {3: [ADDS_R1_1, LOOP]})  # movs r0, #3; lsls r0, #29
    mcu.run(100)
    control(mcu, 3)
    assert register(mcu, 16) & 0x1FF == 3 and register(mcu, 1) == 1
    assert mcu.debug_read(s.CFSR, 4)


def test_the_serial_port() -> None:
    # movw r0, #0x4800; movt r0, #0x4000; ldr r1, [r0]; lsls r1, #26; bpl .-4; ldr r1, [r0, #4]; str r1, [r0, #4]; loop
    mcu = chip_with([0xF644, 0x0000, 0xF2C4, 0x0000, 0x6801, 0x0689, 0xD5FC, 0x6841, 0x6041, LOOP])
    sent = bytearray()
    mcu.serial_out = sent.extend
    mcu.run(100)
    assert not sent
    mcu.serial_in += b"x"
    mcu.run(100)
    assert sent == b"x"
