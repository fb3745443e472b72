"""`--optimise size`: another program in a folder of its own, smaller, with the same bytes, which says what it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from edgekc.boards.board import load_board
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import arm_compiler, emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import BOARD, call, compile_demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        arm_compiler(load_board(BOARD))
        emulator(load_board(BOARD))
    except ToolError as error:
        pytest.skip(str(error))
    return compile_demo(tmp_path_factory.mktemp("optimise") / "out")


def producers(elf: Path) -> dict[str, str]:
    """What compiled each source, as gcc writes it down with its flags."""
    with elf.open("rb") as file:
        units = [unit.get_top_DIE().attributes for unit in ELFFile(file).get_dwarf_info().iter_CUs()]
    return {Path(a["DW_AT_name"].value.decode()).name: a["DW_AT_producer"].value.decode() for a in units}


def test_two_builds_side_by_side(folder: Path) -> None:
    written = {}
    for optimise, level in (("speed", "-O2"), ("size", "-Os"), ("speed", "-O2")):
        done = call("build", folder, "--board", BOARD, "--optimise", optimise, "--json")
        assert done.code == 0, done.err
        built = json.loads(done.out)
        where = Path(built["folder"])
        assert built["optimise"] == optimise == json.loads((where / "firmware.json").read_text())["optimise"]
        elf = (where / "digits.elf").read_bytes()
        assert written.setdefault(optimise, (where, elf)) == (where, elf)
        made = producers(where / "digits.elf")
        if "GNU C" in made["digits.c"]:
            assert f" {level} " in made["digits.c"]
            assert f" {level} " in made["ek_conv2d_s8_dsp.c"]
            assert " -O2 " in made["harness.c"]  # which measures, and is not the model's
    (fast, fast_elf), (small, small_elf) = written["speed"], written["size"]
    assert fast != small
    assert (fast / "digits.elf").read_bytes() == fast_elf != small_elf == (small / "digits.elf").read_bytes()


def test_measure_and_verify_say_which(folder: Path) -> None:
    measured = {}
    for optimise in ("speed", "size"):
        done = call("measure", folder, "--samples", "1", "--optimise", optimise, "--json")
        assert done.code == 0, done.err
        measured[optimise] = json.loads(done.out)
        assert measured[optimise]["optimise"] == optimise

    def shown(*options: str) -> str:
        return " ".join(call("measure", folder, "--samples", "1", *options).out.split())

    fast, small = measured["speed"], measured["size"]
    assert small["model_flash_bytes"] < fast["model_flash_bytes"]
    assert fast["instructions"][0] < small["instructions"][0] < 1.2 * fast["instructions"][0]
    assert " for size, " in shown("--optimise", "size")
    assert " for size, " not in shown()

    checked = call("verify", folder, "--samples", "4", "--optimise", "size", "--json")
    assert checked.code == 0, checked.err
    assert json.loads(checked.out)["optimise"] == "size"


def test_another_choice_is_refused(folder: Path) -> None:
    done = call("build", folder, "--optimise", "debug")
    assert done.code == 2
    words = " ".join(done.err.replace("│", " ").split())
    assert "--optimise" in words and "is not one of 'speed', 'size'" in words
