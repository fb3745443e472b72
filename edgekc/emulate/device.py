"""Runs an image on an emulated core: input bytes in, output bytes, instructions, stack and trace out."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boards.board import Board
from ..errors import ToolError, UsageError
from ..firmware.build import Image
from ..firmware.toolchain import Emulator, emulator, qemu_machine, qemu_name, qemu_path


@dataclass(frozen=True, slots=True)
class DeviceRun:
    """What the emulated core computed, and what it took."""

    outputs: bytes  # of all samples, one after the other
    samples: int
    instructions: tuple[int, ...] | None  # of NAME_run, per sample; None where the emulator has no count
    resolution: int | None  # each count is right to within this many instructions; 1: exact
    peak_stack_bytes: int | None  # of NAME_run and what it calls; None on Linux
    trace: tuple[tuple[int, bytes], ...]  # (layer, output) in the order of execution; of trace builds
    emulator: Emulator


def run_image(
    image: Image,
    inputs: bytes,
    *,
    timeout_s: float,
    qemu_args: Sequence[str] = (),
    count: bool = True,
) -> DeviceRun:
    """Runs the samples in `inputs`, one after the other, on the board's emulator.

    Args:
        qemu_args: appended to qemu's options; they choose qemu even where another emulator would be taken.
        count: False spares unicorn the counting, which makes it some 20 times slower; qemu counts anyway.

    Raises:
        ToolError: the core faulted, hung, wrote outside its buffers or returned an error, or there is no emulator.
    """
    if image.input_bytes == 0 or len(inputs) % image.input_bytes:
        raise UsageError(
            f"{len(inputs)} bytes of input are not a whole number of samples of {image.input_bytes} bytes",
            where=image.name,
        )
    kind: Emulator = "qemu" if qemu_args else emulator(image.board)
    with tempfile.TemporaryDirectory(prefix="edgekc-run-") as name:
        folder = Path(name)
        (folder / "input.bin").write_bytes(inputs)
        counted: tuple[int, ...] | None = None
        if kind == "unicorn":
            from . import unicorn_core  # the only user of the unicorn package

            counted, failure = unicorn_core.run(image, folder, timeout_s=timeout_s, count=count)
        else:
            failure = _run_qemu(image, folder, timeout_s, qemu_args)
        return _collect(image, folder, kind, counted, failure, expected=len(inputs) // image.input_bytes)


def qemu_command(image: Image, qemu_args: Sequence[str] = ()) -> list[str]:
    """The command that runs the image in the current folder, which holds input.bin.

    Raises:
        ToolError: this qemu is not installed.
    """
    return elf_command(image.elf, image.board, qemu_args)


def elf_command(elf: Path, board: Board, qemu_args: Sequence[str] = ()) -> list[str]:
    """The same of any program for a board."""
    path = qemu_path(board)
    if path is None:
        raise ToolError(f"{qemu_name(board)} is not installed", where=f"board {board.name}", fix="see edgekc doctor")
    if board.core.system == "linux":
        return [path, *qemu_machine(board), *qemu_args, str(elf)]
    # icount: virtual time advances 1 ns per instruction, so SysTick counts instructions, and every run
    # is the same.
    return [
        path, *qemu_machine(board), "-kernel", str(elf), "-nographic", "-monitor", "none",
        "-serial", "none", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0", *qemu_args,
    ]  # fmt: skip


def _run_qemu(image: Image, folder: Path, timeout_s: float, qemu_args: Sequence[str]) -> str:
    """What went wrong, as seen from outside; empty when nothing did."""
    try:
        done = subprocess.run(
            qemu_command(image, qemu_args), cwd=folder, capture_output=True, stdin=subprocess.DEVNULL,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"did not finish within {timeout_s:g} s"
    except OSError as error:
        return f"qemu did not start: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    status = f"ended with status {done.returncode}"
    return f"{status}: {said[0]}" if said else status


def _collect(
    image: Image, folder: Path, kind: Emulator, counted: tuple[int, ...] | None, failure: str, *, expected: int
) -> DeviceRun:
    lines = _text(folder / "report.txt").splitlines()
    report = [(key, value) for key, _, value in (line.partition(" ") for line in lines)]
    ticks = [int(value) for key, value in report if key == "ticks"]
    done = ("done", "") in report
    fault = _text(folder / "fault.txt").strip()
    error = next((value for key, value in report if key == "error"), "")
    where = f"board {image.board.name} ({kind}), {image.name}"
    if fault:
        raise ToolError(f"the core stopped in sample {len(ticks)}: {fault}", where=where)
    if error:
        status = next((f" but {value}" for key, value in report if key == "status"), "")
        sample = next((value for key, value in report if key == "error_sample"), "?")
        raise ToolError(f"sample {sample}: {error}{status}", where=where)
    if failure or not done:
        raise ToolError(f"{failure or 'ended without a report'}, in sample {len(ticks)}", where=where)

    outputs = (folder / "output.bin").read_bytes()
    samples = next(int(value) for key, value in report if key == "samples")
    if samples != expected or len(outputs) != expected * image.output_bytes:
        raise ToolError(
            f"{expected} samples went in, and {samples} samples of {len(outputs)} bytes in all came out", where=where
        )
    bare = image.board.core.system == "bare"
    systick_hz = image.board.systick_hz
    resolution: int | None = 1 if counted is not None else None
    if kind == "qemu" and bare and systick_hz is not None:
        counted = tuple(round(tick * 1_000_000_000 / systick_hz) for tick in ticks)
        resolution = -(-1_000_000_000 // systick_hz)
    stacks = [int(value) for key, value in report if key == "stack"]
    return DeviceRun(
        outputs=outputs,
        samples=samples,
        instructions=counted,
        resolution=resolution,
        peak_stack_bytes=max(stacks, default=0) if bare else None,
        trace=parse_trace((folder / "trace.bin").read_bytes()) if image.trace else (),
        emulator=kind,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace") if path.is_file() else ""


def parse_trace(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """The records (layer, output) of a trace.bin.

    Raises:
        ToolError: it ends within a record.
    """
    records = []
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ToolError("trace.bin ends within a record", where="trace.bin")
        layer, size = struct.unpack_from("<II", data, at)
        at += 8
        if at + size > len(data):
            raise ToolError("trace.bin ends within a record", where="trace.bin")
        records.append((layer, data[at : at + size]))
        at += size
    return tuple(records)
