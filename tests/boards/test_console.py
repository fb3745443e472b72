"""The console: both ends over clean, lossy and hostile lines, and what each failure is called."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from console_lines import BadLine, toy_device
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portable_target import portable
from typer.testing import CliRunner

from edgekc.boards.board import load_board
from edgekc.cli.main import app
from edgekc.console import protocol as c
from edgekc.console.lines import ProcessLine, PyocdLine
from edgekc.console.protocol import Console, Decoder, Frame, Patience, encode
from edgekc.emulate import host
from edgekc.errors import ToolError, UsageError, VerifyError
from edgekc.files.output import read_manifest, write_folder
from edgekc.pipeline import compile_model

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "edgekc" / "demo" / "data"
QUICK = Patience(tries=8, answer_s=0.3, run_s=0.3)
PATIENT = Patience(tries=8, answer_s=60.0, run_s=60.0)  # of a line that loses nothing, on a machine however busy
needs_cc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

SAMPLE = bytes(i * 31 % 256 for i in range(700))
LAYER_0 = bytes((x + 1) % 256 for x in SAMPLE)
LAYER_1 = bytes(2 * x % 256 for x in LAYER_0)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_device(tmp_path_factory.mktemp("device"))


@pytest.fixture
def line(device: Path) -> Iterator[ProcessLine]:
    opened = ProcessLine([str(device)], device.parent)
    yield opened
    opened.close()


@needs_cc
def test_a_conversation(line: ProcessLine) -> None:
    console = Console(line, PATIENT, "here")
    hello = console.hello()
    assert (hello.name, hello.layers, hello.input_bytes, hello.output_bytes) == ("toy", 2, 700, 700)
    run = console.run(SAMPLE)
    assert (run.status, run.problems, run.counter) == (0, (), "none")
    assert console.output(700) == LAYER_1
    assert [crc for crc, _ in console.layers(2)] == [zlib.crc32(LAYER_0), zlib.crc32(LAYER_1)]
    assert console.layer(0, 700) == LAYER_0
    assert console.layer(1, 700) == LAYER_1
    assert console.resent == 0


@needs_cc
@pytest.mark.parametrize("seed", range(4))
def test_a_lossy_line_only_costs_time(device: Path, seed: int) -> None:
    """One byte in 700 is lost, flipped or doubled with a random one, both ways: most frames need a second try."""
    bad = BadLine(ProcessLine([str(device)], device.parent), 1 / 700, seed)
    try:
        console = Console(bad, Patience(tries=40, answer_s=0.15, run_s=0.15), "here")
        assert console.hello().name == "toy"
        for _ in range(4):
            assert console.run(SAMPLE).status == 0
            assert console.output(700) == LAYER_1
            assert console.layer(0, 700) == LAYER_0
        assert console.resent > 0
    finally:
        bad.close()


@needs_cc
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=1500))
def test_garbage_before_a_request_does_not_stop_the_device(device: Path, garbage: bytes) -> None:
    """Any bytes, then (as after a lost answer) zeros and a request: it is answered."""
    request = encode(Frame(c.HELLO, 9, b""))
    done = subprocess.run(
        [str(device)], input=garbage + bytes(600) + request, capture_output=True, timeout=20, check=True
    )
    assert 9 in [frame.sequence for frame in Decoder().feed(done.stdout) if frame.kind == c.HELLO | c.REPLY]
    assert done.stderr == b""


frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=c.MAX_PAYLOAD))


@given(sent=st.lists(frames, max_size=5), noise=st.lists(st.binary(max_size=40), min_size=6, max_size=6),
       cuts=st.lists(st.integers(0, 3000), max_size=8))  # fmt: skip
@settings(deadline=None)
def test_frames_are_found_in_any_stream(sent: list[Frame], noise: list[bytes], cuts: list[int]) -> None:
    """However the stream is cut; noise that holds no magic is skipped."""
    clean = [piece.replace(c.MAGIC[:1], b"") for piece in noise]
    stream = b"".join(n + encode(f) for n, f in zip(clean, sent, strict=False)) + clean[-1]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = Decoder()
    found = [frame for a, b in pairwise(edges) for frame in decoder.feed(stream[a:b])]
    assert found == sent


@given(frame=frames, data=st.data())
def test_no_damaged_frame_is_taken(frame: Frame, data: st.DataObject) -> None:
    good = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    assert frame not in list(Decoder().feed(bytes(good)))


class Script:
    """A line whose other end is a list of answers, one for each request."""

    def __init__(self, *answers: bytes | BaseException) -> None:
        self.answers, self.sent, self.waiting = list(answers), list[bytes](), b""

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        answer = self.answers.pop(0) if self.answers else b""
        if isinstance(answer, BaseException):
            raise answer
        self.waiting += answer

    def receive(self, timeout_s: float) -> bytes:
        data, self.waiting = self.waiting, b""
        return data

    def close(self) -> None:
        pass


HELLO_BODY = struct.pack("<6I", 1, 0, 4, 4, 16, 1000) + b"toy"
GREETING = encode(Frame(c.HELLO | c.REPLY, 1, HELLO_BODY))
FAST = Patience(tries=3, answer_s=0.01, run_s=0.01)


def test_silence_ends_in_a_message_not_in_waiting() -> None:
    script = Script()
    with pytest.raises(ToolError, match=r"board x: no answer within 0\.03 s, asked 3 times; check the connection"):
        Console(script, FAST, "board x").hello()
    assert len(script.sent) == 3
    assert script.sent[1] == bytes(c._FRAME) + script.sent[0]


def test_a_closed_line() -> None:
    with pytest.raises(ToolError, match=r"board x: the line was closed \(qemu ended\)"):
        Console(Script(EOFError("qemu ended")), FAST, "board x").hello()


def test_a_reset_in_the_middle() -> None:
    boot = encode(Frame(c.HELLO | c.REPLY, 0, HELLO_BODY))
    console = Console(Script(boot + GREETING, boot), FAST, "board x")
    console.hello()  # a start before the conversation is no reset
    with pytest.raises(ToolError, match="board x: the board was reset in the middle of the run"):
        console.run(b"abcd")


def test_a_fault_on_the_board_is_shown() -> None:
    parts = [encode(Frame(c.TEXT, 0, text)) for text in (b"HardFault", b" at pc=0x08000123", b"")]
    console = Console(Script(GREETING, b"".join(parts)), FAST, "board x")
    console.hello()
    with pytest.raises(ToolError, match="the program stopped: HardFault at pc=0x08000123"):
        console.run(b"abcd")


def test_another_version_and_refusals() -> None:
    old = encode(Frame(c.HELLO | c.REPLY, 1, struct.pack("<6I", 7, 0, 4, 4, 16, 0)))
    with pytest.raises(ToolError, match="speaks version 7"):
        Console(Script(old), FAST, "board x").hello()
    with pytest.raises(ToolError, match="the board refuses: no such request; flash it again"):
        Console(Script(encode(Frame(c.REFUSED, 1, b"no such request"))), FAST, "board x").hello()
    with pytest.raises(ToolError, match=r"the board refuses: no such \\x1brequest; flash it again"):
        Console(Script(encode(Frame(c.REFUSED, 1, b"no\nsuch\r\n\x1brequest"))), FAST, "board x").hello()


def test_a_late_answer_to_an_earlier_request_is_not_this_ones() -> None:
    other = encode(Frame(c.HELLO | c.REPLY, 200, HELLO_BODY[:-3] + b"old"))
    assert Console(Script(other, GREETING), FAST, "x").hello().name == "toy"


# ---- whole programs on emulated cores ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits") / "out"
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", portable()).files, out)
    return out


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


PROGRAMS = [
    ("mps2-an386", "arm-none-eabi-gcc", "qemu-system-arm"),
    ("microbit", "arm-none-eabi-gcc", "qemu-system-arm"),
    ("mps3-an547", "arm-none-eabi-gcc", "qemu-system-arm"),
    ("rpi4", "aarch64-linux-gnu-gcc", "qemu-aarch64"),
]


@pytest.mark.parametrize(("name", "compiler", "emulator"), PROGRAMS)
def test_the_console_verifies_on_emulated_boards(name: str, compiler: str, emulator: str, folder: Path) -> None:
    need(compiler, emulator, "gcc")
    done = CliRunner().invoke(
        app, ["verify", str(folder), "--board", name, "--link", "auto", "--samples", "3", "--timeout", "60"]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert "3 samples, 9 layers, every byte equal" in done.stdout


def test_run_counts_and_writes_outputs(folder: Path, tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm", "gcc")
    out = tmp_path / "outputs.bin"
    done = CliRunner().invoke(
        app, ["run", str(folder), "--board", "mps2-an386", "--samples", "2", "--layers", "-o", str(out)]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    manifest = read_manifest(folder)
    assert out.read_bytes() == host.run(host.build(folder), host.samples(manifest, 2))
    assert "instructions (emulated" in done.stdout and "conv_0 " in done.stdout


def test_measure_through_the_console(folder: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    done = CliRunner().invoke(
        app, ["measure", str(folder), "--board", "mps2-an386", "--link", "auto", "--samples", "1", "--json"]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    said = json.loads(done.stdout)
    assert said["unit"].startswith("instructions (emulated") and said["cycles"] == []
    names = [layer["name"] for layer in read_manifest(folder)["layers"]]
    assert [layer["name"] for layer in said["layers"]] == names
    assert 0 < sum(layer["instructions"][0] for layer in said["layers"]) < 1.1 * said["instructions"][0]
    assert 0 < said["painted_stack_bytes"] <= said["stack_bound"]["size_bytes"]


def test_a_wrong_layer_is_found_by_bisection(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device's third layer is one off in one element; the host's is not, as on a board with a bad compiler."""
    need("aarch64-linux-gnu-gcc", "qemu-aarch64", "gcc")
    from edgekc.console import session

    changed = tmp_path / "changed"
    shutil.copytree(folder, changed, ignore=shutil.ignore_patterns("build"))
    source = changed / "src" / "digits.c"
    text = source.read_text()
    call = next(line for line in text.splitlines() if line.strip().startswith("ekc_trace(2, "))
    output = call.strip().removeprefix("ekc_trace(2, ").partition(",")[0]
    source.write_text(text.replace(call, f"    ((int8_t *)({output}))[5] ^= 1; {call.strip()}"))
    way = session.Way("", "", "", "", None, (), False, 60.0)
    inputs = host.samples(read_manifest(folder), 1)
    with (
        session.on_board(changed, load_board("rpi4"), way, trace=True) as (console, image, link),
        pytest.raises(VerifyError, match=r"sample 0, layer 2 conv_2 .*element \(0, 0, 0, 5\): .*; 1 of \d+ differ"),
    ):
        session.run_samples(console, image, changed, inputs, link=link, check=True, log=lambda _: None)


def test_lines_that_a_board_has_not(folder: Path) -> None:
    done = CliRunner().invoke(app, ["run", str(folder), "--board", "rpi4", "--link", "rtt"])
    assert isinstance(done.exception, UsageError) and "use stdio" in str(done.exception)
    done = CliRunner().invoke(app, ["run", str(folder), "--board", "mps2-an386", "--link", "tin-cans"])
    assert isinstance(done.exception, UsageError)


def test_of_two_probes_none_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyOCD would wait at the terminal for an answer."""
    helpers = pytest.importorskip("pyocd.core.helpers", reason="pyocd is not installed")
    probes = [SimpleNamespace(unique_id="066E"), SimpleNamespace(unique_id="0671")]
    monkeypatch.setattr(helpers.ConnectHelper, "get_all_connected_probes", lambda **_: probes)
    with pytest.raises(ToolError, match=r"more than one probe is connected \(066E, 0671\); name one with --probe"):
        PyocdLine("stm32f412xg", "", 0x20000000, 1.0)
