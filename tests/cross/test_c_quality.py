"""The C that we ship and generate: no warning on any compiler, no state, no libc, no undefined behaviour."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from nets import Net

from edgekc.assets import INCLUDES
from edgekc.boards.board import load_board
from edgekc.boards.cores import CORES
from edgekc.demo.walk import DATA
from edgekc.emulate import host, reference
from edgekc.emulate.compare import split_inputs
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.objects import closure
from edgekc.format.pack import pack, read
from edgekc.fuzzing.compiling import INCLUDE_FLAGS, kernel_sources
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.passes.lower import lower
from edgekc.pipeline import compile_model, target_of

WARNINGS = (
    "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-align",
    "-Wcast-qual", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wundef", "-Wdouble-promotion", "-Werror",
)  # fmt: skip
COMPILERS = {
    "gcc": ("gcc",),
    "clang": ("clang",),
    "cortex-m0plus": ("arm-none-eabi-gcc", *CORES["cortex-m0plus"].gcc_flags),
    "cortex-m4": ("arm-none-eabi-gcc", *CORES["cortex-m4f"].gcc_flags),
    "cortex-m55": ("arm-none-eabi-gcc", *CORES["cortex-m55"].gcc_flags),
    "aarch64": ("aarch64-linux-gnu-gcc",),
}
LEVEL = {"cortex-m0plus": "-Os"}  # what the smallest cores are built with; the others -O2
# Families of kernels whose code is looked at. Of the others, which no such core runs, only the language's warnings:
# gcc has the code of all, and with it the warnings that optimisation finds. clang finds none by it.
CODE_OF = {
    "clang": ("portable", "mul2"),
    "cortex-m0plus": ("portable", "mul2"),
    "cortex-m4": ("portable", "mul2", "dsp"),
    "cortex-m55": ("portable", "mul2", "dsp", "mve"),
    "aarch64": ("portable", "mul2", "vec"),
}
# Kernels for an extension are compiled with its emulation on all others.
EMULATED = {
    "-DEK_DSP_EMULATED": ("cortex-m4", "cortex-m55"),
    "-DEK_MVE_EMULATED": ("cortex-m55",),
    "-DEK_VEC_EMULATED": ("aarch64",),
}
# A header for instructions is empty where the compiler has not got them, and must be whole where it has.
HEADER_TARGETS = (
    ("gcc", ()),
    ("gcc", ("-mavx2",)),
    ("gcc", ("-mavx2", "-mavx512vnni", "-mavx512bw", "-mavx512vl")),
    ("cortex-m55", ()),
    ("aarch64", ()),
    ("aarch64", ("-march=armv8.2-a+dotprod",)),
    ("aarch64", ("-march=armv8.6-a",)),
)
INTRINSICS = ("immintrin", "arm_neon", "arm_mve")  # a compiler's headers, which differ by flags too
MODELS = ("tiny", "digits")
# What a kernel may call: the two functions of the C library, and routines that the compiler puts in by
# itself where the core has no such instruction (names of the Arm run-time ABI and of libgcc).
LIBC = {"memcpy", "memset"}
SUPPORT = {
    "__aeabi_idiv", "__aeabi_uidiv", "__aeabi_idivmod", "__aeabi_uidivmod",  # ARMv6-M has no divide
    "__aeabi_lmul", "__aeabi_llsl", "__aeabi_llsr", "__aeabi_lasr", "__aeabi_lcmp",  # nor 64-bit multiply
    "__aeabi_ldivmod", "__aeabi_uldivmod",
    "__aeabi_fadd", "__aeabi_fsub", "__aeabi_fmul", "__aeabi_fdiv", "__aeabi_fcmplt", "__aeabi_fcmple",  # nor floats
    "__aeabi_fcmpgt", "__aeabi_fcmpge", "__aeabi_fcmpeq", "__aeabi_f2iz", "__aeabi_f2uiz",
    "__aeabi_i2f", "__aeabi_ui2f",
    "__clzsi2", "__gnu_thumb1_case_uqi", "__gnu_thumb1_case_sqi", "__gnu_thumb1_case_uhi",
}  # fmt: skip


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated C that any compiler takes: of three layers with random weights, and of the demo model."""
    target = tmp_path_factory.mktemp("quality") / "out"
    if request.param == "digits":
        compiled = compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board("mps2-an385")))
        write_folder(compiled.files, target)
        return target
    net = Net(np.random.default_rng(1), (1, 6, 5, 3))
    x = net.conv(net.depthwise(net.conv("input", 8, activation="relu"), stride=2), 4, k=1)
    data = pack(replace(lower(net.graph(x)), metadata={"tool": "test"}))
    packed = read(data, "tiny.ekc")
    write_folder(generate(plan(packed.graph, frozenset()), packed, data, "tiny", "none"), target)
    return target


