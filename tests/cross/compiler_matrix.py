"""The same bits from every compiler, flag, core and kind of model: the axes, and one image at a time.

`benchmarks/compiler_matrix.py` runs all of it, `test_compiler_matrix.py` a covering part.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile
from kernel_networks import kernels_of, sampled, written

from edgekc.assets import CODEGEN, RUNTIME_C
from edgekc.boards.board import Board, load_board
from edgekc.emulate import host, reference
from edgekc.emulate.compare import split_inputs
from edgekc.emulate.device import run_image
from edgekc.errors import CapacityError, ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware import build
from edgekc.firmware.build import Image, build_image
from edgekc.firmware.toolchain import Compiler, clang_compiler, gcc_compiler, zig_compiler
from edgekc.format.pack import read
from edgekc.graph.op import Kernel, Op
from edgekc.ops import OPS
from edgekc.pipeline import compile_model, target_of

ROOT = Path(__file__).resolve().parents[2]
# A board of each core, by the name that the tables have.
CORES = {
    "M0+": "m0plus-an385",
    "M3": "mps2-an385",
    "M4": "mps2-an386",
    "M33": "mps2-an505",
    "M55": "mps3-an547",
    "armv7": "linux-arm",
    "aarch64": "linux-aarch64",
    "RV32": "rv32imac",
}
LTO, DISPLACED = "-flto", "displaced"
FLAGS: Mapping[str, tuple[str, ...]] = {  # of each column; `flags_of` has the exceptions
    "-O0": ("-O0",),
    "-Og": ("-Og",),
    "-O1": ("-O1",),
    "-Os": ("-Os",),
    "-O2": ("-O2",),
    "-O3": ("-O3",),
    LTO: ("-O2", "-flto"),
    # Functions without an alignment of their own, each at an address that is 2 more than a multiple of 4.
    DISPLACED: ("-Os",),
}
CLANGS = ("clang-16", "clang-19", "clang")  # the first that is there
KERNELS = {"dense kernels": False, "packed kernels": True}  # every kernel that runs on the core
FILES = {  # models that come with the project
    "digits": ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite",
    "IC packed": ROOT / "examples" / "models" / "resnet8_cifar10.ekc",
    "KWS packed": ROOT / "examples" / "models" / "kws_dscnn.ekc",
    "AD packed": ROOT / "examples" / "models" / "ad_lowrank.ekc",
}
MLPERF = ("IC", "KWS", "VWW", "AD")
CASES_PER_KERNEL = 12
CASES_PER_CELL = 4  # of a kernel in an image of the covering part, others in another image
_OF_EXTREMES = 3  # samples of lowest, highest and ramp values, beside the cases' own
_TIMEOUT_S = 600.0

EQUAL, WRONG, FAULT, REFUSED, TOO_LARGE, NOT_HERE = "equal", "wrong", "fault", "refused", "too large", "does not apply"


def flags_of(flag: str, compiler: Compiler) -> tuple[str, ...]:
    """Of the column, as this compiler is told."""
    if flag == DISPLACED and compiler.family == "gcc":
        return ("-O2", "-falign-functions=1")  # clang keeps an alignment of 4 at -O2
    return FLAGS[flag]


@dataclass(frozen=True, slots=True)
class Case:
    """A model's folder for one core, and what its program must answer."""

    folder: Path
    inputs: bytes
    expected: bytes
    digest: str  # of all that makes the program, compiler and flags apart


@dataclass(frozen=True, slots=True)
class Outcome:
    result: str
    detail: str = ""  # which kernels are wrong, what the tool said, why it does not apply
    displaced: int = 0  # functions that were


class DoesNotApplyError(Exception):
    """This flag says nothing about this compiler's code for this core."""


def is_packed(op: Op) -> bool:
    return op.name.startswith(("clustered", "template"))


def board_of(core: str) -> Board:
    board = load_board(CORES[core])
    # Unicorn has an ARMv6-M core; qemu would run this board's code on a Cortex-M3, which forgives more.
    return replace(board, emulators=("unicorn", "qemu")) if core == "M0+" else board


def compilers(board: Board) -> dict[str, Compiler | None]:
    """By the name of the table's column; None: it is not here."""
    clangs = (clang_compiler(board, name) for name in CLANGS)
    return {
        "gcc": gcc_compiler(board),
        "zig": zig_compiler(board),
        "clang": next((found for found in clangs if found), None),
    }


# ---- models ----


def case_of(model: str, core: str, folder: Path, models: Path | None = None) -> Case:
    """Compiles the model for the core into the folder.

    Args:
        models: the folder of the MLPerf Tiny models.
    """
    if model in KERNELS:
        return _of_kernels(core, lambda op, _: is_packed(op) == KERNELS[model], folder)
    path = FILES[model] if model in FILES else _mlperf(models, model)
    name = "".join(c for c in model.lower() if c.isalnum())
    write_folder(compile_model(path, name, target_of(board_of(core))).files, folder)
    return _answered(folder)


