"""Images of many compilers and flags, whose bytes must be the reference's: a handful, and a covering part (slow)."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from types import ModuleType

import compiler_matrix as matrix
import pytest

from edgekc.errors import ToolError
from edgekc.files.output import read_manifest
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
@pytest.mark.parametrize("cell", matrix.covering(), ids=str)
def test_covering_part(tmp_path: Path, cell: matrix.Cell) -> None:
    """Every byte of an image, which has each kernel that the cell stands for: what they cover is asserted below."""
    compiler = compiler_for(cell.core, cell.compiler)
    case = cell.case(tmp_path / "model")
    assert {layer["kernel"] for layer in read_manifest(case.folder)["layers"]} == cell.kernels()
    found = matrix.run_cell(case, cell.core, compiler, cell.flag, tmp_path / "build")
    if "not installed" in found.detail:
        pytest.skip(found.detail)
    assert (found.result, found.detail) == (matrix.EQUAL, "")
    assert (found.displaced > 0) == (cell.flag == matrix.DISPLACED)


def test_the_part_covers() -> None:
    """Each two values of two axes meet that may; each kernel meets each compiler and flag, and each core it runs on.

    A kernel for vectors meets half of the flags. Where assembly is, flags, compilers, cores and kinds of kernel meet
    by threes.
    """
    part, product = matrix.covering(), itertools.product
    cells = [(cell.core, kind, cell.compiler, cell.flag) for cell in part for kind in cell.kinds]
    axes = (matrix.CORES, matrix.KERNELS, matrix.COMPILERS, matrix.FLAGS)
    never = {("aarch64", matrix.DISPLACED)}
    for (i, first), (j, second) in itertools.combinations(enumerate(axes), 2):
        assert {(cell[i], cell[j]) for cell in cells} == set(product(first, second)) - never
    assert all(matrix.applies(cell.core, cell.compiler, cell.flag) for cell in part)
    of_assembly = {cell for cell in cells if cell[0] in matrix.ASSEMBLY_CORES}
    assert {cell[2:] for cell in of_assembly} == set(product(matrix.COMPILERS, matrix.FLAGS))
    for threes, third in ((itemgetter(0, 1, 2), matrix.COMPILERS), (itemgetter(0, 1, 3), matrix.FLAGS)):
        assert set(map(threes, of_assembly)) == set(product(matrix.ASSEMBLY_CORES, matrix.KERNELS, third))
    runs_on: dict[str, set[str]] = {}
    for kernel in (kernel for op in OPS.values() for kernel in op.kernels):
        on = {core for core in matrix.CORES if kernel.needs <= matrix.board_of(core).features}
        runs_on[kernel.symbol] = runs_on.get(kernel.symbol, set()) | on
    in_cells = [(cell, cell.kernels()) for cell in part]
    for symbol, on in runs_on.items():
        own = [cell for cell, kernels in in_cells if symbol in kernels]
        assert {cell.core for cell in own} == on, symbol
        assert {cell.compiler for cell in own} == set(matrix.COMPILERS), symbol
        of_vectors = on <= {"armv7", "aarch64"}
        assert len({cell.flag for cell in own}) >= len(matrix.FLAGS) // (2 if of_vectors else 1), symbol


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
