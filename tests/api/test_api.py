"""The Python interface on the demo model: load, compile, verify, run, evaluate, measure, save."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.cli_command import BOARD, GOOD, MODEL, call, copy, snapshot

import edgekc
from edgekc.demo.walk import DATA
from edgekc.emulate import host
from edgekc.ops.dequantize import reals_of
from edgekc.tables import Sheet, html

TEST = DATA / "digits_test.npz"


@pytest.fixture(scope="module")
def program() -> edgekc.Program:
    return edgekc.compile(MODEL, board=BOARD, name="digits")


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    with np.load(TEST) as data:
        return data["x"], data["y"]


def need_arm(error: edgekc.EdgekcError) -> None:
    """Skips where no compiler or emulator for Arm is here; fails on all else."""
    if any(word in str(error) for word in ("no compiler", "no emulator", "not installed")):
        pytest.skip(str(error))
    raise error


# ---- models ----


def test_a_file_is_loaded_once_and_described() -> None:
    model = edgekc.load(MODEL)
    assert (model.name, model.stage, model.path, model.data) == ("digits_int8", "quantised", MODEL, GOOD)
    assert edgekc.load(model) is model
    found = model.to_dict()
    assert found["inputs"] == [{"name": "input", "shape": [1, 8, 8, 1], "dtype": "int8"}]
    assert "digits_int8: quantised, 10 operators" in str(model)


def test_a_packed_model_is_a_model_too(program: edgekc.Program, tmp_path: Path) -> None:
    folder = program.save(tmp_path / "out")
    model = edgekc.load(folder / "digits.ekc")
    assert (model.name, model.stage) == ("digits", "packed")
    again = edgekc.compile(model, board=BOARD, name="digits")
    assert again.files == program.files


@pytest.mark.parametrize("text", [b"", b"a model, or so it says"])
def test_a_bad_file_is_the_commands_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(text)
    with pytest.raises(edgekc.EdgekcError) as caught:
        edgekc.load(tmp_path / "bad.tflite")
    result = call("compile", tmp_path / "bad.tflite", "-o", tmp_path / "out")
    assert result.err == f"edgekc: error: {caught.value}\n"


def test_errors_have_their_classes(tmp_path: Path) -> None:
    with pytest.raises(edgekc.UsageError, match="cannot be read"):
        edgekc.load(tmp_path / "none.tflite")
    with pytest.raises(edgekc.UsageError, match="is no model"):
        edgekc.load(TEST)
    with pytest.raises(edgekc.BoardError, match="did you mean 'mps2-an386'"):
        edgekc.compile(MODEL, board="mps2-an368")
    with pytest.raises(edgekc.UsageError, match="cannot be a C identifier"):
        edgekc.compile(MODEL, name="7up")
    with pytest.raises(edgekc.UsageError, match="a int; expected"):
        edgekc.load(3)
    packed = edgekc.compile(MODEL, name="a")
    with pytest.raises(edgekc.UsageError, match="has its rounding already"):
        edgekc.compile(packed.folder / "a.ekc", rounding="double")
    assert edgekc.errors.ModelError is edgekc.ModelError


# ---- programs ----


@pytest.mark.parametrize("loaded", [False, True])
def test_the_files_are_the_commands(tmp_path: Path, loaded: bool) -> None:
    """A loaded model is compiled to the same bytes as its file."""
    model = edgekc.load(MODEL) if loaded else MODEL
    edgekc.compile(model, board=BOARD, name="kws", rounding="double", keep=tmp_path / "keep").save(tmp_path / "ours")
    more = ("--board", BOARD, "--name", "kws", "--rounding", "double", "--keep", tmp_path / "dumps")
    assert call("compile", MODEL, "-o", tmp_path / "theirs", *more).code == 0
    assert snapshot(tmp_path / "ours") == snapshot(tmp_path / "theirs")
    assert snapshot(tmp_path / "keep") == snapshot(tmp_path / "dumps")


def test_a_folder_is_opened_and_copied(program: edgekc.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "a")
    opened = edgekc.open_program(tmp_path / "a")
    assert (opened.name, opened.board.name, opened.folder) == ("digits", BOARD, tmp_path / "a")
    assert opened.files == program.files
    assert str(opened) == str(program).replace(str(program.folder), str(tmp_path / "a"))
    opened.save(tmp_path / "b")
    assert snapshot(tmp_path / "b") == snapshot(tmp_path / "a")
    with pytest.raises(edgekc.UsageError, match=r"no manifest\.json in it"):
        edgekc.open_program(tmp_path)


def test_a_manifest_cannot_name_files_elsewhere(program: edgekc.Program, tmp_path: Path) -> None:
    folder = copy(dict(program.files), tmp_path / "out")
    (tmp_path / "secret").write_text("mine")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": {"../secret": ""}}))
    with pytest.raises(edgekc.UsageError, match="files outside of the folder"):
        edgekc.open_program(folder).save(tmp_path / "copy")


def test_it_is_not_saved_over_files_of_others(program: edgekc.Program, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(edgekc.UsageError, match="has other files in it"):
        edgekc.compile(MODEL, name="digits").save(tmp_path)


# ---- run ----


def test_levels_give_levels(program: edgekc.Program, digits: tuple[Any, Any]) -> None:
    x, _ = digits
    y = program.run(x)
    assert (y.shape, y.dtype) == ((360, 10), np.int8)
    assert y.tobytes() == host.run(host.build(program.folder), x.tobytes())
    one = program.run(x[3])
    assert one.shape == (10,)
    assert np.array_equal(one, y[3])


def test_real_numbers_give_real_numbers(program: edgekc.Program, digits: tuple[Any, Any]) -> None:
    x, _ = digits
    edge, out = program.manifest["inputs"][0], program.manifest["outputs"][0]
    real = reals_of(x, edge["scale"], edge["zero_point"])
    y = program.run(real)
    assert (y.shape, y.dtype) == ((360, 10), np.float32)
    assert np.array_equal(y, reals_of(program.run(x), out["scale"], out["zero_point"]))
    assert np.allclose(y.sum(1), 1, atol=0.05)  # a softmax
    assert np.array_equal(program.run(real.astype(np.float64)), y)


def test_the_board_gives_the_same_bits(program: edgekc.Program, digits: tuple[Any, Any]) -> None:
    x, _ = digits
    try:
        found = program.run(x[:3], device="board")
    except edgekc.ToolError as error:
        need_arm(error)
    assert np.array_equal(found, program.run(x[:3]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 8, 8), np.int8), r"has shape \[2, 8, 8\], expected \[8, 8, 1\] or \[n, 8, 8, 1\]"),
        (np.zeros((2, 8, 8, 1), np.int64), "has type int64, expected int8"),
        (np.full((1, 8, 8, 1), np.nan, np.float32), "holds NaN or infinity"),
        (np.zeros((0, 8, 8, 1), np.int8), "no samples"),
    ],
)
def test_arrays_that_do_not_fit(program: edgekc.Program, x: Any, message: str) -> None:
    with pytest.raises(edgekc.UsageError, match=message):
        program.run(x)


def test_there_are_two_devices(program: edgekc.Program) -> None:
    with pytest.raises(edgekc.UsageError, match="expected host or board"):
        program.run(np.zeros((1, 8, 8, 1), np.int8), device="moon")  # type: ignore[arg-type]


# ---- evaluate ----


def test_arrays_and_files_are_evaluated_alike(program: edgekc.Program, digits: tuple[Any, Any]) -> None:
    x, y = digits
    found = program.evaluate(x, y)
    assert (found.right, found.total) == (358, 360)
    assert found.accuracy == 358 / 360
    assert program.evaluate(TEST) == found
    assert program.evaluate(str(TEST)) == found
    assert program.evaluate([(x[:200], y[:200]), (x[200:], y[200:])]) == found  # batches, as a DataLoader's
    matrix = np.array(found.confusion)
    answers = program.run(x).argmax(1)
    assert all(matrix[i, j] == int(((y == i) & (answers == j)).sum()) for i in range(10) for j in range(10))
    assert program.evaluate(x, y, count=7).total == 7


def test_what_cannot_be_evaluated(program: edgekc.Program, digits: tuple[Any, Any], tmp_path: Path) -> None:
    x, y = digits
    np.savez(tmp_path / "x.npz", x=x)
    with pytest.raises(edgekc.UsageError, match="has no labels"):
        program.evaluate(tmp_path / "x.npz")
    with pytest.raises(edgekc.UsageError, match="label 10 of sample 0 is out of range"):
        program.evaluate(x[:2], np.array([10, 0]))
    with pytest.raises(edgekc.UsageError, match="the model takes"):
        program.evaluate(x[:, :4], y)


def test_the_command_evaluates(program: edgekc.Program, tmp_path: Path) -> None:
    folder = edgekc.compile(MODEL, name="digits").save(tmp_path / "out")
    assert "358 of 360, 99.44%" in call("evaluate", folder, "--data", TEST).out
    found = json.loads(call("evaluate", folder, "--data", TEST, "--json").out)
    assert (found["right"], found["total"], sum(map(sum, found["confusion"]))) == (358, 360, 360)
    result = call("evaluate", folder, "--data", TEST, "--count", "2", "--on-board", "--json")
    if result.code == 2:
        need_arm(edgekc.ToolError(result.err))
    assert json.loads(result.out)["device"] == BOARD


# ---- verify ----


def test_verify(program: edgekc.Program) -> None:
    found = program.verify(samples=4, device=False)
    assert found.ok and found.difference == ""
    assert (found.samples, found.layers, found.board) == (4, 9, None)
    assert found.oracles[0] == "digits_int8.tflite as imported, before any pass"  # the file is found where it was
    assert "every byte equal" in str(found)


def test_verify_on_data(program: edgekc.Program, digits: tuple[Any, Any]) -> None:
    x, _ = digits
    found = program.verify(samples=5, data=TEST, device=False)
    assert found.samples == 5
    assert found.output_sha256 == hashlib.sha256(program.run(x[:5]).tobytes()).hexdigest()


def test_the_commands_take_real_samples(program: edgekc.Program, tmp_path: Path) -> None:
    folder = edgekc.compile(MODEL, board=BOARD, name="digits").save(tmp_path / "out")
    checked = json.loads(call("verify", folder, "--no-device", "--data", TEST, "--samples", "5", "--json").out)
    assert checked["output_sha256"] == program.verify(samples=5, data=TEST, device=False).output_sha256
    result = call("measure", folder, "--data", TEST, "--samples", "3", "--json")
    if result.code == 2:
        need_arm(edgekc.ToolError(result.err))
    counted = json.loads(result.out)["instructions"]
    assert counted == list(program.measure(3, data=TEST).measurement.instructions)
    if counted:
        assert len(counted) == 3
        assert counted != list(program.measure(3).measurement.instructions)  # another path through the softmax
    for command in ("verify", "measure", "evaluate"):
        result = call(command, folder, "--data", tmp_path / "none.npz")
        assert result.code == 2 and "none.npz" in result.err


def test_a_difference_is_a_record_and_the_commands_error(program: edgekc.Program, tmp_path: Path) -> None:
    folder = copy(dict(program.files), tmp_path / "out")
    source = folder / "src" / "digits.c"
    source.write_text(source.read_text().replace(".out_zero = ", ".out_zero = 1 + ", 1))
    found = edgekc.open_program(folder).verify(samples=4, device=False)
    assert not found.ok
    assert "layer 0 conv_0" in found.difference and "the reference" in found.difference
    result = call("verify", folder, "--samples", "4", "--no-device")
    assert (result.code, result.err) == (2, f"edgekc: error: {found.difference}\n")


# ---- measure ----


@pytest.fixture(scope="module")
def costs(program: edgekc.Program) -> edgekc.Costs:
    try:
        return program.measure(samples=1)
    except edgekc.ToolError as error:
        need_arm(error)
        raise


def test_measure(costs: edgekc.Costs, program: edgekc.Program) -> None:
    m = costs.measurement
    assert (costs.flash_bytes, costs.ram_bytes) == (m.ledger.model_flash_bytes, m.model_ram_bytes)
    assert costs.arena_bytes == program.manifest["arena_bytes"]
    assert costs.io_bytes == 64 + 10
    assert costs.stack_bytes is not None and costs.ram_bytes == costs.arena_bytes + costs.stack_bytes
    assert costs.cycles is None  # an emulator counts instructions, which are no cycles
    assert [layer.name for layer in costs.layers] == [layer["name"] for layer in program.manifest["layers"]]
    assert all(layer.flash_bytes > 0 for layer in costs.layers)
    if costs.instructions is not None and m.outside is not None:
        assert sum(layer.instructions or 0 for layer in costs.layers) + m.outside.instructions[0] == costs.instructions
    assert costs.to_dict()["flash_bytes"] == costs.flash_bytes
    assert json.loads(json.dumps(costs.to_dict()))["layers"][0]["name"] == "conv_0"


def test_fit_and_measure_agree(costs: edgekc.Costs) -> None:
    """Of a program of the same name, which is in the packed model."""
    costs = edgekc.compile(MODEL, board=BOARD).measure(samples=1)
    found = edgekc.find_boards(MODEL, [BOARD])
    (row,) = found.rows
    assert found.boards == (BOARD,)
    assert (row.needs.flash_bytes, row.needs.ram_bytes) == (costs.flash_bytes, costs.board_ram_bytes)
    assert f"{row.needs.ram_bytes:,}" in str(costs) and f"{row.needs.ram_bytes:,}" in str(found)


def test_a_budget(costs: edgekc.Costs) -> None:
    costs.check(max_flash_bytes=costs.flash_bytes, max_ram_bytes=costs.ram_bytes)
    with pytest.raises(edgekc.CapacityError, match="1 over the budget"):
        costs.check(max_flash_bytes=costs.flash_bytes - 1)


def test_builds_are_compared(costs: edgekc.Costs, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(costs.measurement.as_json()))
    same = edgekc.compare_builds(costs, tmp_path / "m.json")
    assert same.changed == () and "no figure differs" in str(same)
    assert len(same.changes) > 10


def test_firmware_and_commands_of_a_flash_tool(tmp_path: Path) -> None:
    program = edgekc.compile(MODEL, board="nucleo-f446re", name="digits")
    with pytest.raises(edgekc.UsageError, match="save it first"):
        program.build()
    program.save(tmp_path / "out")
    try:
        built = program.build()
    except edgekc.ToolError as error:
        need_arm(error)
    assert built.folder == tmp_path / "out" / "build" / "nucleo-f446re"
    assert {"digits.elf", "image.bin"} <= set(built.files)
    lines = program.flash_commands(edgekc.Way(tool="openocd"))
    assert any(line.startswith("openocd") for line in lines)
    assert call("flash", tmp_path / "out", "--tool", "openocd", "--dry-run").out.splitlines() == list(lines)


# ---- records ----


def records(program: edgekc.Program) -> list[Any]:
    return [
        edgekc.load(MODEL),
        edgekc.inspect(program.folder / "digits.ekc"),
        edgekc.list_boards(),
        program.verify(samples=2, device=False),
        program.evaluate(TEST, count=20),
        edgekc.check_tools(),
    ]


def test_records_are_frozen_and_shown(program: edgekc.Program, costs: edgekc.Costs) -> None:
    for record in [*records(program), costs]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, None)
        assert json.loads(json.dumps(record.to_dict()))
        html = record._repr_html_()
        assert html.startswith(("<p>", "<table>")) and html.count("<table>") == html.count("</table>")
        assert len(str(record)) > 20


def test_html_escapes_what_files_say() -> None:
    sheet = Sheet("<b>", "a&b")
    sheet.add("<script>")
    assert "<script>" not in html([sheet, "<i>"]) and "&lt;script&gt;" in html([sheet])
    assert "<i>" not in html(["<i>"])
