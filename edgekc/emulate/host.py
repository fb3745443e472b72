"""A folder of generated C, compiled for this machine, and inputs to outputs: fast enough for whole test sets."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..assets import RUNTIME_C
from ..errors import ToolError, UsageError, VerifyError
from ..files.output import read_manifest
from ..files.stopping import in_threads
from ..firmware import objects
from ..firmware.toolchain import Compiler, host_compiler
from ..format.blob import read_blob
from ..graph.ir import Array

_GUARD_BYTES = 64  # as in ekc_host.c
_ALIGNMENT = 16  # of the arena, by the API's contract
# Optimised for this very machine: integer arithmetic gives the same bits under any flags.
_FLAGS = ("-std=c99", "-O3", "-march=native", "-fPIC", "-shared")


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A compiled network; the temporary folder lives as long as the record."""

    manifest: dict[str, Any]
    library: ctypes.CDLL
    trace: bool
    blob: Array  # uint8, on 16 bytes: which the network reads; empty: its constants are in its code
    folder: tempfile.TemporaryDirectory[str]


def build(folder: Path, *, trace: bool = False, flags: Sequence[str] = _FLAGS) -> HostProgram:
    """Compile an output folder into a shared library. ToolError where the compiler is missing or fails."""
    manifest = read_manifest(folder)
    compiler = host_compiler()
    temporary = tempfile.TemporaryDirectory(prefix="edgekc-host-")
    library = Path(temporary.name) / "net.so"
    sources = [*sorted((folder / "src").glob("*.c")), RUNTIME_C / "port" / "ekc_host.c"]
    # A model compiled for a core with extensions runs here with their emulation: same sources, same bits.
    defines = [
        "-DEK_DSP_EMULATED",
        "-DEK_MVE_EMULATED",
        "-DEK_VEC_EMULATED",
        f"-DEKC_RUN={manifest['name']}_run",
        *([f"-DEKC_RESET={manifest['name']}_reset"] if manifest.get("state_bytes") else []),
        *(["-DEKC_TRACE"] if trace else []),
        *(_opening(manifest) if "blob" in manifest else []),
    ]
    compile_flags = [*flags, *defines, f"-I{folder / 'include'}"]
    targets = [library.with_name(f"{i}.o") for i in range(len(sources))]
    jobs = list(zip(sources, targets, strict=True))
    results = in_threads(lambda job: _compile(compiler, compile_flags, *job), jobs, workers=os.cpu_count() or 1)
    failed = next((done for done in results if done is not None and done.returncode != 0), None)
    link = [*compiler.command, *flags, *map(str, targets), "-o", str(library)]
    done = failed or subprocess.run(link, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "-march=native" in flags:
        return build(folder, trace=trace, flags=[f for f in flags if f != "-march=native"])
    if done.returncode != 0:
        raise ToolError(f"the host compiler failed: {done.stderr.strip()[:2000]}", where=str(folder))
    program = HostProgram(manifest, ctypes.CDLL(str(library)), trace, _blob_of(folder, manifest), temporary)
    if "blob" in manifest:
        _open(program, folder)
    return program


def _opening(manifest: Mapping[str, Any]) -> list[str]:
    """For a network whose constants are in a blob: NAME_model has three pointers, and two numbers of each edge."""
    edges = len(manifest["inputs"]) + len(manifest["outputs"])
    return [f"-DEKC_OPEN={manifest['name']}_open", f"-DEKC_MODEL_BYTES={3 * 8 + 8 * edges}"]


def _blob_of(folder: Path, manifest: Mapping[str, Any]) -> Array:
    if "blob" not in manifest:
        return np.zeros(0, np.uint8)
    data = np.frombuffer(read_blob(folder, manifest), np.uint8)
    room = np.zeros(data.size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    room[start : start + data.size] = data
    return room[start : start + data.size]


def _open(program: HostProgram, folder: Path) -> None:
    address, size = ctypes.c_void_p(program.blob.ctypes.data), ctypes.c_uint64(program.blob.size)
    opened = program.library.ekc_host_open(address, size)
    if opened != 0:
        name = program.manifest["name"]
        raise VerifyError(f"{name}_open refuses a blob that edgekc takes: status {opened}", where=str(folder))


def _compile(
    compiler: Compiler, flags: Sequence[str], source: Path, target: Path
) -> subprocess.CompletedProcess[str] | None:
    """One source to an object, and what the compiler said; None where the object was kept from before."""
    flags = [flag for flag in flags if flag != "-shared"]
    return objects.compile_once(
        compiler,
        flags,
        source,
        target,
        lambda command: subprocess.run(command, capture_output=True, text=True, check=False),
    )


def input_bytes(manifest: dict[str, Any]) -> int:
    return sum(int(e["bytes"]) for e in manifest["inputs"])


def output_bytes(manifest: dict[str, Any]) -> int:
    return sum(int(e["bytes"]) for e in manifest["outputs"])


def run(program: HostProgram, inputs: bytes, first: int = 0) -> bytes:
    """Outputs of all samples, one after the other; of a network with a state they are a sequence from its start.

    Args:
        inputs: any number of samples, each `input_bytes` long.
        first: what number errors give to the first of them.

    Raises:
        VerifyError: a guard around arena, state or output was overwritten.
    """
    manifest = program.manifest
    size_in, size_out, arena_bytes = input_bytes(manifest), output_bytes(manifest), int(manifest["arena_bytes"])
    if not inputs or len(inputs) % size_in:
        raise UsageError(f"{len(inputs)} bytes are not a number of samples of {size_in} bytes", where="inputs")
    count = len(inputs) // size_in
    arena = np.full(arena_bytes + _GUARD_BYTES + _ALIGNMENT, 0xA5, np.uint8)
    start = -arena.ctypes.data % _ALIGNMENT
    state_bytes = int(manifest.get("state_bytes", 0))
    state = np.full(state_bytes + _GUARD_BYTES, 0xA5, np.uint8)
    output = np.zeros(count * size_out + _GUARD_BYTES, np.uint8)
    source = np.frombuffer(inputs, np.uint8)
    call = program.library.ekc_host_run
    call.restype = ctypes.c_int64
    status = call(
        ctypes.c_uint64(count),
        ctypes.c_void_p(arena.ctypes.data + start),
        ctypes.c_uint64(arena_bytes),
        ctypes.c_void_p(state.ctypes.data),
        ctypes.c_uint64(state_bytes),
        ctypes.c_void_p(source.ctypes.data),
        ctypes.c_uint64(size_in),
        ctypes.c_void_p(output.ctypes.data),
        ctypes.c_uint64(size_out),
    )
    if status > 0:
        raise ToolError(f"the network returned status {status}", where=str(manifest["name"]))
    if status < 0:
        raise VerifyError(
            f"sample {first - 1 - status} wrote outside its arena, state or output", where=str(manifest["name"])
        )
    return output[: count * size_out].tobytes()


def run_traced(program: HostProgram, sample: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Samples one after the other, as `run`: outputs, and (layer index, output bytes) of every layer in order."""
    assert program.trace
    records: list[tuple[int, bytes]] = []
    sink_type = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
    sink = sink_type(lambda layer, data, size: records.append((layer, ctypes.string_at(data, size))))
    program.library.ekc_host_set_sink(sink)
    return run(program, sample), records


def _reals(rng: np.random.Generator, sample: int, count: int) -> bytes:
    """A float32 input of `samples`: from -8 to 8 at the extremes and on the ramp."""
    special = [np.full(count, -8.0), np.full(count, 8.0), np.linspace(-8.0, 8.0, count)]
    values = special[sample] if sample < len(special) else rng.normal(0.0, 2.0, count)
    return values.astype("<f4").tobytes()


def samples(manifest: dict[str, Any], count: int, seed: int = 0) -> bytes:
    """Input bytes for checks: all lowest, all highest, a ramp, then uniformly random; repeatable."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(count):
        for edge in manifest["inputs"]:
            if edge["dtype"] == "float32":
                out.append(_reals(rng, i, int(edge["bytes"]) // 4))
                continue
            info, size = np.iinfo(edge["dtype"]), int(edge["bytes"])
            special: list[Array] = [
                np.full(size, info.min),
                np.full(size, info.max),
                (np.arange(size) * 37 + 11) & 0xFF,
            ]
            values = special[i] if i < len(special) else rng.integers(info.min, info.max + 1, size)
            out.append(values.astype(np.int64).astype(np.uint8).tobytes())
    return b"".join(out)