def _of_kernels(
    core: str, wants: Callable[[Op, Kernel], bool], folder: Path, per_kernel: int = CASES_PER_KERNEL, turn: int = 0
) -> Case:
    features = board_of(core).features
    net = sampled(features, wants, per_kernel, turn)
    return _answered(written(net, features, folder), net.samples())


def _answered(folder: Path, own: bytes = b"") -> Case:
    """The case of a folder, on its own samples and on extreme ones."""
    manifest = read_manifest(folder)
    inputs = own + host.samples(manifest, _OF_EXTREMES + (0 if own else 1))
    templates = (CODEGEN / f"{name}.j2" for name in ("harness.c", "startup.c", "startup_riscv.c", "link.ld"))
    sources = sorted((*RUNTIME_C.glob("port/**/*.[ch]"), *templates, Path(build.__file__)))
    files = {name: digest for name, digest in manifest["files"].items() if name.endswith((".c", ".h"))}
    made_of = [json.dumps(files, sort_keys=True).encode(), inputs, *(path.read_bytes() for path in sources)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in made_of)).hexdigest()
    return Case(folder, inputs, expected_of(folder, inputs), digest)


def _mlperf(models: Path | None, model: str) -> Path:
    assert models is not None
    return models / f"{model.lower()}_int8.tflite"


def expected_of(folder: Path, inputs: bytes) -> bytes:
    """All outputs by the definition."""
    manifest = read_manifest(folder)
    graph = read((folder / f"{manifest['name']}.ekc").read_bytes(), "model.ekc").graph
    size = host.input_bytes(manifest)
    rows = []
    for start in range(0, len(inputs), size):  # one at a time: a case's reshape may move its first axis
        outputs = reference.outputs(graph, split_inputs(graph, inputs[start : start + size], 1))
        rows += [np.ascontiguousarray(y).tobytes() for y in outputs]
    return b"".join(rows)


# ---- one image ----


def run_cell(case: Case, core: str, compiler: Compiler, flag: str, work: Path) -> Outcome:
    """Builds the case's program with the compiler and the flag, runs it on the core, and compares every byte."""
    board = board_of(core)
    placed: list[str] = []

    def link_flags(objects: Sequence[Path]) -> Sequence[str]:
        if flag == DISPLACED:
            placed.extend(displaceable(objects))
            return _displace(placed, work, bare=board.core.system == "bare")
        return _lto(compiler, work) if flag == LTO else ()

    # Debug information changes no instruction, and takes a tenth to a fifth of a compiler's time.
    extra = (*flags_of(flag, compiler), "-g0")
    try:
        image = build_image(case.folder, board, work, compiler=compiler, extra_flags=extra, link_flags=link_flags)
        moved = _check_displaced(image, placed) if flag == DISPLACED else 0
    except DoesNotApplyError as error:
        return Outcome(NOT_HERE, str(error))
    except CapacityError as error:
        return Outcome(TOO_LARGE, str(error))
    except ToolError as error:
        if "did not run" in str(error):  # zig builds its own library first, which a busy machine may not do in time
            raise
        return Outcome(REFUSED, str(error))
    try:
        found = run_image(image, case.inputs, timeout_s=_TIMEOUT_S, count=False).outputs
    except ToolError as error:
        if "install" in str(error):
            raise
        return Outcome(FAULT, str(error), moved)
    wrong = wrong_kernels(case, found)
    return Outcome(WRONG if wrong else EQUAL, wrong, moved)


def wrong_kernels(case: Case, found: bytes) -> str:
    """The kernels of the outputs that differ, with how many of their layers; empty if all are equal."""
    if found == case.expected:
        return ""
    manifest = read_manifest(case.folder)
    kernel_of = {layer["name"]: layer["kernel"] for layer in manifest["layers"]}
    size = host.output_bytes(manifest)
    a, b = (np.frombuffer(data, np.uint8).reshape(-1, size) for data in (found, case.expected))
    different, counts, start = (a != b).any(axis=0), dict[str, int](), 0
    for edge in manifest["outputs"]:
        stop = start + int(edge["bytes"])
        if different[start:stop].any():
            kernel = kernel_of.get(edge["name"], "an output")
            counts[kernel] = counts.get(kernel, 0) + 1
        start = stop
    return ", ".join(f"{kernel} in {n}" for kernel, n in sorted(counts.items()))


# ---- functions at addresses that are not a multiple of 4 ----


def displaceable(objects: Sequence[Path]) -> list[str]:
    """OBJECT(SECTION) of each function's section that asks for less than 4 bytes of alignment."""
    found = []
    for path in objects:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                if section.name.startswith(".text.") and section["sh_size"] and section["sh_addralign"] < 4:
                    found.append(f"*{path.name}({section.name})")
    if not found:
        raise DoesNotApplyError("the compiler aligns each function to 4 bytes or more")
    return found


def _displace(sections: Sequence[str], work: Path, *, bare: bool) -> Sequence[str]:
    lines = "\n".join(f"        . = ALIGN(4); . += 2; {section}" for section in sections)
    if bare:  # our own script: the first pattern that matches a section places it
        script = work / "link.ld"
        text, anchor = script.read_text(), "        *(.text .text.*)\n"
        assert text.count(anchor) == 1
        script.write_text(text.replace(anchor, f"{lines}\n{anchor}"))
        return ()
    script = work / "displaced.ld"
    script.write_text(f"SECTIONS {{\n    .text_displaced :\n    {{\n{lines}\n    }}\n}}\nINSERT AFTER .text;\n")
    return (f"-Wl,-T,{script}",)


