"""A compiled network and a board to the program that speaks MLPerf Tiny's protocol, and to the sources of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..assets import RUNTIME_C
from ..boards.board import Board
from ..console.protocol import Line
from ..console.session import Way, open_line
from ..errors import BoardError
from ..firmware.build import Image, Served, build_image
from ..firmware.toolchain import Compiler, arm_compiler
from ..flashing.run import choose_tool, flash, make_job
from ..progress import unsaid
from .benchmarks import Benchmark

TEMPLATE = "mlperf.c.j2"
_PORT = RUNTIME_C / "port"
_SOURCES = ("ek_mlperf.c", "ek_mlperf_board.c")
_HEADERS = ("ek_console.h", "ek_mlperf.h", "ek_port.h", "ek_semihost.h", "ek_zicsr.h")
_OURS = "ekh_"  # how the objects of what is not the network's begin, see build_image


def served(benchmark: Benchmark) -> Served:
    """What a program for the benchmark does over its line."""
    view = {
        "benchmark": benchmark.model,
        "kind": benchmark.sample,
        "sample": benchmark.sample_text,
        "sample_bytes": benchmark.sample_bytes,
        "results": benchmark.results,
    }
    return Served(TEMPLATE, _SOURCES, view)


def check_board(board: Board) -> None:
    """BoardError for a board on which the protocol has no line."""
    if board.core.system != "bare" or board.console is None or board.console.uart is None:
        raise BoardError(
            "MLPerf Tiny needs a bare microcontroller with a UART", where=f"board {board.name}",
            fix="choose one such as mps2-an386 or nucleo-l4r5zi",
        )  # fmt: skip


def build(folder: Path, board: Board, benchmark: Benchmark, out: Path) -> Image:
    """Links the program from what `edgekc compile` wrote, into the folder `out`.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_image.
    """
    check_board(board)
    return build_image(folder, board, out, link="uart", served=served(benchmark))


@contextmanager
def connect(image: Image, folder: Path, way: Way) -> Iterator[Line]:
    """The serial line of the program: that of an emulator that is started here, or a board's, which is flashed first.

    Raises:
        BoardError, FlashError, ToolError, UsageError: as `flash` and `open_line`.
    """
    job = make_job(image, folder, probe=way.probe, openocd_config=way.openocd_config, options=way.options)
    if way.flash and not is_emulated(image.board):
        flash(choose_tool(image.board, way.tool), job, timeout_s=way.timeout_s, log=unsaid)
    with open_line(image, job, "uart", way.tool, way.port, way.timeout_s) as line:
        yield line


def is_emulated(board: Board) -> bool:
    """Whether qemu is the board, UART and all."""
    return board.machine is not None and board.probe is None


def compiler_of(board: Board) -> str:
    """The compiler that builds for the board, in words."""
    return arm_compiler(board).description


def sources(image: Image, built: Path, network: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything that the program was linked from, as files of a folder of their own.

    Args:
        built: the folder that `build` wrote into.
        network: what `edgekc compile` wrote: path to content.
    """
    files = {f"network/{path}": content for path, content in network.items()}
    for path in sorted((built / "obj").glob(f"{_OURS}*.o")):
        name = path.stem.removeprefix(_OURS) + ".c"
        if name == "libc.c":  # of a compiler that comes without a C library
            for source in sorted((_PORT / "freestanding").iterdir()):
                files[f"firmware/port/freestanding/{source.name}"] = source.read_bytes()
            continue
        source = built / name if (built / name).is_file() else _PORT / name
        shown = "submitter_implemented.c" if name == "harness.c" else name
        files[f"firmware/port/{shown}"] = source.read_bytes()
    for header in _HEADERS:
        files[f"firmware/port/{header}"] = (_PORT / header).read_bytes()
    files["firmware/include/ek_offsets.h"] = (RUNTIME_C / "include" / "ek_offsets.h").read_bytes()
    files["firmware/link.ld"] = (built / "link.ld").read_bytes()
    compiler = arm_compiler(image.board)
    if compiler.family == "gcc" and "riscv" not in image.board.features:
        files["build.sh"] = _script(image, compiler).encode()
    files[image.elf.name] = image.elf.read_bytes()
    return files


def _script(image: Image, compiler: Compiler) -> str:
    """The same program by one command."""
    command, *core = (Path(compiler.command[0]).name, *compiler.command[1:])
    flags = "-O2 -g -ffunction-sections -fdata-sections -DEK_CONSOLE_FILES -Inetwork/include -Ifirmware/port"
    return (
        "#!/bin/sh\n"
        f"# {image.name} for {image.board.name}. It was built with {compiler.description}.\n"
        'set -e\ncd "$(dirname "$0")"\n'
        f"{command} {shlex.join(core)} \\\n  {flags} \\\n"
        "  network/src/*.c firmware/port/*.c \\\n"
        f"  -T firmware/link.ld -nostartfiles -Wl,--gc-sections -o {image.name}.elf\n"
    )
