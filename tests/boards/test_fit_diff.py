"""Which boards hold a model, checked against real links; and what two builds differ in."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from portable_target import portable
from typer.testing import CliRunner

import edgekc
from edgekc.boards.advice import Shortage, advise, boards_with
from edgekc.boards.board import list_boards, load_board
from edgekc.cli.main import app
from edgekc.errors import CapacityError, UsageError
from edgekc.files.output import write_folder
from edgekc.firmware.build import build_image
from edgekc.measure.difference import Change, compare_measurements, figures
from edgekc.measure.which_boards import Needs, _fit, fit_boards
from edgekc.pipeline import compile_model, target_of

DATA = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data"
DIGITS = DATA / "digits_int8.tflite"
pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


def shrunk(tmp_path: Path, flash: int, ram: int) -> Path:
    text, _, _ = load_board("nucleo-f446re").path.read_text().partition("\n[updates]")
    path = tmp_path / f"board{flash}-{ram}.toml"
    path.write_text(text.replace("size_bytes = 524288", f"size_bytes = {flash}").replace("131072", f"{ram}"))
    return path


def test_every_board_with_room_holds_the_digits() -> None:
    rows = fit_boards(DIGITS, [load_board(name) for name in ("microbit", "nucleo-f446re", "rpi4")])
    assert [(row.board, row.fits) for row in rows] == [("microbit", True), ("nucleo-f446re", True)]


def test_what_is_missing_is_exact(tmp_path: Path) -> None:
    (row,) = fit_boards(DIGITS, [load_board("nucleo-f446re")])
    flash, ram = row.needs.flash_bytes, row.needs.buffers_bytes + row.needs.stack_bytes
    small = load_board(shrunk(tmp_path, flash - 5, ram - 7))
    (row,) = fit_boards(DIGITS, [small])
    assert (row.flash_missing, row.ram_missing, row.fits) == (5, 7, False)
    exact = load_board(shrunk(tmp_path, flash, ram))
    assert fit_boards(DIGITS, [exact])[0].fits


def test_the_linker_agrees_that_it_does_not_fit(tmp_path: Path) -> None:
    """The harness needs more than the model, so what does not fit here does not link either."""
    (row,) = fit_boards(DIGITS, [load_board("nucleo-f446re")])
    small = load_board(shrunk(tmp_path, row.needs.flash_bytes - 4, 131072))
    write_folder(compile_model(DIGITS, "digits", target_of(small)).files, tmp_path / "out")
    with pytest.raises(CapacityError):
        build_image(tmp_path / "out", small, tmp_path / "image")


def test_a_program_that_is_too_large_names_layer_recipe_and_boards(tmp_path: Path) -> None:
    (row,) = fit_boards(DIGITS, [load_board("nucleo-f446re")])
    small = load_board(shrunk(tmp_path, row.needs.flash_bytes - 4, 131072))
    write_folder(compile_model(DIGITS, "digits", target_of(small)).files, tmp_path / "out")
    with pytest.raises(CapacityError) as caught:
        build_image(tmp_path / "out", small, tmp_path / "image")
    said = str(caught.value)
    over = int(re.search(r"overflows flash of \d+ bytes by (\d+) bytes", said)[1])  # type: ignore[index]
    assert over > 0 and "its largest layer is conv_4 (" in said
    assert " with --recipe cluster4, which " in said and "arena" not in said
    assert "take a board that has room: microbit-v2" in said
    assert "cluster4" in edgekc.list_recipes()


def test_advice_names_only_boards_with_room_and_recipes_that_save_enough() -> None:
    kib = 1024
    flash = Shortage(40 * kib, 0, 168 * kib, 6 * kib, 100 * kib, {"a": 10, "b": 99})
    assert flash.largest == "b (99 bytes)"
    assert "which saves about 51,200 bytes" in advise(flash, "stm32vldiscovery")
    assert "would save only about 1,024 bytes" in advise(replace(flash, weight_bytes=2 * kib), "stm32vldiscovery")
    ram = Shortage(0, 1, 8 * kib, 600 * kib, 0, {})
    said = advise(ram, "nucleo-f446re")
    assert "take a smaller input or fewer channels, or" in said and "cluster4" not in said
    some = advise(replace(ram, ram_over=5000, peak_layer="c", peak_scratch_bytes=4000), "nucleo-f446re")
    assert "fewer channels, since all but 4,000 bytes are activations" in some
    packed = advise(replace(ram, ram_over=4000, peak_layer="c", peak_scratch_bytes=4000), "nucleo-f446re")
    assert "leave c dense or compress it with --recipe cluster4: 4,000 bytes there are scratch" in packed
    assert "smaller input" not in packed
    for name in boards_with(8 * kib, 600 * kib):
        board = load_board(name)
        assert (board.flash_bytes or 0) >= 8 * kib and (board.ram_bytes or 0) >= 600 * kib
    assert boards_with(8 * kib, 600 * kib)[0] == "nucleo-l4r5zi"  # the smallest real one
    assert advise(Shortage(1, 0, 1 << 40, 0, 0, {}), "x") == "no board of edgekc's has room"


def test_compile_says_the_same_of_a_board_that_is_far_too_small(tmp_path: Path) -> None:
    with pytest.raises(
        CapacityError, match=r"packed model has .* largest layer is .*; and arena, input .* take a board"
    ):
        compile_model(DIGITS, "digits", target_of(load_board(shrunk(tmp_path, 4096, 1024))))


def test_buffers_may_lie_in_a_second_region() -> None:
    board = load_board("nucleo-h743zi2")  # 128 KiB for the stack, 512 KiB more
    kib = 1024
    assert _fit(board, Needs(1000, 500 * kib, 4 * kib)).fits
    assert _fit(board, Needs(1000, 126 * kib, 2 * kib)).fits
    assert _fit(board, Needs(1000, 513 * kib, 2 * kib)).ram_missing == kib
    assert _fit(load_board("nucleo-f446re"), Needs(1000, 127 * kib, 2 * kib)).ram_missing == kib


def test_the_command_lists_and_says_what_is_missing(tmp_path: Path) -> None:
    small = shrunk(tmp_path, 4096, 1024)
    done = CliRunner().invoke(app, ["fit", str(DIGITS), "--board", str(small), "--json"])
    (row,) = json.loads(done.stdout)
    assert not row["fits"] and row["flash_missing"] > 0 and row["ram_missing"] > 0
    done = CliRunner().invoke(app, ["fit", str(DIGITS), "--board", str(small)])
    assert "flash lacks" in done.stdout and "No board holds it" in done.stdout


def measured(folder: Path, board: str, to: Path) -> Path:
    done = CliRunner().invoke(app, ["measure", str(folder), "--board", board, "--samples", "1", "--json"])
    assert done.exit_code == 0, done.exception
    to.write_text(done.stdout)
    return to


def test_diff_of_two_cores(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(compile_model(DIGITS, "digits", portable()).files, folder)
    m4, m0 = (measured(folder, name, tmp_path / f"{name}.json") for name in ("mps2-an386", "microbit"))
    done = CliRunner().invoke(app, ["diff", str(m4), str(m0), "--json"])
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    a, b = json.loads(m4.read_text()), json.loads(m0.read_text())
    total = rows["flash of the model"]
    assert (total["before"], total["after"]) == (a["model_flash_bytes"], b["model_flash_bytes"])
    kinds = [row for what, row in rows.items() if what.startswith("flash, ") and not what.startswith("flash, layer")]
    assert sum(row["delta"] for row in kinds) == total["delta"] != 0
    assert rows["arena"]["delta"] == 0
    assert rows["instructions"]["delta"] > 0
    done = CliRunner().invoke(app, ["diff", str(m4), str(m4)])
    assert "no figure differs" in done.stdout


def test_what_is_new_and_what_is_gone() -> None:
    base = {"model_flash_bytes": 5, "ledger": {"flash": []}, "by_layer": [{"layer": "a", "size_bytes": 3}],
            "arena_bytes": 1, "model_ram_bytes": None, "stack_bytes": None, "painted_stack_bytes": None,
            "instructions": [], "layers": []}  # fmt: skip
    other = {**base, "by_layer": [{"layer": "b", "size_bytes": 4}]}
    assert figures(base) == {"flash of the model": 5, "flash, layer a": 3, "arena": 1}
    changes = {c.what: c for c in compare_measurements(base, other)}
    assert changes["flash, layer a"] == Change("flash, layer a", 3, None)
    assert changes["flash, layer b"].delta == 4


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    done = CliRunner().invoke(app, ["diff", str(tmp_path / "x.json"), str(tmp_path / "x.json")])
    assert isinstance(done.exception, UsageError) and "not a measurement" in str(done.exception)


def test_every_bare_board_can_be_asked() -> None:
    needs = Needs(1, 1, 1024)
    for name in list_boards():
        board = load_board(name)
        if board.core.system == "bare":
            assert _fit(board, needs).fits
