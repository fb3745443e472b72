"""Finds the compilers and emulators on this machine, and says what is missing and how to add it."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from typing import Literal

from ..boards.board import Board
from ..errors import ToolError, UsageError

Family = Literal["gcc", "clang", "zig"]
Emulator = Literal["qemu", "unicorn"]

_ARM_GCC = "arm-none-eabi-gcc"
# GCC for Linux targets, by the architecture of the board's core.
_LINUX_GCC = {True: "aarch64-linux-gnu-gcc", False: "arm-linux-gnueabihf-gcc"}
_RISCV_GCC = "riscv64-unknown-elf-gcc"  # for 32 bits too
_ZIG_FIX = "pip install ziglang"


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler as the first words of its command line, board flags included."""

    family: Family
    command: tuple[str, ...]
    version: str  # as the compiler words it, on one line
    linker: tuple[str, ...] = ()  # likewise, of the program that links; empty: the compiler does

    @property
    def description(self) -> str:
        return self.version


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `edgekc doctor`."""

    tool: str
    purpose: str
    found: bool
    path: str
    version: str
    install: str  # the one command that adds it
    required: bool


@cache
def _version(*command: str) -> str:
    """First line that the tool says about its version; empty when it cannot be asked."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


def _number(version: str) -> str:
    """The version number in such a line, without what distributors put in parentheses."""
    match = re.search(r"\d+(\.\w+)+", re.sub(r"\([^)]*\)", "", version))
    return match[0] if match else version


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _zig_command() -> tuple[str, ...] | None:
    if _has_module("ziglang"):
        program = _zig_of_package()
        return (program,) if program else (sys.executable, "-m", "ziglang")
    path = shutil.which("zig")
    return (path,) if path else None


def _zig_of_package() -> str | None:
    """The program in the package ziglang: by `python -m ziglang` each small source would wait for an interpreter."""
    spec = importlib.util.find_spec("ziglang")
    folders = (spec.submodule_search_locations if spec else None) or ()
    paths = (os.path.join(folder, "zig") for folder in folders)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def _zig(flags: Sequence[str]) -> Compiler | None:
    command = _zig_command()
    if command is None:
        return None
    return Compiler("zig", (*command, "cc", *flags), f"zig cc {_version(*command, 'version')}".strip())


def _gcc(name: str, flags: Sequence[str], family: Family = "gcc") -> Compiler | None:
    path = shutil.which(name)
    if path is None:
        return None
    return Compiler(family, (path, *flags), _version(path, "--version"))


def gcc_compiler(board: Board) -> Compiler | None:
    """The GCC for the board's core; None where it is not installed."""
    found = _gcc(_gcc_name(board), board.gcc_flags)
    if found is None or "riscv" not in board.features:
        return found
    # GCC's library for 32 bits is found by the plain architecture alone.
    plain = (re.sub(r"^(-march=[^_]+)_.*", r"\1", flag) for flag in board.gcc_flags)
    return replace(found, linker=(found.command[0], *plain))


def zig_compiler(board: Board) -> Compiler | None:
    """Zig's clang for the board's core; None where it is not installed."""
    return _zig(board.zig_flags)


def clang_compiler(board: Board, program: str = "clang") -> Compiler | None:
    """Clang for the board's core, with libraries and linker of the GCC for it; None without both."""
    name, gcc = _gcc_name(board), gcc_compiler(board)
    if gcc is None:
        return None
    flags = (f"--target={name.removesuffix('-gcc')}", *board.gcc_flags)
    found = _gcc(program, flags, "clang")
    return None if found is None else replace(found, linker=gcc.linker or gcc.command)


def _gcc_name(board: Board) -> str:
    if "riscv" in board.features:
        return _RISCV_GCC
    return _LINUX_GCC["aarch64" in board.features] if board.core.system == "linux" else _ARM_GCC


def _chosen(variable: str, allowed: Sequence[str]) -> str:
    value = os.environ.get(variable, "").strip() or "auto"
    if value not in allowed:
        raise UsageError(f"{variable}={value}", fix="use one of: " + ", ".join(allowed))
    return value


