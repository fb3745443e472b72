"""Turns a folder of generated C and a board into an image that an emulator of that board can run."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..assets import RUNTIME_C
from ..boards import uart
from ..boards.board import Board
from ..errors import BoardError, ToolError, UsageError
from ..files.output import read_manifest
from ..files.place import save
from ..files.stopping import in_threads
from ..format.blob import read_blob
from ..generate.words import c_words
from ..templates import environment
from . import boot2, objects
from . import updates as updating
from .memory_map import HARNESS_RAM_BYTES, STACK_MIN_BYTES, support_files
from .overflow import too_large
from .toolchain import Compiler, arm_compiler, library_compiler

_PORT = RUNTIME_C / "port"
_COMPILE_TIMEOUT_S = 300
_AT = Path("/")  # where compilers run: debug information says it, and it is to be the same for every user

Optimise = Literal["speed", "size"]
# For what the model's own code is compiled; its bits are the same with each.
OPTIMISE_FLAGS: Mapping[Optimise, str] = {"speed": "-O2", "size": "-Os"}


@dataclass(frozen=True, slots=True)
class Image:
    """A linked program: the model's code, the harness around it, and what it was made with."""

    name: str
    elf: Path
    map: Path
    board: Board
    compiler: str
    optimise: Optimise
    trace: bool  # built with EKC_TRACE: also writes each layer's output
    input_bytes: int  # of one sample
    output_bytes: int
    stack_usage: tuple[Path, ...]  # a .su file per source of the model, as -fstack-usage writes them
    state_bytes: int = 0  # of a streaming network


@dataclass(frozen=True, slots=True)
class Served:
    """What a program does over its line.

    Attributes:
        template: of codegen/: the C that knows the network.
        sources: of runtime_c/port/: the C that knows the protocol.
        view: what the template needs beside what all are given.
    """

    template: str
    sources: tuple[str, ...]
    view: Mapping[str, Any]


CONSOLE = Served("console.c.j2", ("ek_console.c",), {})


