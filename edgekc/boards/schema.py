"""What a board.toml may say: its tables and keys, and the errors of one that says anything else on one line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..names import nearest

MemoryKind = Literal["flash", "ram"]
# How fast the core reads it: tightly coupled (no wait states), on-chip SRAM, on-chip flash, or off the chip.
MemorySpeed = Literal["tcm", "sram", "flash", "external"]
FlashTool = Literal["pyocd", "openocd", "stlink", "uf2", "ssh", "adb", "gdb"]
Link = Literal["rtt", "uart", "semihosting"]
# What lies before or behind the vector table: nothing, a second-stage loader with its checksum, or an image definition.
Boot = Literal["plain", "rp2040", "rp2350", "rp2350-riscv"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MemoryFile(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="of the region, for reports and errors")]
    kind: Annotated[
        MemoryKind,
        Field(description="the first region of kind `flash` holds the program, the first of kind `ram` the stack"),
    ]
    origin: Annotated[int, Field(ge=0, lt=2**32, description="its first address, a multiple of 32")]
    size_bytes: Annotated[int, Field(gt=0, le=2**32, description="its size in bytes; regions must not overlap")]
    speed: Annotated[
        MemorySpeed | None,
        Field(description="how fast the core reads it: tightly coupled, on the chip, or off it; left out: not known"),
    ] = None

    @model_validator(mode="after")
    def _fits_the_address_space(self) -> MemoryFile:
        if self.origin + self.size_bytes > 2**32:
            raise ValueError("origin + size_bytes lies beyond the 32-bit address space")
        return self


class QemuFile(_Strict):
    machine: Annotated[
        str | None,
        Field(
            description="`-M` of `qemu-system-*`; needed for bare metal where `emulators` has qemu, and not for Linux"
        ),
    ] = None
    cpu: Annotated[str | None, Field(description="`-cpu` of qemu; left out, the machine's own")] = None
    systick_hz: Annotated[
        Annotated[int, Field(gt=0)] | None,
        Field(description="clock that SysTick counts in qemu, by which instructions are counted"),
    ] = None


_Word = Annotated[int, Field(ge=0, lt=2**32)]


class ChipIdFile(_Strict):
    address: Annotated[_Word, Field(description="where the word is read")]
    mask: Annotated[_Word, Field(description="bits that are compared; by default all")] = 0xFFFFFFFF
    value: Annotated[_Word, Field(description="what the masked word must be")]


class ProbeFile(_Strict):
    tools: Annotated[
        list[FlashTool],
        Field(
            min_length=1,
            description="what programs the board, in order of preference; ssh and adb for Linux, others for bare metal",
        ),
    ]
    pyocd: Annotated[str, Field(description="target of `pyocd -t`; needed where `tools` has pyocd")] = ""
    pyocd_pack: Annotated[
        bool, Field(description="whether that target is in a CMSIS pack, which `pyocd pack install` fetches")
    ] = False
    openocd: Annotated[
        list[str], Field(description="files and commands of OpenOCD, in order; needed where `tools` has openocd")
    ] = []
    uf2_family: Annotated[_Word | None, Field(description="family of the UF2 file; needed where `tools` has uf2")] = (
        None
    )
    uf2_board: Annotated[
        str, Field(description="Board-ID in the drive's INFO_UF2.TXT; left out, it is not checked")
    ] = ""
    address: Annotated[str, Field(description="user@host of ssh; left out, `--probe` says it")] = ""
    chip_id: Annotated[
        ChipIdFile | None,
        Field(description="a word by which the chip says what it is; left out, the tool's own check must do"),
    ] = None
    unlock: Annotated[str, Field(description="what a person does when the flash is locked; the error says it")] = ""


class StepFile(_Strict):
    at: Annotated[_Word, Field(description="address of a register, a multiple of 4")]
    clear: Annotated[_Word, Field(description="bits to clear; `set` may stand beside it")] = 0
    set: Annotated[_Word, Field(description="bits to set")] = 0
    write: Annotated[_Word | None, Field(description="instead: word to write")] = None
    until: Annotated[_Word | None, Field(description="instead: bits to wait for")] = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> StepFile:
        if (self.write is not None) + (self.until is not None) + bool(self.clear or self.set) != 1:
            raise ValueError("expected one of: write; until; clear and set")
        if self.at % 4:
            raise ValueError(f"at: expected a multiple of 4, got 0x{self.at:08x}")
        return self


class UartFile(_Strict):
    family: Annotated[str, Field(description="registers of the serial port, one of the families below")]
    base: Annotated[_Word, Field(description="address of its registers")]
    clock_hz: Annotated[int, Field(gt=0, description="clock of its baud rate generator, after `setup`")]
    baud: Annotated[
        int, Field(gt=0, description="baud rate of the console; it must be within 3 % of what the clock gives")
    ] = 115200
    pins: Annotated[str, Field(description="what a person connects, for who reads the file")] = ""
    setup: Annotated[
        list[StepFile], Field(description="words that switch on clock and pins after a reset, in order")
    ] = []


class ConsoleFile(_Strict):
    links: Annotated[
        list[Link], Field(min_length=1, description="how the program on the board talks, in order of preference")
    ]
    clock_hz: Annotated[
        int, Field(gt=0, description="the core's clock after a reset, which the program leaves as it is")
    ]
    uart: Annotated[UartFile | None, Field(description="the serial port; needed where `links` has uart")] = None


class TimingFile(_Strict):
    clock_hz: Annotated[
        int, Field(gt=0, description="the highest clock of the core; estimated milliseconds come from it")
    ]
    flash_wait_states: Annotated[
        Annotated[int, Field(ge=0, le=15)] | None,
        Field(description="of the flash at that clock; left out where code lies behind something else"),
    ] = None
    source: Annotated[str, Field(min_length=1, description="document that says so")]


class PowerFile(_Strict):
    run_ua_per_mhz: Annotated[
        float,
        Field(
            gt=0,
            le=10_000,
            description="typical current with code in flash and peripherals off, in microamperes per MHz",
        ),
    ]
    supply_v: Annotated[float, Field(gt=0, le=12, description="supply in volts")]
    source: Annotated[str, Field(min_length=1, description="document that says so")]


class SlotFile(_Strict):
    at: Annotated[_Word, Field(description="address of the slot, a multiple of 32")]
    first_sector: Annotated[int, Field(ge=0, le=255, description="number of its first sector")]
    sectors: Annotated[int, Field(ge=1, le=255, description="how many it consists of")] = 1


class UpdatesFile(_Strict):
    family: Annotated[str, Field(description="controller of the flash, one of the families below")]
    slot_bytes: Annotated[int, Field(gt=1024, multiple_of=32, description="of each slot, of which a head takes 1024")]
    slots: Annotated[list[SlotFile], Field(min_length=2, max_length=2, description="the two slots")]
    source: Annotated[str, Field(min_length=1, description="document that says so")]


class BoardFile(_Strict):
    schema_version: Annotated[Literal[1], Field(alias="schema", description="of these keys")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="of the board, in reports and folders")]
    description: Annotated[str, Field(min_length=1, description="the board and its chip, for people")]
    core: Annotated[str, Field(description="one of the cores below; it says which kernels and compiler flags serve")]
    emulators: Annotated[
        list[Literal["qemu", "unicorn"]],
        Field(description="what runs its programs here, in order of preference; empty if nothing does"),
    ]
    gcc_flags: Annotated[list[str] | None, Field(description="flags for gcc in place of the core's")] = None
    zig_flags: Annotated[list[str] | None, Field(description="flags for `zig cc` in place of the core's")] = None
    memory: Annotated[
        list[MemoryFile],
        Field(description="regions of memory; bare metal needs one of flash and one of RAM, Linux has none"),
    ] = []
    qemu: Annotated[QemuFile, Field(description="how qemu runs it")] = QemuFile()
    probe: Annotated[
        ProbeFile | None, Field(description="how a program gets onto the real board; left out where there is none")
    ] = None
    console: Annotated[ConsoleFile | None, Field(description="how the program on the board talks")] = None
    timing: Annotated[TimingFile | None, Field(description="how fast the board can run, for estimates")] = None
    power: Annotated[PowerFile | None, Field(description="what the chip takes, for estimates")] = None
    updates: Annotated[
        UpdatesFile | None, Field(description="where updates of the network go; left out where nobody wrote it down")
    ] = None
    boot: Annotated[Boot, Field(description="what the boot ROM needs around the vector table")] = "plain"
    library: Annotated[
        str, Field(description="compiler target of objects for an app; needed where the core is a library's")
    ] = ""
    source: Annotated[str, Field(description="where the sizes of the memories come from")] = ""
    note: Annotated[str, Field(description="what else a person should know; `edgekc boards` shows it")] = ""


_TABLES: dict[str, type[_Strict]] = {
    "qemu": QemuFile,
    "probe": ProbeFile,
    "probe.chip_id": ChipIdFile,
    "console": ConsoleFile,
    "console.uart": UartFile,
    "console.uart.setup": StepFile,
    "timing": TimingFile,
    "power": PowerFile,
    "updates": UpdatesFile,
    "updates.slots": SlotFile,
}


def explain(error: ValidationError) -> str:
    """All of a file's errors on one line: `key memory.0.origin: expected an integer, got 'x'`."""
    lines = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"]) or "(file)"
        lines.append(f"key {key}: {_expectation(detail['type'], detail['msg'], detail['input'], key)}")
    return "; ".join(lines)


def _expectation(kind: str, message: str, value: Any, key: str) -> str:
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in BoardFile.model_fields.items()]
        if key.startswith("memory."):
            known = list(MemoryFile.model_fields)
        for table, fields in _TABLES.items():  # the longest that matches comes last
            if key.startswith(table + "."):
                known = list(fields.model_fields)
        return f"unknown key; {nearest(key.rpartition('.')[2], known)}"
    if kind == "missing":
        return "missing"
    shown = repr(value)
    return f"{message[:1].lower()}{message[1:]}, got {shown if len(shown) <= 60 else shown[:57] + '...'}"
