"""Boards load, and a wrong board file is refused with the file, the key and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from edgekc.boards.board import list_boards, load_board
from edgekc.boards.cores import CORES
from edgekc.errors import BoardError

GOOD = """schema = 1
name = "mine"
description = "my board"
core = "cortex-m4f"
emulators = ["qemu"]

[[memory]]
name = "flash"
kind = "flash"
origin = 0x08000000
size_bytes = 1048576

[[memory]]
name = "ram"
kind = "ram"
origin = 0x20000000
size_bytes = 131072

[qemu]
machine = "netduinoplus2"
systick_hz = 168_000_000
"""

FEATURES = {
    "microbit": {"thumb1"},
    "m0plus-an385": {"thumb1"},
    "stm32vldiscovery": {"thumb2"},
    "mps2-an386": {"thumb2", "dsp", "fpu"},
    "mps2-an500": {"thumb2", "dsp", "dual", "fpu"},
    "mps2-an505": {"thumb2", "dsp", "fpu"},
    "mps2-an521": {"thumb2"},
    "mps3-an547": {"thumb2", "dsp", "fpu", "mve"},
    "nucleo-l4r5zi": {"thumb2", "dsp", "fpu"},
    "nrf52840-dk": {"thumb2", "dsp", "fpu"},
    "rpi-pico": {"thumb1"},
    "rv32imac": {"riscv"},
    "rv32imc-zba-zbb": {"riscv"},
    "linux-arm": {"fpu", "neon", "vector"},
    "linux-aarch64": {"aarch64", "fpu", "neon", "vector"},
    "rpi5": {"aarch64", "fpu", "neon", "dotprod", "vector"},
    "linux-aarch64-i8mm": {"aarch64", "fpu", "neon", "dotprod", "i8mm", "vector"},
}


def write(folder: Path, text: str) -> Path:
    path = folder / "board.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_boards())
def test_every_board_loads_under_its_own_name(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.path.parent.name == name
    assert board.description
    assert board.core.name in CORES
    if board.core.system == "bare":
        assert board.source, "where do the memory sizes come from?"
        assert board.flash.size_bytes >= 64 * 1024
        assert board.systick_hz or "qemu" not in board.emulators
    else:
        assert board.flash_bytes is None
        assert board.ram_bytes is None


def test_the_cores_of_the_boards_have_these_features() -> None:
    assert {name: set(load_board(name).features) for name in FEATURES} == FEATURES


def test_sizes_that_are_in_datasheets() -> None:
    microbit = load_board("microbit")
    assert (microbit.flash_bytes, microbit.ram_bytes) == (256 * 1024, 16 * 1024)
    assert load_board("mps2-an386").ram_bytes == 16 * 1024 * 1024
    assert load_board("netduinoplus2").flash.origin == 0x08000000


def test_a_board_is_frozen() -> None:
    board = load_board("microbit")
    with pytest.raises(FrozenInstanceError):
        board.name = "other"  # type: ignore[misc]


def test_a_board_file_of_ones_own(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    for given in (path, str(path), tmp_path):
        board = load_board(given)
        assert board.name == "mine"
        assert board.path == path
        assert board.gcc_flags == CORES["cortex-m4f"].gcc_flags
        assert board.ram.end == 0x20020000


def test_flags_may_be_overridden(tmp_path: Path) -> None:
    flags = 'gcc_flags = ["-mthumb", "-mcpu=cortex-m4"]\nzig_flags = []\n'
    board = load_board(write(tmp_path, GOOD.replace("emulators", flags + "emulators")))
    assert board.gcc_flags == ("-mthumb", "-mcpu=cortex-m4")
    assert board.zig_flags == ()


def test_unknown_board_names_the_nearest() -> None:
    with pytest.raises(BoardError, match=r"no board is called 'mps2-an368'.*did you mean 'mps2-an386'\?"):
        load_board("mps2-an368")
    with pytest.raises(BoardError, match=r"use one of: .*microbit.*netduino2"):
        load_board("zzzzzz")
    with pytest.raises(BoardError, match="no such file"):
        load_board("nowhere/board.toml")


def change(old: str, new: str) -> Callable[[str], str]:
    assert old in GOOD
    return lambda text: text.replace(old, new, 1)


BAD: dict[str, tuple[Callable[[str], str], str]] = {
    "not toml": (change("schema = 1", "schema = "), "not valid TOML: .*line 1"),
    "other schema": (change("schema = 1", "schema = 2"), "key schema: expected 1, got 2; write the file for this"),
    "schema of another type": (change("schema = 1", 'schema = "1"'), "key schema: expected 1, got '1'"),
    "no schema": (change("schema = 1\n", ""), "key schema: missing"),
    "no name": (change('name = "mine"\n', ""), "key name: missing"),
    "bad name": (change('"mine"', '"../mine"'), r"key name: string should match pattern .*got '\.\./mine'"),
    "unknown key": (change("description", "descriptoin"), "descriptoin: unknown key; did you mean 'description'"),
    "unknown memory key": (change("size_bytes", "bytes"), r"key memory\.0\.bytes: unknown key; did you mean"),
    "unknown qemu key": (change("machine =", "machin ="), r"key qemu\.machin: unknown key; did you mean 'machine'"),
    "unknown core": (
        change("cortex-m4f", "cortex-m4g"),
        "key core: unknown core 'cortex-m4g'; did you mean 'cortex-m4",
    ),
    "unknown kind": (change('kind = "ram"', 'kind = "rom"'), r"key memory\.1\.kind: .*'flash' or 'ram', got 'rom'"),
    "unknown emulator": (change('["qemu"]', '["quemu"]'), r"key emulators\.0: .*'qemu' or 'unicorn', got 'quemu'"),
    "text for a number": (
        change("0x08000000", '"08000000"'),
        r"key memory\.0\.origin: .*valid integer, got '08000000'",
    ),
    "fraction for a number": (change("131072", "1.5"), r"key memory\.1\.size_bytes: .*valid integer.*got 1\.5"),
    "size of zero": (change("131072", "0"), r"key memory\.1\.size_bytes: .*greater than 0, got 0"),
    "negative origin": (change("0x20000000", "-32"), r"key memory\.1\.origin: .*greater than or equal to 0, got -32"),
    "beyond 32 bits": (change("0x20000000", "0xFFFFFF00"), r"key memory\.1: .*beyond the 32-bit address space"),
    "odd origin": (change("0x20000000", "0x20000004"), "'ram' starts at 0x20000004; expected a multiple of 32"),
    "overlap": (change("0x20000000", "0x080FFFE0"), r"'flash' \(0x08000000\.\.0x080fffff\) and 'ram' .*overlap"),
    "same name twice": (change('name = "ram"', 'name = "flash"'), "two regions are called 'flash'"),
    "no ram": (change('kind = "ram"', 'kind = "flash"'), "at least one region of kind 'ram', found none"),
    "no flash": (change('kind = "flash"', 'kind = "ram"'), "at least one region of kind 'flash', found none"),
    "no machine": (change('machine = "netduinoplus2"\n', ""), r"key qemu\.machine: missing"),
    "unicorn has no m55": (
        lambda text: text.replace("cortex-m4f", "cortex-m55").replace('["qemu"]', '["unicorn"]'),
        "key emulators: unicorn has no cortex-m55",
    ),
    "linux has no regions": (change("cortex-m4f", "cortex-a53"), "key memory: cortex-a53 runs Linux or an app"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_refused(case: str, tmp_path: Path) -> None:
    breaks, message = BAD[case]
    text = breaks(GOOD)
    assert text != GOOD
    path = write(tmp_path, text)
    with pytest.raises(BoardError, match=message) as caught:
        load_board(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


def test_all_errors_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("131072", "0").replace('name = "mine"\n', "")
    with pytest.raises(BoardError) as caught:
        load_board(write(tmp_path, text))
    assert "key name: missing" in str(caught.value)
    assert "key memory.1.size_bytes" in str(caught.value)