def build_image(
    folder: Path | str,
    board: Board,
    out_dir: Path | str,
    *,
    trace: bool = False,
    link: str = "",
    served: Served = CONSOLE,
    updates: updating.Updates | None = None,
    optimise: Optimise = "speed",
    compiler: Compiler | None = None,
    extra_flags: Sequence[str] = (),
    link_flags: Callable[[Sequence[Path]], Sequence[str]] | None = None,
) -> Image:
    """Compiles folder/src with startup and harness for the board, into out_dir.

    Args:
        link: rtt, uart, semihosting or stdio: the program serves the console over that line; empty: it reads
            input.bin and writes output.bin and report.txt.
        served: what it serves over the line, if not the console.
        updates: whose updates it takes over its console; None: nobody's. Its slots are no flash of the program's.
        optimise: for what the compiler optimises the model's code.
        extra_flags: for the model's code, after all others.
        link_flags: from the model's objects to arguments for the linker, before all others.

    Raises:
        BoardError: the kernels need features that the board's core has not.
        CapacityError: it does not fit; names the region and by how many bytes.
        ToolError: no compiler, or it failed.
        UsageError: folder is not what `edgekc compile` writes.
    """
    # Absolute, because each compiler's output folder and map file are named to it from elsewhere.
    source_dir, out = Path(folder).resolve(), Path(out_dir).resolve()
    out.mkdir(parents=True, exist_ok=True)
    manifest, sizes = _read_folder(source_dir)
    name = str(manifest["name"])
    _check_needs(manifest, board)
    if board.core.system == "library":
        raise BoardError("it takes a library, and no program of its own", where=f"board {board.name}",
                         fix="build it with `edgekc build`, or choose another board to run it on")  # fmt: skip
    chosen = compiler or arm_compiler(board)
    bare = board.core.system == "bare"
    riscv = "riscv" in board.features

    templates = environment()
    view = {"name": name, "upper": name.upper(), "bare": bare, "state": "STATE" in sizes, "blob": "blob" in manifest}
    slots = updating.slots_of(board, manifest) if updates is not None else None
    placed, ram_bytes, stack_bytes = board, sum(sizes.values()), STACK_MIN_BYTES
    if slots is not None:
        placed, ram_bytes = updating.without_slots(board, slots), ram_bytes + updating.in_ram(slots)
        stack_bytes = updating.STACK_BYTES
    if link:
        view |= {"layers": len(manifest["layers"]), "clock_hz": board.console.clock_hz if board.console else 0}
        view |= {"updates": slots is not None, **served.view}
    main = served.template if link else "harness.c.j2"
    save(out / "harness.c", templates.get_template(main).render(view))
    ours = [out / "harness.c"]
    if bare:
        for made, text in support_files(placed, ram_bytes, stack_bytes).items():
            save(out / made, text)
        port = "riscv" if riscv else "cortexm"
        ours += [out / "startup.c", _PORT / f"ek_{port}.c", _PORT / "ek_semihost.c"]
        ours += [] if link else [_PORT / "ek_semihost_files.c"]
        if board.boot == "rp2040":
            ours.append(_second_stage(chosen, board, out))
    else:
        ours += [_PORT / "ek_linux.c", *([_PORT / "ek_linux_start.c"] if chosen.family == "zig" else [])]
    if link:
        ours += [*(_PORT / source for source in served.sources)]
        ours += [_uart(board, out) if link == "uart" else _PORT / f"ek_link_{link}.c"]
    if updates is not None and slots is not None:
        text = templates.get_template("updates.c.j2").render(view | updating.view(updates, slots, board))
        save(out / "updates.c", text)
        ours += [out / "updates.c", *updating.sources(updates, slots)]
    theirs = sorted((source_dir / "src").glob("*.c")) + _embedded_blob(source_dir, manifest, out)

    flags = _compile_flags(chosen, board, source_dir, out, "speed", trace=trace)
    objects = out / "obj"
    objects.mkdir(exist_ok=True)
    console = ["-DEK_CONSOLE_FILES"] if link and bare else []
    console += [f"-I{folder}" for folder in updates.folders] if updates is not None else []
    jobs = [(path, objects / f"ekh_{path.stem}.o", [*flags, *console]) for path in ours]
    # What the caller chooses is for the model's code; the harness measures it and stays as it is.
    model = [*_compile_flags(chosen, board, source_dir, out, optimise, trace=trace), *extra_flags]
    jobs += [(path, objects / f"{path.stem}.o", model) for path in theirs]
    if chosen.family == "zig" or (bare and riscv):
        libc = _PORT / "freestanding" / "ek_libc.c"
        jobs.append((libc, objects / "ekh_libc.o", [*flags, "-fno-builtin"]))
    in_threads(lambda job: _compile(chosen, board, *job), jobs, workers=2)

    usages = [target.with_suffix(".su") for _, target, _ in jobs[len(ours) : len(ours) + len(theirs)]]

    elf, map_file = out / f"{name}.elf", out / f"{name}.map"
    linked = [str(target) for _, target, _ in jobs]
    own = link_flags([target for _, target, _ in jobs[len(ours) : len(ours) + len(theirs)]]) if link_flags else ()
    command = [*(chosen.linker or chosen.command), *own, *_link_flags(chosen, board, out, map_file)]
    command += [*linked, "-o", str(elf)]
    printed = _link(command, placed, manifest, ram_bytes + stack_bytes)
    laid_out = printed.encode() if chosen.family == "zig" else map_file.read_bytes()
    save(map_file, laid_out.replace(os.fsencode(f"{out}/"), b""))  # the same wherever the folder lies
    return Image(
        name=name,
        elf=elf,
        map=map_file,
        board=board,
        compiler=chosen.description,
        optimise=optimise,
        trace=trace,
        input_bytes=sizes["INPUT"],
        output_bytes=sizes["OUTPUT"],
        stack_usage=tuple(usage for usage in usages if usage.is_file()),
        state_bytes=sizes.get("STATE", 0),
    )


