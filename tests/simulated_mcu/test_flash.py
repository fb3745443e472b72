"""The simulated flash controller by RM0402, section 3: keys, erase, programming, protection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekc.simulate import flash as f
from edgekc.simulate.flash import BASE, BusError, Flash

X32 = 2 << 8  # CR.PSIZE


def write(flash: Flash, offset: int, value: int, *, attached: bool = False) -> None:
    flash.write_register(offset, value, debugger_attached=attached)


def unlocked(stuck: dict[int, int] | None = None) -> Flash:
    flash = Flash(stuck or {})
    for key in f.KEYS:
        write(flash, f.KEYR, key)
    return flash


def settle(flash: Flash) -> int:
    """Polls as a driver does; the status when it is no longer busy."""
    while (status := flash.read_register(f.SR)) & f.BSY:
        pass
    return status


def program(flash: Flash, address: int, data: bytes, *, attached: bool = False) -> int:
    write(flash, f.CR, f.PG | (len(data).bit_length() - 1) << 8)
    flash.program(address, data, debugger_attached=attached)
    return settle(flash)


def erase(flash: Flash, sector: int) -> int:
    write(flash, f.CR, f.SER | sector << 3 | f.STRT)
    return settle(flash)


def test_a_fresh_chip_is_erased_and_locked() -> None:
    flash = Flash({})
    assert set(flash.memory) == {0xFF} and len(flash.memory) == 1 << 20
    assert flash.read_register(f.CR) == f.LOCK
    write(flash, f.CR, f.PG)
    assert flash.read_register(f.CR) == f.LOCK  # ignored


def test_the_two_keys_unlock_and_lock_closes() -> None:
    flash = unlocked()
    assert flash.read_register(f.CR) == 0
    write(flash, f.CR, f.LOCK)
    assert flash.read_register(f.CR) & f.LOCK


@given(st.lists(st.sampled_from([*f.KEYS, 0, 0xFFFFFFFF]), max_size=6))
def test_only_the_right_sequence_of_keys_unlocks(keys: list[int]) -> None:
    flash = Flash({})
    for key in keys:
        try:
            write(flash, f.KEYR, key)
        except BusError:
            break
    assert (not flash.read_register(f.CR) & f.LOCK) == (tuple(keys[:2]) == f.KEYS)


def test_after_a_wrong_key_only_a_reset_helps() -> None:
    flash = Flash({})
    with pytest.raises(BusError):
        write(flash, f.KEYR, 1)
    for key in f.KEYS:
        with pytest.raises(BusError):
            write(flash, f.KEYR, key)
    flash.reset()
    for key in f.KEYS:
        write(flash, f.KEYR, key)
    assert not flash.read_register(f.CR) & f.LOCK


@given(
    st.lists(
        st.tuples(
            st.integers(0, 63),
            st.sampled_from([1, 2, 4, 8]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
        ),
        max_size=20,
    )
)
def test_programming_only_clears_bits(writes: list[tuple[int, bytes]]) -> None:
    flash = unlocked()
    expected = bytearray(b"\xff" * 80)
    for at, data in writes:
        status = program(flash, BASE + at, data)
        if at // 16 == (at + len(data) - 1) // 16:
            expected[at : at + len(data)] = (a & b for a, b in zip(expected[at:], data, strict=False))
        else:
            assert status & f.PGAERR  # across a row of 128 bits
            write(flash, f.SR, 0xFFFF)
    assert bytes(flash.memory[:80]) == expected
    assert set(flash.memory[80:]) == {0xFF}


def test_programming_needs_pg_the_width_and_an_unlocked_controller() -> None:
    flash = unlocked()
    flash.program(BASE, b"\0\0\0\0", debugger_attached=False)
    assert settle(flash) & f.PGSERR
    write(flash, f.SR, 0xFFFF)
    write(flash, f.CR, f.PG | X32)
    flash.program(BASE, b"\0\0", debugger_attached=False)
    assert settle(flash) & f.PGPERR
    write(flash, f.SR, 0xFFFF)
    assert not settle(flash)  # writing 1 clears
    write(flash, f.CR, f.LOCK)
    flash.program(BASE, b"\0\0\0\0", debugger_attached=False)
    assert settle(flash) & f.PGSERR
    assert bytes(flash.memory[:4]) == b"\xff" * 4


def test_a_driver_that_does_not_wait_loses_its_write() -> None:
    flash = unlocked()
    write(flash, f.CR, f.PG | X32)
    flash.program(BASE, b"\1\2\3\4", debugger_attached=False)
    flash.program(BASE + 4, b"\1\2\3\4", debugger_attached=False)
    assert settle(flash) & f.PGSERR
    assert bytes(flash.memory[:8]) == b"\1\2\3\4\xff\xff\xff\xff"


@pytest.mark.parametrize("sector", range(12))
def test_a_sector_erase_erases_that_sector(sector: int) -> None:
    flash = unlocked()
    flash.memory[:] = bytes(len(flash.memory))
    assert not erase(flash, sector)
    low = sum(f.SECTORS[:sector])
    high = low + f.SECTORS[sector]
    assert set(flash.memory[low:high]) == {0xFF}
    assert not any(flash.memory[:low]) and not any(flash.memory[high:])
    assert f.sector_at(BASE + low) == f.sector_at(BASE + high - 1) == sector


def test_mass_erase_and_end_of_operation() -> None:
    flash = unlocked()
    flash.memory[:] = bytes(len(flash.memory))
    write(flash, f.CR, f.MER | f.EOPIE | f.STRT)
    assert flash.read_register(f.SR) & f.BSY
    assert settle(flash) & f.EOP
    assert set(flash.memory) == {0xFF}


def test_a_write_protected_sector_stays() -> None:
    flash = unlocked()
    flash.option_bytes &= ~(1 << 17)
    assert program(flash, BASE + f.SECTORS[0], b"\0") & f.WRPERR
    write(flash, f.SR, 0xFFFF)
    assert erase(flash, 1) & f.WRPERR
    write(flash, f.SR, 0xFFFF)
    write(flash, f.CR, f.MER | f.STRT)
    assert settle(flash) & f.WRPERR
    assert set(flash.memory) == {0xFF}


def test_readout_protection_hides_the_flash_from_a_debugger_and_ends_with_the_contents() -> None:
    flash = unlocked()
    program(flash, BASE, b"\x12\x34\x56\x78")
    for key in f.OPTION_KEYS:
        write(flash, f.OPTKEYR, key)
    write(flash, f.OPTCR, flash.option_bytes & ~0xFF00 | 0x5500 | f.OPTSTRT)
    assert flash.protected
    settle(flash)
    with pytest.raises(BusError):
        flash.read(BASE, 4, debugger_attached=True)
    assert flash.read(BASE, 4, debugger_attached=False) == b"\x12\x34\x56\x78"
    assert program(flash, BASE + 4, b"\0\0\0\0", attached=True) & f.WRPERR
    write(flash, f.OPTCR, flash.option_bytes & ~0xFF00 | 0xAA00 | f.OPTSTRT)
    settle(flash)
    assert not flash.protected
    assert flash.read(BASE, 4, debugger_attached=True) == b"\xff" * 4


def test_option_bytes_need_their_own_keys() -> None:
    flash = unlocked()
    write(flash, f.OPTCR, 0x5500 | f.OPTSTRT)
    assert not flash.protected
    with pytest.raises(BusError):
        write(flash, f.OPTKEYR, f.OPTION_KEYS[1])


def test_a_stuck_bit_stays_after_erase_and_programming() -> None:
    flash = unlocked({BASE + 5: 0x10})
    assert flash.memory[5] == 0xEF
    erase(flash, 0)
    assert flash.memory[5] == 0xEF
    program(flash, BASE + 4, b"\xff\xff\xff\xff")
    assert flash.memory[5] == 0xEF
