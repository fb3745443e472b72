"""`edgekc build --updates` and `edgekc update`: an emulated board, the simulated one at its serial port, mistakes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call, complaint
from update_device import monocypher

import edgekc
from edgekc.boards.board import load_board
from edgekc.errors import BoardError, EdgekcError
from edgekc.firmware.folder import open_updatable
from edgekc.firmware.toolchain import arm_compiler, qemu_path
from edgekc.firmware.updates import slots_of, without_slots

pytest.importorskip("cryptography")

NETWORK = "00" * 16


@pytest.fixture
def update(tmp_path: Path) -> Path:
    """A signed update, and its key beside it."""
    edgekc.make_keys(tmp_path / "k")
    (tmp_path / "p").write_bytes(b"a payload")
    edgekc.sign_update(tmp_path / "p", tmp_path / "u", key=tmp_path / "k", sequence=1, network=NETWORK)
    return tmp_path / "u"


def need_compiler(board: str) -> None:
    try:
        arm_compiler(load_board(board))
    except EdgekcError as error:
        pytest.skip(str(error))


def emulated(folder: Path) -> Path:
    """A network whose constants are a blob, for an emulated board."""
    need_compiler("mps2-an386")
    if qemu_path(load_board("mps2-an386")) is None:
        pytest.skip("qemu is not installed")
    edgekc.compile(edgekc.load(MODEL), board="mps2-an386", name="digits", blob=True).save(folder / "out")
    return folder / "out"


def test_mistakes_before_anything_is_sent(update: Path) -> None:
    whole = update.read_bytes()
    for data, said in ((whole[:-1], "ends too early; copy it again"), (whole[:100], "ends too early"),
                       (whole + b"x", "goes on behind its end"), (b"x", "this is no update")):  # fmt: skip
        (update.parent / "x").write_bytes(data)
        assert said in complaint(call("update", update.parent / "x", "--board", "nucleo-f412zg", "--port", "nowhere"))
    (update.parent / "out").mkdir()
    for words, said in (
        ((), "which board is it?; name it with --board"),
        (("--board", "nowhere"), "no board is called 'nowhere'"),
        (("--board", "mps2-an386"), "the console of mps2-an386 needs the program; name its folder too"),
        (("--board", "nucleo-f412zg", "--port", str(update.parent / "none")), "cannot open the serial port"),
        ((str(update.parent / "out"), "--board", "mps2-an386"), "holds no program that takes updates; build it with"),
        ((str(update.parent / "out"),), "no manifest.json in it"),
    ):
        assert said in complaint(call("update", update, *words))
    assert "cannot be read" in complaint(call("update", update.parent / "missing", "--board", "nucleo-f412zg"))


def test_boards_whose_flash_nobody_wrote_down() -> None:
    manifest = {"ekc_bytes": 5000, "blob": {"bytes": 9000}}
    with pytest.raises(BoardError, match=r"its file has no \[updates\], which says where"):
        slots_of(load_board("nucleo-l4r5zi"), manifest)
    emulated = load_board("mps2-an386")
    assert slots_of(emulated, manifest).slot_bytes == 12288
    assert without_slots(emulated, slots_of(emulated, manifest)) is emulated
    board = load_board("nucleo-f412zg")
    cut = without_slots(board, slots_of(board, manifest))
    assert (cut.flash.size_bytes, board.flash.size_bytes, cut.ram) == (0xC0000, 1 << 20, board.ram)


def test_a_program_that_would_reach_into_its_slots_is_not_linked(tmp_path: Path, update: Path) -> None:
    need_compiler("nucleo-f412zg")
    board = load_board("nucleo-f412zg")
    assert board.slots is not None
    first, second = board.slots.places
    low = replace(board.slots, places=(replace(first, at=0x08004000, first_sector=1), second))
    program = edgekc.compile(edgekc.load(MODEL), board=replace(board, slots=low), name="digits")
    program.save(tmp_path / "out")
    with pytest.raises(edgekc.CapacityError, match="flash"):
        edgekc.build_updatable(program, [update.parent / "k.pub"], link="uart")
    for command in ("build", "flash"):
        assert "--link is for --updates" in complaint(call(command, tmp_path / "out", "--link", "uart"))
        assert "--monocypher is for" in complaint(call(command, tmp_path / "out", "--monocypher", tmp_path))
    missing = call("build", tmp_path / "out", "--board", "nucleo-f412zg", "--updates", tmp_path / "nothing.pub")
    assert "nothing.pub: cannot be read" in complaint(missing)
    keyed = ("build", tmp_path / "out", "--board", "nucleo-f412zg", "--updates", update.parent / "k.pub")
    assert "there is no monocypher.c of Monocypher" in complaint(call(*keyed, "--monocypher", tmp_path))


@pytest.mark.slow
def test_an_emulated_board_keeps_what_it_takes(tmp_path: Path, update: Path) -> None:
    """From one start to the next, and across a build: its flash is a file beside its program."""
    out, key = emulated(tmp_path), tmp_path / "k"
    assert call("build", out, "--updates", f"{key}.pub").code == 0
    for sequence in (1, 2):
        edgekc.sign_update(out / "digits.blob", tmp_path / "u", key=key, sequence=sequence, network=out)
        done = json.loads(call("update", tmp_path / "u", out, "--json").out)
        assert (done["sequence_before"], done["sequence"], done["runs"]) == (sequence - 1 or None, sequence, True)
        assert "is not newer than what runs" in complaint(call("update", tmp_path / "u", out))
        said = call("run", out, "--updates", f"{key}.pub", "--samples", "1")  # builds it anew
        assert said.code == 0 and "over semihosting: 1 samples" in said.out
    edgekc.sign_update(tmp_path / "p", tmp_path / "u", key=key, sequence=3, network=NETWORK)
    assert "for another network" in complaint(call("update", tmp_path / "u", out))


@pytest.mark.slow
def test_monocypher_checks_signatures_of_an_emulated_board(tmp_path: Path, update: Path) -> None:
    out, key = emulated(tmp_path), tmp_path / "k"
    edgekc.sign_update(out / "digits.blob", update, key=key, sequence=1, network=out)
    built = call("build", out, "--updates", f"{key}.pub", "--monocypher", monocypher(), "--json")
    assert built.code == 0, built
    (linked,) = Path(json.loads(built.out)["folder"]).glob("*.map")
    assert "crypto_eddsa_check_equation" in linked.read_text()
    edgekc.make_keys(tmp_path / "other")
    edgekc.sign_update(out / "digits.blob", tmp_path / "x", key=tmp_path / "other", sequence=1, network=out)
    assert "signature is wrong" in complaint(call("update", tmp_path / "x", out))
    assert json.loads(call("update", update, out, "--json").out)["runs"]


@pytest.mark.slow
def test_the_simulated_board_by_its_serial_port(tmp_path: Path, update: Path) -> None:
    """Its flash holds what was built; it is updated by the command, and run without flashing."""
    pytest.importorskip("unicorn")
    from simulated_device import check_natively
    from simulated_mcu.bench import bench

    need_compiler("nucleo-f412zg")
    out, key = tmp_path / "out", update.parent / "k"
    edgekc.compile(edgekc.load(MODEL), board="nucleo-f412zg", name="digits", blob=True).save(out)
    edgekc.sign_update(out / "digits.blob", tmp_path / "u", key=key, sequence=4, network=out)
    built = json.loads(call("build", out, "--updates", f"{key}.pub", "--link", "uart", "--json").out)
    dry = call("flash", out, "--updates", f"{key}.pub", "--link", "uart", "--dry-run", "--tool", "openocd")
    assert "nucleo-f412zg-uart-updates" in dry.out
    program = (Path(built["folder"]) / "image.bin").read_bytes()
    with bench() as board:
        check_natively(board.mcu, open_updatable(Path(built["folder"]), load_board("nucleo-f412zg"))[0])
        board.mcu.flash.fill(program.ljust(len(board.mcu.flash.memory), b"\xff"))
        board.mcu.hold_reset(True)
        board.mcu.hold_reset(False)
        port = ("--board", "nucleo-f412zg", "--port", f"localhost:{board.serial_port}")
        done = call("update", tmp_path / "u", *port)
        assert done.code == 0 and "runs sequence 4 from slot 0" in done.out, done
        ran = call("run", out, "--no-flash", "--link", "uart", "--samples", "1", *port)
        assert ran.code == 0 and "over uart: 1 samples" in ran.out, ran
