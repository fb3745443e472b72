"""`edgekc flash` on the simulated board, by stock pyOCD and by stock OpenOCD: what it programs, and each refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")

from edgekc.boards.board import load_board
from edgekc.errors import FlashError, ToolError
from edgekc.files.output import write_folder
from edgekc.firmware.build import Image
from edgekc.firmware.folder import build_firmware
from edgekc.firmware.toolchain import arm_compiler
from edgekc.flashing import run
from edgekc.pipeline import compile_model, target_of
from edgekc.simulate.flash import BASE
from edgekc.simulate.mcu import Chip
from edgekc.simulate.server import Trouble
from simulated_mcu.bench import OPENOCD_CONFIG, PYOCD_PATIENCE, Bench, bench, need_openocd, need_pyocd

BOARD = "nucleo-f412zg"
_MODEL = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data" / "digits_int8.tflite"
_RESET_VECTOR = {BASE + 4: 1}  # a bit that every program sets


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    board = load_board(BOARD)
    try:
        arm_compiler(board)
    except ToolError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("digits") / "out"
    write_folder(compile_model(_MODEL, "digits", target_of(board)).files, folder)
    return build_firmware(folder, board)


@pytest.fixture(params=["pyocd", "openocd"])
def tool(request: pytest.FixtureRequest) -> str:
    {"pyocd": need_pyocd, "openocd": need_openocd}[request.param]()
    return str(request.param)


def flash(tool: str, board: Bench, image: Image, tmp_path: Path, timeout_s: float = 180.0) -> run.Flashed:
    """What the command does once the program is built."""
    config = None
    if tool == "openocd":
        config = tmp_path / "simulated.cfg"
        config.write_text(f"set PORT {board.openocd_port}\nsource {OPENOCD_CONFIG}\n")
    probe = board.probe if tool == "pyocd" else ""
    options = PYOCD_PATIENCE if tool == "pyocd" else ()
    job = run.make_job(image, tmp_path, probe=probe, openocd_config=config, options=options)
    return run.flash(run.TOOLS[tool], job, timeout_s=timeout_s, log=lambda _: None)


def refusal(tool: str, board: Bench, image: Image, tmp_path: Path, timeout_s: float = 180.0) -> FlashError:
    with pytest.raises(FlashError) as caught:
        flash(tool, board, image, tmp_path, timeout_s)
    assert "\n" not in str(caught.value)
    return caught.value


def test_it_programs_reads_back_and_starts_the_program(tool: str, image: Image, tmp_path: Path) -> None:
    with bench() as board:
        board.mcu.flash.memory[:65536] = bytes(65536)  # an older program
        done = flash(tool, board, image, tmp_path)
    data = (tmp_path / "image.bin").read_bytes()
    assert done.read_back and (done.base, done.size_bytes) == (BASE, len(data))
    assert bytes(board.mcu.flash.memory[: len(data)]) == data
    assert board.mcu.system.cycles  # it ran


def test_readout_protection(tool: str, image: Image, tmp_path: Path) -> None:
    with bench(Chip(protected=True)) as board:
        error = refusal(tool, board, image, tmp_path)
    # pyOCD cannot tell a protected flash from another refusal of its controller.
    assert error.problem == {"pyocd": "refused", "openocd": "locked"}[tool], error
    assert "lower the read-out protection" in str(error)
    assert set(board.mcu.flash.memory) == {0xFF}


def test_another_chip_is_not_written(tool: str, image: Image, tmp_path: Path) -> None:
    with bench(Chip(device_id=0x450)) as board:
        error = refusal(tool, board, image, tmp_path)
    assert error.problem == "wrong-chip" and "0x00000450, expected 0x00000441" in str(error), error
    assert set(board.mcu.flash.memory) == {0xFF}


def test_a_stuck_bit(tool: str, image: Image, tmp_path: Path) -> None:
    with bench(Chip(stuck=_RESET_VECTOR)) as board:
        error = refusal(tool, board, image, tmp_path)
    assert error.problem == "verify" and "the first at 0x08000004" in str(error), error


def test_a_probe_that_is_unplugged_in_the_middle(tool: str, image: Image, tmp_path: Path) -> None:
    with bench(trouble=Trouble(unplug_after=3000)) as board:
        error = refusal(tool, board, image, tmp_path)
    assert error.problem == "lost", error
    data = (tmp_path / "image.bin").read_bytes()
    assert bytes(board.mcu.flash.memory[: len(data)]) != data


def test_a_server_that_vanishes_in_the_middle_ends_by_the_timeout_at_the_latest(
    tool: str, image: Image, tmp_path: Path
) -> None:
    with bench(trouble=Trouble(vanish_after=3000)) as board:
        error = refusal(tool, board, image, tmp_path, timeout_s=8.0)
    assert error.problem in ("lost", "timeout")  # pyOCD 0.46 waits for ever for a server that closed


def test_no_power_on_the_board(tool: str, image: Image, tmp_path: Path) -> None:
    with bench(trouble=Trouble(never_connects=True)) as board:
        error = refusal(tool, board, image, tmp_path)
    assert error.problem == "no-power", error


def test_no_probe(tool: str, image: Image, tmp_path: Path) -> None:
    with bench() as board:
        pass
    assert refusal(tool, board, image, tmp_path).problem == "no-probe"
