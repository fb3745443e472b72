"""Images of many compilers and flags, whose bytes must be the reference's: a handful, and a covering part (slow)."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import compiler_matrix as matrix
import pytest

from edgekc.errors import ToolError
from edgekc.firmware.toolchain import Compiler, emulator
from edgekc.ops import OPS

Cases = Callable[[str, str], matrix.Case]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    @functools.cache
    def made(core: str, model: str) -> matrix.Case:
        return matrix.case_of(model, core, tmp_path_factory.mktemp("matrix") / "model")

    return made


def compiler_for(core: str, name: str) -> Compiler:
    board = matrix.board_of(core)
    try:
        emulator(board)
    except ToolError as error:
        pytest.skip(str(error))
    compiler = matrix.compilers(board)[name]
    if compiler is None:
        pytest.skip(f"{name} for {board.core.name} is not installed")
    return compiler


@pytest.mark.parametrize("flag", ["-O0", "-Os", matrix.LTO, matrix.DISPLACED])
def test_the_demo_on_a_core_with_assembly(cases: Cases, tmp_path: Path, flag: str) -> None:
    compiler = compiler_for("M4", "gcc")
    found = matrix.run_cell(cases("M4", "digits"), "M4", compiler, flag, tmp_path)
    assert (found.result, found.detail) == (matrix.EQUAL, "")
    assert (found.displaced > 0) == (flag == matrix.DISPLACED)


@pytest.mark.slow
@pytest.mark.parametrize(("core", "model", "name", "flag"), matrix.covering())
def test_covering_part(cases: Cases, tmp_path: Path, core: str, model: str, name: str, flag: str) -> None:
    compiler = compiler_for(core, name)
    found = matrix.run_cell(cases(core, model), core, compiler, flag, tmp_path)
    if found.result == matrix.NOT_HERE:
        pytest.skip(found.detail)
    assert (found.result, found.detail) == (matrix.EQUAL, "")


def test_the_part_covers() -> None:
    part = matrix.covering()
    cores, models, names, flags = ({cell[axis] for cell in part} for axis in range(4))
    assert (cores, models) == (set(matrix.CORES), set(matrix.KERNELS))
    assert (names, flags) == (set(matrix.COMPILERS), set(matrix.FLAGS))
    by_compiler = {(name, flag) for core, _, name, flag in part if core in matrix.ASSEMBLY_CORES}
    assert by_compiler == set(itertools.product(matrix.COMPILERS, matrix.FLAGS))
    of_assembly, product = [cell for cell in part if cell[0] in matrix.ASSEMBLY_CORES], itertools.product
    assert {(cell[0], cell[3]) for cell in of_assembly} == set(product(matrix.ASSEMBLY_CORES, matrix.FLAGS))
    assert {(cell[1], cell[3]) for cell in of_assembly} == set(product(matrix.KERNELS, matrix.FLAGS))
    assert {cell[:3] for cell in of_assembly} == set(product(matrix.ASSEMBLY_CORES, matrix.KERNELS, matrix.COMPILERS))
    assert {(core, name) for core, _, name, _ in part} == set(product(matrix.CORES, matrix.COMPILERS))


@pytest.mark.slow
def test_every_kernel_is_in_some_image() -> None:
    """A kernel that no case of its operator reaches would be proved by nothing."""
    symbols = {kernel.symbol for op in OPS.values() for kernel in op.kernels}
    for core in matrix.CORES:
        for kind in matrix.KERNELS.values():
            net = matrix.sampled(matrix.board_of(core).features, lambda op, kind=kind: matrix.is_packed(op) == kind, 1)
            symbols -= {kernel.symbol for kernel in net.kernels.values()}
    assert symbols == set()


def test_a_wrong_image_is_told(cases: Cases, tmp_path: Path) -> None:
    """One answer that is off by one bit, in one of the outputs."""
    compiler = compiler_for("M4", "gcc")
    good = cases("M4", "digits")
    bad = good.expected[:3] + bytes([good.expected[3] ^ 1]) + good.expected[4:]
    case = matrix.Case(good.folder, good.inputs, bad, good.digest)
    assert matrix.run_cell(case, "M4", compiler, "-O2", tmp_path).result == matrix.WRONG


def test_functions_with_an_alignment_of_their_own_stay(tmp_path: Path) -> None:
    """Only sections that ask for less than 4 bytes are displaced."""
    compiler = compiler_for("M4", "gcc")
    source = tmp_path / "x.c"
    source.write_text(
        "int low(int a) { return a + 1; }\n__attribute__((aligned(4))) int own(int a) { return a + 2; }\n"
    )
    flags = ("-Os", "-ffunction-sections", "-c", str(source), "-o", str(tmp_path / "x.o"))
    subprocess.run([*compiler.command, *flags], check=True)
    assert matrix.displaceable([tmp_path / "x.o"]) == ["*x.o(.text.low)"]


# ---- the command ----


@pytest.fixture(scope="module")
def command() -> ModuleType:
    path = matrix.ROOT / "benchmarks" / "compiler_matrix.py"
    spec = importlib.util.spec_from_file_location("compiler_matrix_command", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look
    spec.loader.exec_module(module)
    return module


def test_a_second_run_goes_on(command: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_for("M4", "gcc")
    work = tmp_path / "work.jsonl"
    wanted = {"compilers": ["gcc"], "flags": ["-O2"]}
    rows, missing = command.run_model("M4", "digits", None, wanted, work)
    assert ([row.result for row in rows], missing) == ([matrix.EQUAL], [])
    with work.open("a") as file:
        file.write('\n{"key": "cut o')  # killed while it wrote
    built: list[str] = []
    monkeypatch.setattr(matrix, "run_cell", lambda *cell: built.append(cell[3]) or matrix.Outcome(matrix.EQUAL))
    assert command.run_model("M4", "digits", None, wanted, work) == (rows, [])
    assert built == []
    more, _ = command.run_model("M4", "digits", None, {**wanted, "flags": ["-O2", "-O3"]}, work)
    assert (len(more), built) == (2, ["-O3"])


def test_the_table(command: ModuleType) -> None:
    rows = [
        command.Row("M4", "digits", "gcc", "-O2", matrix.EQUAL, "", 0),
        command.Row("M4", "packed kernels", "gcc", "-O2", matrix.WRONG, "ek_x in 2", 0),
        command.Row("aarch64", "digits", "gcc", "-O2", matrix.NOT_HERE, "why", 0),
    ]
    assert command.table(rows).splitlines()[2:] == ["| gcc `-O2` | 1 of 2 | — |"]
    data = command.as_json(rows, [], "python x.py")
    assert data["results"] == {matrix.EQUAL: 1, matrix.WRONG: 1, matrix.NOT_HERE: 1}
    assert [row["detail"] for row in data["not_equal"]] == ["ek_x in 2"]
    assert data["does_not_apply"] == ["gcc -O2 aarch64: why"]


def test_the_committed_run_has_no_wrong_image(command: ModuleType) -> None:
    data = json.loads(command.RESULTS.read_text())
    assert not set(data["results"]) & set(command.BAD), data["not_equal"]
    assert list(data["flags"]) == list(matrix.FLAGS)
    assert {(m, c) for m, cores in data["rows"].items() for c in cores} >= set(
        itertools.product(command.EVERYWHERE, matrix.CORES)
    )
    assert data["images"] == sum(data["results"].values()) > 0
    assert "<!-- matrix -->\n\n| compiler, flags |" in command.DOCS.read_text()