def command_of(compiler: str) -> tuple[str, ...]:
    """Skips the test where the compiler is absent."""
    command = (*COMPILERS[compiler], *(flag for flag, cores in EMULATED.items() if compiler not in cores))
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return command


def compile_all(compiler: str, sources: list[Path], out: Path, *flags: str) -> list[Path]:
    """Objects of all sources; a warning fails the test. With -fsyntax-only, none."""
    command = command_of(compiler)
    out.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*command, LEVEL.get(compiler, "-O2"), *WARNINGS, *flags, "-c", *map(str, sources)],
        cwd=out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:4000]
    return sorted(out.glob("*.o"))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_generated_c_has_no_warning_with_the_trace(folder: Path, tmp_path: Path, compiler: str) -> None:
    """Without it: the test below that looks at the objects too."""
    sources = [path for path in sorted((folder / "src").glob("*.c")) if "ekc_trace.h" in path.read_text()]
    assert sources
    compile_all(compiler, sources, tmp_path, f"-I{folder / 'include'}", "-DEKC_TRACE")


def macros(compiler: str, flags: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    """Names that the compiler itself defines, with what they stand for."""
    command = [*command_of(compiler), *flags, "-dM", "-E", "-x", "c", os.devnull]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {(name, value) for _, name, value in (f"{line} ".split(" ", 2) for line in listing.splitlines())}


def headers_of(compiler: str, flags: tuple[str, ...]) -> list[Path]:
    """All headers; with flags, those that have other text because of them: the rest is compiled without flags."""
    headers = sorted(path for folder in INCLUDES for path in folder.glob("*.h"))
    if not flags:
        return headers
    changed = {name for name, _ in macros(compiler) ^ macros(compiler, flags)}
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, {*changed, *INTRINSICS}))})\b".encode())
    texts = {path: closure(path, INCLUDES) for path in headers}
    assert None not in texts.values(), "a header that computes a name of another"
    return [path for path in headers if any(map(words.search, (texts[path] or {}).values()))]


