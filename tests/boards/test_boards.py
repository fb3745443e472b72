"""Board files beyond the format: a board of one's own, library targets, and what the list says."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekc.boards.board import list_boards, load_board
from edgekc.cli.main import app
from edgekc.errors import BoardError
from edgekc.files.output import write_folder
from edgekc.pipeline import compile_model, target_of

DATA = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data"
KIB = 1024
# Flash and RAM in KiB, from the data sheets that the files cite; written down a second time.
SIZES = {
    "nucleo-l4r5zi": (2048, 640),
    "nucleo-f446re": (512, 128),
    "nucleo-h743zi2": (2048, 512),
    "b-u585i-iot02a": (2048, 768),
    "nucleo-g0b1re": (512, 144),
    "rpi-pico": (2048, 264),
    "rpi-pico2": (4096, 520),
    "microbit-v2": (512, 128),
    "nrf52840-dk": (1024, 256),
    "arduino-nano33ble": (960, 256),
    "frdm-mcxn947": (2048, 416),
    "corstone-300": (512, 2048),
}


def compiled(folder: Path, board: str) -> Path:
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board(board))).files, folder)
    return folder


def test_real_boards_have_the_memory_of_their_data_sheets() -> None:
    for name, (flash, ram) in SIZES.items():
        board = load_board(name)
        assert (board.flash_bytes, board.ram_bytes) == (flash * KIB, ram * KIB), name
        assert all(memory.speed is not None for memory in board.memories), name


def test_the_list_says_how_each_is_reached() -> None:
    done = CliRunner().invoke(app, ["boards", "--json"])
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == set(list_boards())
    assert rows["nucleo-l4r5zi"]["flash_tools"] == ["pyocd", "openocd", "stlink"]
    assert rows["mps2-an386"]["flash_tools"] == ["gdb"] and not rows["mps2-an386"]["real"]
    assert load_board("ios-arm64").reached == ("library",)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_a_board_of_ones_own_is_one_file(tmp_path: Path) -> None:
    text = load_board("nucleo-f446re").path.read_text()
    own = tmp_path / "mine.toml"
    own.write_text(text.replace("nucleo-f446re", "mine").replace("target/stm32f4x.cfg", "mine.cfg"))
    folder = compiled(tmp_path / "out", str(own))
    for arguments in (["verify"], ["measure"], ["build"], ["flash", "--tool", "openocd", "--dry-run"]):
        done = CliRunner().invoke(app, [*arguments[:1], str(folder), "--board", str(own), *arguments[1:]])
        assert done.exit_code == 0, done.output
    assert "-f interface/stlink.cfg -f mine.cfg" in done.stdout


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
@pytest.mark.parametrize("name", [n for n in list_boards() if load_board(n).library])
def test_library_objects_are_for_their_system(name: str, tmp_path: Path) -> None:
    folder = compiled(tmp_path / "out", name)
    done = CliRunner().invoke(app, ["build", str(folder), "--board", name])
    assert done.exit_code == 0, done.output
    objects = sorted((folder / "build" / name / "lib").glob("*.o"))
    assert {path.stem for path in objects} == {path.stem for path in (folder / "src").glob("*.c")}
    for path in objects:
        head = path.read_bytes()[:20]
        if "apple" in load_board(name).library:
            assert struct.unpack_from("<II", head) == (0xFEEDFACF, 0x0100000C)  # Mach-O, arm64
        elif name == "esp32c3":
            assert head[:5] == b"\x7fELF\x01" and struct.unpack_from("<H", head, 18) == (243,)  # EM_RISCV
        else:
            assert head[:5] == b"\x7fELF\x02" and struct.unpack_from("<H", head, 18) == (183,)  # EM_AARCH64


def test_a_library_target_runs_nothing(tmp_path: Path) -> None:
    folder = compiled(tmp_path / "out", "ios-arm64")
    for command in ("measure", "verify", "flash"):
        done = CliRunner().invoke(app, [command, str(folder)])
        assert isinstance(done.exception, BoardError) or done.exit_code == 2


BAD = {
    "ssh on bare metal": ('tools = ["pyocd", "openocd", "stlink"]', 'tools = ["ssh"]', "ssh cannot program cortex-m4f"),
    "no pyocd target": ('pyocd = "stm32f446retx"\n', "", r"key probe\.pyocd: missing; tools lists 'pyocd'"),
    "unknown tool": ('"openocd"', '"jlink"', r"key probe\.tools\.1: .*got 'jlink'"),
    "unknown key": ("unlock", "unlok", r"key probe\.unlok: unknown key; did you mean 'unlock'"),
    "unknown chip key": ("mask", "msk", r"key probe\.chip_id\.msk: unknown key; did you mean 'mask'"),
    "unknown speed": ('speed = "sram"', 'speed = "fast"', r"key memory\.1\.speed: .*got 'fast'"),
    "unknown current": (
        "[probe]",
        "[power]\nua = 1\n[probe]",
        r"key power\.run_ua_per_mhz: missing.*power\.ua: unknown",
    ),
    "unknown boot": ("schema = 1", 'schema = 1\nboot = "uefi"', r"key boot: .*got 'uefi'"),
    "unknown family of flash": (
        'family = "stm32f4"',
        'family = "stm32h7"',
        r"key updates\.family: unknown .*'stm32f4'",
    ),
    "slots that overlap": ("at = 0x08060000", "at = 0x08050000", r"key updates\.slots: they overlap"),
    "a slot outside": ("at = 0x08060000", "at = 0x08070000", r"key updates\.slots\.1\.at: 0x08070000 is no multiple"),
    "one slot": (", { at = 0x08060000, first_sector = 7 }", "", r"key updates\.slots: .*at least 2"),
    "library without a target": ('core = "cortex-m4f"', 'core = "armv8-a"', "armv8-a runs Linux|key"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_board_file_is_refused(case: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    text = load_board("nucleo-f446re").path.read_text()
    assert old in text
    path = tmp_path / "board.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardError, match=message):
        load_board(path)
