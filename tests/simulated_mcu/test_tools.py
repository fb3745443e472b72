"""Stock pyOCD and stock OpenOCD on the simulated chip: they program it, and they say what is wrong with it."""

from __future__ import annotations

import random
import socket
import struct
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")

from edgekc.simulate import system as s
from edgekc.simulate.flash import BASE, SIZE
from edgekc.simulate.mcu import Chip
from edgekc.simulate.server import Trouble
from simulated_mcu.bench import bench, need_openocd, need_pyocd, openocd, pyocd

_LOOP = 0xE7FE
# A bit of the reset vector that every program sets.
_STUCK = {BASE + 4: 1}


def image(folder: Path, size: int = 3000) -> bytes:
    """A program that loops, and noise; written to folder/image.bin."""
    start = struct.pack("<II", 0x20001000, BASE + 9) + struct.pack("<H", _LOOP)
    data = start + random.Random(size).randbytes(size - len(start))
    (folder / "image.bin").write_bytes(data)
    return data


@pytest.fixture
def pyocd_here() -> None:
    need_pyocd()


@pytest.fixture
def openocd_here() -> None:
    need_openocd()


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_programs_reads_back_and_starts(tmp_path: Path) -> None:
    data = image(tmp_path, 20_000)  # two sectors
    with bench() as board:
        board.mcu.flash.memory[: 4 * len(data)] = bytes(4 * len(data))  # an older program, to be erased
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
        assert status == 0, said
        status, said = pyocd(board, tmp_path, "commander", "-c", f"savemem 0x{BASE:x} {len(data)} back.bin")
        assert status == 0, said
    assert (tmp_path / "back.bin").read_bytes() == data
    assert bytes(board.mcu.flash.memory[: len(data)]) == data
    assert board.mcu.core.pc == BASE + 8 and board.mcu.system.cycles


@pytest.mark.usefixtures("openocd_here")
def test_openocd_programs_verifies_and_starts(tmp_path: Path) -> None:
    data = image(tmp_path, 20_000)
    with bench() as board:
        status, said = openocd(board, tmp_path, f"program image.bin 0x{BASE:x} verify reset exit")
    assert status == 0 and "** Verified OK **" in said, said
    assert bytes(board.mcu.flash.memory[: len(data)]) == data
    assert board.mcu.core.pc == BASE + 8


@pytest.mark.usefixtures("pyocd_here", "openocd_here")
def test_what_one_tool_wrote_the_other_reads(tmp_path: Path) -> None:
    data = image(tmp_path, 5000)
    with bench() as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
        assert status == 0, said
        status, said = openocd(board, tmp_path, "init; halt", f"verify_image image.bin 0x{BASE:x}", "shutdown")
        assert status == 0, said
        (tmp_path / "image.bin").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        status, said = openocd(board, tmp_path, "init; halt", f"verify_image image.bin 0x{BASE:x}", "shutdown")
        assert status != 0 and "diff 0" in said, said


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_and_readout_protection(tmp_path: Path) -> None:
    image(tmp_path)
    with bench(Chip(protected=True)) as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
    assert status != 0 and "flash erase sector failure" in said, said
    assert set(board.mcu.flash.memory) == {0xFF}


@pytest.mark.usefixtures("openocd_here")
def test_openocd_and_readout_protection(tmp_path: Path) -> None:
    image(tmp_path)
    with bench(Chip(protected=True)) as board:
        status, said = openocd(board, tmp_path, f"program image.bin 0x{BASE:x} verify reset exit")
    assert status != 0 and "stm32x device protected" in said, said
    assert set(board.mcu.flash.memory) == {0xFF}


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_does_not_see_a_stuck_bit_but_what_it_reads_back_differs(tmp_path: Path) -> None:
    data = image(tmp_path)
    with bench(Chip(stuck=_STUCK)) as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
        assert status == 0, said
        status, said = pyocd(board, tmp_path, "commander", "-c", f"savemem 0x{BASE:x} {len(data)} back.bin")
        assert status == 0, said
    back = (tmp_path / "back.bin").read_bytes()
    assert [i for i, (a, b) in enumerate(zip(data, back, strict=True)) if a != b] == [4]


@pytest.mark.usefixtures("openocd_here")
def test_openocd_sees_a_stuck_bit(tmp_path: Path) -> None:
    image(tmp_path)
    with bench(Chip(stuck=_STUCK)) as board:
        status, said = openocd(board, tmp_path, f"program image.bin 0x{BASE:x} verify reset exit")
    assert status != 0 and "** Verify Failed **" in said, said


@pytest.mark.usefixtures("pyocd_here")
def test_a_write_protected_sector(tmp_path: Path) -> None:
    image(tmp_path, 20_000)
    with bench(Chip(write_protected_sectors=frozenset({1}))) as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
    assert status != 0 and "address 0x08004000" in said, said


