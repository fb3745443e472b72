"""The registers of the private peripheral bus: SysTick, system control, breakpoints, counters, ROM table.

By the Armv7-M Architecture Reference Manual (DDI 0403E), B3 and C1, and the Cortex-M4 TRM (DDI 0439B).
Reads and writes of the debug registers that act on the core (DHCSR, DCRSR, AIRCR) are in mcu.py.
"""

from __future__ import annotations

from collections.abc import Iterator

CPUID_CORTEX_M4 = 0x410FC241

SYST_CSR, SYST_RVR, SYST_CVR, SYST_CALIB = range(0xE000E010, 0xE000E020, 4)
CPUID, ICSR, VTOR, AIRCR = 0xE000ED00, 0xE000ED04, 0xE000ED08, 0xE000ED0C
CFSR, HFSR, DFSR, BFAR = 0xE000ED28, 0xE000ED2C, 0xE000ED30, 0xE000ED38
DHCSR, DCRSR, DCRDR, DEMCR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC
DWT_CTRL, DWT_CYCCNT = 0xE0001000, 0xE0001004
FP_CTRL, FP_COMP0 = 0xE0002000, 0xE0002008
BREAKPOINTS = 6

DFSR_HALTED, DFSR_BKPT, DFSR_VCATCH = 1, 2, 8
_SYSTICK_PERIOD_MAX = 1 << 24
_TRCENA = 1 << 24
_WRITE_ONE_TO_CLEAR = (CFSR, HFSR, DFSR)


def _identity(page: int, peripheral: bytes, component_class: int) -> dict[int, int]:
    """The CoreSight identification registers at the end of a 4 KB page; peripheral: PIDR0 to PIDR4."""
    words = {page + 0xFE0 + 4 * i: byte for i, byte in enumerate(peripheral[:4])}
    words[page + 0xFD0] = peripheral[4]
    words.update({page + 0xFF0 + 4 * i: byte for i, byte in enumerate((0x0D, component_class << 4, 0x05, 0xB1))})
    return words


_ROM = 0xE00FF000
_FIXED = {
    CPUID: CPUID_CORTEX_M4,
    0xE000E004: 3,  # ICTR: 128 interrupt lines
    0xE000EF40: 0x10110021,  # MVFR0: single-precision FPU
    0xE000EF44: 0x11000011,
    DWT_CTRL: 0,  # no watchpoint comparators, the cycle counter is there
    **_identity(0xE000E000, b"\x0c\xb0\x0b\x00\x04", 0xE),
    **_identity(0xE0001000, b"\x02\xb0\x3b\x00\x04", 0xE),
    **_identity(0xE0002000, b"\x03\xb0\x2b\x00\x04", 0xE),
    **_identity(_ROM, b"\x41\x04\x0a\x00\x00", 0x1),  # STMicroelectronics, part 0x441
    # System control space, DWT, FPB; then the end of the table.
    _ROM: 0xFFF0F003,
    _ROM + 4: 0xFFF02003,
    _ROM + 8: 0xFFF03003,
    _ROM + 12: 0,
    _ROM + 0xFCC: 1,
}


