"""What a board.toml may say: its tables and keys, and the errors of one that says anything else on one line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: MemoryKind
    origin: Annotated[int, Field(ge=0, lt=2**32)]
    size_bytes: Annotated[int, Field(gt=0, le=2**32)]
    speed: MemorySpeed | None = None

    @model_validator(mode="after")
    def _fits_the_address_space(self) -> MemoryFile:
        if self.origin + self.size_bytes > 2**32:
            raise ValueError("origin + size_bytes lies beyond the 32-bit address space")
        return self


class QemuFile(_Strict):
    machine: str | None = None
    cpu: str | None = None
    systick_hz: Annotated[int, Field(gt=0)] | None = None


_Word = Annotated[int, Field(ge=0, lt=2**32)]


class ChipIdFile(_Strict):
    address: _Word
    mask: _Word = 0xFFFFFFFF
    value: _Word


class ProbeFile(_Strict):
    tools: Annotated[list[FlashTool], Field(min_length=1)]
    pyocd: str = ""
    pyocd_pack: bool = False
    openocd: list[str] = []
    uf2_family: _Word | None = None
    uf2_board: str = ""
    address: str = ""
    chip_id: ChipIdFile | None = None
    unlock: str = ""


class StepFile(_Strict):
    at: _Word
    clear: _Word = 0
    set: _Word = 0
    write: _Word | None = None
    until: _Word | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> StepFile:
        if (self.write is not None) + (self.until is not None) + bool(self.clear or self.set) != 1:
            raise ValueError("expected one of: write; until; clear and set")
        if self.at % 4:
            raise ValueError(f"at: expected a multiple of 4, got 0x{self.at:08x}")
        return self


class UartFile(_Strict):
    family: str
    base: _Word
    clock_hz: Annotated[int, Field(gt=0)]
    baud: Annotated[int, Field(gt=0)] = 115200
    pins: str = ""
    setup: list[StepFile] = []


class ConsoleFile(_Strict):
    links: Annotated[list[Link], Field(min_length=1)]
    clock_hz: Annotated[int, Field(gt=0)]
    uart: UartFile | None = None


class TimingFile(_Strict):
    clock_hz: Annotated[int, Field(gt=0)]
    flash_wait_states: Annotated[int, Field(ge=0, le=15)] | None = None
    source: Annotated[str, Field(min_length=1)]


class PowerFile(_Strict):
    run_ua_per_mhz: Annotated[float, Field(gt=0, le=10_000)]
    supply_v: Annotated[float, Field(gt=0, le=12)]
    source: Annotated[str, Field(min_length=1)]


class BoardFile(_Strict):
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    description: Annotated[str, Field(min_length=1)]
    core: str
    emulators: list[Literal["qemu", "unicorn"]]
    gcc_flags: list[str] | None = None
    zig_flags: list[str] | None = None
    memory: list[MemoryFile] = []
    qemu: QemuFile = QemuFile()
    probe: ProbeFile | None = None
    console: ConsoleFile | None = None
    timing: TimingFile | None = None
    power: PowerFile | None = None
    boot: Boot = "plain"
    library: str = ""
    source: str = ""
    note: str = ""


_TABLES: dict[str, type[_Strict]] = {
    "qemu": QemuFile,
    "probe": ProbeFile,
    "probe.chip_id": ChipIdFile,
    "console": ConsoleFile,
    "console.uart": UartFile,
    "console.uart.setup": StepFile,
    "timing": TimingFile,
    "power": PowerFile,
}


def nearest(word: str, known: Sequence[str]) -> str:
    """What to say about a wrong word."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else "use one of: " + ", ".join(known)


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
