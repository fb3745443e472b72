"""Runs samples through the console of the program on a board, and finds the first layer that differs."""

from __future__ import annotations

import hashlib
import math
import socket
import subprocess
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import tables
from ..boards.board import Board
from ..emulate import host, reference
from ..emulate.compare import split_inputs
from ..errors import BoardError, ToolError, UsageError, VerifyError
from ..files.output import read_manifest
from ..firmware.build import Image, Optimise
from ..firmware.elf import read_elf
from ..firmware.folder import build_firmware, firmware_folder
from ..firmware.toolchain import qemu_machine, qemu_name, qemu_path
from ..firmware.updates import Updates
from ..flashing import remote
from ..flashing.openocd import connect
from ..flashing.records import Job
from ..flashing.run import choose_tool, flash, make_job, program_command
from ..format.pack import read
from ..graph.ir import Array
from ..progress import Log, unsaid
from .lines import ProcessLine, PyocdLine, SerialLine, SocketLine, only_serial_port
from .protocol import Console, Hello, Line, Patience, Run

LINKS = ("rtt", "uart", "semihosting", "stdio")


@dataclass(frozen=True, slots=True)
class BoardRun(tables.Shown):
    """All samples, as the board computed them.

    Attributes:
        network, board, link: what ran where, and how it was asked.
        samples: how many.
        outputs: of all samples, one after the other, as NAME_run writes them.
        cycles: of each sample, without what traces took; of an emulated core instructions.
        counter: what counted them; `none`: they are 0.
        unit: of `cycles`.
        resolution: of `cycles`.
        emulated: they are instructions: qemu's virtual time, or a simulator where each takes a tick.
        stack_bytes: the deepest stack.
        layer_cycles: names of layers, with the cycles of each sample; empty of a build without traces.
        resent: requests that had to be asked again, over a bad line.
    """

    network: str
    board: str
    link: str
    samples: int
    outputs: bytes
    cycles: tuple[int, ...]
    counter: str
    unit: str
    resolution: int
    emulated: bool
    stack_bytes: int
    layer_cycles: tuple[tuple[str, tuple[int, ...]], ...]
    resent: int

    def parts(self) -> list[tables.Part]:
        """Cycles of each sample, the deepest stack, and cycles of each layer of the first sample."""
        shown: list[tables.Part] = [f"{self.network} on {self.board} over {self.link}: {self.samples} samples"]
        if self.counter != "none":
            shown.append(f"{', '.join(map(tables.size, self.cycles))} {self.unit}")
            shown.append(f"peak stack {tables.size(self.stack_bytes)} bytes")
        return shown + [f"  {name} {tables.size(cycles[0])}" for name, cycles in self.layer_cycles]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc run --json` prints: the outputs are their SHA-256."""
        data = asdict(self)
        data["outputs"] = hashlib.sha256(self.outputs).hexdigest()
        data["output_sha256"] = data.pop("outputs")
        return data


def default_link(board: Board) -> str:
    """The board's first link; a Linux board's is its standard streams, an emulated one's semihosting."""
    if board.core.system == "linux":
        return "stdio"
    return board.console.links[0] if board.console is not None else "semihosting"


def check_link(board: Board, link: str) -> str:
    """Raises UsageError for a line that does not exist or that this board has not."""
    if link not in LINKS:
        raise UsageError(f"--link {link}: no such line", fix="use one of: " + ", ".join(LINKS))
    has_uart = board.console is not None and board.console.uart is not None
    if (link == "stdio") != (board.core.system == "linux") or (link == "uart" and not has_uart):
        raise UsageError(f"--link {link}: {board.name} has none", fix=f"use {default_link(board)}")
    return link


@contextmanager
def open_line(image: Image, job: Job, link: str, tool: str, port: str, timeout_s: float) -> Iterator[Line]:
    """The line to the program, which runs from its start or is started here.

    Args:
        tool: what moves RTT's bytes: pyocd or openocd; ssh or adb on Linux.
        port: a serial port or HOST:PORT that carries the console already; empty: `tool` opens the line.
    """
    line: Line
    board = image.board
    with _background(_rtt_server(image, job, tool) if link == "rtt" else ((), 0)) as rtt_port:
        emulated = board.machine is not None and board.probe is None
        if port:
            line = _port(port, _baud(board), timeout_s)
        elif board.core.system == "linux":
            line = ProcessLine(_linux_command(image, job, tool), job.folder)
        elif link in ("semihosting", "uart") and emulated:
            line = ProcessLine(_qemu_command(image, link), job.folder)
        elif link == "uart":
            line = serial_line(board, "", timeout_s)
        elif rtt_port:
            line = SocketLine("127.0.0.1", rtt_port, timeout_s)
        elif link == "rtt" and board.probe is not None and tool == "pyocd":
            line = PyocdLine(board.probe.pyocd_target, job.probe, _rtt_address(image), timeout_s)
        else:
            raise BoardError(
                f"{tool} cannot carry {link}", where=f"board {board.name}", fix="choose another --tool or --link"
            )
        try:
            yield line
        finally:
            line.close()


def serial_line(board: Board, port: str, timeout_s: float) -> Line:
    """The port that carries the console of a program on the board; empty: the only USB serial port."""
    return _port(port or only_serial_port(f"board {board.name}"), _baud(board), timeout_s)


def _port(port: str, baud: int, timeout_s: float) -> Line:
    """HOST:PORT, a serial port's name, or a URL of pyserial's."""
    name, colon, number = port.rpartition(":")
    is_socket = bool(colon) and number.isdigit() and "/" not in port
    return SocketLine(name, int(number), timeout_s) if is_socket else SerialLine(port, baud)


def _baud(board: Board) -> int:
    uart = board.console.uart if board.console is not None else None
    return uart.baud if uart is not None else 115200


def _rtt_address(image: Image) -> int:
    symbol = read_elf(image.elf).symbol("_SEGGER_RTT")
    if symbol is None:
        raise ToolError("the program has no RTT", where=str(image.elf))
    return symbol.address


def _rtt_server(image: Image, job: Job, tool: str) -> tuple[tuple[str, ...], int]:
    """OpenOCD with its RTT server, and the port; no words where another way is taken."""
    if tool != "openocd" or image.board.core.system != "bare" or image.board.probe is None:
        return (), 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    commands = (
        "init", "reset run", "sleep 100", f'rtt setup 0x{_rtt_address(image):08x} 16 "SEGGER RTT"', "rtt start",
        f"rtt server start {port} 0",
    )  # fmt: skip
    program, *words = connect(job)
    return (*program_command(program), *words, "-c", "; ".join(commands)), port


@contextmanager
def _background(server: tuple[tuple[str, ...], int]) -> Iterator[int]:
    words, port = server
    if not words:
        yield 0
        return
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait()


def _linux_command(image: Image, job: Job, tool: str) -> list[str]:
    if tool == "ssh":
        return ["ssh", "-o", "BatchMode=yes", remote.host(job), "./" + remote.program_on_linux(job)]
    if tool == "adb":
        return ["adb", *(("-s", job.probe) if job.probe else ()), "shell", "-T", remote.program_on_android(job)]
    path = qemu_path(image.board)
    if path is None:
        raise ToolError(f"{qemu_name(image.board)} is not installed", where=f"board {image.board.name}")
    return [path, *qemu_machine(image.board), str(image.elf)]


def _qemu_command(image: Image, link: str) -> list[str]:
    board = image.board
    path = qemu_path(board)
    if path is None:
        raise ToolError(f"{qemu_name(board)} is not installed", where=f"board {board.name}", fix="see edgekc doctor")
    # Without a chardev for it, the terminal is the program's own standard streams; a chardev's input hangs in qemu 7.2.
    serial = "stdio" if link == "uart" else "none"
    return [
        path, *qemu_machine(board), "-kernel", str(image.elf), "-display", "none", "-monitor", "none",
        "-serial", serial, "-icount", "shift=0", "-semihosting-config", "enable=on,target=native",
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """How the user wants the board reached; empty: as the board's file says."""

    link: str = ""  # rtt, uart, semihosting or stdio
    tool: str = ""  # pyocd, openocd, stlink, uf2, ssh, adb or gdb
    probe: str = ""  # unique id, remote:host:port, user@host, adb serial or UF2 drive
    port: str = ""  # HOST:PORT or serial port that carries the console
    openocd_config: Path | None = None
    options: tuple[str, ...] = ()  # more words for the tool's command line
    flash: bool = True  # program it first
    timeout_s: float = 60.0  # for an inference, and each step
    optimise: Optimise = "speed"
    updates: Updates | None = None  # whose updates the program takes; None: nobody's


@contextmanager
def on_board(folder: Path, board: Board, way: Way, *, trace: bool) -> Iterator[tuple[Console, Image, str]]:
    """The board with the console's program on it, and the line to it open; third is the link's name.

    Raises:
        BoardError, CapacityError, FlashError, ToolError, UsageError: as build_firmware, flash and open_line.
    """
    link = check_link(board, way.link or default_link(board))
    updates = way.updates
    out = firmware_folder(folder, board, None, link=link, optimise=way.optimise, updates=updates is not None)
    image = build_firmware(folder, board, out, trace=trace, link=link, optimise=way.optimise, updates=updates)
    emulated = board.probe is None or (board.core.system == "linux" and not (way.probe or way.tool))
    tool = choose_tool(board, way.tool) if not emulated else None
    job = make_job(image, out, probe=way.probe, openocd_config=way.openocd_config, options=way.options)
    if tool is not None and way.flash:
        flash(tool, job, timeout_s=way.timeout_s, log=unsaid)
    name = tool.name if tool is not None else ""
    with open_line(image, job, link, name, way.port, way.timeout_s) as line:
        yield Console(line, patience(way.timeout_s), f"board {board.name} ({link})"), image, link


def run_samples(
    console: Console, image: Image, folder: Path, inputs: bytes, *, link: str, check: bool,
    log: Log, reset_each: bool = False, starts: Collection[int] = (),
) -> BoardRun:  # fmt: skip
    """Runs every sample; with `check`, compares each with the reference and stops at the first difference.

    With `reset_each` a state has its first value at each sample, else at the first and at those of `starts`.

    Raises:
        ToolError: the board does not answer, faulted, was reset, or runs another network.
        VerifyError: the first sample, layer and element that differ, with both values.
    """
    manifest = read_manifest(folder)
    size_in, size_out = host.input_bytes(manifest), host.output_bytes(manifest)
    hello = console.hello()
    _check_program(hello, manifest, image)
    graph = read((folder / f"{manifest['name']}.ekc").read_bytes(), f"{manifest['name']}.ekc").graph
    outputs, cycles, stack, counter, simulated = b"", [], 0, "none", False
    layers: list[list[int]] = []
    count = len(inputs) // size_in
    states: list[Array] | None = None
    first = 0  # sample of the sequence
    if not inputs or len(inputs) % size_in:
        raise UsageError(f"{len(inputs)} bytes are not a number of samples of {size_in} bytes", where="inputs")
    for k in range(count):
        sample = inputs[k * size_in : (k + 1) * size_in]
        if reset_each or k in starts:
            states, first = None, k
        step = k - first
        run = console.run(sample, step if graph.states else None)
        _check_run(run, k, image)
        data = console.output(size_out)
        outputs += data
        cycles.append(run.cycles)
        stack, counter, simulated = max(stack, run.stack_bytes), run.counter, run.simulated
        if hello.layers:
            seen = console.layers(hello.layers)
            layers.append([ticks for _, ticks in seen])
        if check:
            values = reference.run(graph, split_inputs(graph, sample, 1), states)
            states = [values[s.end] for s in graph.states]
            _bisect(console, values, graph, manifest, seen if hello.layers else (), data, k, image.board.name)
        log(f"sample {k + 1} of {count}")
    ticks_to_unit, unit, resolution, emulated = unit_of(image.board, counter, simulated)
    names = [str(layer["name"]) for layer in manifest["layers"]] if counter != "none" and layers else []
    return BoardRun(
        network=str(manifest["name"]),
        board=image.board.name,
        link=link,
        samples=count,
        outputs=outputs,
        cycles=tuple(ticks_to_unit(n) for n in cycles),
        counter=counter,
        unit=unit,
        resolution=resolution,
        emulated=emulated,
        stack_bytes=stack,
        layer_cycles=tuple(
            (name, tuple(ticks_to_unit(n) for n in column))
            for name, column in zip(names, zip(*layers, strict=True), strict=bool(names))
        ),
        resent=console.resent,
    )


def unit_of(board: Board, counter: str, simulated: bool) -> tuple[Callable[[int], int], str, int, bool]:
    """What a tick of the board's counter is: to its unit, that unit, to within how many, and whether instructions."""
    if counter == "none":
        return lambda n: n, "nothing counts", 1, False
    if board.probe is None and board.systick_hz is not None:
        # qemu's SysTick counts its virtual time, 1 ns an instruction.
        each = 10**9 / board.systick_hz
        unit = f"instructions (emulated, to within {each:g}), not cycles"
        return lambda n: round(n * each), unit, math.ceil(each), True
    if simulated:
        return lambda n: n, f"instructions (a simulated core, by its {counter}), not cycles", 1, True
    return lambda n: n, f"cycles of the core's clock ({counter})", 1, False


def _check_program(hello: Hello, manifest: dict[str, Any], image: Image) -> None:
    expected = (str(manifest["name"]), image.input_bytes, image.output_bytes)
    found = (hello.name, hello.input_bytes, hello.output_bytes)
    if found != expected:
        raise ToolError(
            f"the board runs {found[0]} ({found[1]} bytes in, {found[2]} out), not {expected[0]}",
            where=f"board {image.board.name}",
            fix="flash it, or leave out --no-flash",
        )
    if hello.layers not in (0, len(manifest["layers"])):
        raise ToolError(f"the board's {hello.name} has {hello.layers} layers", where=f"board {image.board.name}",
                        fix="flash it again")  # fmt: skip


def _check_run(run: Run, k: int, image: Image) -> None:
    where = f"board {image.board.name}, sample {k}"
    if run.problems:
        raise ToolError("; ".join(run.problems), where=where)
    if run.status != 0:
        raise ToolError(f"{image.name}_run returned {run.status}", where=where)


def _bisect(
    console: Console, values: Any, graph: Any, manifest: dict[str, Any], seen: tuple[tuple[int, int], ...],
    output: bytes, k: int, who: str,
) -> None:  # fmt: skip
    """VerifyError at the first layer whose hash differs; its values are fetched to say where."""
    written = {node.name: node.outputs[0] for node in graph.nodes}
    for (crc, _), layer in zip(seen, manifest["layers"], strict=False):
        expected = np.ascontiguousarray(values[written[layer["name"]]]).ravel()
        if zlib.crc32(expected.tobytes()) == crc:
            continue
        actual = np.frombuffer(console.layer(int(layer["index"]), expected.nbytes), expected.dtype)
        different = np.flatnonzero(actual != expected)
        place = f"sample {k}, layer {layer['index']} {layer['name']} ({layer['kernel']})"
        if not different.size:
            raise VerifyError(f"{who} gave another value at first, and the right one when asked again", where=place)
        i = int(different[0])
        where = tuple(map(int, np.unravel_index(i, layer["output_shape"])))
        shown = ", ".join(f"{int(actual[j])} for {int(expected[j])}" for j in different[:4])
        raise VerifyError(
            f"{who} has {int(actual[i])}, the reference {int(expected[i])}; {different.size} of {actual.size} differ "
            f"({shown}{', ...' if different.size > 4 else ''})",
            where=f"{place}, element {where}",
        )
    rows = [np.ascontiguousarray(values[name]).tobytes() for name in graph.outputs]
    expected_output = b"".join(rows)
    for i, (a, e) in enumerate(zip(output, expected_output, strict=True)):
        if a != e:
            what = "though all layers agree" if seen else "; build it with traces to see which layer"
            raise VerifyError(
                f"sample {k}, output byte {i}: {who} has {a}, the reference {e}, {what}".replace(", ;", ";")
            )


def patience(timeout_s: float) -> Patience:
    """Short questions several times, long ones as long as the user allows; both grow with --timeout."""
    return Patience(tries=4, answer_s=min(max(timeout_s / 30, 2.0), 10.0, timeout_s), run_s=timeout_s)