class System:
    """What is left after a debugger's view of the core: plain registers, and two counters of the core's cycles.

    A cycle is an instruction here, counted when its block of code is entered.
    """

    def __init__(self) -> None:
        self.cycles = 0
        self.words: dict[int, int] = {}  # debug registers: survive a system reset
        self.counting_since: int | None = None  # DWT_CYCCNT runs
        self.cycle_count = 0
        self.reset()

    def reset(self) -> None:
        """A system reset: everything but the debug registers."""
        debug = (DFSR, DCRDR, DEMCR, FP_CTRL, *range(FP_COMP0, FP_COMP0 + 4 * BREAKPOINTS, 4))
        self.words = {address: value for address, value in self.words.items() if address in debug}
        self.words.update({0xE000ED14: 0x200, 0xE000ED88: 0})
        self.systick_control = self.systick_reload = 0
        self.systick_base = self.cycles  # when the counter was last 0
        self.systick_seen_wraps = 0
        self.systick_flag = False

    def read(self, address: int) -> int:
        if address == SYST_CSR:
            flag, self.systick_flag = self.systick_flag or self._systick_due(), False
            return self.systick_control | 1 << 2 | flag << 16
        if address == SYST_RVR:
            return self.systick_reload
        if address == SYST_CVR:
            return self._systick_value()
        if address == SYST_CALIB:
            return 0xC0000000
        if address == DWT_CTRL:
            return _FIXED[DWT_CTRL] | (self.counting_since is not None)
        if address == DWT_CYCCNT:
            return self._cyccnt()
        if address == AIRCR:
            return 0xFA050000
        if address == FP_CTRL:
            return self.words.get(FP_CTRL, 0) & 1 | BREAKPOINTS << 4
        if address in _FIXED:
            return _FIXED[address]
        return self.words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        if address == SYST_CSR:
            if value & 1 and not self.systick_control & 1:
                self._restart_systick()
            self.systick_control = value & 7
        elif address == SYST_RVR:
            self.systick_reload = value & (_SYSTICK_PERIOD_MAX - 1)
        elif address == SYST_CVR:
            self._restart_systick()
            self.systick_flag = False
        elif address == DWT_CTRL:
            self._run_cyccnt(bool(value & 1))
        elif address == DWT_CYCCNT:
            self.cycle_count = value
            if self.counting_since is not None:
                self.counting_since = self.cycles
        elif address in _WRITE_ONE_TO_CLEAR:
            self.words[address] = self.words.get(address, 0) & ~value
        elif address not in _FIXED:
            self.words[address] = value

    def set_bits(self, address: int, bits: int) -> None:
        """As the core itself sets status bits, which a write would clear."""
        self.words[address] = self.words.get(address, 0) | bits

    def _run_cyccnt(self, on: bool) -> None:
        self.cycle_count = self._cyccnt()
        self.counting_since = self.cycles if on and self.words.get(DEMCR, 0) & _TRCENA else None

    def _cyccnt(self) -> int:
        passed = 0 if self.counting_since is None else self.cycles - self.counting_since
        return self.cycle_count + passed & 0xFFFFFFFF

    # SysTick counts from reload down to 0, which is reload + 1 cycles; 0 is where a write of CVR puts it.
    def _restart_systick(self) -> None:
        self.systick_base, self.systick_seen_wraps = self.cycles, 0

    def _systick_passed(self) -> tuple[int, int]:
        """Whole periods since the counter was cleared, and cycles into this one."""
        if not self.systick_control & 1 or not self.systick_reload:
            return 0, 0
        return divmod(self.cycles - self.systick_base, self.systick_reload + 1)

    def _systick_value(self) -> int:
        into = self._systick_passed()[1]
        return self.systick_reload + 1 - into if into else 0

    def _systick_due(self) -> bool:
        return self._systick_passed()[0] > self.systick_seen_wraps

    def cycles_to_systick(self) -> int | None:
        """Until the next interrupt; None: it is off."""
        if self.systick_control & 3 != 3 or not self.systick_reload:
            return None
        if self._systick_due():
            return 0
        return self.systick_reload + 1 - self._systick_passed()[1]

    def take_systick(self) -> bool:
        """Whether the interrupt is pending; it no longer is afterwards."""
        if self.systick_control & 3 != 3 or not self._systick_due():
            return False
        self.systick_seen_wraps += 1
        self.systick_flag = True
        return True

    def breakpoints(self) -> Iterator[int]:
        """Addresses of the breakpoints that are on (FPB of Armv7-M, version 1)."""
        if not self.words.get(FP_CTRL, 0) & 1:
            return
        for i in range(BREAKPOINTS):
            value = self.words.get(FP_COMP0 + 4 * i, 0)
            if value & 1:
                word = value & 0x1FFFFFFC
                if value >> 30 & 1:
                    yield word
                if value >> 31:
                    yield word + 2
