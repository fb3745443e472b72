"""Assembly that reads structs: each field's offset is checked by the compiler, and instructions have it by name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekc.assets import INCLUDES, RUNTIME_C
from edgekc.boards.cores import CORES

NESTED = re.compile(r"(?<!typedef )struct \{[^{}]*\} (\w+);")
STRUCT = re.compile(r"typedef struct \{([^}]*)\} (\w+);")
CHECKED = re.compile(r"EK_CHECK_OFFSET\((\w+), (\w+), ")
SIGNATURE = re.compile(r"EK_NAKED void \w+\(([^)]*)\)")
FIELD_TYPE = re.compile(r"(?:(?:const|volatile) )*(\w+) ([*\w\[\], ]+)$")
OFFSET = re.compile(r"\[(sp|lr|r\d+), #-?\d+\]")
# Registers that point to arrays, not to structs, where instructions have a number: weights, pixels, sums, pointers.
ARRAYS = {
    "ek_clustered_fully_connected_s8_mul2.c": {"r3", "r5"},
    "ek_columns_dsp.c": {"r0", "r1"},
    "ek_expand_dot_dsp.c": {"r0", "r1"},
    "ek_expand_outputs_dsp.c": {"r0", "r1"},
    "ek_depthwise3x3_s8_mve.c": {"r2"},
    "ek_quads_outputs_mul2.c": {"r3"},
    "ek_sums_mve.c": {"r1", "r11"},
    "ek_tiles_outputs_mul2.c": {"r3"},
    "ek_winograd_tiles_mve.c": {"r0"},
}


def with_assembly() -> list[Path]:
    """The files whose functions are assembly only."""
    found = [p for folder in INCLUDES for p in sorted(folder.iterdir()) if p.is_file()]
    return [p for p in found if "EK_NAKED void" in p.read_text() and p.name != "ek_naked.h"]


def plain(text: str) -> str:
    """Without comments, and without the ends of macro lines."""
    return re.sub(r"\s*\\\n\s*", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))


def structs(text: str) -> dict[str, dict[str, str]]:
    """By struct, its fields and their types; one that has no name is a field of the type `struct`."""
    found: dict[str, dict[str, str]] = {}
    for body, name in STRUCT.findall(NESTED.sub(r"struct \1;", plain(text))):
        found[name] = {}
        for line in filter(None, (" ".join(part.split()) for part in body.split(";"))):
            declared = FIELD_TYPE.match(line)
            assert declared, f"{name}: cannot read {line!r}"
            found[name] |= {field.strip(" *").split("[")[0]: declared[1] for field in declared[2].split(",")}
    return found


def unchecked(text: str, headers: str) -> list[str]:
    """Fields of structs that assembly gets, or finds pointers to in them, whose offset nothing compares."""
    own = structs(text)
    known = structs(headers) | own
    checked = set(CHECKED.findall(text)) | {
        (name, field) for name, field in CHECKED.findall(headers) if name not in own
    }
    queue = [word for arguments in SIGNATURE.findall(plain(text)) for word in re.findall(r"\w+", arguments)]
    read: set[str] = set()
    while queue:
        name = queue.pop()
        if name in known and name not in read:
            read.add(name)
            queue += known[name].values()
    return sorted(f"{name}.{field}" for name in read for field in known[name] if (name, field) not in checked)


def bare(text: str, arrays: set[str]) -> list[str]:
    """Loads and stores whose offset is a number, of registers that are no arrays."""
    return [match[0] for match in OFFSET.finditer(plain(text)) if match[1] not in arrays]


HEADERS = "\n".join(path.read_text() for path in sorted(p for folder in INCLUDES for p in folder.glob("*.h")))


@pytest.mark.parametrize("path", with_assembly(), ids=lambda path: path.name)
def test_offsets_are_checked_and_named(path: Path) -> None:
    text = path.read_text()
    assert unchecked(text, HEADERS) == []
    assert bare(text, ARRAYS.get(path.name, set())) == []


def test_the_harness_names_its_offsets() -> None:
    text = (RUNTIME_C / "port" / "ek_cortexm.c").read_text()
    fields = structs(text)["measured_call"]
    assert {field for name, field in CHECKED.findall(text) if name == "measured_call"} == set(fields)
    assert bare(text, set()) == []


def test_there_are_such_files() -> None:
    assert len(with_assembly()) >= 20
    assert {path.name for path in with_assembly()} >= set(ARRAYS)


def test_a_field_that_nobody_checks_is_seen() -> None:
    text = """
typedef struct {
    const inner *first; /* a pointer */
    int32_t sums[4], last;
    struct { uint32_t a, b; } places;
} frame;
EK_CHECK_OFFSET(frame, first, 0);
static EK_NAKED void f(EK_UNSEEN const frame *k, EK_UNSEEN uint32_t n) { __asm__("ldr r0, [sp, #28]\\n\\t"); }
"""
    headers = "typedef struct { int32_t a; } inner;\nEK_CHECK_OFFSET(frame, last, 4);\n"  # another frame's
    assert unchecked(text, headers) == ["frame.last", "frame.places", "frame.sums", "inner.a"]
    assert bare(text, {"r1"}) == ["[sp, #28]"]
    assert bare(text, {"sp"}) == []


@pytest.mark.parametrize("path", [*with_assembly(), *(RUNTIME_C / "port").glob("*.c")], ids=lambda path: path.name)
def test_one_macro_says_what_a_naked_function_needs(path: Path) -> None:
    """The attribute alone leaves the function where -Os puts it."""
    assert "naked" not in plain(path.read_text()).replace("ek_naked.h", "")


def test_an_offset_that_is_not_so_stops_the_compiler(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source = tmp_path / "offsets.c"
    command = ["arm-none-eabi-gcc", *CORES["cortex-m4f"].gcc_flags, f"-I{RUNTIME_C / 'include'}", "-fsyntax-only"]
    for offset, code in ((4, 0), (8, 1)):
        source.write_text(
            '#include "ek_offsets.h"\ntypedef struct { char c; int i; } pair;\n'
            f"EK_CHECK_OFFSET(pair, i, {offset});\nEK_CHECK_SIZE(pair, 8);\n"
        )
        assert subprocess.run([*command, str(source)], capture_output=True, check=False).returncode == code
