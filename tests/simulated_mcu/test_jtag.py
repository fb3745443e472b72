"""The simulated JTAG chain: the 16 states of IEEE 1149.1, the two TAPs, and accesses through JTAG-DP and MEM-AP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekc.simulate.dap import Dap, FaultError
from edgekc.simulate.flash import BusError
from edgekc.simulate.jtag import BOUNDARY_SCAN_IDCODE, CORE_IDCODE, STATES, Chain

_ABORT, _DPACC, _APACC, _BYPASS = 0x8, 0xA, 0xB, 0xF
_POWER = 0x50000000


class Words:
    """A memory of 8 KB at 0x20000000; nothing elsewhere."""

    def __init__(self) -> None:
        self.data = bytearray(8192)

    def debug_read(self, address: int, size: int) -> int:
        at = self._at(address)
        return int.from_bytes(self.data[at : at + size], "little")

    def debug_write(self, address: int, size: int, value: int) -> None:
        at = self._at(address)
        self.data[at : at + size] = value.to_bytes(size, "little")

    def _at(self, address: int) -> int:
        if not 0x20000000 <= address < 0x20002000:
            raise BusError(hex(address))
        return address - 0x20000000


def chain() -> tuple[Chain, Words]:
    words = Words()
    return Chain(Dap(words), core_idcode=CORE_IDCODE, boundary_scan_idcode=BOUNDARY_SCAN_IDCODE), words


def moves(taps: Chain, tms: str) -> None:
    for level in tms:
        taps.clock(int(level), 0)


def shift(taps: Chain, bits: int, value: int) -> int:
    """From a shift state through all bits to exit1; what came out."""
    out = 0
    for i in range(bits):
        out |= taps.tdo << i
        taps.clock(int(i == bits - 1), value >> i & 1)
    return out


def scan_ir(taps: Chain, core: int) -> int:
    moves(taps, "1100")
    out = shift(taps, 9, 0b11111 << 4 | core)  # the boundary scan TAP in bypass
    moves(taps, "10")
    return out


def scan_dr(taps: Chain, bits: int, value: int) -> int:
    moves(taps, "100")
    out = shift(taps, bits, value)
    moves(taps, "10")
    return out


def access(taps: Chain, instruction: int, address: int, value: int | None) -> tuple[int, int]:
    """One 35-bit scan: answer and data of the scan before it."""
    scan_ir(taps, instruction)
    word = (value or 0) << 3 | address >> 2 << 1 | (value is None)
    out = scan_dr(taps, 36, word)  # and the bypass bit of the other TAP
    return out & 7, out >> 3 & 0xFFFFFFFF


def read(taps: Chain, instruction: int, address: int) -> int:
    access(taps, instruction, address, None)
    answer, data = access(taps, _DPACC, 0xC, None)
    assert answer == 0b010
    return data


def powered() -> tuple[Chain, Words]:
    taps, words = chain()
    moves(taps, "0")
    access(taps, _DPACC, 0x4, _POWER)
    return taps, words


@given(st.lists(st.integers(0, 1), max_size=40))
def test_five_ones_reset_from_anywhere(levels: list[int]) -> None:
    taps, _ = chain()
    for level in levels:
        taps.clock(level, 1)
    moves(taps, "11111")
    assert taps.state == "reset"


def test_the_state_diagram() -> None:
    # Walks along both columns of figure 6-1 of IEEE 1149.1-2001.
    taps, _ = chain()
    walk = [("0", "idle"), ("1", "select-dr"), ("0", "capture-dr"), ("0", "shift-dr"), ("1", "exit1-dr"),
            ("0", "pause-dr"), ("1", "exit2-dr"), ("0", "shift-dr"), ("1", "exit1-dr"), ("1", "update-dr"),
            ("1", "select-dr"), ("1", "select-ir"), ("0", "capture-ir"), ("1", "exit1-ir"), ("0", "pause-ir"),
            ("0", "pause-ir"), ("1", "exit2-ir"), ("1", "update-ir"), ("0", "idle"), ("0", "idle"),
            ("1", "select-dr"), ("1", "select-ir"), ("1", "reset"), ("1", "reset")]  # fmt: skip
    for tms, state in walk:
        moves(taps, tms)
        assert taps.state == state
    assert len(STATES) == 16 and {state for pair in STATES.values() for state in pair} == set(STATES)


def test_after_reset_the_chain_shows_both_idcodes_the_core_first() -> None:
    taps, _ = chain()
    moves(taps, "0")
    out = scan_dr(taps, 64, 0)
    assert out & 0xFFFFFFFF == CORE_IDCODE
    assert out >> 32 == BOUNDARY_SCAN_IDCODE


def test_bypass_is_one_bit_each_and_capture_ir_ends_in_01() -> None:
    taps, _ = chain()
    moves(taps, "0")
    assert scan_ir(taps, _BYPASS) == 0b00001_0001
    assert scan_dr(taps, 8, 0b1011) == 0b1011 << 2


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 0xFFFFFFFF)), min_size=1, max_size=8))
def test_words_written_through_the_access_port_are_read_back(writes: list[tuple[int, int]]) -> None:
    taps, words = powered()
    expected: dict[int, int] = {}
    for index, value in writes:
        access(taps, _APACC, 0x4, 0x20000000 + 4 * index)
        access(taps, _APACC, 0xC, value)
        expected[index] = value
    for index, value in expected.items():
        assert words.debug_read(0x20000000 + 4 * index, 4) == value
        access(taps, _APACC, 0x4, 0x20000000 + 4 * index)
        assert read(taps, _APACC, 0xC) == value


def test_the_address_increments_within_4_kb() -> None:
    taps, words = powered()
    words.data[0xFFC:0x1004] = b"\1\0\0\0\2\0\0\0"
    words.data[0:4] = b"\3\0\0\0"
    access(taps, _APACC, 0x0, 0x23000012)
    access(taps, _APACC, 0x4, 0x20000FFC)
    assert read(taps, _APACC, 0xC) == 1
    assert read(taps, _APACC, 0x4) == 0x20000000
    assert read(taps, _APACC, 0xC) == 3


def test_bytes_come_in_their_lane() -> None:
    taps, words = powered()
    access(taps, _APACC, 0x0, 0x23000010)  # 8 bits, increment
    access(taps, _APACC, 0x4, 0x20000002)
    access(taps, _APACC, 0xC, 0x00AB0000)
    access(taps, _APACC, 0xC, 0xCD000000)
    assert words.data[:4] == b"\0\0\xab\xcd"


def test_a_fault_is_sticky_until_cleared() -> None:
    taps, _ = powered()
    access(taps, _APACC, 0x4, 0x60000000)
    access(taps, _APACC, 0xC, None)
    assert read(taps, _DPACC, 0x4) >> 5 & 1
    access(taps, _APACC, 0x4, 0x20000000)  # is refused
    access(taps, _DPACC, 0x4, _POWER | 1 << 5)
    status = read(taps, _DPACC, 0x4)
    assert not status >> 5 & 1 and status >> 28 == 0xF
    assert read(taps, _APACC, 0x4) == 0x60000000
    access(taps, _APACC, 0xC, None)
    access(taps, _ABORT, 0x0, 1 << 2)
    assert not read(taps, _DPACC, 0x4) >> 5 & 1


def test_without_power_the_access_port_faults() -> None:
    words = Words()
    dap = Dap(words)
    dap.write_ap(0x4, 0x20000000)
    with pytest.raises(FaultError):
        dap.read_ap(0xC)
    dap.write_dp(0x0, 1 << 2)
    dap.write_dp(0x4, _POWER)
    assert dap.read_ap(0xC) == 0
