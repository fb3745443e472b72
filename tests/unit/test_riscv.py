"""Branches, frames and stores of RISC-V code, against what GNU as made of each line."""

from __future__ import annotations

import pytest

from edgekc.firmware import riscv

BRANCHES = {  # line, with `.` for its own address 0x100: code, target, whether a call, whether conditional
    "c.jal .+0x38": ("25 28", 0x138, True, False),
    "c.j .+0x36": ("1d a8", 0x136, False, False),
    "jal ra, .+0x34": ("ef 00 40 03", 0x134, True, False),
    "jal zero, .+0x30": ("6f 00 00 03", 0x130, False, False),
    "c.beqz a0, .-0xc": ("75 d9", 0xF4, False, True),
    "c.bnez a0, .+0x2a": ("0d e5", 0x12A, False, True),
    "blt a0, a1, .-0x10": ("e3 48 b5 fe", 0xF0, False, True),
    "bgeu a0, a1, .+0x24": ("63 72 b5 02", 0x124, False, True),
    "auipc t1, 1; jalr ra, -8(t1)": ("17 13 00 00 e7 00 83 ff", 0x10F8, True, False),
    "auipc t1, 0; jalr zero, 12(t1)": ("17 03 00 00 67 00 c3 00", 0x10C, False, False),
    "c.jalr a5": ("82 97", None, True, False),
    "jalr ra, 0(a5)": ("e7 80 07 00", None, True, False),
    "c.jr a5": ("82 87", None, False, False),
}
NO_BRANCHES = {"c.jr ra": "82 80", "jalr zero, 0(ra)": "67 80 00 00", "c.nop": "01 00", "lui a0, 5": "37 55 00 00"}
FRAMES = {  # code, and by how many bytes it lowers sp
    "c.addi16sp sp, -64": ("39 71", 64),
    "addi sp, sp, -1024": ("13 01 01 c0", 1024),
    "c.addi sp, -16": ("41 11", 16),
    "lui t0, 1; addi t0, t0, -96; sub sp, sp, t0": ("85 62 93 82 02 fa 33 01 51 40", 4000),
    "lui t1, 0xffffe; c.addi t1, 16; add sp, sp, t1": ("79 73 41 03 1a 91", 8176),
    "c.lui a0, 0xfffff; c.add sp, a0": ("7d 75 2a 91", 4096),
    "addi sp, sp, 1024; c.addi16sp sp, 64; addi a0, sp, -8": ("13 01 01 40 21 61 13 05 81 ff", 0),
}
STORES = {
    "c.swsp ra, 44(sp)": ("06 d6", 44),
    "c.swsp s0, 200(sp)": ("a2 c5", 200),
    "sw a0, -4(sp)": ("23 2e a1 fe", -4),
    "sw ra, 1020(sp)": ("23 2e 11 3e", 1020),
    "sw a0, 8(a1)": ("23 a4 a5 00", None),
}


@pytest.mark.parametrize("line", BRANCHES)
def test_branches(line: str) -> None:
    code, target, link, conditional = BRANCHES[line]
    data = bytes.fromhex(code)
    assert list(riscv.branches(data, 0x100)) == [riscv.Branch(0x100 + len(data), target, link, conditional)]


def test_what_goes_on_is_none() -> None:
    assert list(riscv.branches(bytes.fromhex("".join(NO_BRANCHES.values())), 0x100)) == []


@pytest.mark.parametrize("line", FRAMES)
def test_frames(line: str) -> None:
    code, expected = FRAMES[line]
    assert riscv.moved(bytes.fromhex(code)) == expected


@pytest.mark.parametrize("line", STORES)
def test_stores(line: str) -> None:
    code, expected = STORES[line]
    assert riscv.store_offset(bytes.fromhex(code)) == expected
