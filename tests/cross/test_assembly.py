"""What the kernels' assembly counts on, in the objects of every compiler and level, and in the sources."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from edgekc.assets import INCLUDES, RUNTIME_C
from edgekc.boards.board import load_board
from edgekc.boards.cores import CORES
from edgekc.firmware.objects import closure
from edgekc.firmware.toolchain import zig_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources

LEVELS = ("-O0", "-Og", "-O1", "-Os", "-O2", "-O3")
# At one level every file is compiled, at the others those with assembly: what else a compiler warns of, clang does at
# every level, and gcc at the one that looks at most. test_c_quality.py has gcc's at -O2.
EVERY_FILE = {"gcc": "-O3", "clang-16": "-O0", "clang-19": "-O0", "zig": "-Os"}
# A frame pointer and position-independent code take one register each from inline assembly.
FEWER_REGISTERS = ("-fno-omit-frame-pointer", "-fPIC")
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


def kernels(ending: str) -> list[Path]:
    """Kernels with that ending."""
    return [path for path in kernel_sources() if path.stem.endswith(ending)]


def with_assembly(ending: str) -> list[Path]:
    """Those of them that have assembly, or a header with some."""
    texts = {path: closure(path, INCLUDES) for path in kernels(ending)}
    assert None not in texts.values(), "a kernel that computes a header's name"
    return [path for path, files in texts.items() if any(b"__asm" in text for text in (files or {}).values())]


def with_jumps(ending: str) -> list[Path]:
    """Those of them whose assembly takes addresses of its own code."""
    return [path for path in kernels(ending) if re.search(r'"adr', path.read_text())]


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


def listings(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """What the objects disassemble to: all by one process."""
    command = ["arm-none-eabi-objdump", "-d", *map(str, paths)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = re.split(r"^(/.*):     file format .*$", text, flags=re.MULTILINE)
    assert parts[1::2] == list(map(str, paths))
    yield from zip(paths, parts[2::2], strict=True)


def functions(listing: str) -> Iterator[tuple[str, str, int, str]]:
    """Section, name, offset in the section and listing of each function of an object."""
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


def misplaced(path: Path, listing: str) -> tuple[list[str], bool]:
    """Functions that count from the program counter and need not lie at a multiple of 4; and whether any has `adr`."""
    with path.open("rb") as file:
        alignment = {section.name: section["sh_addralign"] for section in ELFFile(file).iter_sections()}
    found, any_jumps = [], False
    for section, name, offset, code in functions(listing):
        jumps, loads = bool(ADR.search(code)), bool(LITERAL.search(code))
        any_jumps |= jumps
        # The compiler places its own literals; assembly's addresses hold only if the function itself is aligned.
        if (jumps or loads) and (alignment[section] % 4 or (jumps and offset % 4)):
            found.append(f"{path.name}: {name} at {offset} of {section}, aligned to {alignment[section]}")
    return found, any_jumps


def check(family: str, level: str, out: Path, which: Callable[[str], list[Path]], *flags: str) -> None:
    """Each function that counts from the program counter lies where it must, and every such source was seen."""
    if shutil.which("arm-none-eabi-objdump") is None:
        pytest.skip("arm-none-eabi-objdump is not installed")
    wrong, seen = [], set()
    for ending, cores in CORES_OF.items():
        sources = which(ending)
        for core in cores if sources else ():
            command = compiler_of(family, core)
            # A section of its own shows what each function asks for; in one with others it may lie well by luck.
            for path, listing in listings(objects(command, sources, out / core, level, "-ffunction-sections", *flags)):
                found, any_jumps = misplaced(path, listing)
                wrong += found
                seen |= {path.stem} if any_jumps else set()
    assert wrong == []
    assert seen >= {path.stem for ending in CORES_OF for path in with_jumps(ending)}


@pytest.mark.parametrize("level", ["-O0", "-Os", pytest.param("-O2", marks=pytest.mark.slow)])
def test_code_that_counts_from_the_program_counter_is_aligned(tmp_path: Path, level: str) -> None:
    check("gcc", level, tmp_path, with_jumps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "level"),
    [("gcc", level) for level in LEVELS]
    + [(family, level) for family in CLANGS for level in ("-O0", "-Os", "-O2")]
    + [("zig", "-Os")],
)
def test_every_kernel_by_every_compiler(tmp_path: Path, family: str, level: str) -> None:
    """No warning, no want of registers, and aligned.

    By gcc at the levels that the test above has as well, with two registers less than otherwise.
    """
    fewer = FEWER_REGISTERS if family == "gcc" and level in ("-O0", "-Os", "-O2") else ()
    check(family, level, tmp_path, kernels if EVERY_FILE[family] == level else with_assembly, *fewer)


def test_what_has_assembly_is_found() -> None:
    """In a file and in headers; every file that has jumps, and not all files."""
    assert {path.stem for path in with_assembly("_dsp")} == {path.stem for path in kernels("_dsp")}
    for ending in CORES_OF:
        assert set(with_jumps(ending)) <= set(with_assembly(ending)) <= set(kernels(ending))
    assert 0 < len(with_assembly("_mul2")) < len(kernels("_mul2"))
    assert all(level in LEVELS for level in EVERY_FILE.values())


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
    ((_, listing),) = listings([path])
    found, any_jumps = misplaced(path, listing)
    assert any_jumps
    assert [line.split()[1] for line in found] == ["loose"]