def build_library(
    folder: Path | str, board: Board, out_dir: Path | str, *, optimise: Optimise = "speed"
) -> tuple[Path, ...]:
    """The model's objects for an app on the board's system, beside which its own build may put the rest.

    Raises:
        BoardError, ToolError, UsageError: as build_image.
    """
    source, out = Path(folder).resolve(), Path(out_dir).resolve() / "lib"
    manifest, _ = _read_folder(source)
    _check_needs(manifest, board)
    out.mkdir(parents=True, exist_ok=True)
    # Freestanding, with our declaration of memcpy and memset: the system's headers are in the NDK and in Xcode.
    flags = [OPTIMISE_FLAGS[optimise], "-ffreestanding", "-fPIC", "-std=c99", "-isystem", str(_PORT / "freestanding")]
    flags.append(f"-I{source / 'include'}")
    compiler = library_compiler(board)
    targets = []
    for path in sorted((source / "src").glob("*.c")):
        targets.append(out / f"{path.stem}.o")
        _compile(compiler, board, path, targets[-1], flags)
    return tuple(targets)


def _embedded_blob(folder: Path, manifest: dict[str, Any], out: Path) -> list[Path]:
    """A C source with the blob, for a network that takes its constants from one."""
    if "blob" not in manifest:
        return []
    data = read_blob(folder, manifest)
    path = out / f"{manifest['name']}_data.c"
    view = {"name": manifest["name"], "words": len(data) // 4, "text": c_words(data)}
    save(path, environment().get_template("blob.c.j2").render(view))
    return [path]


def _uart(board: Board, out: Path) -> Path:
    """The line over the board's UART, as a C source."""
    if board.console is None or board.console.uart is None:
        raise BoardError("its file describes no UART", where=f"board {board.name}", fix="use another --link")
    path = out / "ek_link_uart.c"
    view = {"board": board.name, **uart.view(board.console.uart)}
    save(path, environment().get_template("uart.c.j2").render(view))
    return path


def _second_stage(compiler: Compiler, board: Board, out: Path) -> Path:
    """The RP2040's second-stage loader with its checksum, as a C source."""
    code = out / "boot2.o"
    _compile(compiler, board, _PORT / "ek_boot2_rp2040.c", code, [])
    block = boot2.block(code)
    path = out / "boot2.c"
    view = {"board": board.name, "rows": [block[at : at + 12] for at in range(0, len(block), 12)]}
    save(path, environment().get_template("boot2.c.j2").render(view))
    return path


def _read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The manifest, and the bytes of the model's ARENA, INPUT, OUTPUT and STATE as its header says them."""
    manifest = read_manifest(folder)
    name = str(manifest["name"])
    header = folder / "include" / f"{name}.h"
    fix = "compile the model again"
    try:
        text = header.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read ({error})", where=str(header), fix=fix) from error
    sizes: dict[str, int] = {}
    for what in ("ARENA", "INPUT", "OUTPUT", *(["STATE"] if manifest.get("state_bytes") else [])):
        pattern = rf"^\s*#\s*define\s+{name.upper()}_{what}_BYTES\s+\(?\s*(\d+|0[xX][0-9a-fA-F]+)[uUlL]*\s*\)?"
        match = re.search(pattern, text, re.MULTILINE)
        if match is None:
            raise UsageError(f"{name.upper()}_{what}_BYTES is not defined as a number", where=str(header), fix=fix)
        sizes[what] = int(match[1], 0)
    return manifest, sizes


def _check_needs(manifest: dict[str, Any], board: Board) -> None:
    """The kernels were chosen for the core that the model was compiled for; another may lack an instruction."""
    missing = sorted(set(manifest["needs"]) - board.features)
    if missing:
        raise BoardError(
            f"the model was compiled for {manifest['board']} and its kernels need {', '.join(missing)}, "
            f"which {board.core.name} has not",
            where=f"board {board.name}",
            fix=f"compile it with --board {board.name}",
        )


def _compile_flags(
    compiler: Compiler, board: Board, source: Path, out: Path, optimise: Optimise, *, trace: bool
) -> list[str]:
    flags = [OPTIMISE_FLAGS[optimise], "-g", "-ffunction-sections", "-fdata-sections", "-fstack-usage"]
    # The same bytes wherever the folders lie. `out` is often below `source`: compilers take the last that fits.
    for path, shown in ((RUNTIME_C, "runtime_c"), (source, "model"), (out, "build")):
        flags.append(f"-ffile-prefix-map={path}={shown}")
    riscv = "riscv" in board.features  # whose GCC comes without a C library
    bare = board.core.system == "bare"
    if compiler.family == "zig" or (bare and (compiler.family == "clang" or riscv)):
        flags += ["-fno-unwind-tables", "-fno-asynchronous-unwind-tables"]
        # Zig has Linux's headers at hand, and its library only after a minute: see ek_linux_start.c.
        flags += ["-ffreestanding", "-isystem", str(_PORT / "freestanding")] if bare else ["-fno-stack-protector"]
    if riscv:
        flags.append("-fbuiltin")  # memcpy of a few bytes as loads and stores, as with a C library
    if compiler.family == "zig":
        flags.append("-fno-sanitize=all")  # which it turns on below -O2
    if trace:
        flags.append("-DEKC_TRACE")
    # The model's own headers first: they belong to its sources.
    return [*flags, f"-I{source / 'include'}", f"-I{_PORT}", f"-I{RUNTIME_C / 'include'}"]


def _link_flags(compiler: Compiler, board: Board, out: Path, map_file: Path) -> list[str]:
    # `zig cc` knows no -Map; what it prints instead, _link writes to the map file.
    to_map = "-Wl,--print-map" if compiler.family == "zig" else f"-Wl,-Map={map_file}"
    flags = ["-O2", "-g", "-Wl,--gc-sections", to_map, "-Wl,--build-id=none"]
    if board.core.system != "bare":
        if compiler.family == "zig":
            # Division of 64 bits is a routine of the compiler's on 32-bit cores; 64-bit ones have it as an instruction.
            flags += ["-nostdlib", *([] if "aarch64" in board.features else ["-rtlib=compiler-rt"])]
        return [*flags, "-static"]
    flags += ["-T", str(out / "link.ld")]
    if compiler.family == "zig":
        return flags
    # newlib for memcpy and memset, as a user's program has it (not nano, whose memcpy is slow).
    return [*flags, "-nostartfiles", *(["-nolibc"] if "riscv" in board.features else [])]


def _run(command: Sequence[str], board: Board) -> subprocess.CompletedProcess[str]:
    program = os.path.abspath(command[0]) if os.sep in command[0] else command[0]
    try:
        return subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S,
            stdin=subprocess.DEVNULL, check=False, errors="replace", cwd=_AT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"the compiler did not run: {error}", where=f"board {board.name}") from error


