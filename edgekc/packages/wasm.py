"""The sources of a network to one WebAssembly module, which needs nothing from its host."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..assets import RUNTIME_C
from ..errors import ToolError
from ..files.stopping import in_threads
from ..firmware import objects
from ..firmware.toolchain import Compiler, wasm_compiler
from ..templates import environment
from .net import Compiled, Net, files_of, net_of

_GLUE = "ek_wasm_glue.c"  # no network has a name that begins so
_STACK_BYTES = 1 << 16  # a page, as wasm-ld has it too; kernels keep their scratch in the arena
# Kernels for extensions of a core run by their emulation in C: same sources, same bits.
_FLAGS = (
    "-std=c99", "-O3", "-g0", "-ffunction-sections", "-fdata-sections", "-fno-sanitize=all",
    "-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED", "-ffp-contract=off",
    "-isystem", str(RUNTIME_C / "port" / "freestanding"),
)  # fmt: skip
_LINK_FLAGS = (
    "-O3", "-Wl,--no-entry", "-Wl,--export-memory", "-Wl,--strip-all", "-Wl,--gc-sections",
    "-Wl,-z", f"-Wl,stack-size={_STACK_BYTES}",
)  # fmt: skip


def build(source: Compiled | Mapping[str, bytes], *, trace: bool = False) -> bytes:
    """A compiled network as one freestanding `.wasm`: same sources, same output bytes as on every board.

    The module imports nothing. It exports `memory`, and functions without arguments: `input`, `output` and `arena`
    give addresses in the memory, `input_bytes`, `output_bytes` and `arena_bytes` give sizes, and `run` does one
    inference from `input` to `output` and returns an `ekc_status` (0: done). A streaming network has `state`,
    `state_bytes` and `reset` too; `reset` must be called before its first `run`. Where each tensor lies in the input
    and the output is in the manifest.

    Args:
        source: what `edgekc.compile` gave (a Program); or the files of its output folder, by their path below it.
        trace: the module imports `env.ekc_trace(layer, address, bytes)`, and calls it after each layer with what that
            layer wrote; of layers that run by rows after each of their calls.

    Raises:
        ToolError: zig is not installed, or refuses a source; or the network's constants are in a blob.
    """
    files = files_of(source)
    if any(path.endswith(".blob") for path in files):
        raise ToolError("its constants are in a blob, which a module does not hold", fix="compile it without --blob")
    return module(net_of(files), trace=trace)


def module(net: Net, *, trace: bool = False) -> bytes:
    """As `build`, of what `net_of` made of the files."""
    glue = environment().get_template("packages/shared/wasm_glue.c.j2").render(net=net, trace=trace)
    compiler = wasm_compiler()
    with tempfile.TemporaryDirectory(prefix="edgekc-wasm-") as temporary:
        folder = Path(temporary)
        for path, data in (*net.sources.items(), *net.headers.items(), (_GLUE, glue.encode())):
            (folder / path).write_bytes(data)
        return _linked(compiler, folder, [*net.sources, _GLUE], net, trace)


def _linked(compiler: Compiler, folder: Path, sources: Sequence[str], net: Net, trace: bool) -> bytes:
    flags = [*_FLAGS, f"-I{folder}", *(["-DEKC_TRACE"] if trace else [])]
    jobs = [(folder / name, folder / f"{name}.o") for name in sources]

    def compile_one(job: tuple[Path, Path]) -> subprocess.CompletedProcess[str] | None:
        return objects.compile_once(compiler, flags, *job, _run)

    done = in_threads(compile_one, jobs, workers=os.cpu_count() or 1)
    parts = [str(target) for _, target in jobs]
    failed = next((one for one in done if one is not None and one.returncode != 0), None)
    failed = failed or _run([*compiler.command, *_LINK_FLAGS, *parts, "-o", str(folder / "net.wasm")])
    if failed.returncode != 0:
        raise ToolError(f"{compiler.description} failed: {failed.stderr.strip()[:2000]}", where=f"{net.name}.wasm")
    return (folder / "net.wasm").read_bytes()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, errors="replace"
    )
