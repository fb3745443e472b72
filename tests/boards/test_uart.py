"""The console over UARTs: the C written for each board, its registers against models of the families, serial ports."""

from __future__ import annotations

import os
import pty
import shutil
import struct
import subprocess
import tty
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from console_lines import BadLine, toy_device
from portable_target import portable
from uart_models import MODELS, Model, stm32_v1

from edgekc.boards.board import Board, list_boards, load_board
from edgekc.boards.uart import FAMILIES, Step, Uart, view
from edgekc.console import session
from edgekc.console.lines import SerialLine
from edgekc.console.protocol import Console, Patience
from edgekc.console.session import check_link
from edgekc.emulate import host
from edgekc.errors import BoardError, ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import build_image
from edgekc.pipeline import compile_model

ROOT = Path(__file__).resolve().parents[2]
PORT, INCLUDE = ROOT / "runtime_c" / "port", ROOT / "runtime_c" / "include"


def uart_of(board: Board) -> Uart | None:
    return board.console.uart if board.console is not None else None


WITH_UART = [name for name in list_boards() if uart_of(load_board(name)) is not None]
BASE = 0x40004000


def write_c(uart: Uart, folder: Path) -> Path:
    """The driver, as the build writes it."""
    from edgekc.templates import environment

    path = folder / "ek_link_uart.c"
    path.write_text(environment().get_template("uart.c.j2").render({"board": "test", **view(uart)}))
    return path


def need_gcc() -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")


def test_every_real_microcontroller_has_one_with_pins() -> None:
    for name in list_boards():
        board = load_board(name)
        if board.core.system == "bare" and board.probe is not None:
            uart = uart_of(board)
            assert uart is not None and uart.pins and uart.setup, name
            assert board.console is not None and board.console.links in (("rtt", "uart"), ("uart",)), name


def test_the_c_of_every_board_compiles_without_warnings(tmp_path: Path) -> None:
    need_gcc()
    flags = "-mthumb -mcpu=cortex-m0plus -std=c99 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
    for name in WITH_UART:
        uart = uart_of(load_board(name))
        assert uart is not None
        path = write_c(uart, tmp_path)
        command = ["arm-none-eabi-gcc", *flags, f"-I{PORT}", f"-I{INCLUDE}", "-c", str(path), "-o", f"{path}.o"]
        subprocess.run(command, check=True)


# ---- the families, against models of them ----


_MAIN = """
#include "ek_console.h"
int main_(void)
{
    uint8_t data[8];
    ek_link_init();
    uint32_t got = 0;
    while (got < 5u) { got += ek_link_get(data + got, 5u - got); }
    ek_link_put(data, 5u);
    return 0;
}
"""


