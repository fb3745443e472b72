"""Turns boards/<name>/board.toml into a checked, frozen Board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import tables
from ..assets import BOARDS
from ..errors import BoardError
from ..files.toml_file import read_toml
from ..names import nearest
from ..terminal import styled
from .cores import CORES, Core
from .schema import BoardFile, Boot, ConsoleFile, FlashTool, Link, MemoryKind, MemorySpeed, ProbeFile, explain
from .slots import Slots, read_slots
from .uart import FAMILIES, Step, Uart, check_uart

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Memory:
    name: str
    kind: MemoryKind
    origin: int
    size_bytes: int
    speed: MemorySpeed | None  # None: the file does not say

    @property
    def end(self) -> int:
        return self.origin + self.size_bytes


@dataclass(frozen=True, slots=True)
class ChipId:
    """A word by which the chip says what it is: memory[address] & mask == value."""

    address: int
    mask: int
    value: int


@dataclass(frozen=True, slots=True)
class Probe:
    """How a program gets onto a real board."""

    tools: tuple[FlashTool, ...]  # in order of preference
    pyocd_target: str  # of `pyocd -t`; empty: pyocd has none
    pyocd_pack: bool  # that target is in a CMSIS pack, which `pyocd pack install` fetches
    openocd: tuple[str, ...]  # in order: files (*.cfg) of `openocd -f`, commands of `openocd -c`
    uf2_family: int | None
    uf2_board: str  # Board-ID in the drive's INFO_UF2.TXT; empty: not checked
    address: str  # user@host of ssh; empty: the user has to say
    chip_id: ChipId | None  # None: the tool's own check must do
    unlock: str  # what to do when the flash is locked


@dataclass(frozen=True, slots=True)
class Console:
    """How the program on the board talks."""

    links: tuple[Link, ...]  # in order of preference
    clock_hz: int  # of the core after reset, which the program leaves as it is
    uart: Uart | None  # for the link of that name


@dataclass(frozen=True, slots=True)
class BoardTiming:
    """How fast the board can run, for estimates."""

    clock_hz: int  # the highest of its core
    flash_wait_states: int | None  # at that clock; None: code lies behind something else than a flash with wait states
    source: str


@dataclass(frozen=True, slots=True)
class BoardPower:
    """What the chip takes while its core runs code from flash, peripherals off, for estimates."""

    run_ua_per_mhz: float  # typical, in microamperes for each MHz of the core
    supply_v: float
    source: str


@dataclass(frozen=True, slots=True)
class Board(tables.Shown):
    """What can be compiled for: a core, its memories, and how a program gets there and answers."""

    name: str
    description: str
    core: Core
    gcc_flags: tuple[str, ...]
    zig_flags: tuple[str, ...]
    memories: tuple[Memory, ...]  # first flash holds the program, first RAM the stack; empty on Linux
    emulators: tuple[str, ...]  # in order of preference: "qemu", "unicorn"
    machine: str | None  # qemu-system-* -M; None on Linux
    qemu_cpu: str | None  # -cpu; None: what the machine has
    systick_hz: int | None  # clock that SysTick counts, for instructions under -icount; RISC-V counts nanoseconds
    probe: Probe | None  # None: there is no such hardware, or edgekc cannot program it
    console: Console | None
    timing: BoardTiming | None  # None: an emulator's board, or one whose data sheet nobody read
    power: BoardPower | None  # None: as for timing
    slots: Slots | None  # for updates; None: nobody wrote down where
    boot: Boot
    library: str  # compiler target of the objects for an app; empty: the board is no library target
    source: str  # where the memory sizes come from
    note: str
    path: Path

    @property
    def features(self) -> frozenset[str]:
        """What the core executes beyond its base: dsp, mve, ..."""
        return self.core.features

    @property
    def flash(self) -> Memory:
        """The first region of flash, which holds the program; bare-metal boards have one."""
        return next(memory for memory in self.memories if memory.kind == "flash")

    @property
    def ram(self) -> Memory:
        """The first region of RAM, which holds the stack; bare-metal boards have one."""
        return next(memory for memory in self.memories if memory.kind == "ram")

    @property
    def vector_table_offset(self) -> bool:
        """Startup must tell the core where the vectors are: it looks at 0 after a reset (Cortex-M0 can do no other)."""
        return self.core.name != "cortex-m0" and self.flash.origin != 0

    @property
    def flash_tools(self) -> tuple[FlashTool, ...]:
        """What can program it; a board of qemu's is programmed through qemu's gdb server."""
        if self.probe is not None:
            return self.probe.tools
        return ("gdb",) if self.machine is not None else ()

    @property
    def reached(self) -> tuple[str, ...]:
        """All ways to run a program of this board: flash tools of the real one, then emulators."""
        library = ("library",) if self.library else ()
        return (*(self.probe.tools if self.probe is not None else ()), *library, *self.emulators)

    @property
    def flash_bytes(self) -> int | None:
        """Room for code and weights; None on Linux, where it is not the board's to say."""
        return self.flash.size_bytes if self.memories else None

    @property
    def ram_bytes(self) -> int | None:
        """The largest single RAM region, which bounds the arena; None on Linux."""
        return max((m.size_bytes for m in self.memories if m.kind == "ram"), default=None)

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc boards BOARD --json` prints."""
        return {
            "name": self.name,
            "description": self.description,
            "core": self.core.name,
            "features": sorted(self.features),
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "emulators": list(self.emulators),
            "flash_tools": list(self.flash_tools),
            "real": self.probe is not None,
            "source": self.source,
            "note": self.note,
        }

    def parts(self) -> list[tables.Part]:
        """All about it, a line each."""
        sheet = tables.Sheet(styled(self.name, "bold"), "", tables.words(""))
        sheet.add("what it is", self.description)
        features = " ".join(sorted(self.features))
        sheet.add("core", f"{self.core.name}{f', with {features}' if features else ''}")
        for m in self.memories:
            speed = f", {m.speed}" if m.speed else ""
            sheet.add(f"{m.kind} {m.name}", f"{tables.size(m.size_bytes)} bytes at 0x{m.origin:08x}{speed}")
        sheet.add("flash tools", " ".join(self.flash_tools) or "none")
        sheet.add("emulators", " ".join(self.emulators) or "none")
        if self.console is not None:
            sheet.add("console over", " ".join(self.console.links))
        sheet.add("a real board", "yes" if self.probe is not None else "no, or edgekc cannot program it")
        for title, text in (("sizes from", self.source), ("note", self.note)):
            if text:
                sheet.add(title, text)
        return [sheet]


def list_boards() -> list[str]:
    """Names of the boards that come with edgekc, sorted."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))


def load_board(name_or_path: str | Path) -> Board:
    """The board of that name, or the one described by that board.toml (or the folder that holds it).

    Raises:
        BoardError: no such board, or its file is wrong; names file, key and what was expected.
    """
    text = str(name_or_path)
    bundled = BOARDS / text / "board.toml"
    if not ("/" in text or "\\" in text or text.endswith(".toml")) and bundled.is_file():
        return _read(bundled)
    path = Path(name_or_path)
    path = path / "board.toml" if path.is_dir() else path
    if path.is_file():
        return _read(path)
    names = list_boards()
    fix = nearest(text, names, most=len(names))
    raise BoardError(f"no board is called '{text}', and no such file exists", fix=fix)


def _read(path: Path) -> Board:
    data = read_toml(path, BoardError)
    if data.get("schema", SCHEMA) != SCHEMA:
        raise BoardError(
            f"key schema: expected {SCHEMA}, got {data['schema']!r}",
            where=str(path),
            fix="write the file for this version of edgekc, or install the edgekc that reads it",
        )
    try:
        file = BoardFile.model_validate(data)
    except ValidationError as error:
        raise BoardError(explain(error), where=str(path)) from error
    if file.core not in CORES:
        raise BoardError(
            f"key core: unknown core '{file.core}'",
            where=str(path),
            fix=nearest(file.core, sorted(CORES), most=len(CORES)),
        )
    core = CORES[file.core]
    memories = tuple(Memory(m.name, m.kind, m.origin, m.size_bytes, m.speed) for m in file.memory)
    _check_memories(memories, core, path)
    if file.updates is not None and not memories:
        raise BoardError("key updates: there is no flash that edgekc places", where=str(path))
    _check_emulators(file, core, path)
    _check_probe(file, core, path)
    return Board(
        name=file.name,
        description=file.description,
        core=core,
        gcc_flags=core.gcc_flags if file.gcc_flags is None else tuple(file.gcc_flags),
        zig_flags=core.zig_flags if file.zig_flags is None else tuple(file.zig_flags),
        memories=memories,
        emulators=tuple(file.emulators),
        machine=file.qemu.machine,
        qemu_cpu=file.qemu.cpu,
        systick_hz=file.qemu.systick_hz,
        probe=None if file.probe is None else _probe(file.probe),
        console=None if file.console is None else _console(file.console, str(path)),
        timing=None if file.timing is None else BoardTiming(**file.timing.model_dump()),
        power=None if file.power is None else BoardPower(**file.power.model_dump()),
        slots=None if file.updates is None else read_slots(file.updates, memories, str(path)),
        boot=file.boot,
        library=file.library,
        source=file.source,
        note=file.note,
        path=path,
    )


def _probe(file: ProbeFile) -> Probe:
    chip = file.chip_id
    return Probe(
        tools=tuple(file.tools),
        pyocd_target=file.pyocd,
        pyocd_pack=file.pyocd_pack,
        openocd=tuple(file.openocd),
        uf2_family=file.uf2_family,
        uf2_board=file.uf2_board,
        address=file.address,
        chip_id=None if chip is None else ChipId(chip.address, chip.mask, chip.value),
        unlock=file.unlock,
    )


def _console(file: ConsoleFile, where: str) -> Console:
    if "uart" in file.links and file.uart is None:
        raise BoardError("key console.uart: missing; links lists 'uart'", where=where)
    if file.uart is None:
        return Console(tuple(file.links), file.clock_hz, None)
    if file.uart.family not in FAMILIES:
        raise BoardError(
            f"key console.uart.family: unknown family '{file.uart.family}'",
            where=where,
            fix=nearest(file.uart.family, sorted(FAMILIES)),
        )
    steps = tuple(Step(s.at, s.clear, s.set, s.write, s.until) for s in file.uart.setup)
    uart = Uart(file.uart.family, file.uart.base, file.uart.clock_hz, file.uart.baud, file.uart.pins, steps)
    check_uart(uart, where)
    return Console(tuple(file.links), file.clock_hz, uart)


def _check_memories(memories: Sequence[Memory], core: Core, path: Path) -> None:
    where = str(path)
    if core.system != "bare":
        if memories:
            raise BoardError(f"key memory: {core.name} runs Linux or an app, which place memory itself", where=where)
        return
    for kind in ("flash", "ram"):
        if not any(memory.kind == kind for memory in memories):
            raise BoardError(f"key memory: expected at least one region of kind '{kind}', found none", where=where)
    names = [memory.name for memory in memories]
    for name in names:
        if names.count(name) > 1:
            raise BoardError(f"key memory: two regions are called '{name}'", where=where)
    ordered = sorted(memories, key=lambda memory: memory.origin)
    for low, high in pairwise(ordered):
        if low.end > high.origin:
            raise BoardError(
                f"key memory: regions '{low.name}' (0x{low.origin:08x}..0x{low.end - 1:08x}) and "
                f"'{high.name}' (from 0x{high.origin:08x}) overlap",
                where=where,
            )
    for memory in memories:
        if memory.origin % 32:
            raise BoardError(
                f"key memory: region '{memory.name}' starts at 0x{memory.origin:08x}; expected a multiple of 32",
                where=where,
            )


def _check_emulators(file: BoardFile, core: Core, path: Path) -> None:
    where = str(path)
    if "unicorn" in file.emulators and core.unicorn_model is None:
        raise BoardError(f"key emulators: unicorn has no {core.name}", where=where, fix="use 'qemu'")
    if "qemu" in file.emulators and core.system == "bare" and file.qemu.machine is None:
        raise BoardError("key qemu.machine: missing; emulators lists 'qemu'", where=where)
    if core.system == "linux" and file.qemu.machine is not None:
        raise BoardError(f"key qemu.machine: {core.name} runs under user-mode qemu", where=where)


def _check_probe(file: BoardFile, core: Core, path: Path) -> None:
    where, probe = str(path), file.probe
    remote = {"ssh", "adb"}
    if probe is not None:
        for tool in probe.tools:
            if (tool in remote) != (core.system == "linux"):
                raise BoardError(f"key probe.tools: {tool} cannot program {core.name}", where=where)
        for tool, key, value in (
            ("pyocd", "pyocd", probe.pyocd),
            ("openocd", "openocd", probe.openocd),
            ("uf2", "uf2_family", probe.uf2_family),
        ):
            if tool in probe.tools and not value and value != 0:
                raise BoardError(f"key probe.{key}: missing; tools lists '{tool}'", where=where)
    if (core.system == "library") > bool(file.library):
        raise BoardError(f"key library: missing; programs for {core.name} are part of an app", where=where)
    if core.system == "library" and (probe is not None or file.emulators):
        raise BoardError(f"key core: {core.name} is a library's; nothing can run it", where=where)
    if file.boot != "plain" and core.system == "linux":
        raise BoardError(f"key boot: {core.name} runs Linux, which starts programs itself", where=where)
