"""Each bad input is one line on standard error, exit code 2, and nothing written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cli_command import BOARD, GOOD, MODEL, call, compile_demo, complaint, copy, refusal, small_board, snapshot

import edgekc.firmware.toolchain
from edgekc.assets import BOARDS
from edgekc.boards.board import load_board
from edgekc.format.pack import unpack
from edgekc.generate.within import least_plan


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_demo(tmp_path_factory.mktemp("cli") / "out")


# ---- bad models ----


def _huge() -> bytes:
    """The input of 1x8x8x1 becomes one of 2**62 values."""
    shape = b"".join(n.to_bytes(4, "little") for n in (1, 8, 8, 1))
    assert shape in GOOD
    return GOOD.replace(shape, b"".join(n.to_bytes(4, "little") for n in (1, 2**31 - 1, 2**31 - 1, 1)))


BAD_MODELS = {
    "empty": b"",
    "one byte": b"\x1c",
    "text": b"a model, or so it says\n",
    "zip": b"PK\x03\x04" + bytes(100),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "identifier only": b"\x1c\0\0\0TFL3",
    "ones": b"\xff" * 4 + b"TFL3" + b"\xff" * 1000,
    "huge": _huge(),
    **{f"first {n}": GOOD[:n] for n in (8, 100, 1000, len(GOOD) // 2, len(GOOD) * 9 // 10)},
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_model(kind: str, tmp_path: Path) -> None:
    model = tmp_path / "bad.tflite"
    model.write_bytes(BAD_MODELS[kind])
    said = complaint(call("compile", model, "-o", tmp_path / "out"))
    assert "bad.tflite" in said
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tflite"]


@pytest.mark.parametrize("as_ekc", [False, True])
def test_bad_model_leaves_an_existing_output_alone(compiled: Path, tmp_path: Path, as_ekc: bool) -> None:
    out = tmp_path / "out"
    assert call("compile", MODEL, "-o", out, "--name", "digits").code == 0
    bad = tmp_path / ("bad.ekc" if as_ekc else "bad.tflite")
    bad.write_bytes((compiled / "digits.ekc").read_bytes()[:-1] if as_ekc else GOOD[:1000])
    before = snapshot(tmp_path)
    complaint(call("compile", bad, "-o", out))
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("part", range(8))
def test_flipped_bits(part: int, tmp_path: Path) -> None:
    """A .tflite has no checksum: a flip in a weight gives another model, all else must be a clear error."""
    for step in range(12):
        position = (len(GOOD) * (part * 12 + step)) // 96
        data = bytearray(GOOD)
        data[position] ^= 1 << (step % 8)
        (tmp_path / "flip.tflite").write_bytes(data)
        result = call("compile", tmp_path / "flip.tflite", "-o", tmp_path / "out", "--name", "digits")
        if result.code != 0:
            refusal(result)


def test_any_changed_byte_of_an_ekc_is_found(compiled: Path, tmp_path: Path) -> None:
    good = (compiled / "digits.ekc").read_bytes()
    bad = tmp_path / "bad.ekc"
    for position in sorted({*range(0, 96, 5), *range(0, len(good), len(good) // 60), len(good) - 1}):
        data = bytearray(good)
        data[position] ^= 1 + position % 255
        bad.write_bytes(data)
        for arguments in (("compile", bad, "-o", tmp_path / "out"), ("inspect", bad)):
            assert "bad.ekc" in complaint(call(*arguments)), position
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ekc"]


def test_a_tflite_is_no_ekc(tmp_path: Path) -> None:
    assert "not an .ekc file" in complaint(call("inspect", MODEL))


# ---- bad boards ----


def test_too_little_flash_says_by_how_much(compiled: Path, tmp_path: Path) -> None:
    board = small_board(tmp_path, flash=2048)
    size = (compiled / "digits.ekc").stat().st_size
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--board", board, "--name", "digits"))
    assert f"the packed model has {size} bytes, {size - 2048} more than the flash holds" in said
    assert not (tmp_path / "out").exists()


def test_too_little_ram_says_by_how_much_and_where(compiled: Path, tmp_path: Path) -> None:
    """Of the plan that needs least."""
    board = small_board(tmp_path, ram=1024)
    graph = unpack((compiled / "digits.ekc").read_bytes(), "digits.ekc")
    least = least_plan(graph, load_board(str(board)).features)
    need = least.arena_bytes + 64 + 10
    assert need < json.loads((compiled / "manifest.json").read_text())["arena_bytes"]
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--board", board))
    assert f"need {need} bytes at least, {need - 1024} more than the RAM holds" in said
    assert f"peaks in layer {least.peak_layer}" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("sizes", "region"), [({"flash": 8192}, "flash"), ({"ram": 2048}, "ram")])
def test_what_only_the_linker_sees_is_said_too(
    compiled: Path, tmp_path: Path, sizes: dict[str, int], region: str
) -> None:
    result = call("measure", compiled, "--board", small_board(tmp_path, **sizes))
    if "no compiler" in result.err:
        pytest.skip("no compiler for Arm")
    said = complaint(result)
    assert re.search(rf"overflows \w+ of {sizes[region]} bytes by \d+ bytes", said), said
    assert ("peaks in layer depthwise_conv_" in said) == (region == "ram")


def test_unknown_board(tmp_path: Path) -> None:
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--board", "mps2-an368"))
    assert "'mps2-an368'" in said
    assert "did you mean 'mps2-an386'?" in said
    assert "use one of: " in complaint(call("compile", MODEL, "-o", tmp_path / "out", "--board", "zzz"))


def test_a_folder_remembers_no_board_s_file(tmp_path: Path) -> None:
    """Each command says so that needs the board, and takes the file."""
    board, out = small_board(tmp_path), tmp_path / "out"
    assert call("compile", MODEL, "-o", out, "--board", board, "--name", "digits").code == 0
    for command, *more in (["verify"], ["measure"], ["build"], ["flash", "--dry-run"], ["run"]):
        said = complaint(call(command, out, *more))
        assert said.startswith(f"{out}: was compiled for the board 'small'") and "pass --board with the file" in said
    assert call("verify", out, "--board", board, "--no-device", "--samples", "1").code == 0
    assert "no board is called 'smal'" in complaint(call("verify", out, "--board", "smal"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = [", "not valid TOML"),
        ("core = ", "corr = ", "key core: missing"),
        ('core = "cortex-m4f"', 'core = "cortex-m9"', "key core: unknown core 'cortex-m9'"),
        ('kind = "flash"', 'kind = "rom"', "key memory.0.kind"),
    ],
)
def test_bad_board_file(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (BOARDS / BOARD / "board.toml").read_text()
    assert old in text
    path = tmp_path / "board.toml"
    path.write_text(text.replace(old, new))
    line = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--board", path))
    assert str(path) in line
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_core_without_what_the_kernels_need(compiled: Path, tmp_path: Path) -> None:
    out = copy(snapshot(compiled), tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "needs": ["dsp", "mve"]}))
    for command in ("measure", "verify"):
        said = complaint(call(command, out, "--board", "microbit", "--samples", "1"))
        assert "its kernels need dsp, mve, which cortex-m0 has not" in said
        assert "compile it with --board microbit" in said


# ---- bad arguments ----


@pytest.mark.parametrize("name", ["7up", "a-b", "int", "_x", "é", "a b", "../x", "\x1b[31mred"])
def test_bad_name(tmp_path: Path, name: str) -> None:
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--name", name))
    assert "cannot be a C identifier" in said
    assert said.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_bad_rounding(tmp_path: Path) -> None:
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--rounding", "up"))
    assert said == "--rounding 'up'; expected tflite or double"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compile", "inspect", "verify", "measure"])
def test_missing_file(tmp_path: Path, command: str) -> None:
    more = ("-o", tmp_path / "out") if command == "compile" else ()
    said = complaint(call(command, tmp_path / "missing", *more))
    assert str(tmp_path / "missing") in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compile", "inspect"])
def test_a_folder_is_no_model(tmp_path: Path, command: str) -> None:
    more = ("-o", tmp_path / "out") if command == "compile" else ()
    assert "Is a directory" in complaint(call(command, tmp_path, *more))


def test_unreadable_file(tmp_path: Path) -> None:
    model = tmp_path / "secret.tflite"
    model.write_bytes(GOOD)
    model.chmod(0)
    if os.access(model, os.R_OK):  # root may read all; this file nobody can
        model = Path("/proc/self/mem")
        if not model.exists():
            pytest.skip("root can read every file here")
    said = complaint(call("compile", model, "-o", tmp_path / "out"))
    assert said.startswith(f"{model}: cannot be read: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["verify", "measure"])
@pytest.mark.parametrize("manifest", [None, "", "{", "[]", "3", '{"name": 1}'])
def test_a_folder_that_compile_did_not_write(tmp_path: Path, command: str, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    assert str(tmp_path) in complaint(call(command, tmp_path))
    assert "there is no such file or folder" in complaint(call(command, tmp_path / "other.ekc"))


# ---- missing tools ----


def test_no_compiler(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", "keil")
    assert "EDGEKC_TOOLCHAIN=keil; use one of: auto, gcc, zig" in complaint(call("measure", compiled))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", "gcc")
    said = complaint(call("measure", compiled))
    assert "no compiler for cortex-m4f: arm-none-eabi-gcc is missing" in said
    assert "apt-get install" in said


def test_no_tools_at_all(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CC", "EDGEKC_TOOLCHAIN", "EDGEKC_EMULATOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("edgekc.firmware.toolchain._has_module", lambda name: False)
    assert "no C compiler on this machine; pip install ziglang" in complaint(call("verify", compiled))
    assert "pip install ziglang" in complaint(call("measure", compiled))
    monkeypatch.setenv("CC", "no-such-cc")
    assert "CC=no-such-cc: no such program" in complaint(call("verify", compiled))


def test_no_emulator(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKC_EMULATOR", raising=False)
    monkeypatch.setattr("edgekc.firmware.toolchain.qemu_path", lambda board: None)
    has = edgekc.firmware.toolchain._has_module
    monkeypatch.setattr("edgekc.firmware.toolchain._has_module", lambda name: name != "unicorn" and has(name))
    result = call("measure", compiled)
    if "no compiler" in result.err:
        pytest.skip("no compiler for Arm")
    said = complaint(result)
    assert "no emulator for cortex-m4f (qemu, unicorn)" in said
    assert said.endswith("pip install unicorn")
    monkeypatch.setenv("EDGEKC_EMULATOR", "bochs")
    assert "EDGEKC_EMULATOR=bochs" in complaint(call("measure", compiled))


# ---- output that cannot be written ----


@pytest.mark.parametrize("out", ["", "taken/net.ekc"])
def test_compress_looks_at_its_output_before_it_works(tmp_path: Path, out: str) -> None:
    """The model is not even read: hours of training would be lost."""
    (tmp_path / "taken").write_text("a file")
    before = snapshot(tmp_path)
    result = call("compress", tmp_path / "no-such-model.onnx", "-o", tmp_path / out)
    assert result.code == 2 and "no-such-model" not in result.err
    assert ("is a folder; name a file" if not out else "taken is not a folder") in result.err
    assert snapshot(tmp_path) == before
