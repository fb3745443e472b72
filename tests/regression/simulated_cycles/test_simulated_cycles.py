"""What a board's counter counts is found out on the board: instructions on a simulator, else cycles."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")

from simulated_mcu.bench import PYOCD_PATIENCE, bench, need_pyocd

from edgekc.boards.board import load_board
from edgekc.console.session import BoardRun, Way, on_board, run_samples
from edgekc.demo.walk import DATA
from edgekc.emulate import host
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.toolchain import arm_compiler
from edgekc.pipeline import compile_model, target_of
from edgekc.simulate import core

BOARD = "nucleo-f412zg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = load_board(BOARD)
    need_pyocd()
    try:
        arm_compiler(board)
    except ToolError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("digits") / "out"
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target_of(board)).files, out)
    return out


def run(folder: Path) -> BoardRun:
    inputs = host.samples(read_manifest(folder), 1)
    with bench() as board:
        way = Way("rtt", "pyocd", board.probe, "", None, PYOCD_PATIENCE, True, 120.0)
        with on_board(folder, load_board(BOARD), way, trace=False) as (console, image, _):
            return run_samples(console, image, folder, inputs, link="rtt", check=False, log=lambda _: None)


def test_a_tick_an_instruction_is_said_to_be_one(folder: Path) -> None:
    done = run(folder)
    assert done.emulated
    assert done.unit == "instructions (a simulated core, by its DWT), not cycles"


def test_a_core_whose_loads_take_two_cycles_counts_cycles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Cortex-M4's do: with nothing else slower, the program must not call its counts instructions."""
    instructions = core._instructions

    def cycles(code: bytes) -> int:
        words = struct.unpack(f"<{len(code) // 2}H", code)
        return instructions(code) + sum(word & 0xF800 == 0x6800 for word in words)  # LDR Rt, [Rn, #n]

    monkeypatch.setattr(core, "_instructions", cycles)
    done = run(folder)
    assert not done.emulated
    assert done.unit == "cycles of the core's clock (DWT)"