@pytest.mark.parametrize(("compiler", "flags"), HEADER_TARGETS)
def test_each_header_stands_alone(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    """A header that needs another one to be included before it works only by luck, whatever the core has."""
    if "-mavx2" in flags and platform.machine() != "x86_64":
        pytest.skip("the compiler of this machine is not for x86-64")
    sources, headers = [], headers_of(compiler, flags)
    for header in headers:
        source = tmp_path / f"{header.stem}.c"
        source.write_text(
            f'#include "{header.name}"\n#include "{header.name}"\ntypedef int {header.stem}_is_not_empty;\n'
        )
        sources.append(source)
    # A header makes no code by itself.
    compile_all(compiler, sources, tmp_path / "out", *INCLUDE_FLAGS, *flags, "-Wno-unused-function", "-fsyntax-only")
    instructions = {path.name for path in headers} & {f"ek_vec_{name}.h" for name in ("avx2", "avx512", "neon")}
    assert len(headers) >= 30 and (instructions or not flags)


# ---- no state, no libc ----


def symbols(objects: list[Path]) -> tuple[set[str], set[str], dict[str, int]]:
    """Names that the objects define, names that they need, and bytes of each section that a program could change."""
    defined: set[str] = set()
    undefined: set[str] = set()
    mutable: dict[str, int] = {}
    for path in objects:
        with path.open("rb") as file:
            elf = ELFFile(file)
            for section in elf.iter_sections():
                if section["sh_flags"] & SH_FLAGS.SHF_WRITE and section["sh_size"]:
                    mutable[f"{path.name}:{section.name}"] = section["sh_size"]
            table: Any = elf.get_section_by_name(".symtab")
            for symbol in table.iter_symbols():
                if symbol["st_info"]["bind"] != "STB_GLOBAL":
                    continue
                if symbol["st_shndx"] == "SHN_COMMON":
                    mutable[f"{path.name}:{symbol.name}"] = symbol["st_size"]
                (undefined if symbol["st_shndx"] == "SHN_UNDEF" else defined).add(symbol.name)
    return defined, undefined - defined, mutable


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_kernel_has_a_warning_or_state_or_needs_a_library(tmp_path: Path, compiler: str) -> None:
    """Warnings of all kernels; symbols and sections of those that the core may run, and by gcc of all."""
    sources = [path for path in kernel_sources() if path.parent.name in CODE_OF.get(compiler, (path.parent.name,))]
    if others := [path for path in kernel_sources() if path not in sources]:
        compile_all(compiler, others, tmp_path, *INCLUDE_FLAGS, "-fsyntax-only")
    defined, undefined, mutable = symbols(compile_all(compiler, sources, tmp_path, *INCLUDE_FLAGS, "-fno-pie"))
    assert mutable == {}
    assert undefined <= LIBC | SUPPORT
    # The file's name is the function's, but for smaller files of the same functions.
    assert {path.stem.replace("_small_", "_") for path in sources} <= defined
    assert all(name.startswith("ek_") for name in defined)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_generated_c_has_no_warning_is_complete_and_without_state(folder: Path, tmp_path: Path, compiler: str) -> None:
    name = read_manifest(folder)["name"]
    sources = sorted((folder / "src").glob("*.c"))
    objects = compile_all(compiler, sources, tmp_path, f"-I{folder / 'include'}", "-fno-pie")
    defined, undefined, mutable = symbols(objects)
    assert mutable == {}
    assert undefined <= LIBC | SUPPORT
    assert {f"{name}_run", f"{name}_ekc"} <= defined
    assert all(symbol.startswith(("ek_", f"{name}_")) for symbol in defined)


def test_state_is_seen(tmp_path: Path) -> None:
    """The check above would find it."""
    source = tmp_path / "state.c"
    source.write_text("int f(void);\nint g(void);\nint f(void)\n{\n    static int n;\n    return n++ + g();\n}\n")
    defined, undefined, mutable = symbols(compile_all("gcc", [source], tmp_path / "out"))
    assert (defined, undefined, mutable) == ({"f"}, {"g"}, {"state.o:.bss": 4})


# ---- behaviour ----


def run_function(program: host.HostProgram) -> Any:
    function = program.library[f"{program.manifest['name']}_run"]
    function.argtypes = [ctypes.c_void_p] * 3
    function.restype = ctypes.c_int
    return function


@pytest.fixture(scope="module")
def program(folder: Path) -> host.HostProgram:
    if not any(shutil.which(name) for name in ("gcc", "clang", "cc")):
        pytest.skip("no C compiler on this machine")
    return host.build(folder)


def test_bad_arguments_return_their_status(program: host.HostProgram) -> None:
    run, manifest = run_function(program), program.manifest
    arena = np.zeros(manifest["arena_bytes"] + 32, np.uint8)
    x = np.frombuffer(host.samples(manifest, 1), np.uint8)
    y = np.full(host.output_bytes(manifest), 0x77, np.uint8)
    at = arena.ctypes.data + -arena.ctypes.data % 16
    null, alignment = 1, 2  # ekc_status.h
    assert run(None, x.ctypes.data, y.ctypes.data) == null
    assert run(at, None, y.ctypes.data) == null
    assert run(at, x.ctypes.data, None) == null
    for offset in range(1, 16):
        assert run(at + offset, x.ctypes.data, y.ctypes.data) == alignment
    assert (y == 0x77).all()
    assert not arena.any()
    assert run(at, x.ctypes.data, y.ctypes.data) == 0
    assert (y != 0x77).any()


def test_input_and_output_need_no_alignment(program: host.HostProgram) -> None:
    manifest = program.manifest
    sample = host.samples(manifest, 4)[3 * host.input_bytes(manifest) :]
    expected = host.run(program, sample)
    arena = np.zeros(manifest["arena_bytes"] + 16, np.uint8)
    for offset in (1, 2, 3):
        x, y = np.zeros(len(sample) + 16, np.uint8), np.zeros(len(expected) + 16, np.uint8)
        x_at, y_at = -x.ctypes.data % 8 + offset, -y.ctypes.data % 8 + offset
        x[x_at : x_at + len(sample)] = np.frombuffer(sample, np.uint8)
        aligned = arena.ctypes.data + -arena.ctypes.data % 16
        assert run_function(program)(aligned, x.ctypes.data + x_at, y.ctypes.data + y_at) == 0
        assert y[y_at : y_at + len(expected)].tobytes() == expected


def test_two_threads_with_an_arena_each(program: host.HostProgram) -> None:
    """ctypes releases Python's lock during a call, so that both run at once."""
    manifest, count = program.manifest, 3000
    inputs = [host.samples(manifest, count, seed) for seed in (1, 2)]
    expected = [host.run(program, each) for each in inputs]
    assert expected[0] != expected[1]
    got: dict[int, bytes] = {}
    start = threading.Barrier(2)

    def work(k: int) -> None:
        start.wait()
        got[k] = host.run(program, inputs[k])

    for _ in range(3):
        threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [got[0], got[1]] == expected


MAIN = """#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "@name@.h"

/* Buffers of exactly their sizes on the heap, input and output at odd addresses. */
int main(void)
{
    void *arena = NULL;
    unsigned char *in = malloc(@UPPER@_INPUT_BYTES + 1u), *out = malloc(@UPPER@_OUTPUT_BYTES + 1u);
    if (in == NULL || out == NULL || posix_memalign(&arena, 16, @UPPER@_ARENA_BYTES) != 0) {
        return 3;
    }
    while (fread(in + 1, 1, @UPPER@_INPUT_BYTES, stdin) == @UPPER@_INPUT_BYTES) {
        memset(arena, 0xA5, @UPPER@_ARENA_BYTES);
        if (@name@_run(arena, in + 1, out + 1) != EKC_OK) {
            return 4;
        }
        fwrite(out + 1, 1, @UPPER@_OUTPUT_BYTES, stdout);
    }
    free(arena), free(in), free(out);
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_sanitizers_find_nothing(folder: Path, tmp_path: Path, compiler: str) -> None:
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    _need_sanitizers(compiler, sanitize, tmp_path)
    manifest = read_manifest(folder)
    name = manifest["name"]
    main = tmp_path / "main.c"
    main.write_text(MAIN.replace("@name@", name).replace("@UPPER@", name.upper()))
    command = [compiler, "-std=c99", "-O1", "-g", *sanitize, f"-I{folder / 'include'}"]
    command += [str(main), *map(str, sorted((folder / "src").glob("*.c"))), "-o", str(tmp_path / "program")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    inputs = _extreme_inputs(manifest)
    ran = subprocess.run([str(tmp_path / "program")], input=inputs, capture_output=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")[:4000]
    graph = read((folder / f"{name}.ekc").read_bytes(), name).graph
    samples = split_inputs(graph, inputs, len(inputs) // host.input_bytes(manifest))
    assert ran.stdout == reference.outputs(graph, samples)[0].tobytes()


def _need_sanitizers(compiler: str, flags: tuple[str, ...], folder: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    source, probe = folder / "probe.c", folder / "probe"
    source.write_text("int main(void) { return 0; }\n")
    built = subprocess.run([compiler, *flags, str(source), "-o", str(probe)], capture_output=True, check=False)
    if built.returncode != 0 or subprocess.run([str(probe)], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{compiler} has no sanitizer runtime here")


def _extreme_inputs(manifest: dict[str, Any]) -> bytes:
    """All lowest, all highest, a ramp, random, then mixtures of the two extremes."""
    rng = np.random.default_rng(3)
    size = host.input_bytes(manifest)
    corners = [np.where(rng.random(size) < share, -128, 127) for share in (0.1, 0.5, 0.9)]
    checkered = [np.where((np.arange(size) + k) % 2 == 0, -128, 127) for k in (0, 1)]
    return host.samples(manifest, 12) + b"".join(x.astype(np.int8).tobytes() for x in corners + checkered)


@pytest.mark.parametrize("level", ["-O2", "-Os"])
def test_cmake_builds_it(folder: Path, tmp_path: Path, level: str) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    environment = {key: value for key, value in os.environ.items() if key not in ("CFLAGS", "CMAKE_GENERATOR")}
    name = read_manifest(folder)["name"]
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(user C)\n"
        f"add_subdirectory({folder} model)\nadd_executable(user main.c)\ntarget_link_libraries(user {name})\n"
    )
    (tmp_path / "main.c").write_text(MAIN.replace("@name@", name).replace("@UPPER@", name.upper()))
    # Out of source, and the model's folder stays as it was.
    before = sorted(folder.rglob("*"))
    chosen = [] if level == "-O2" else [f"-D{name.upper()}_OPTIMISATION={level}"]
    build = str(tmp_path / "build")
    for command in (["-S", str(tmp_path), "-B", build, *chosen], ["--build", build]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(folder.rglob("*")) == before
    (flags,) = (tmp_path / "build" / "model").rglob("flags.make")
    assert f" {level}" in flags.read_text()
    inputs = _extreme_inputs(read_manifest(folder))
    ran = subprocess.run([str(tmp_path / "build" / "user")], input=inputs, capture_output=True, check=True)
    assert ran.stdout == host.run(host.build(folder), inputs)