def run_on_core(uart: Uart, model: Model, folder: Path) -> None:
    """init, five bytes in, five bytes out, on a Cortex-M0 whose UART is the model."""
    unicorn = pytest.importorskip("unicorn", reason="unicorn is not installed")
    arm: Any = pytest.importorskip("unicorn.arm_const")
    write_c(uart, folder)
    (folder / "main.c").write_text(_MAIN)
    flags = "-mthumb -mcpu=cortex-m0 -O1 -ffreestanding -nostdlib -Wl,-Ttext=0x1000 -Wl,-emain_".split()
    sources = [str(folder / "main.c"), str(folder / "ek_link_uart.c")]
    command = ["arm-none-eabi-gcc", *flags, f"-I{PORT}", f"-I{INCLUDE}", *sources, "-o", str(folder / "x.elf")]
    subprocess.run(command, check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", folder / "x.elf", folder / "x.bin"], check=True)
    entry = struct.unpack_from("<I", (folder / "x.elf").read_bytes(), 24)[0]
    failed: list[BaseException] = []

    def read(uc: Any, offset: int, size: int, _data: Any) -> int:
        try:
            return model.read(model, offset)
        except BaseException as error:
            failed.append(error)
            uc.emu_stop()
            return 0

    def write(uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        try:
            model.wrote(model, offset, value)  # by what was there before
            if offset not in model.status:
                model.words[offset] = value
        except BaseException as error:
            failed.append(error)
            uc.emu_stop()

    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
    uc.mem_map(0, 0x10000)
    uc.mem_write(0x1000, (folder / "x.bin").read_bytes())
    uc.mem_map(0x20000000, 0x1000)
    uc.mmio_map(BASE, 0x1000, read, None, write, None)
    uc.reg_write(arm.UC_ARM_REG_SP, 0x20001000)
    uc.reg_write(arm.UC_ARM_REG_LR, 0x8001)
    uc.emu_start(entry | 1, 0x8000, count=20_000)
    if failed:
        raise failed[0]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_against_its_model(family: str, tmp_path: Path) -> None:
    need_gcc()
    clock = 16_000_000
    model = MODELS[family](Model([1, 254, 0, 10, 13]))
    run_on_core(Uart(family, BASE, clock, 115200, "", ()), model, tmp_path)
    assert model.sent == [1, 254, 0, 10, 13]
    assert clock / model.divisor(model) == pytest.approx(115200, rel=0.02)


def test_the_setup_is_done_in_its_order(tmp_path: Path) -> None:
    need_gcc()
    seen: list[tuple[int, int]] = []
    model = stm32_v1(Model([0] * 5))
    model.words = {0x800: 0xFF}
    plain_read, plain = model.read, model.wrote
    looks = 0

    def wrote(m: Model, offset: int, value: int) -> None:
        if offset >= 0x800:
            seen.append((offset, value))
        plain(m, offset, value)

    def read(m: Model, offset: int) -> int:
        nonlocal looks
        looks += offset == 0x808
        return (looks > 4) << 31 | 1 if offset == 0x808 else plain_read(m, offset)

    model.wrote, model.read = wrote, read
    steps = (
        Step(BASE + 0x800, 0x0F, 0x100, None, None), Step(BASE + 0x804, 0, 0, 0, None),
        Step(BASE + 0x808, 0, 0, None, 1 << 31 | 1), Step(BASE + 0x800, 0x10, 0, None, None),
    )  # fmt: skip
    run_on_core(Uart("stm32-usart-v1", BASE, 16_000_000, 115200, "", steps), model, tmp_path)
    assert seen == [(0x800, 0x1F0), (0x804, 0), (0x800, 0x1E0)] and looks == 5


# ---- whole programs, and serial ports ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits") / "out"
    model = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
    write_folder(compile_model(model, "digits", portable()).files, out)
    return out


# One board for each family that qemu has; the last loses bytes, flips them and invents some, in both directions.
QEMU = [
    ("mps2-an386", 0.0),
    ("microbit", 0.0),
    ("lm3s6965evb", 0.0),
    ("stm32vldiscovery", 0.0),
    ("mps3-an547", 1 / 200),
]


@pytest.mark.parametrize(("name", "rate"), QEMU)
def test_the_uarts_of_emulated_boards(name: str, rate: float, folder: Path, tmp_path: Path) -> None:
    need_gcc()
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    board = load_board(name)
    image = build_image(folder, board, tmp_path, trace=True, link="uart")
    inputs = host.samples(read_manifest(folder), 2)
    job = session.make_job(image, tmp_path)
    with session.open_line(image, job, "uart", "", "", 60.0) as line:
        console = Console(BadLine(line, rate, 1), Patience(tries=60, answer_s=1.0, run_s=1.0), name)
        done = session.run_samples(console, image, folder, inputs, link="uart", check=True, log=lambda _: None)
    assert done.outputs == host.run(host.build(folder), inputs)
    assert rate == 0 or done.resent > 0  # a slow machine may ask again without a loss too


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A pseudo-terminal with the toy network's console behind it."""
    pytest.importorskip("serial", reason="pyserial is not installed")
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    device = toy_device(tmp_path)
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    process = subprocess.Popen([device], stdin=ours, stdout=ours)
    os.close(ours)
    yield os.ttyname(theirs), process
    process.kill()
    process.wait()
    os.close(theirs)


def test_a_serial_port_by_pyserial(port: tuple[str, subprocess.Popen[bytes]]) -> None:
    line = SerialLine(port[0], 115200)
    try:
        console = Console(line, Patience(tries=4, answer_s=5.0, run_s=5.0), "here")
        assert console.hello().name == "toy"
        assert console.run(bytes(700)).status == 0
        assert console.output(700) == bytes([2]) * 700
        port[1].kill()
        port[1].wait()
        with pytest.raises(ToolError, match="here: the line was closed"):
            console.run(bytes(700))
    finally:
        line.close()


def test_a_serial_port_that_is_not_there() -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    with pytest.raises(ToolError, match=r"/dev/none-such: cannot open the serial port: .*; name it with --port"):
        SerialLine("/dev/none-such", 115200)


def test_which_usb_serial_port(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = pytest.importorskip("serial.tools.list_ports", reason="pyserial is not installed")
    from edgekc.console.lines import only_serial_port

    @dataclass
    class Found:
        device: str
        vid: int | None

    ports = [Found("/dev/ttyS0", None)]
    monkeypatch.setattr(listing, "comports", lambda: ports)
    with pytest.raises(ToolError, match="board x: no USB serial port was found; name the one with --port"):
        only_serial_port("board x")
    ports.append(Found("/dev/ttyACM1", 0x0483))
    assert only_serial_port("board x") == "/dev/ttyACM1"
    ports.append(Found("/dev/ttyACM0", 0x0483))
    with pytest.raises(ToolError, match="more than one USB serial port: /dev/ttyACM0, /dev/ttyACM1"):
        only_serial_port("board x")


# ---- board files ----

WRONG = [
    ("[console.uart]", "[probe.chip_id2]", "key console.uart: missing; links lists 'uart'"),
    (
        '"stm32-usart-v1"',
        '"stm32-usart"',
        "key console.uart.family: unknown family 'stm32-usart'; did you mean 'stm32-",
    ),
    ("pins =", "baud = 12_000_000\npins =", "key console.uart.baud: 16000000 Hz gives 16000000 baud, +33.3 % from"),
    ("set = 0xA0 }", "set = 0xA0, write = 1 }", "expected one of: write; until; clear and set"),
    ("0x40023830", "0x40023831", "at: expected a multiple of 4, got 0x40023831"),
    ("base = ", "bass = ", "key console.uart.bass: unknown key; did you mean 'base'"),
]


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_a_wrong_uart_in_a_board_file(old: str, new: str, expected: str, tmp_path: Path) -> None:
    text = load_board("nucleo-f446re").path.read_text()
    assert old in text
    changed = text[: text.index(old)] if "missing" in expected else text.replace(old, new)
    (tmp_path / "board.toml").write_text(changed)
    with pytest.raises(BoardError) as caught:
        load_board(tmp_path / "board.toml")
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_board_without_a_uart() -> None:
    board = load_board("mps2-an386")
    assert board.console is not None
    check_link(board, "uart")
    none = replace(board, console=replace(board.console, uart=None))
    with pytest.raises(Exception, match="--link uart: mps2-an386 has none; use semihosting"):
        check_link(none, "uart")