def arm_compiler(board: Board) -> Compiler:
    """The compiler for the board: GCC when it is there, else zig; EDGEKC_TOOLCHAIN=gcc|zig|clang chooses.

    Raises:
        ToolError: neither is installed, or not the chosen one.
    """
    choice = _chosen("EDGEKC_TOOLCHAIN", ("auto", "gcc", "zig", "clang"))
    name = _gcc_name(board)
    if choice in ("auto", "gcc") and (found := gcc_compiler(board)):
        return found
    if choice in ("auto", "zig") and (found := zig_compiler(board)):
        return found
    if choice == "clang" and (found := clang_compiler(board)):
        return found
    wanted = {"auto": f"{name} and zig are both missing", "gcc": f"{name} is missing", "zig": "zig is missing",
              "clang": f"clang is missing, or {name}, whose libraries and linker it takes"}  # fmt: skip
    fix = {"gcc": _apt(_PACKAGES[name]), "clang": _apt(f"clang {_PACKAGES[name]}")}.get(choice, _ZIG_FIX)
    raise ToolError(f"no compiler for {board.core.name}: {wanted[choice]}", where=f"board {board.name}", fix=fix)


def has_compiler(board: Board) -> bool:
    """Whether `arm_compiler` finds one."""
    try:
        arm_compiler(board)
    except ToolError:
        return False
    return True


def library_compiler(board: Board) -> Compiler:
    """A compiler for the board's library objects: clang, which knows every target, else zig.

    Raises:
        ToolError: neither is installed.
    """
    riscv = "riscv" in board.features  # whose target does not say what the core executes
    flags = (f"--target={board.library}", *(board.gcc_flags if riscv else ()))
    if found := _gcc("clang", flags, "clang"):
        return found
    zig = "aarch64-ios" if "apple" in board.library else "aarch64-linux-android"
    if found := _zig(board.zig_flags if riscv else ("-target", zig)):
        return found
    raise ToolError("no compiler for the library: clang and zig are both missing", where=f"board {board.name}",
                    fix=_ZIG_FIX)  # fmt: skip


def host_compiler() -> Compiler:
    """A C compiler for this machine: $CC, gcc, clang, cc, else zig.

    Raises:
        ToolError: there is none, or $CC names none.
    """
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        family: Family = "zig" if "zig" in " ".join(named) else "clang" if "clang" in named[0] else "gcc"
        found = _gcc(named[0], named[1:], family)
        if found is None:
            raise ToolError(f"CC={' '.join(named)}: no such program", fix="unset CC, or set it to a C compiler")
        return found
    families: tuple[tuple[str, Family], ...] = (("gcc", "gcc"), ("clang", "clang"), ("cc", "gcc"))
    for name, family in families:
        if found := _gcc(name, (), family):
            return found
    if found := _zig(()):
        return found
    raise ToolError("no C compiler on this machine", fix=_ZIG_FIX)


def wasm_compiler() -> Compiler:
    """A compiler to WebAssembly that needs no operating system: zig's clang with its linker.

    Raises:
        ToolError: it is not installed.
    """
    if found := _zig(("-target", "wasm32-freestanding")):
        return found
    raise ToolError("no compiler for WebAssembly: zig is missing", fix=_ZIG_FIX)


def qemu_name(board: Board) -> str:
    """The qemu program that runs the board's code."""
    if board.core.system == "bare":
        return "qemu-system-riscv32" if "riscv" in board.features else "qemu-system-arm"
    return "qemu-aarch64" if "aarch64" in board.features else "qemu-arm"


def qemu_path(board: Board) -> str | None:
    """Where that program is; None when it is not installed."""
    return shutil.which(qemu_name(board)) or shutil.which(qemu_name(board) + "-static")


def qemu_machine(board: Board) -> list[str]:
    """qemu's options for what it is to be."""
    kind = ["-M", board.machine] if board.machine else []
    cpu = ["-cpu", board.qemu_cpu] if board.qemu_cpu else []
    # A RISC-V machine starts its firmware, OpenSBI, unless told that there is none.
    return [*kind, *cpu, *(["-bios", "none"] if kind and "riscv" in board.features else [])]


def emulator(board: Board) -> Emulator:
    """The first of the board's emulators that is installed; EDGEKC_EMULATOR=qemu|unicorn chooses.

    Raises:
        ToolError: none is installed, or the chosen one is not, or does not have this core.
    """
    choice = _chosen("EDGEKC_EMULATOR", ("auto", "qemu", "unicorn"))
    where = f"board {board.name}"
    if choice != "auto" and choice not in board.emulators:
        raise ToolError(
            f"EDGEKC_EMULATOR={choice}, and this board runs on: {', '.join(board.emulators) or 'none'}",
            where=where,
            fix="unset EDGEKC_EMULATOR",
        )
    for name in board.emulators if choice == "auto" else (choice,):
        if name == "qemu" and qemu_path(board):
            return "qemu"
        if name == "unicorn" and _has_module("unicorn"):
            return "unicorn"
    if choice == "unicorn" or (choice == "auto" and "unicorn" in board.emulators):
        fix = "pip install unicorn"
    else:
        fix = _apt(_PACKAGES[qemu_name(board)])
    wanted = ", ".join(board.emulators) if choice == "auto" else choice
    raise ToolError(f"no emulator for {board.core.name} ({wanted})", where=where, fix=fix)