def _check_displaced(image: Image, sections: Sequence[str]) -> int:
    """How many functions lie as they should; AssertionError if one of those sections does not."""
    names = {section.partition("(.text.")[2].rstrip(")") for section in sections}
    with image.elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        functions = [s for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC" and s.name in names]
    odd = {s.name for s in functions if s["st_value"] & ~1 & 3 == 2}
    # A static function elsewhere may have one's name.
    assert odd and odd == {s.name for s in functions}, sorted({s.name for s in functions} - odd)
    return len(odd)


def _lto(compiler: Compiler, work: Path) -> Sequence[str]:
    """GNU ld has no plugin for clang's objects here; lld reads them."""
    if compiler.family != "clang":
        return ("-flto",)
    lld = _lld()
    if lld is None:
        raise DoesNotApplyError("lld, which links clang's -flto, is not installed")
    (work / "ld.lld").unlink(missing_ok=True)
    os.symlink(lld, work / "ld.lld")
    return ("-fuse-ld=lld", f"-B{work}")


@cache
def _lld() -> str | None:
    return next((path for name in ("ld.lld-19", "ld.lld-16", "ld.lld") if (path := shutil.which(name))), None)


# ---- a covering part ----

COMPILERS = ("gcc", "zig", "clang")
# Where assembly is: there each flag meets each compiler, each core and both kinds of kernel.
ASSEMBLY_CORES = ("M4", "M55")
# What a core's images have all kernels of; of those that run there too, which are most of the code, each has a share.
OWN = {"M0+": "thumb1", "M3": "thumb2", "M4": "dsp", "M55": "mve", "aarch64": "vector", "RV32": "riscv"}
SHARES = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """An image of the covering part: the core's own kernels, and a share of the others that run there."""

    core: str
    kinds: tuple[str, ...]  # of KERNELS: of the own kernels
    compiler: str
    flag: str
    share: int

    def wants(self, op: Op, kernel: Kernel) -> bool:
        share = _shares()[kernel.symbol]
        if OWN.get(self.core) in kernel.needs:
            # Vector kernels take a compiler longest, and their layout asks nothing of an address: every other flag.
            seldom = "vector" in kernel.needs and (share - self.share) % 2
            return not seldom and any(is_packed(op) == KERNELS[kind] for kind in self.kinds)
        return share == self.share

    def kernels(self) -> frozenset[str]:
        return frozenset(kernel.symbol for _, kernel in kernels_of(board_of(self.core).features, self.wants))

    def case(self, folder: Path) -> Case:
        return _of_kernels(self.core, self.wants, folder, CASES_PER_CELL, self.share)

    def __str__(self) -> str:
        kinds = " and ".join(kind.split()[0] for kind in self.kinds)
        return f"{self.core}-{kinds} {self.share}-{self.compiler}-{self.flag}"


@cache
def _shares() -> Mapping[str, int]:
    """The share of each kernel."""
    symbols = sorted({kernel.symbol for op in OPS.values() for kernel in op.kernels})
    return {symbol: at % SHARES for at, symbol in enumerate(symbols)}


def applies(core: str, compiler: str, flag: str) -> bool:
    """Whether the flag may say something: compilers for Linux but gcc's for armv7 align each function to 4 bytes."""
    return flag != DISPLACED or core not in ("armv7", "aarch64") or (core, compiler) == ("armv7", "gcc")


def covering() -> list[Cell]:
    """A part of the matrix in which each two values of two axes meet, and risky ones more often.

    The shares make a Latin square of cores and flags: each share is on each core, and compiled with each flag.
    """
    cells, flags, at = [], list(enumerate(FLAGS)), {core: i for i, core in enumerate(CORES)}
    for (i, compiler), (j, flag) in itertools.product(enumerate(("zig", "gcc", "clang")), flags):
        core = ASSEMBLY_CORES[(i + j) % 2]
        # The second compiler's, which takes least time, is a flag's only image on its core.
        kinds = tuple(KERNELS) if i == 1 else (list(KERNELS)[(i // 2 + j // 2) % 2],)
        cells.append(Cell(core, kinds, compiler, flag, (at[core] + j + i // 2 * 2) % SHARES))
    for (core, i), (j, flag) in itertools.product(at.items(), flags):
        compiler = COMPILERS[(2 * i + j + 1) % len(COMPILERS)]
        if core not in ASSEMBLY_CORES and applies(core, compiler, flag):
            cells.append(Cell(core, tuple(KERNELS), compiler, flag, (i + j) % SHARES))
    # Below -O2 zig turns on sanitizers unless it is told not to, whose library only Linux programs asked for. The share
    # is the one that no displaced image of this core can have.
    return [*cells, Cell("aarch64", ("dense kernels",), "zig", "-O0", (at["aarch64"] + len(FLAGS) - 1) % SHARES)]
