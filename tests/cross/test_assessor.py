"""What an assessor asks of objects: no recursion, no heap, no float where all is integers, frames of known size.

test_c_quality.py looks at what objects define, need and may change; this file at who calls whom.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.files.output import write_folder
from edgekc.files.stopping import in_threads
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources
from edgekc.pipeline import compile_model, target_of

COMPILER = "arm-none-eabi-gcc"
# Calls as the source has them: inlining would hide a recursion, and a tail call made a jump would be none.
AS_WRITTEN = ("-std=c99", "-O1", "-fno-inline", "-fno-optimize-sibling-calls", "-ffunction-sections", "-mthumb")
CORES = {"cortex-m4": ("-mcpu=cortex-m4",), "cortex-m0plus": ("-mcpu=cortex-m0plus",)}  # neither with an FPU
FAMILIES = {"cortex-m4": ("portable", "dsp"), "cortex-m0plus": ("portable", "mul2")}
LIBC = {"memcpy", "memset"}
# What the compiler itself calls for integers where the core has no instruction: run-time ABI of Arm, and libgcc.
INTEGERS = {
    "cortex-m4": set(),
    "cortex-m0plus": {
        "__aeabi_idiv", "__aeabi_uidiv", "__aeabi_idivmod", "__aeabi_uidivmod", "__aeabi_lmul", "__aeabi_llsl",
        "__aeabi_llsr", "__aeabi_lasr", "__clzsi2", "__gnu_thumb1_case_uqi", "__gnu_thumb1_case_sqi",
        "__gnu_thumb1_case_uhi",
    },
}  # fmt: skip
FLOATS = re.compile(r"__aeabi_(f\w+|d\w+|[iu]+l?2[fd]|u?l2[fd]|cf\w+|cd\w+)|__\w+[sd]f\d?")
INDIRECT = "__indirect_call"  # GCC's name for a callee that a pointer names
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes \(([^)]+)\)', re.MULTILINE)
_ADDRESS = {2, 43, 44, 47, 48}  # R_ARM_ABS32, MOVW and MOVT of Arm and Thumb: ELF for the Arm Architecture, 5.6


@dataclass
class Code:
    """What objects hold: calls by function, functions whose address is taken, kinds of frames, and what is missing."""

    calls: dict[str, set[str]]
    pointed: set[str]
    frames: dict[str, str]
    needs: dict[str, set[str]]  # by source
    defined: set[str]


def build(core: str, sources: Sequence[Path], out: Path, *flags: str) -> Code:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed")
    out.mkdir(exist_ok=True)

    def compile_one(source: Path) -> None:
        command = [COMPILER, *AS_WRITTEN, *CORES[core], *flags, "-fcallgraph-info=su", "-c", str(source)]
        command += ["-o", str(out / f"{source.stem}.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=out)
        assert done.returncode == 0, done.stderr[:2000]

    in_threads(compile_one, sources, workers=2)
    code = Code({}, set(), {}, {}, set())
    for source in sources:
        text = (out / f"{source.stem}.ci").read_text()
        own = {title.rpartition(":")[2]: kind for title, _, kind in _NODE.findall(text)}
        # A static function is another one in each object; its name has the file's before it.
        full = {name: f"{source.stem}:{name}" if f':{name}" label' in text else name for name in own}
        for caller, callee in _EDGE.findall(text):
            names = (name.rpartition(":")[2] for name in (caller, callee))
            start, end = (full.get(name, name) for name in names)
            code.calls.setdefault(start, set()).add(end)
        code.frames |= {full[name]: kind for name, kind in own.items()}
        _read(out / f"{source.stem}.o", full, code)
    return code


def _read(path: Path, full: dict[str, str], code: Code) -> None:
    with path.open("rb") as file:
        elf = ELFFile(file)
        table: Any = elf.get_section_by_name(".symtab")
        needed = {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
        code.needs[path.stem] = needed
        code.defined |= {s.name for s in table.iter_symbols() if s["st_info"]["bind"] == "STB_GLOBAL"} - needed
        for section in elf.iter_sections():
            if not isinstance(section, RelocationSection) or ".debug" in section.name:
                continue
            for relocation in section.iter_relocations():
                if relocation["r_info_type"] not in _ADDRESS:
                    continue
                symbol = table.get_symbol(relocation["r_info_sym"])
                of_section = symbol["st_info"]["type"] == "STT_SECTION"
                name = elf.get_section(symbol["st_shndx"]).name if of_section else symbol.name
                function = name.removeprefix(".text.") if of_section else name
                if (of_section and name.startswith(".text.")) or symbol["st_info"]["type"] == "STT_FUNC":
                    code.pointed.add(full.get(function, function))
                elif not of_section and symbol["st_shndx"] == "SHN_UNDEF":
                    code.pointed.add(function)  # a function of another object, or data, which calls nothing


def cycles(code: Code) -> list[str]:
    """Functions that may be entered again before they return; a call by pointer may be of any function pointed to."""
    calls = {**code.calls, INDIRECT: code.pointed}
    state: dict[str, int] = {}
    found: list[str] = []

    def visit(name: str) -> None:
        state[name] = 1
        for below in sorted(calls.get(name, ())):
            if state.get(below) == 1:
                found.append(f"{name} -> {below}")
            elif below not in state:
                visit(below)
        state[name] = 2

    for name in sorted(calls):
        if name not in state:
            visit(name)
    return found


def floats(names: set[str]) -> set[str]:
    return {name for name in names if FLOATS.fullmatch(name)}


def kernels(core: str) -> list[Path]:
    return [path for path in kernel_sources() if path.parent.name in FAMILIES[core]]


def computes_in_float(source: Path) -> bool:
    """Kernels of float operators take ek_f32.h, and no others."""
    return bool(re.search(r'#include "ek_\w*f32\w*\.h"', source.read_text()))


@pytest.mark.parametrize("core", CORES)
def test_a_generated_network(core: str, tmp_path: Path) -> None:
    board = {"cortex-m4": "mps2-an386", "cortex-m0plus": "m0plus-an385"}[core]
    write_folder(
        compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board(board))).files, tmp_path / "out"
    )
    sources = sorted((tmp_path / "out" / "src").glob("*.c"))
    code = build(core, sources, tmp_path / "obj", f"-I{tmp_path / 'out' / 'include'}")
    assert "digits_run" in code.defined
    assert cycles(code) == []
    assert set().union(*code.needs.values()) - code.defined <= LIBC | INTEGERS[core]
    assert {name: kind for name, kind in code.frames.items() if kind != "static"} == {}
    assert len(code.frames) > len(sources)


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
def test_all_kernels(core: str, tmp_path: Path) -> None:
    sources = kernels(core)
    code = build(core, sources, tmp_path, *INCLUDE_FLAGS)
    assert len(code.frames) > len(sources) > 100
    assert cycles(code) == []
    assert {name: kind for name, kind in code.frames.items() if kind != "static"} == {}
    single = {path.stem for path in sources if computes_in_float(path)}
    for name, needed in code.needs.items():
        helpers = needed - code.defined - LIBC - INTEGERS[core]
        assert not helpers or (name in single and helpers == floats(helpers)), f"{name} needs {sorted(helpers)}"
    assert any(floats(code.needs[name]) for name in single), "the check would see float"


# ---- the checks see what they are for ----

SEEN = """
#include <stdlib.h>
#include <string.h>
int outer(int);
static int inner(int n) { return n > 1 ? outer(n - 1) : n; }
int outer(int n) { return inner(n) + 1; }
static int turn(int n);
static int (*volatile next)(int) = turn;
static int turn(int n) { return n > 1 ? next(n - 1) : 0; }
int start(int n) { return turn(n); }
float half(int n) { return (float)n * 0.5f; }
void *take(unsigned n) { return malloc(n); }
int frame(int n) { char text[n]; memset(text, n, (unsigned)n); return text[n / 2]; }
int calm(int n) { return n + 1; }
"""


def test_recursion_heap_float_and_frames_are_seen(tmp_path: Path) -> None:
    source = tmp_path / "seen.c"
    source.write_text(SEEN)
    code = build("cortex-m4", [source], tmp_path / "obj")
    assert sorted(cycles(code)) == ["seen:inner -> outer", "seen:turn -> __indirect_call"]
    needed = code.needs["seen"]
    assert "malloc" in needed and floats(needed) == {"__aeabi_fmul", "__aeabi_i2f"}
    assert {name for name, kind in code.frames.items() if kind != "static"} == {"frame"}