# Debian's package for each program.
_PACKAGES = {
    _ARM_GCC: "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    _RISCV_GCC: "gcc-riscv64-unknown-elf",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-arm": "qemu-user",
    "qemu-aarch64": "qemu-user",
    "gdb-multiarch": "gdb-multiarch",
    "openocd": "openocd",
}


def _apt(packages: str) -> str:
    return f"sudo apt-get install {packages}"


def _program(tool: str, purpose: str) -> Finding:
    path = shutil.which(tool) or shutil.which(tool + "-static") or ""
    version = _number(_version(path, "--version")) if path else ""
    return Finding(tool, purpose, bool(path), path, version, _apt(_PACKAGES[tool]), False)


def _module(package: str, module: str, purpose: str, install: str, *, required: bool = False) -> Finding:
    spec = importlib.util.find_spec(module)
    version = ""
    if spec is not None:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = "unknown version"
    origin = (spec.origin or "") if spec else ""
    return Finding(package, purpose, spec is not None, origin, version, install, required)


def _any_of(tool: str, purpose: str, choices: Sequence[Finding], install: str) -> Finding:
    """A requirement that any one of several tools meets."""
    best = next((choice for choice in choices if choice.found), None)
    if best is None:
        return Finding(tool, purpose, False, "", "", install, True)
    return Finding(tool, purpose, True, best.path, f"{best.tool} {best.version}".strip(), install, True)


def _host_finding() -> Finding:
    """Asks host_compiler itself, so that doctor says what a run would take."""
    purpose = "verify on this machine"
    try:
        found = host_compiler()
    except ToolError as error:
        return Finding("host compiler", purpose, False, "", error.what, error.fix, True)
    name = os.path.basename(found.command[0]) if found.family != "zig" else "zig cc"
    return Finding("host compiler", purpose, True, found.command[0], f"{name} {_number(found.version)}", "", True)


def doctor() -> list[Finding]:
    """Everything that edgekc can use here, what is needed first: found or not, and how to add it."""
    zig = _module("ziglang", "ziglang", "C compiler for every board, without root", _ZIG_FIX)
    unicorn = _module("unicorn", "unicorn", "in-process emulator for M0, M3, M4, M7, M33", "pip install unicorn")
    arm_gcc = _program(_ARM_GCC, "C compiler for Cortex-M; what the published figures use")
    qemu = _program("qemu-system-arm", "emulator for every Cortex-M board, M55 included")
    return [
        _any_of("Arm compiler", "build, verify and measure for a board", [arm_gcc, zig], _ZIG_FIX),
        _any_of("Arm emulator", "verify and measure without a board", [qemu, unicorn], "pip install unicorn"),
        _host_finding(),
        arm_gcc,
        zig,
        qemu,
        unicorn,
        _program(_RISCV_GCC, "C compiler for RISC-V"),
        _program("qemu-system-riscv32", "emulator for the RISC-V boards"),
        _program("aarch64-linux-gnu-gcc", "C compiler for 64-bit Arm Linux"),
        _program("arm-linux-gnueabihf-gcc", "C compiler for 32-bit Arm Linux"),
        _program("qemu-aarch64", "emulator for 64-bit Arm Linux programs"),
        _program("qemu-arm", "emulator for 32-bit Arm Linux programs"),
        _program("gdb-multiarch", "flash over a gdb server"),
        _program("openocd", "flash over a debug probe"),
        _module("pyocd", "pyocd", "flash over a debug probe", "pip install pyocd"),
        _module("pyserial", "serial", "the console over a serial port", "pip install pyserial"),
        _module("ai-edge-litert", "ai_edge_litert", "compare with LiteRT", "pip install ai-edge-litert"),
        _module("tensorflow", "tensorflow", "import Keras models", "pip install tensorflow"),
        _module("torch", "torch", "compress and retrain PyTorch models", "pip install torch"),
        _module("onnx", "onnx", "import ONNX models", "pip install onnx"),
    ]
