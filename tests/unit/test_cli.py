"""The command line: what it writes, and when it writes nothing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cli_command import BOARD, GOOD, MODEL, call, compile_demo, complaint, copy, real, snapshot
from importing import import_tflite

import edgekc.files.output
import edgekc.firmware.toolchain


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_demo(tmp_path_factory.mktemp("cli") / "out")


# ---- what works ----


def test_two_runs_give_identical_bytes(compiled: Path, tmp_path: Path) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "again", "--board", BOARD, "--name", "digits").code == 0
    assert snapshot(tmp_path / "again") == snapshot(compiled)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_an_earlier_output_is_replaced(compiled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("compile", MODEL, "-o", out, "--name", "other").code == 0
    assert call("compile", MODEL, "-o", out, "--name", "digits").code == 0
    assert snapshot(out) == snapshot(compiled)
    link = tmp_path / "link"
    link.symlink_to(out)
    assert call("compile", MODEL, "-o", link, "--name", "linked").code == 0
    assert link.is_symlink()
    assert (out / "linked.ekc").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out"]


def test_from_ekc_is_as_from_tflite(compiled: Path, tmp_path: Path) -> None:
    assert call("compile", compiled / "digits.ekc", "-o", tmp_path / "out", "--name", "digits").code == 0
    assert snapshot(tmp_path / "out") == snapshot(compiled)


def test_a_name_is_made_from_the_files(tmp_path: Path) -> None:
    model = tmp_path / "7 Digits-é.tflite"
    model.write_bytes(GOOD)
    assert call("compile", model, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "include" / "net_7_digits__.h").is_file()


def test_a_file_name_that_is_not_text(tmp_path: Path) -> None:
    model = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.tflite"))
    try:
        model.write_bytes(GOOD)
    except OSError:
        pytest.skip("this file system has no such names")
    assert call("compile", model, "-o", tmp_path / "out").code == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["metadata"]["source"] == "a?.tflite"


def test_keep_writes_every_stage(tmp_path: Path) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out", "--keep", tmp_path / "keep").code == 0
    names = ["10-import.txt", "20-quantized.txt", "30-integer.txt", "40-packed.txt", "50-plan.txt"]
    assert sorted(path.name for path in (tmp_path / "keep").iterdir()) == names
    first = snapshot(tmp_path / "keep")
    assert all(text.endswith(b"\n") and len(text) > 100 for text in first.values())
    assert call("compile", MODEL, "-o", tmp_path / "out", "--keep", tmp_path / "keep").code == 0
    assert snapshot(tmp_path / "keep") == first


def test_packages_are_in_the_folder_or_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    command = ("compile", MODEL, "-o", out, "--name", "digits")
    assert complaint(call(*command, "--package", "cmake", "--package", "?")).startswith("--package ?: no such kind")
    monkeypatch.setattr(edgekc.firmware.toolchain, "_zig_command", lambda: None)
    said = "no compiler for WebAssembly: zig is missing; pip install ziglang"
    assert complaint(call(*command, "--package", "wasm")) == said
    assert not out.exists()
    found = call(*command, "--package", "cmake", "--json")
    listed = json.loads(found.out)
    assert (found.code, listed["folder"], listed["packages"][0]["kind"]) == (0, str(out), "cmake")
    assert (out / "packages" / "cmake" / "digits" / "CMakeLists.txt").is_file()
    found = call(*command, "--package", "rust")
    assert re.search(r"^package rust: \d+ files, [\d,]+ bytes, in packages/rust$", found.out, re.MULTILINE), found


def test_verbose_says_why(tmp_path: Path) -> None:
    """Nobody reads the fourth channel of the first two layers, which the compiler has to see."""
    graph = import_tflite(GOOD, "digits", MODEL.name)
    weights = graph.tensors[graph.nodes[2].inputs[1]].value  # (32, 1, 1, 16)
    dead = weights.copy()
    dead[..., 3] = 0
    assert GOOD.count(weights.tobytes()) == 1
    (tmp_path / "dead.tflite").write_bytes(GOOD.replace(weights.tobytes(), dead.tobytes()))
    arguments = ("compile", tmp_path / "dead.tflite", "-o", tmp_path / "out")
    loud, quiet = call(*arguments, "-v").out, call(*arguments).out
    assert loud.endswith(quiet)
    said = loud.removesuffix(quiet)
    assert re.search(
        r"^fold-channels: conv_0: 16 -> 15 channels .*read by nobody.*outputs identical$", said, re.MULTILINE
    ), said
    assert re.search(r"^plan: arena \d+ bytes, lower bound \d+", said, re.MULTILINE)
    assert "fold-channels" not in quiet


def test_inspect(compiled: Path) -> None:
    assert "digits" in call("inspect", compiled / "digits.ekc").out
    found = json.loads(call("inspect", compiled / "digits.ekc", "--json").out)
    assert found["file_bytes"] == (compiled / "digits.ekc").stat().st_size


def test_verify(compiled: Path) -> None:
    result = call("verify", compiled, "--samples", "3", "--no-device")
    if "no C compiler" in result.err:
        pytest.skip("no C compiler on this machine")
    assert (result.code, result.err) == (0, "")
    assert "3 samples, 9 layers, every byte equal" in result.out


def test_verify_finds_a_tampered_weight(compiled: Path, tmp_path: Path) -> None:
    copy(snapshot(compiled), tmp_path / "out")
    manifest = json.loads((compiled / "manifest.json").read_text())
    weights = next(s["offset"] for s in manifest["sections"] if s["kind"] == "weights")
    source = tmp_path / "out" / "src" / "digits_data.c"
    words = list(re.finditer(r"0x[0-9a-f]{8}u", source.read_text()))
    word = words[weights // 4]
    text = source.read_text()
    changed = f"0x{int(word[0][:-1], 16) ^ 0x40:08x}u"
    source.write_text(text[: word.start()] + changed + text[word.end() :])
    result = call("verify", tmp_path / "out", "--samples", "4", "--no-device")
    if "no C compiler" in result.err:
        pytest.skip("no C compiler on this machine")
    found = re.fullmatch(
        r"sample \d+, layer 0 conv_0 \(ek_conv2d_s8_dsp\), element \(0, \d+, \d+, 0\): "
        r"host has (-?\d+), the reference (-?\d+); \d+ of 1024 differ",
        complaint(result),
    )
    assert found, result.err
    assert found[1] != found[2]


@pytest.mark.parametrize(
    "arguments", [(), ("compile",), ("compile", MODEL), ("nothing",), ("verify", "x", "--samples")]
)
def test_usage_errors_exit_with_2(arguments: tuple[str | Path, ...]) -> None:
    result = real(*arguments)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_version_and_help() -> None:
    assert real("--version").out == f"edgekc {edgekc.__version__}\n"
    assert real("compile", "--help").code == 0


# ---- the output folder ----


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "mine"},
        {"manifest.json": '{"name": "a web application", "icons": []}', "index.html": "<html>"},
        {"manifest.json": "not JSON", "src/main.c": "int main(void) {}"},
    ],
)
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    before = snapshot(tmp_path)
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out"))
    assert "has other files in it" in said
    assert "name a new or empty folder" in said
    assert snapshot(tmp_path) == before


def test_an_earlier_output_with_a_users_file_is_left_alone(tmp_path: Path) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out").code == 0
    (tmp_path / "out" / "build").mkdir()
    (tmp_path / "out" / "build" / "CMakeCache.txt").write_text("hours of work")
    before = snapshot(tmp_path)
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out"))
    assert "has other files in it, build/CMakeCache.txt" in said
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("below", ["", "/below"])
def test_the_output_is_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "out").write_text("mine")
    complaint(call("compile", MODEL, "-o", f"{tmp_path}/out{below}"))
    assert snapshot(tmp_path) == {"out": b"mine"}


@pytest.mark.parametrize("keep", ["out", "out/dumps"])
def test_dumps_do_not_go_into_the_output(tmp_path: Path, keep: str) -> None:
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--keep", tmp_path / keep))
    assert "--keep" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("after", [0, 5])
def test_ctrl_c_leaves_nothing_half_written(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, after: int
) -> None:
    out = tmp_path / "a" / "out"
    if existing:
        assert call("compile", MODEL, "-o", out, "--name", "before").code == 0
    before = snapshot(tmp_path)
    write, written = Path.write_bytes, []

    def interrupted(path: Path, data: bytes) -> int:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(path)
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", interrupted)
        result = call("compile", MODEL, "-o", out, "--name", "digits")
    assert result.code not in (0, 2)
    assert "Traceback" not in result.err
    assert len(written) == after
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failed_swap_brings_the_earlier_output_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out", "--name", "before").code == 0
    before = snapshot(tmp_path)
    replace, calls = os.replace, []

    def failing(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(edgekc.files.output.os, "replace", failing)
        said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--name", "digits"))
    assert "No space left on device" in said
    assert snapshot(tmp_path) == before


# ---- our own faults ----


@pytest.mark.parametrize(
    "fault",
    [
        "import edgekc.pipeline as p\ndef plan(*a): raise RuntimeError('a bug')\np.plan_for = plan",
        "import edgekc.templates as t\nfrom pathlib import Path\nt.CODEGEN = Path('/nowhere')",
        "import edgekc.assets as a\na.INCLUDES = (a.RUNTIME_C / 'gone',)",
    ],
    ids=["an exception", "a template is missing", "a kernel is missing"],
)
def test_an_internal_fault_exits_with_1(tmp_path: Path, fault: str) -> None:
    result = real("compile", MODEL, "-o", tmp_path / "out", before=fault)
    assert result.code == 1
    assert "Traceback" in result.err
    assert list(tmp_path.iterdir()) == []


def test_rounding_of_a_packed_model_is_fixed(compiled: Path, tmp_path: Path) -> None:
    text = complaint(
        call("compile", compiled / "digits.ekc", "-o", tmp_path / "out", "--name", "digits", "--rounding", "double")
    )
    assert "has its rounding already" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "key name"),
        ("[1, 2]", "Input should be"),
        ("not json", "damaged"),
        (None, "layers.0.macs"),
    ],
)
def test_a_damaged_manifest_names_the_key(compiled: Path, tmp_path: Path, text: str | None, message: str) -> None:
    folder = copy(snapshot(compiled), tmp_path / "out")
    path = folder / "manifest.json"
    if text is None:
        manifest = json.loads(path.read_text())
        manifest["layers"][0]["macs"] = "many"
        text = json.dumps(manifest)
    path.write_text(text)
    for command in ("verify", "measure"):
        assert message in complaint(call(command, folder))
