"""What the kernels' assembly counts on, in the objects of every compiler and level, and in the sources."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from edgekc.assets import RUNTIME_C
from edgekc.boards.board import load_board
from edgekc.boards.cores import CORES
from edgekc.firmware.toolchain import zig_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources

LEVELS = ("-O0", "-Og", "-O1", "-Os", "-O2", "-O3")
# Kernels by the ends of their files' names, and cores that run them.
CORES_OF = {"_dsp": ("cortex-m4f",), "_mve": ("cortex-m55",), "_mul2": ("cortex-m0plus", "cortex-m3")}
CLANG_TARGETS = {
    "cortex-m0plus": ("--target=thumbv6m-none-eabi", "-mcpu=cortex-m0plus"),
    "cortex-m3": ("--target=thumbv7m-none-eabi", "-mcpu=cortex-m3"),
    "cortex-m4f": ("--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4"),
    "cortex-m55": ("--target=thumbv8.1m.main-none-eabihf", "-mcpu=cortex-m55"),
}
ZIG_BOARDS = {  # one of each core
    "cortex-m0plus": "m0plus-an385",
    "cortex-m3": "mps2-an385",
    "cortex-m4f": "mps2-an386",
    "cortex-m55": "mps3-an547",
}
CLANGS = ("clang-16", "clang-19")
# Functions lie close together, and switches have no tables, which would be addressed by `adr` too.
FLAGS = ("-std=c99", "-falign-functions=1", "-fno-jump-tables", "-ffreestanding")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
ADR = re.compile(r"\t(?:adr|(?:add|sub)\S*\t\w+, pc\b)")  # objdump writes `adr` as what it adds to the program counter
LITERAL = re.compile(r"\tv?ldr\S*\t[^\n]*\[pc")
FUNCTION = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")


def compiler_of(family: str, core: str) -> tuple[str, ...]:
    """The first words of a command; skips the test where the compiler is absent."""
    headers = ("-isystem", str(RUNTIME_C / "port" / "freestanding"))  # memcpy and memset, where there is no C library
    if family == "zig":
        zig = zig_compiler(load_board(ZIG_BOARDS[core]))
        if zig is None:
            pytest.skip("ziglang is not installed")
        return (*zig.command, *headers)
    name = "arm-none-eabi-gcc" if family == "gcc" else family
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    if family == "gcc":
        return (name, *CORES[core].gcc_flags)
    return (name, *CLANG_TARGETS[core], *headers)


def kernels(ending: str, *, only_jumps: bool = False) -> list[Path]:
    """Kernels with that ending; or those of them alone whose assembly takes addresses of its own code."""
    found = [path for path in kernel_sources() if path.stem.endswith(ending)]
    return [path for path in found if re.search(r'"adr', path.read_text())] if only_jumps else found


def objects(command: tuple[str, ...], sources: list[Path], out: Path, *flags: str) -> list[Path]:
    """All sources compiled; a warning fails the test."""
    out.mkdir(parents=True, exist_ok=True)
    # zig takes one source at a time.
    for group in [[source] for source in sources] if "cc" in command else [sources]:
        to = ("-o", str(out / f"{group[0].stem}.o")) if len(group) == 1 else ()
        done = subprocess.run(
            [*command, *FLAGS, *WARNINGS, *flags, *INCLUDE_FLAGS, "-c", *map(str, group), *to],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:4000]
    return [out / f"{source.stem}.o" for source in sources]


def functions(path: Path) -> Iterator[tuple[str, str, int, str]]:
    """Section, name, offset in the section and listing of each function of an object."""
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(path)], capture_output=True, text=True, check=True
    ).stdout
    for part in listing.split("Disassembly of section ")[1:]:
        section, body = part.split(":\n", 1)
        name, offset, lines = "", 0, [""]
        for line in body.splitlines():
            if start := FUNCTION.match(line):
                if name:
                    yield section, name, offset, "\n".join(lines)
                name, offset, lines = start[2], int(start[1], 16), []
            lines.append(line)
        yield section, name, offset, "\n".join(lines)


def misplaced(path: Path) -> tuple[list[str], bool]:
    """Functions that count from the program counter and need not lie at a multiple of 4; and whether any has `adr`."""
    with path.open("rb") as file:
        alignment = {section.name: section["sh_addralign"] for section in ELFFile(file).iter_sections()}
    found, any_jumps = [], False
    for section, name, offset, listing in functions(path):
        jumps, loads = bool(ADR.search(listing)), bool(LITERAL.search(listing))
        any_jumps |= jumps
        # The compiler places its own literals; assembly's addresses hold only if the function itself is aligned.
        if (jumps or loads) and (alignment[section] % 4 or (jumps and offset % 4)):
            found.append(f"{path.name}: {name} at {offset} of {section}, aligned to {alignment[section]}")
    return found, any_jumps


def check(family: str, level: str, out: Path, *, only_jumps: bool) -> None:
    """Each function that counts from the program counter lies where it must, and every such source was seen."""
    if shutil.which("arm-none-eabi-objdump") is None:
        pytest.skip("arm-none-eabi-objdump is not installed")
    wrong, seen = [], set()
    for ending, cores in CORES_OF.items():
        sources = kernels(ending, only_jumps=only_jumps)
        for core in cores if sources else ():
            command = compiler_of(family, core)
            # A section of its own shows what each function asks for; in one with others it may lie well by luck.
            for path in objects(command, sources, out / core, level, "-ffunction-sections"):
                found, any_jumps = misplaced(path)
                wrong += found
                seen |= {path.stem} if any_jumps else set()
    assert wrong == []
    assert seen >= {path.stem for ending in CORES_OF for path in kernels(ending, only_jumps=True)}


@pytest.mark.parametrize("level", ["-O0", "-Os"])
def test_code_that_counts_from_the_program_counter_is_aligned(tmp_path: Path, level: str) -> None:
    check("gcc", level, tmp_path, only_jumps=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "level"),
    [("gcc", level) for level in LEVELS]
    + [(family, level) for family in CLANGS for level in ("-O0", "-Os", "-O2")]
    + [("zig", "-Os")],
)
def test_every_kernel_by_every_compiler(tmp_path: Path, family: str, level: str) -> None:
    """No warning, no want of registers, and aligned."""
    check(family, level, tmp_path, only_jumps=False)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2"])
def test_assembly_leaves_registers_for_a_frame_and_a_base(tmp_path: Path, level: str) -> None:
    """A frame pointer and position-independent code take one register each from inline assembly."""
    for ending, cores in CORES_OF.items():
        for core in cores:
            flags = (level, "-fno-omit-frame-pointer", "-fPIC")
            objects(compiler_of("gcc", core), kernels(ending), tmp_path / core, *flags)


def test_a_misplaced_function_is_seen(tmp_path: Path) -> None:
    """The checks above would find it: without the alignment that EK_NAKED gives, -Os puts it anywhere."""
    if shutil.which("arm-none-eabi-objdump") is None:
        pytest.skip("arm-none-eabi-objdump is not installed")
    source = tmp_path / "jump.c"
    body = '{ __asm__ volatile("adr r0, 1f\\n\\tbx lr\\n1:\\tbx lr"); }\n'
    source.write_text(
        "void first(void);\nvoid first(void) {}\n"
        f"void loose(void);\n__attribute__((naked)) void loose(void) {body}"
        f'#include "ek_naked.h"\nvoid kept(void);\nEK_NAKED void kept(void) {body}'
    )
    (path,) = objects(compiler_of("gcc", "cortex-m4f"), [source], tmp_path / "out", "-Os", "-ffunction-sections")
    found, any_jumps = misplaced(path)
    assert any_jumps
    assert [line.split()[1] for line in found] == ["loose"]