def _compile(compiler: Compiler, board: Board, source: Path, target: Path, flags: Sequence[str]) -> None:
    done = objects.compile_once(compiler, flags, source, target, lambda command: _run(command, board), _AT)
    if done is not None and done.returncode != 0:
        raise ToolError(
            f"{compiler.description} refused {source.name}: {_first_error(done.stderr)}",
            where=f"board {board.name}",
        )


def _link(command: Sequence[str], board: Board, manifest: Mapping[str, Any], ram_bytes: int) -> str:
    """What the linker printed on standard output."""
    done = _run(command, board)
    if done.returncode == 0:
        return done.stdout
    # GNU ld: region `ram' overflowed by 12 bytes; lld: section '.bss' will not fit in region 'ram':
    # overflowed by 12 bytes (one line per section, each counting from the region's end: the last is all).
    found = re.findall(r"region [`'\"](\w+)['\"]:? overflowed by (\d+) bytes", done.stderr)
    over = {region: max(int(n) for r, n in found if r == region) for region, _ in found}
    if over:
        raise too_large(over, board, manifest, ram_bytes + HARNESS_RAM_BYTES)
    raise ToolError(f"the linker failed: {_first_error(done.stderr)}", where=f"board {board.name}")


def _first_error(stderr: str) -> str:
    """The line that says what is wrong, rather than where the compiler was when it saw it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line or "undefined" in line), lines[-1] if lines else "")