@pytest.mark.usefixtures("openocd_here")
def test_openocd_and_a_wrong_chip(tmp_path: Path) -> None:
    image(tmp_path)
    with bench(Chip(device_id=0x450)) as board:
        status, said = openocd(board, tmp_path, f"program image.bin 0x{BASE:x} verify reset exit")
    assert status != 0 and "Cannot identify target" in said, said
    assert set(board.mcu.flash.memory) == {0xFF}


@pytest.mark.usefixtures("openocd_here")
def test_openocd_only_warns_of_another_core(tmp_path: Path) -> None:
    with bench(Chip(core_idcode=0x6BA00477)) as board:
        status, said = openocd(board, tmp_path, "init", "shutdown")
    assert status == 0 and "UNEXPECTED: 0x6ba00477" in said, said


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_shows_which_chip_it_is(tmp_path: Path) -> None:
    with bench(Chip(device_id=0x450)) as board:
        status, said = pyocd(board, tmp_path, "commander", "-c", "savemem 0xe0042000 4 id.bin")
        assert status == 0, said
    assert struct.unpack("<I", (tmp_path / "id.bin").read_bytes())[0] & 0xFFF == 0x450


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_and_a_probe_that_is_unplugged_in_the_middle(tmp_path: Path) -> None:
    data = image(tmp_path, 20_000)
    with bench(trouble=Trouble(unplug_after=4000)) as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
    assert status != 0 and "Error" in said, said
    assert bytes(board.mcu.flash.memory[: len(data)]) != data


@pytest.mark.usefixtures("openocd_here")
def test_openocd_and_a_probe_that_is_unplugged_in_the_middle(tmp_path: Path) -> None:
    data = image(tmp_path, 20_000)
    with bench(trouble=Trouble(unplug_after=2000)) as board:
        status, _ = openocd(board, tmp_path, f"program image.bin 0x{BASE:x} verify reset exit")
    assert status != 0
    assert bytes(board.mcu.flash.memory[: len(data)]) != data


@pytest.mark.usefixtures("pyocd_here")
def test_pyocd_without_a_board(tmp_path: Path) -> None:
    image(tmp_path)
    with bench(trouble=Trouble(never_connects=True)) as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
        assert status != 0 and "No ACK received" in said, said
    status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
    assert status != 0 and "Connection refused" in said  # not even the probe is there


@pytest.mark.usefixtures("openocd_here")
def test_openocd_without_power_on_the_board(tmp_path: Path) -> None:
    with bench(trouble=Trouble(never_connects=True)) as board:
        status, said = openocd(board, tmp_path, "init", "shutdown")
    assert status != 0 and "all ones" in said, said


@pytest.mark.usefixtures("pyocd_here", "openocd_here")
def test_an_image_that_is_too_large(tmp_path: Path) -> None:
    image(tmp_path, 8192)
    where = hex(BASE + SIZE - 4096)
    with bench() as board:
        status, said = pyocd(board, tmp_path, "load", "image.bin", "--base-address", where)
        assert status != 0 and "no memory region defined" in said, said
        status, said = openocd(board, tmp_path, f"program image.bin {where} verify reset exit")
        assert status != 0 and "Failed" in said, said


@pytest.mark.usefixtures("pyocd_here")
def test_of_two_boards_the_named_one_is_programmed(tmp_path: Path) -> None:
    data = image(tmp_path, 4000)
    with bench() as one, bench() as other:
        status, said = pyocd(other, tmp_path, "load", "image.bin", "--base-address", hex(BASE))
        assert status == 0, said
    assert bytes(other.mcu.flash.memory[: len(data)]) == data
    assert set(one.mcu.flash.memory) == {0xFF}


def test_garbage_on_the_probe_port_gets_an_error_and_the_server_goes_on() -> None:
    with bench() as board:
        port = int(board.probe.rpartition(":")[2])
        for junk in (
            b"\xff\x00junk\n",
            b"{}\n",
            b'{"id": 1, "request": "read_ap"}\n',
            b"[]\n",
            b'{"id":1,"request":2}\n',
        ):
            with socket.create_connection(("localhost", port), timeout=10) as client:
                client.sendall(junk + b'{"id": 7, "request": "read_dp", "arguments": [0]}\n')
                answers = client.makefile()
                assert '"error"' in answers.readline()
                assert '"result": 731911287' in answers.readline()  # DPIDR: 0x2BA01477


def test_reset_of_the_chip_while_a_tool_holds_the_pin() -> None:
    with bench() as board:
        port = int(board.probe.rpartition(":")[2])
        with socket.create_connection(("localhost", port), timeout=10) as client:
            answers = client.makefile()
            client.sendall(b'{"id": 1, "request": "assert_reset", "arguments": [true]}\n')
            assert '"status": 0' in answers.readline()
            client.sendall(b'{"id": 2, "request": "is_reset_asserted"}\n')
            assert '"result": true' in answers.readline()
    assert board.mcu.debug_read(s.DHCSR, 4) >> 25 & 1
