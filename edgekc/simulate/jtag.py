"""The JTAG chain of an STM32F412: levels of TMS and TDI in, TDO out, and behind it the debug port.

TAP controller by IEEE 1149.1; the JTAG-DP by ARM IHI 0031, chapter 3; the chain by RM0402, section 30.6.
"""

from __future__ import annotations

from .dap import Dap, FaultError

CORE_IDCODE = 0x4BA00477
BOUNDARY_SCAN_IDCODE = 0x06441041

# State -> next state with TMS 0 and with TMS 1.
STATES = {
    "reset": ("idle", "reset"),
    "idle": ("idle", "select-dr"),
    "select-dr": ("capture-dr", "select-ir"),
    "capture-dr": ("shift-dr", "exit1-dr"),
    "shift-dr": ("shift-dr", "exit1-dr"),
    "exit1-dr": ("pause-dr", "update-dr"),
    "pause-dr": ("pause-dr", "exit2-dr"),
    "exit2-dr": ("shift-dr", "update-dr"),
    "update-dr": ("idle", "select-dr"),
    "select-ir": ("capture-ir", "reset"),
    "capture-ir": ("shift-ir", "exit1-ir"),
    "shift-ir": ("shift-ir", "exit1-ir"),
    "exit1-ir": ("pause-ir", "update-ir"),
    "pause-ir": ("pause-ir", "exit2-ir"),
    "exit2-ir": ("shift-ir", "update-ir"),
    "update-ir": ("idle", "select-dr"),
}
_ABORT, _DPACC, _APACC, _IDCODE = 0x8, 0xA, 0xB, 0xE
_OK, _WAIT = 0b010, 0b001


class Chain:
    """Two TAPs in series: TDI, boundary scan (5 bits of instruction), core (4 bits), TDO."""

    def __init__(self, dap: Dap, *, core_idcode: int, boundary_scan_idcode: int) -> None:
        self.dap = dap
        self.idcodes = core_idcode, boundary_scan_idcode
        self.state = "reset"
        self._reset()
        self.shift = self.bits = 0  # both TAPs' registers as one, the core's in the low bits
        self._answer = _OK  # to the scan before, with its data
        self._data = 0

    def _reset(self) -> None:
        self.instruction, self.boundary_bypassed = _IDCODE, False

    @property
    def tdo(self) -> int:
        return self.shift & 1 if self.state.startswith("shift") else 1

    def clock(self, tms: int, tdi: int) -> None:
        """One rising edge of TCK."""
        state = self.state
        if state in ("shift-dr", "shift-ir"):
            self.shift = self.shift >> 1 | tdi << self.bits - 1
        elif state == "capture-dr":
            self._capture_dr()
        elif state == "capture-ir":
            self.shift, self.bits = 0b00001_0001, 9
        self.state = STATES[state][tms]
        if self.state == "update-dr":
            self._update_dr()
        elif self.state == "update-ir":
            self.instruction, self.boundary_bypassed = self.shift & 0xF, self.shift >> 4 != 0b00001
        elif self.state == "reset":
            self._reset()

    def test_reset(self) -> None:
        """TRST."""
        self.state = "reset"
        self._reset()

    def _core_bits(self) -> int:
        return {_ABORT: 35, _DPACC: 35, _APACC: 35, _IDCODE: 32}.get(self.instruction, 1)

    def _capture_dr(self) -> None:
        low_bits = self._core_bits()
        if self.instruction == _IDCODE:
            low = self.idcodes[0]
        elif low_bits == 35:
            # A fault is not in the answer of a JTAG-DP; the debugger looks at CTRL/STAT.
            low = self._data << 3 | self._answer
        else:
            low = 0
        high, high_bits = (0, 1) if self.boundary_bypassed else (self.idcodes[1], 32)
        self.shift, self.bits = low | high << low_bits, low_bits + high_bits

    def _update_dr(self) -> None:
        if self._core_bits() != 35:
            return
        word = self.shift & (1 << 35) - 1
        read, address, value = word & 1, (word >> 1 & 3) << 2, word >> 3
        if self.instruction == _ABORT:
            self.dap.abort(value)
            return
        self._data, self._answer = 0, _OK
        try:
            if self.instruction == _DPACC:
                if not read:
                    self.dap.write_dp(address, value, jtag=True)
                else:
                    # RDBUFF reads 0 on a JTAG-DP: a posted result comes with the scan after it.
                    self._data = self.dap.read_dp(address) if address != 0xC else 0
            elif read:
                self._data = self.dap.read_ap(address)
            else:
                self.dap.write_ap(address, value)
        except FaultError:
            pass
