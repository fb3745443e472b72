"""What an int8 file computes in float: refused by itself, and with `allow_float` C with the definition's bits."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cli_command as cli
import numpy as np
import oracle
import pytest

import edgekc
from edgekc.assets import runtime_file
from edgekc.errors import ModelError, UnsupportedError, UsageError
from edgekc.fuzzing.compiling import INCLUDE_FLAGS
from edgekc.fuzzing.values import f32
from edgekc.graph.ir import AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import legal
from edgekc.ops.shared import single


def step(op: str, inputs: list[Tensor], out: Tensor, **attrs: AttrValue) -> View:
    return View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), attrs), tuple(inputs), (out,))


def int8(name: str, shape: tuple[int, ...], scale: float, zero: int) -> Tensor:
    return Tensor(name, shape, "int8", Quant((f32(scale),), (zero,)))


def classifier() -> tuple[list[View], Tensor]:
    """int8 scores of ten classes, and what made them."""
    rng = np.random.default_rng(0)
    x, scores = int8("x", (1, 20), 0.05, 3), int8("s", (1, 10), 0.06, -4)
    weights = rng.integers(-127, 128, (10, 20)).astype(np.int8)
    bias = rng.integers(-100, 100, 10).astype(np.int32)
    w = constant("w", weights, Role.WEIGHTS, Quant((f32(0.01),), (0,)))
    b = constant("b", bias, Role.BIAS, Quant((f32(0.05 * 0.01),), (0,)))
    return [step("fully_connected", [x, w, b], scores, activation="none")], scores


@pytest.fixture
def tail(tmp_path: Path) -> Path:
    """A classifier whose softmax is float."""
    views, scores = classifier()
    real, y = Tensor("r", (1, 10), "float32"), Tensor("y", (1, 10), "float32")
    views += [step("dequantize", [scores], real), step("softmax", [real], y, beta=1.0)]
    path = tmp_path / "tail.tflite"
    path.write_bytes(oracle.network(views, ["x"], ["y"]))
    return path


def check_equal(path: Path) -> edgekc.Program:
    program = edgekc.compile(path, allow_float=True)
    found = program.verify(8, device=False, model=path)
    assert found.ok, found
    if not oracle.missing():
        assert any("LiteRT" in name for name in found.oracles)
        assert any("is computed in float" in note for note in found.notes)
    return program


def test_a_float_tail(tail: Path) -> None:
    program = check_equal(tail)
    assert [layer["kernel"] for layer in program.manifest["layers"]][1:] == ["ek_dequantize_f32", "ek_softmax_f32"]
    (out,) = program.manifest["outputs"]
    assert (out["dtype"], out["scale"], out["zero_point"]) == ("float32", 1.0, 0)
    given = program.run(np.zeros((1, 20), np.int8))
    assert given.dtype == np.float32 and abs(given.sum() - 1) < 1e-6
    assert program.manifest["metadata"]["recipe"] == "float"


def test_it_is_refused_with_the_way_out(tail: Path) -> None:
    with pytest.raises(UnsupportedError, match="softmax computes in float32; allow it with --allow-float"):
        edgekc.compile(tail)
    found = edgekc.check(tail)
    assert [op.runs for op in found.operators] == ["kernel", "refused", "refused"]
    found = edgekc.check(tail, allow_float=True)
    assert found.ok and [op.runs for op in found.operators] == ["kernel", "float", "float"]


def test_the_commands(tail: Path) -> None:
    out = tail.parent / "out"
    assert cli.call("check", str(tail)).code == 2
    assert cli.call("compile", str(tail), "-o", str(out)).code == 2 and not out.exists()
    assert "float" in cli.call("check", str(tail), "--allow-float").out
    assert cli.call("compile", str(tail), "-o", str(out), "--allow-float").code == 0
    assert "--rounding tflite --allow-float" in (out / "src" / "tail.c").read_text()
    assert "-ffp-contract=off" in (out / "CMakeLists.txt").read_text()


def test_boards_that_hold_it(tail: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    assert "--allow-float" in cli.call("fit", str(tail), "--board", "mps2-an386").err
    assert cli.call("fit", str(tail), "--board", "mps2-an386", "--allow-float").code == 0


def test_what_has_no_floats_is_as_before(tmp_path: Path) -> None:
    views, _ = classifier()
    path = tmp_path / "net.tflite"
    path.write_bytes(oracle.network(views, ["x"], ["s"]))
    assert edgekc.compile(path).files == edgekc.compile(path, allow_float=True).files


def test_a_model_that_is_float_throughout_is_refused(tmp_path: Path) -> None:
    x, y = Tensor("x", (1, 4), "float32"), Tensor("y", (1, 4), "float32")
    path = tmp_path / "net.tflite"
    path.write_bytes(oracle.network([step("softmax", [x], y, beta=1.0)], ["x"], ["y"]))
    with pytest.raises(UsageError, match=r"float throughout.*edgekc compress"):
        edgekc.compile(path, allow_float=True)


FLAGS = (["-O0"], ["-O2", "-std=gnu99"], ["-O3", "-std=gnu99", "-ffp-contract=fast", "-mfma"], ["-Os", "-std=c99"])


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_exp_has_the_same_bits_from_every_compiler(tmp_path: Path, compiler: str, flags: list[str]) -> None:
    """Fused multiplications and additions, where the processor and the compiler have them, change nothing."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    cpu = Path("/proc/cpuinfo")
    if "-mfma" in flags and not (cpu.exists() and " fma " in cpu.read_text()):
        pytest.skip("this processor has no fused multiply-add of x86")
    source, library = runtime_file("ek_exp_f32.c"), tmp_path / "exp.so"
    subprocess.run([compiler, *flags, "-shared", "-fPIC", *INCLUDE_FLAGS, source, "-o", library], check=True)
    exp = ctypes.CDLL(str(library)).ek_exp_f32
    exp.restype, exp.argtypes = ctypes.c_float, (ctypes.c_float,)
    x = np.concatenate([np.linspace(-90, 90, 4001), np.random.default_rng(0).normal(0, 1, 2000)]).astype(np.float32)
    x = np.concatenate([x, np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)])
    got = np.array([exp(float(v)) for v in x], np.float32)
    np.testing.assert_array_equal(got.view(np.uint32), single.exp(x).view(np.uint32))


def test_exp_is_within_two_units_in_the_last_place() -> None:
    x = np.linspace(-79.9, 88, 200001).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(single.exp(x) - exact) / np.spacing(exact.astype(np.float32))).max() < 2


def test_fast_math_is_refused(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no compiler is installed")
    source = runtime_file("ek_exp_f32.c")
    command = [compiler, "-c", "-O2", "-ffast-math", *INCLUDE_FLAGS, source, "-o", tmp_path / "exp.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode and "-ffast-math" in done.stderr


@pytest.mark.parametrize("name", ["r", "y"])
def test_a_packed_model_of_other_types_is_refused(tail: Path, name: str) -> None:
    """The kernels write four bytes for each number: a damaged file must not give them one."""
    graph = edgekc.compile(tail, allow_float=True).graph
    tensors = list(graph.tensors)
    wrong = next(n for n in tensors if graph.tensors[n].dtype == "float32" and (n in graph.outputs) == (name == "y"))
    changed = replace(graph.tensors[wrong], dtype="int8", quant=Quant((1.0,), (0,)))
    with pytest.raises(ModelError, match="float32"):
        legal.check(replace(graph, tensors={**graph.tensors, wrong: changed}))
