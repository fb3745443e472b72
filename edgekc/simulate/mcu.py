"""The whole chip: memory map, debug registers and reset around core and flash, for a debug port and a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from unicorn import arm_const as arm

from . import flash as flash_module
from . import system as s
from .core import PERIPHERALS, RAM, RAM_BYTES, REGISTERS, SYSTEM_MEMORY, SYSTEM_MEMORY_BYTES, Core
from .cuts import PowerCut
from .flash import BusError, Flash
from .jtag import BOUNDARY_SCAN_IDCODE, CORE_IDCODE

STM32F412 = 0x441  # DEV_ID of DBGMCU_IDCODE (RM0402, section 30.6.1)
_IDCODE, _UNIQUE_ID, _FLASH_SIZE = 0xE0042000, 0x1FFF7A10, 0x1FFF7A22
_USART3, _USART_BYTES = 0x40004800, 0x400  # wired to the debugger's serial port on the Nucleo-F412ZG (UM1974)
_USART_SR, _USART_DR = 0x00, 0x04
_RXNE, _TC, _TXE = 1 << 5, 1 << 6, 1 << 7

_C_DEBUGEN, _C_HALT, _C_STEP = 1, 2, 4
_S_REGRDY, _S_HALT, _S_LOCKUP, _S_RETIRE, _S_RESET = 1 << 16, 1 << 17, 1 << 19, 1 << 24, 1 << 25
_VC_CORERESET, _VC_HARDERR = 1, 1 << 10
_SYSRESETREQ = 1 << 2


@dataclass(frozen=True, slots=True)
class Chip:
    """Which chip it is, and what is wrong with it."""

    device_id: int = STM32F412
    core_idcode: int = CORE_IDCODE  # of the JTAG TAPs
    boundary_scan_idcode: int = BOUNDARY_SCAN_IDCODE
    flash_kb: int = 1024  # as the chip itself says
    protected: bool = False  # readout protection level 1
    write_protected_sectors: frozenset[int] = frozenset()
    stuck: dict[int, int] = field(default_factory=dict)  # flash address -> bits that read 0
    brownout_after: int | None = None  # instructions; then, once, it loses power for a moment
    flash_cut: int | None = None  # flash operations; then, once, it loses power within the next one


class Mcu:
    """The chip; `exact` as in Core."""

    def __init__(self, chip: Chip, *, exact: bool = True) -> None:
        self.flash = Flash(chip.stuck)
        self.system = s.System()
        self.core = Core(self, self.flash, self.system, exact=exact)
        self.chip = chip
        self._rom = _system_memory(chip)
        self.peripherals: dict[int, int] = {}  # registers that nothing here acts on: they read as written
        self.serial_in = bytearray()
        self.serial_out: Callable[[bytes], None] = lambda _: None
        self.enabled = self.halted = False  # debug; C_DEBUGEN and S_HALT
        self.control = 0  # the other bits of DHCSR
        self.reset_held = False  # the NRST pin
        self._sticky = 0
        self._brownout = chip.brownout_after
        self.flash.cut = None if chip.flash_cut is None else PowerCut(chip.flash_cut)
        self.flash.on_cut = self._lose_power
        if chip.protected:
            self.flash.option_bytes = self.flash.option_bytes & ~0xFF00 | 0x5500
        for sector in chip.write_protected_sectors:
            self.flash.option_bytes &= ~(1 << 16 + sector)
        self.reset()

    def power_cycle(self) -> None:
        """RAM and debug registers are lost, flash and option bytes stay."""
        self.system.words.clear()
        self.core.ram[:] = b"\xdb" * RAM_BYTES
        self.enabled = False
        self.control = 0
        self.flash.power_up()
        self.reset()

    def _lose_power(self) -> None:
        """Within an operation of the flash, which the program or a debugger began."""
        if self.core.active:
            self.core.stop("power")
        else:
            self.brown_out()

    def brown_out(self) -> None:
        """From any thread: power is lost for a moment, before the core next runs."""
        self._brownout = 0

    def reset(self) -> None:
        """A system reset: NRST or AIRCR. Debug logic keeps its state."""
        self.flash.reset()
        self.system.reset()
        self.peripherals.clear()
        self.serial_in.clear()
        self.core.reset()
        self._sticky |= _S_RESET
        self.halted = False
        self.control &= ~_C_HALT
        if self.enabled and self.system.words.get(s.DEMCR, 0) & _VC_CORERESET:
            self._halt(s.DFSR_VCATCH)

    def hold_reset(self, asserted: bool) -> None:
        """The NRST pin; the core starts when it is let go."""
        if asserted and not self.reset_held:
            self.reset()
        self.reset_held = asserted

    @property
    def running(self) -> bool:
        return not (self.halted or self.reset_held or self.core.lockup)

    def run(self, budget: int) -> None:
        """Lets the core run about that many instructions, if it runs at all."""
        if self._brownout is not None and self.system.cycles >= self._brownout:  # of a core that is halted, too
            self._brownout = None
            self.power_cycle()
            return
        if not self.running:
            return
        reason = self.core.run(budget)
        if reason:
            self._sticky |= _S_RETIRE
        self._stopped(reason)

    def _stopped(self, reason: str) -> None:
        if reason == "reset":
            self.reset()
        elif reason == "power":
            self.power_cycle()
        elif reason == "bkpt":
            if self.enabled:
                self._halt(s.DFSR_BKPT)
            else:
                self.core.fault("breakpoint")  # without a debugger BKPT is a fault

    def _halt(self, why: int) -> None:
        self.halted = True
        self.core.lockup = False  # what locked up would do so again
        self.control |= _C_HALT
        self.system.set_bits(s.DFSR, why)

    # The core's view.
    def debugger_attached(self) -> bool:
        return self.enabled

    def read(self, address: int, size: int) -> int:
        word = self._read_word(address & ~3)
        return word >> 8 * (address & 3) & (1 << 8 * size) - 1

    def write(self, address: int, size: int, value: int) -> None:
        if size < 4:
            shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
            value = self._peek(address & ~3) & ~(mask << shift) | (value & mask) << shift
        self._write_word(address & ~3, value & 0xFFFFFFFF)

    def _peek(self, address: int) -> int:
        """A peripheral's register for a partial write: without what reading it would do."""
        return self.peripherals.get(address, self.system.words.get(address, 0))

    def _read_word(self, address: int) -> int:
        if address == _IDCODE:
            return 0x30000000 | self.chip.device_id
        if flash_module.REGISTERS <= address < flash_module.REGISTERS + 0x400:
            return self.flash.read_register(address - flash_module.REGISTERS)
        if address == s.AIRCR or 0xE0000000 <= address < 0xE0042000 or address >= 0xE0043000:
            return self._read_system(address)
        if _USART3 <= address < _USART3 + _USART_BYTES:
            return self._read_usart(address - _USART3)
        return self.peripherals.get(address, 0)

    def _write_word(self, address: int, value: int) -> None:
        if flash_module.REGISTERS <= address < flash_module.REGISTERS + 0x400:
            offset = address - flash_module.REGISTERS
            self.flash.write_register(offset, value, debugger_attached=self.enabled)
        elif 0xE0000000 <= address < 0xE0042000 or address >= 0xE0043000:
            self._write_system(address, value)
        elif address == _USART3 + _USART_DR:
            self.serial_out(bytes([value & 0xFF]))
        else:
            self.peripherals[address] = value

    def _read_usart(self, offset: int) -> int:
        if offset == _USART_SR:
            return _TXE | _TC | (_RXNE if self.serial_in else 0)
        if offset == _USART_DR:
            return self.serial_in.pop(0) if self.serial_in else 0
        return self.peripherals.get(_USART3 + offset, 0)

    # Debug registers.
    def _read_system(self, address: int) -> int:
        if address == s.DHCSR:
            status, self._sticky = self._sticky, 0
            if not self.halted and self.running:
                status |= _S_RETIRE
            status |= _S_REGRDY | self.halted * _S_HALT | self.core.lockup * _S_LOCKUP
            return status | self.control | self.enabled
        if address == s.ICSR:
            return self.core.handler()
        return self.system.read(address)

    def _write_system(self, address: int, value: int) -> None:
        if address == s.DHCSR:
            if value >> 16 == 0xA05F and not self.core.active:  # a program cannot halt itself this way
                self._control_core(value)
        elif address == s.DCRSR:
            self._transfer_register(value)
        elif address == s.AIRCR:
            if value >> 16 == 0x05FA and value & _SYSRESETREQ:
                if self.core.active:
                    self.core.stop("reset")
                else:
                    self.reset()
        else:
            self.system.write(address, value)

    def _control_core(self, value: int) -> None:
        self.enabled = bool(value & _C_DEBUGEN)
        self.control = value & 0xE if self.enabled else 0
        if not self.enabled:
            self.halted = False
        elif value & _C_HALT:
            if not self.halted:
                self._halt(s.DFSR_HALTED)
        elif self.halted and value & _C_STEP:
            reason = self.core.step()
            self._sticky |= _S_RETIRE
            self._halt(s.DFSR_BKPT if reason == "bkpt" else s.DFSR_HALTED)
        else:
            self.halted = False

    def _transfer_register(self, selector: int) -> None:
        """DCRSR: one core register to or from DCRDR."""
        if not self.halted:
            return
        number = selector & 0x7F
        if selector >> 16 & 1:
            self._write_register(number, self.system.words.get(s.DCRDR, 0))
        else:
            self.system.words[s.DCRDR] = self._read_register(number)

    _SPECIAL = tuple(getattr(arm, f"UC_ARM_REG_{n}") for n in ("PRIMASK", "BASEPRI", "FAULTMASK", "CONTROL"))

    def _read_register(self, number: int) -> int:
        uc = self.core.uc
        if number == 15:
            return self.core.pc & ~1
        if number == 16:
            return int(uc.reg_read(arm.UC_ARM_REG_XPSR)) | 1 << 24
        if number < len(REGISTERS):
            return int(uc.reg_read(REGISTERS[number]))
        if number == 20:
            return sum((uc.reg_read(register) & 0xFF) << 8 * i for i, register in enumerate(self._SPECIAL))
        if number == 33:
            return int(uc.reg_read(arm.UC_ARM_REG_FPSCR))
        if 64 <= number < 96:
            return int(uc.reg_read(getattr(arm, f"UC_ARM_REG_S{number - 64}")))
        return 0

    def _write_register(self, number: int, value: int) -> None:
        uc = self.core.uc
        if number == 15:
            self.core.pc = value & ~1
        elif number == 16:
            uc.reg_write(arm.UC_ARM_REG_XPSR, value | 1 << 24)
            uc.reg_write(arm.UC_ARM_REG_IPSR, value & 0x1FF)
        elif number in (13, 17, 18):
            uc.reg_write(REGISTERS[number], value & ~3)
        elif number < len(REGISTERS):
            uc.reg_write(REGISTERS[number], value)
        elif number == 20:
            for i, register in enumerate(self._SPECIAL):
                uc.reg_write(register, value >> 8 * i & 0xFF)
        elif number == 33:
            uc.reg_write(arm.UC_ARM_REG_FPSCR, value)
        elif 64 <= number < 96:
            uc.reg_write(getattr(arm, f"UC_ARM_REG_S{number - 64}"), value)

    # The debugger's view: an address on the bus of the AHB access port.
    def debug_read(self, address: int, size: int) -> int:
        if self._is_peripheral(address):
            return self.read(address, size)
        return int.from_bytes(self._memory(address, size), "little")

    def debug_write(self, address: int, size: int, value: int) -> None:
        data = value.to_bytes(size, "little")
        if self._is_peripheral(address):
            self.write(address, size, value)
        elif RAM <= address < RAM + RAM_BYTES:
            self.core.ram[address - RAM : address - RAM + size] = data
            self.core.code_changed = True
        elif flash_module.BASE <= address < flash_module.BASE + flash_module.SIZE:
            self.flash.program(address, data, debugger_attached=True)
        else:
            raise BusError(f"0x{address:08x}")

    @staticmethod
    def _is_peripheral(address: int) -> bool:
        return any(base <= address < base + size for base, size in PERIPHERALS)

    def _memory(self, address: int, size: int) -> bytes:
        if RAM <= address < RAM + RAM_BYTES:
            return bytes(self.core.ram[address - RAM : address - RAM + size])
        if 0 <= address < flash_module.SIZE:
            address += flash_module.BASE
        if flash_module.BASE <= address < flash_module.BASE + flash_module.SIZE:
            return self.flash.read(address, size, debugger_attached=True)
        if SYSTEM_MEMORY <= address < SYSTEM_MEMORY + SYSTEM_MEMORY_BYTES:
            return self._rom[address - SYSTEM_MEMORY :][:size]
        raise BusError(f"0x{address:08x}")


def _system_memory(chip: Chip) -> bytes:
    """Boot loader and one-time bytes read 0xFF; flash size and unique number are real."""
    memory = bytearray(b"\xff" * SYSTEM_MEMORY_BYTES)
    at = _FLASH_SIZE - SYSTEM_MEMORY
    memory[at : at + 2] = chip.flash_kb.to_bytes(2, "little")
    at = _UNIQUE_ID - SYSTEM_MEMORY
    memory[at : at + 12] = b"EDGEKC SIM 1"
    return bytes(memory)
