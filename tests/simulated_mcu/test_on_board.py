"""`edgekc verify`, `measure` and `run` on the simulated board: over RTT by both probes' tools, and over its UART."""

from __future__ import annotations

import json
import random
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("unicorn", reason="unicorn is not installed")

from edgekc.boards.board import load_board
from edgekc.cli.main import app
from edgekc.console.session import Way, on_board, run_samples
from edgekc.emulate import host
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.toolchain import arm_compiler
from edgekc.measure.emulated import LayerCost, measure
from edgekc.measure.report import parts
from edgekc.pipeline import compile_model, target_of
from edgekc.tables import text
from simulated_mcu.bench import OPENOCD_CONFIG, PYOCD_PATIENCE, Bench, bench, need_openocd, need_pyocd

BOARD = "nucleo-f412zg"
_MODEL = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data" / "digits_int8.tflite"
# A tick is counted when its block of code is entered, at both ends of a layer; a trace's call is a few more.
_BLOCK = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = load_board(BOARD)
    try:
        arm_compiler(board)
    except ToolError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("digits") / "out"
    write_folder(compile_model(_MODEL, "digits", target_of(board)).files, out)
    return out


def reached(tool: str, board: Bench, tmp_path: Path) -> list[str]:
    """The options that name this simulated board."""
    if tool == "pyocd":
        need_pyocd()
        return ["--probe", board.probe, *(f"--tool-option={word}" for word in PYOCD_PATIENCE)]
    need_openocd()
    config = tmp_path / "simulated.cfg"
    config.write_text(f"set PORT {board.openocd_port}\nsource {OPENOCD_CONFIG}\n")
    return ["--tool", "openocd", "--openocd-config", str(config)]


def edgekc(*words: str | Path) -> str:
    """What the command printed; its error as it is."""
    done = CliRunner().invoke(app, list(map(str, words)))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_verify_over_rtt_by_openocd(folder: Path, tmp_path: Path) -> None:
    with bench() as board:
        said = edgekc("verify", folder, "--samples", "1", *reached("openocd", board, tmp_path))
    assert f"reference = host = {BOARD} (over rtt), 1 samples, 9 layers, every byte equal" in said


def test_measure_over_rtt_by_pyocd_counts_what_the_emulator_counts(folder: Path, tmp_path: Path) -> None:
    with bench() as board:
        said = edgekc("measure", folder, "--samples", "1", "--json", *reached("pyocd", board, tmp_path))
    m = json.loads(said)
    assert m["unit"] == "instructions (a simulated core, by its DWT), not cycles" and m["cycles"] == []
    counted = measure(folder, load_board(BOARD), samples=1, timeout_s=120)  # on the same random input
    assert abs(m["instructions"][0] - counted.instructions[0]) < _BLOCK
    for layer, expected in zip(m["layers"], counted.layers, strict=True):
        assert abs(layer["instructions"][0] - expected.instructions[0]) < 2 * _BLOCK, layer["name"]
    assert 0 < m["painted_stack_bytes"] <= m["stack_bound"]["size_bytes"]
    assert m["painted_stack_bytes"] == counted.painted_stack_bytes
    assert sum(row["size_bytes"] for row in m["by_layer"]) == m["ledger"]["flash_bytes"]
    assert m["model_flash_bytes"] == counted.ledger.model_flash_bytes
    assert counted.speed is not None
    assert m["speed"]["cycles"] == asdict(counted.speed.cycles)  # beside it, the emulator's estimate
    console = load_board(BOARD).console
    assert console is not None and m["speed"]["clock_hz"] == console.clock_hz
    for layer, expected in zip(m["layers"], counted.layers, strict=True):
        assert expected.estimated_cycles is not None
        assert layer["estimated_cycles"] == asdict(expected.estimated_cycles), layer["name"]


def test_a_board_that_counts_cycles_shows_them_beside_the_estimate(folder: Path) -> None:
    """The same lines as for a simulated one, whose instructions are no cycles and have no ratio."""
    emulated = measure(folder, load_board(BOARD), samples=1, timeout_s=120, clock_hz=100_000_000)
    assert emulated.speed is not None
    assert "times the estimate" not in text(parts(emulated))

    def twice(c: LayerCost) -> LayerCost:
        assert c.estimated_cycles is not None
        return replace(c, cycles=(round(2 * c.estimated_cycles.likely),), instructions=())

    cycles = (round(2 * emulated.speed.stalled.likely),)
    counted = replace(
        emulated, cycles=cycles, instructions=(), board_unit="cycles", layers=tuple(map(twice, emulated.layers)),
        outside=None, systick_instructions=(),
    )  # fmt: skip
    said = text(parts(counted))
    assert "The board counted 2.00 times the estimate (1." in said and "wait states included" in said
    assert "of est." in said and said.count(" 2.00\n") == len(counted.layers)


def test_run_over_the_uart(folder: Path, tmp_path: Path) -> None:
    """With somebody else's noise on the line at first."""
    out = tmp_path / "outputs.bin"
    with bench() as board:
        port = f"localhost:{board.serial_port}"
        with socket.create_connection(("localhost", board.serial_port)) as noise:
            noise.sendall(random.Random(0).randbytes(700))
            said = edgekc(
                "run", folder, "--samples", "1", "--link", "uart", "--port", port, "-o", out,
                *reached("pyocd", board, tmp_path),
            )  # fmt: skip
    assert f"digits on {BOARD} over uart: 1 samples" in said and "(a simulated core, by its DWT), not cycles" in said
    assert out.read_bytes() == host.run(host.build(folder), host.samples(read_manifest(folder), 1))


@pytest.mark.parametrize("link", ["uart", "rtt"])
def test_a_brownout_in_the_middle_is_called_a_reset(link: str, folder: Path) -> None:
    need_pyocd()
    inputs = host.samples(read_manifest(folder), 3)
    with bench() as board:
        port = f"localhost:{board.serial_port}" if link == "uart" else ""
        way = Way(link, "pyocd", board.probe, port, None, PYOCD_PATIENCE, True, 120.0)
        with (
            on_board(folder, load_board(BOARD), way, trace=False) as (console, image, _),
            pytest.raises(ToolError, match="the board was reset in the middle of the run"),
        ):
            run_samples(
                console, image, folder, inputs, link=link, check=False, log=lambda _: board.mcu.brown_out()
            )  # fmt: skip
