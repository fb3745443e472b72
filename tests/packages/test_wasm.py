"""One WebAssembly module of a network: Node runs it, and its outputs are those of the numpy definition."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgekc
from edgekc.demo.walk import DATA
from edgekc.emulate import host, reference
from edgekc.errors import ToolError
from edgekc.firmware import toolchain
from edgekc.packages import wasm

MODEL = DATA / "digits_int8.tflite"
# Prints what the module imports, and the SHA-256 of the outputs of all samples.
RUN = """
const fs = require("fs");
const code = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
const net = new WebAssembly.Instance(code).exports, samples = fs.readFileSync(process.argv[2]);
const sum = require("crypto").createHash("sha256"), size = net.input_bytes();
if (net.reset) net.reset();
for (let at = 0; at < samples.length; at += size) {
    new Uint8Array(net.memory.buffer).set(samples.subarray(at, at + size), net.input());
    if (net.run() !== 0) throw new Error("status");
    sum.update(new Uint8Array(net.memory.buffer, net.output(), net.output_bytes()));
}
console.log(WebAssembly.Module.imports(code).length, sum.digest("hex"));
"""


def need_tools() -> str:
    try:
        toolchain.wasm_compiler()
    except ToolError as error:
        pytest.skip(str(error))
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    return node


def ran(module: bytes, samples: bytes, folder: Path) -> str:
    """What `RUN` prints."""
    (folder / "net.wasm").write_bytes(module)
    (folder / "samples.bin").write_bytes(samples)
    command = [need_tools(), "-e", RUN, str(folder / "net.wasm"), str(folder / "samples.bin")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.fast
def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_zig_command", lambda: None)
    with pytest.raises(ToolError, match="zig is missing; pip install ziglang"):
        wasm.build(edgekc.compile(MODEL, name="digits"))


@pytest.mark.slow
def test_node_gives_the_bytes_of_the_definition(tmp_path: Path) -> None:
    need_tools()
    program = edgekc.compile(MODEL, name="digits", board="rpi5", embed="file")  # whose kernels emulate its vectors
    module = wasm.build(program)
    assert module == wasm.build(dict(program.files)), "the same sources give the same module"
    samples = host.samples(dict(program.manifest), 4)
    x = np.frombuffer(samples, np.int8).reshape(4, *program.manifest["inputs"][0]["shape"][1:])
    wanted = reference.outputs(program.graph, [x])[0]
    assert ran(module, samples, tmp_path) == f"0 {hashlib.sha256(wanted.tobytes()).hexdigest()}"


@pytest.mark.slow
def test_the_hash_is_the_emulated_core_s(tmp_path: Path) -> None:
    need_tools()
    program = edgekc.compile(MODEL, name="digits", board="mps2-an386")
    try:
        found = program.verify(4)
    except ToolError as error:
        pytest.skip(str(error))
    assert found.ok and found.emulator
    assert ran(wasm.build(program), host.samples(dict(program.manifest), 4), tmp_path) == f"0 {found.output_sha256}"


@pytest.mark.slow
def test_a_streaming_network_keeps_its_state(tmp_path: Path) -> None:
    need_tools()
    streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
    (tmp_path / "wake.tflite").write_bytes(streaming.wake_word().file)
    program = edgekc.compile(tmp_path / "wake.tflite", name="wake")
    samples = host.samples(dict(program.manifest), 12)
    wanted = host.run(host.build(program.folder), samples)
    assert ran(wasm.build(program), samples, tmp_path) == f"0 {hashlib.sha256(wanted).hexdigest()}"
