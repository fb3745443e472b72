"""Models as TensorFlow's converter writes them (tests/data/converter/make_models.py): the bits of LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.emulate.compare import compare
from edgekc.errors import ToolError, UsageError
from edgekc.files.output import read_manifest, write_folder
from edgekc.pipeline import compile_model, target_of

DATA = Path(__file__).resolve().parents[1] / "data" / "converter"
NAMES = sorted(path.stem for path in DATA.glob("*.tflite"))
SAMPLES = 40


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(name, tmp_path_factory.mktemp(name) / "out")


def compiled(name: str, folder: Path) -> Path:
    result = compile_model(DATA / f"{name}.tflite", name, target_of(load_board("mps2-an386")))
    write_folder(result.files, folder)
    return folder


def inputs_of(manifest: dict[str, Any]) -> np.ndarray:
    """(SAMPLES, bytes): all lowest, all highest, a ramp, the corners in halves, then random."""
    rows = np.frombuffer(host.samples(manifest, SAMPLES, seed=3), np.uint8).reshape(SAMPLES, -1).copy()
    rng = np.random.default_rng(4)
    for k, (a, b) in enumerate([(0x80, 0x7F), (0x00, 0xFF), (0x80, 0x00), (0x7F, 0x00)]):
        rows[3 + k] = np.where(rng.random(rows.shape[1]) < 0.5, a, b)
    return rows


def litert(name: str) -> Any:
    module = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    path = str(DATA / f"{name}.tflite")
    runner = module.Interpreter(path, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1)
    runner.allocate_tensors()
    return runner


def to_litert(raw: np.ndarray, edge: dict[str, Any], detail: dict[str, Any]) -> np.ndarray:
    """The bytes of one input as LiteRT takes them; a float edge gets the number that the int8 value stands for."""
    value = raw.view(edge["dtype"]).reshape(detail["shape"])
    if detail["dtype"] == np.float32:
        return (value.astype(np.float32) - np.float32(edge["zero_point"])) * np.float32(edge["scale"])
    assert detail["dtype"] == np.dtype(edge["dtype"])
    return value


def from_litert(value: np.ndarray, edge: dict[str, Any]) -> np.ndarray:
    """The bytes that LiteRT's output stands for; a float edge holds (q - zero point) * scale, so q comes back."""
    if value.dtype == np.float32:
        value = np.rint(value.astype(np.float64) / edge["scale"]) + edge["zero_point"]
    return np.ascontiguousarray(value.astype(edge["dtype"])).ravel().view(np.uint8)


def test_every_byte_is_litert_s(name: str, folder: Path) -> None:
    runner = litert(name)
    program = host.build(folder)
    edges_in, edges_out = program.manifest["inputs"], program.manifest["outputs"]
    rows = inputs_of(program.manifest)
    actual = np.frombuffer(host.run(program, rows.tobytes()), np.uint8).reshape(SAMPLES, -1)
    seen = set()
    for k in range(SAMPLES):
        offset = 0
        for edge, detail in zip(edges_in, runner.get_input_details(), strict=True):
            raw = rows[k, offset : offset + edge["bytes"]]
            runner.set_tensor(detail["index"], to_litert(raw, edge, detail))
            offset += edge["bytes"]
        runner.invoke()
        details = runner.get_output_details()
        expected = [from_litert(runner.get_tensor(d["index"]), e) for e, d in zip(edges_out, details, strict=True)]
        np.testing.assert_array_equal(actual[k], np.concatenate(expected), f"input {k}")
        seen.add(actual[k].tobytes())
    assert len(seen) > SAMPLES // 2, "the model hardly depends on its input, so it proves nothing"


def test_reference_and_host_agree_in_every_layer(folder: Path) -> None:
    compare(folder, None, inputs_of(read_manifest(folder))[:12].tobytes())


@pytest.mark.parametrize("device_model", ["two_in_two_out", "uint8_edges"])
def test_on_a_board(device_model: str, tmp_path: Path) -> None:
    folder = compiled(device_model, tmp_path / "out")
    try:
        compare(folder, load_board("mps2-an386"), inputs_of(read_manifest(folder))[:4].tobytes())
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(str(error))
        raise


def test_edges_keep_order_and_meaning(tmp_path: Path) -> None:
    manifest = read_manifest(compiled("two_in_two_out", tmp_path / "out"))
    assert sorted(e["bytes"] for e in manifest["inputs"]) == [7, 60]
    assert sorted(e["bytes"] for e in manifest["outputs"]) == [3, 24]
    manifest = read_manifest(compiled("uint8_edges", tmp_path / "uint8"))
    assert [e["dtype"] for e in (*manifest["inputs"], *manifest["outputs"])] == ["uint8", "uint8"]
    manifest = read_manifest(compiled("float_edges", tmp_path / "float"))
    assert [e["dtype"] for e in (*manifest["inputs"], *manifest["outputs"])] == ["int8", "int8"]


@pytest.mark.parametrize("pair", ["convolutions", "shapes"])
def test_a_free_batch_size_costs_nothing(pair: str) -> None:
    """Shape arithmetic and phases are gone: what runs is what a fixed batch size gives, and unfused additions."""

    def kinds(name: str) -> list[str]:
        steps = compile_model(DATA / f"{name}.tflite", "net", target_of(load_board("mps2-an386"))).plan.steps
        return [s.view.node.op for s in steps if s.view.node.op not in ("add", "mul")]

    assert kinds(pair) == kinds(f"{pair}_fixed_batch")


@pytest.mark.parametrize("kind", ["float32", "dynamic_range", "float16"])
def test_models_that_compute_in_float_are_refused(kind: str) -> None:
    path = DATA / "refused" / f"{kind}.tflite"
    with pytest.raises(
        UsageError, match=f"{kind}.tflite: the model is float; quantise it first: edgekc compress"
    ) as caught:
        compile_model(path, "net", target_of(load_board("mps2-an386")))
    assert "\n" not in str(caught.value)
