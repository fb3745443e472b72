"""Generated C of networks with a state: a thousand steps, instances side by side, emulated boards, and wake words."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgekc.boards.board import load_board
from edgekc.cli.main import app
from edgekc.console import session
from edgekc.emulate import host
from edgekc.emulate.compare import compare
from edgekc.emulate.device import run_image
from edgekc.errors import ToolError, VerifyError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import build_image
from edgekc.graph.ir import Array
from edgekc.pipeline import compile_model, target_of

streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
SEED = 1  # its outputs have many values
STEPS = 1000


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def compiled(model: bytes, folder: Path, board: str = "mps2-an386") -> Path:
    (folder / "net.tflite").write_bytes(model)
    result = compile_model(folder / "net.tflite", "net", target_of(load_board(board)))
    write_folder(result.files, folder / "out")
    return folder / "out"


def as_bytes(samples: list[list[Array]]) -> bytes:
    return b"".join(x.tobytes() for sample in samples for x in sample)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(streaming.wake_word(SEED).file, tmp_path_factory.mktemp("streaming"))


def test_a_thousand_steps_equal_litert(folder: Path) -> None:
    need("gcc")
    if reason := streaming.oracle.missing():
        pytest.skip(reason)
    net = streaming.wake_word(SEED)
    samples = net.samples(STEPS)
    expected = b"".join(y[0].tobytes() for y in streaming.interpret(net.file, samples))
    assert len(set(expected)) > 20
    assert host.run(host.build(folder), as_bytes(samples)) == expected


def test_instances_run_side_by_side(folder: Path) -> None:
    """Two sequences by turns, in one arena, with states of their own at any address; a third begins again."""
    need("gcc")
    program, manifest = host.build(folder), read_manifest(folder)
    net = streaming.wake_word(SEED)
    sequences = [as_bytes(net.samples(60)), as_bytes(net.samples(120))[60 * 24 :]]
    expected = [host.run(program, sequence) for sequence in sequences]
    assert expected[0] != expected[1]
    memory = np.zeros(manifest["arena_bytes"] + 16, np.uint8)
    arena = memory.ctypes.data + -memory.ctypes.data % 16
    states = [np.full(manifest["state_bytes"] + 3, 0x77, np.uint8) for _ in sequences]
    places = [state.ctypes.data + k + 1 for k, state in enumerate(states)]
    found = [b"", b""]
    reset, run = program.library.net_reset, program.library.net_run
    reset.restype = None
    for k in range(2):
        reset(ctypes.c_void_p(places[k]))
    for step in range(60):
        for k, sequence in enumerate(sequences):
            x, y = np.frombuffer(sequence[24 * step : 24 * step + 24], np.uint8), np.zeros(1, np.uint8)
            pointers = (arena, places[k], x.ctypes.data, y.ctypes.data)
            assert run(*map(ctypes.c_void_p, pointers)) == 0
            found[k] += y.tobytes()
            memory[:] = 0xA5  # what the arena held must not matter
    assert found == expected
    assert run(*map(ctypes.c_void_p, (arena, None, x.ctypes.data, y.ctypes.data))) == 1  # EKC_ERROR_NULL


def test_the_header_and_the_manifest_say_how_large_the_state_is(folder: Path) -> None:
    manifest = read_manifest(folder)
    header = (folder / "include" / "net.h").read_text()
    assert f"#define NET_STATE_BYTES {manifest['state_bytes']}u" in header
    assert "void net_reset(void *state);" in header
    assert "net_run(void *arena, void *state, const void *input, void *output);" in header
    assert sum(s["bytes"] for s in manifest["states"]) == manifest["state_bytes"] == 2 * 8 + 6 * 16


def test_the_generated_c_has_no_warning(tmp_path: Path) -> None:
    need("gcc")
    (tmp_path / "net.tflite").write_bytes(streaming.wake_word(SEED).file)
    result = compile_model(tmp_path / "net.tflite", "wake", target_of(load_board("mps2-an386")))
    write_folder(result.files, tmp_path / "out")
    strict = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -c".split()
    words = ["gcc", *strict, f"-I{tmp_path / 'out' / 'include'}", str(tmp_path / "out" / "src" / "wake.c")]
    subprocess.run(words, cwd=tmp_path, check=True)


@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547", "rpi4"])
def test_emulated_boards_run_the_sequence(board: str, folder: Path, tmp_path: Path) -> None:
    need("gcc", *(("aarch64-linux-gnu-gcc", "qemu-aarch64") if board == "rpi4" else ("arm-none-eabi-gcc",)))
    out = compiled(streaming.wake_word(SEED).file, tmp_path, board)
    inputs = as_bytes(streaming.wake_word(SEED).samples(20))
    image = build_image(out, load_board(board), tmp_path / "image")
    done = run_image(image, inputs, timeout_s=120, count=False)
    assert done.outputs == host.run(host.build(folder), inputs)


def test_verify_and_measure(folder: Path) -> None:
    need("gcc", "arm-none-eabi-gcc")
    done = CliRunner().invoke(app, ["verify", str(folder), "--board", "mps2-an386", "--samples", "6", "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    said = json.loads(done.stdout)
    assert said["samples"] == 6
    done = CliRunner().invoke(app, ["measure", str(folder), "--board", "mps2-an386", "--samples", "2", "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    said, manifest = json.loads(done.stdout), read_manifest(folder)
    assert said["state_bytes"] == manifest["state_bytes"] and not said["violations"]
    stack = said["stack_bytes"] if said["stack_bytes"] is not None else said["painted_stack_bytes"]
    assert said["model_ram_bytes"] == manifest["arena_bytes"] + manifest["state_bytes"] + stack


def test_the_console_counts_steps(folder: Path) -> None:
    """Each step's layers are compared, and the line may ask for a step again."""
    need("gcc", "arm-none-eabi-gcc", "qemu-system-arm")
    words = ["verify", str(folder), "--board", "mps2-an386", "--link", "auto", "--samples", "4", "--timeout", "60"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "4 samples" in done.stdout and "every byte equal" in done.stdout


def test_a_step_can_be_asked_again(folder: Path) -> None:
    """Where a reply is lost the host asks once more, and that must not move the sequence on."""
    need("gcc", "arm-none-eabi-gcc", "qemu-system-arm")
    samples = [sample[0].tobytes() for sample in streaming.wake_word(SEED).samples(5)]
    expected = host.run(host.build(folder), b"".join(samples))
    with session.on_board(folder, load_board("mps2-an386"), session.Way(), trace=True) as (console, _, _):
        console.hello()
        found = b""
        for step, sample in enumerate(samples):
            for _ in range(1 + step % 3):
                console.run(sample, step)
            kept = console.layer(1, 16)  # by a run made for it
            assert console.layer(1, 16) == kept
            found += console.output(1)
        assert found == expected
        console.run(samples[0], 0)
        assert console.output(1) == expected[:1]
        with pytest.raises(ToolError, match="the board refuses: the step does not follow the last one"):
            console.run(samples[2], 2)


def test_verify_names_the_first_layer_that_differs(tmp_path: Path) -> None:
    """A state that is kept wrongly is found in the step after, by the layer that kept it."""
    need("gcc")
    out = compiled(streaming.wake_word(SEED).file, tmp_path)
    source = out / "src" / "net.c"
    text = source.read_text()
    layer = next(y for y in read_manifest(out)["layers"] if y["op"] == "strided_slice" or "slice" in y["name"])
    trace = next(line for line in text.splitlines() if line.startswith(f"    ekc_trace({layer['index']}, "))
    output = trace.strip().removeprefix(f"ekc_trace({layer['index']}, ").partition(",")[0]
    source.write_text(text.replace(trace, f"    if (in[0] > 0) {{ memset({output}, 99, 16); }}\n{trace}"))
    samples = streaming.wake_word(SEED).samples(30)
    for sample in samples[:20]:
        sample[0].flat[0] = -1
    samples[20][0].flat[0] = 1
    with pytest.raises(
        VerifyError, match=rf"sample 20, layer {layer['index']} {layer['name']} .*has 99, the reference"
    ):
        compare(out, None, as_bytes(samples))


WAKE_WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


@pytest.mark.parametrize("word", WAKE_WORDS)
def test_wake_words_equal_litert(word: str, tmp_path: Path) -> None:
    """Of the wheel pymicro-wakeword: `pip install 'edgekc[benchmarks]'`."""
    need("gcc")
    found = importlib.util.find_spec("pymicro_wakeword")
    if found is None or found.origin is None:
        pytest.skip("pymicro-wakeword is not installed")
    if reason := streaming.oracle.missing():
        pytest.skip(reason)
    file = (Path(found.origin).parent / "models" / f"{word}.tflite").read_bytes()
    out = compiled(file, tmp_path)
    manifest = read_manifest(out)
    assert manifest["arena_bytes"] + manifest["state_bytes"] <= 8192
    x = np.random.default_rng(3).integers(-128, 128, (STEPS, 1, 3, 40)).astype(np.int8)
    expected = b"".join(y[0].tobytes() for y in streaming.interpret(file, [[row] for row in x]))
    assert host.run(host.build(out), x.tobytes()) == expected
