"""What the RP2040's boot ROM runs before our code: its checksum, and what it does, on an emulated core."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.firmware.boot2 import block, checksum
from edgekc.firmware.build import _second_stage
from edgekc.firmware.toolchain import arm_compiler

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")

STACK, RESET = 0x20042000, 0x10000201
TABLE, LOOKUP, ENTER_XIP = 0x200, 0x100, 0x140


def test_the_checksum_is_the_published_one() -> None:
    """CRC-32/MPEG-2 has this check value in every catalogue of CRCs."""
    assert checksum(b"123456789") == 0x0376E6E7


def test_the_loader_asks_the_rom_for_flash_and_starts_the_program(tmp_path: Path) -> None:
    unicorn = pytest.importorskip("unicorn")
    from unicorn import arm_const as arm

    board = load_board("rpi-pico")
    _second_stage(arm_compiler(board), board, tmp_path)
    code = block(tmp_path / "boot2.o")
    assert len(code) == 256
    assert int.from_bytes(code[252:], "little") == checksum(code[:252])

    # A ROM that notes its arguments: look-up returns the function's address, and both return at once.
    rom = bytearray(0x1000)
    struct.pack_into("<HxxHxx", rom, 0x14, TABLE, LOOKUP | 1)
    rom[LOOKUP : LOOKUP + 6] = bytes.fromhex("0048704700bf")  # ldr r0, [pc]; bx lr
    struct.pack_into("<I", rom, LOOKUP + 4, ENTER_XIP | 1)
    rom[ENTER_XIP : ENTER_XIP + 2] = bytes.fromhex("7047")  # bx lr
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
    for start, size in ((0, 0x1000), (0x10000000, 0x1000), (0x20000000, 0x42000), (0xE000E000, 0x1000)):
        uc.mem_map(start, size)
    uc.mem_write(0, bytes(rom))
    uc.mem_write(0x10000100, struct.pack("<II", STACK, RESET))
    uc.mem_write(0x20041F00, code)
    calls: list[tuple[int, int, int]] = []

    def seen(uc: object, address: int, _size: int, _data: object) -> None:
        if address in (LOOKUP, ENTER_XIP):
            reg = uc.reg_read  # type: ignore[attr-defined]
            calls.append((address, reg(arm.UC_ARM_REG_R0), reg(arm.UC_ARM_REG_R1)))

    uc.hook_add(unicorn.UC_HOOK_CODE, seen)
    uc.reg_write(arm.UC_ARM_REG_SP, 0x20041F00)
    uc.emu_start(0x20041F00 | 1, RESET & ~1, count=1000)
    assert uc.reg_read(arm.UC_ARM_REG_PC) == RESET & ~1
    assert uc.reg_read(arm.UC_ARM_REG_SP) == STACK
    assert struct.unpack("<I", uc.mem_read(0xE000ED08, 4)) == (0x10000100,)
    assert [call[0] for call in calls] == [LOOKUP, ENTER_XIP]
    assert calls[0][1:] == (TABLE, ord("C") | ord("X") << 8)
