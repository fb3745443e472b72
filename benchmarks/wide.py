"""16x8 twins of int8 models on emulated cores: instructions and estimated cycles of one inference, beside int8.

    python benchmarks/wide.py --models DIR [--boards A,B] [--json]

A twin has the layers and the weights of an int8 .tflite file. Its activations are int16, with a zero point of 0 and
scales that hold the range of the int8 ones; its biases are int64 in the scales that follow. Each twin's C is held
against LiteRT's reference kernels first. DIR has ic_int8.tflite, kws_int8.tflite, vww_int8.tflite and ad_int8.tflite.
Needs a checkout and ai-edge-litert.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import oracle  # noqa: E402

import edgekc  # noqa: E402
from edgekc import __version__  # noqa: E402
from edgekc.fuzzing import wide  # noqa: E402
from edgekc.graph.fixedpoint import INT32_MAX  # noqa: E402
from edgekc.graph.ir import Graph, Quant, Role, Tensor, constant  # noqa: E402
from edgekc.graph.op import view_of  # noqa: E402
from edgekc.importers import import_model  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "wide.json"
MODELS = ("ic", "kws", "vww", "ad")
BOARDS = ("mps2-an386", "mps3-an547")


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one board."""

    model: str
    board: str
    activations: str
    instructions: int
    estimated_cycles: int
    flash_bytes: int
    arena_bytes: int


def _f32(value: float) -> float:
    return float(np.float32(value))


def _wide(t: Tensor) -> Tensor:
    low, high = ((level - t.q.zero_point) * t.q.scale for level in (-128, 127))
    return replace(t, dtype="int16", quant=Quant((_f32(max(-low, high) / 32767),), (0,)))


def _bias(t: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    """In the scale that follows; clipped to 32 bits where it leaves them, unless its filter is all zeros."""
    scales = np.array([_f32(x.q.scale * s) for s in weights.q.scales])
    values = np.rint(t.value * np.asarray(t.q.scales) / scales).astype(np.int64)
    axes = tuple(a for a in range(weights.value.ndim) if a != weights.q.axis)
    live = weights.value.any(axis=axes)
    values = np.where(live, np.clip(values, -INT32_MAX, INT32_MAX), values)
    return constant(t.name, values, Role.BIAS, Quant(tuple(map(float, scales)), (0,) * scales.size))


def twin(graph: Graph) -> tuple[bytes, str]:
    """The .tflite file of int16, and the name of its input."""
    tensors = {n: _wide(t) if t.data is None and t.dtype == "int8" else t for n, t in graph.tensors.items()}
    nodes = [node for node in graph.nodes if node.op not in ("quantize", "dequantize")]
    for node in nodes:
        x, y = tensors[node.inputs[0]], tensors[node.outputs[0]]
        if node.op in ("average_pool", "max_pool", "reshape", "pad"):
            tensors[y.name] = replace(y, quant=x.quant)
        if node.op == "softmax":
            tensors[y.name] = replace(y, quant=wide.UNIT)
        for name in node.inputs[2:]:
            if tensors[name].role is Role.BIAS:
                tensors[name] = _bias(tensors[name], x, tensors[node.inputs[1]])
    views = []
    for node in nodes:
        view = view_of(graph, node)
        ends = (tuple(tensors[t.name] for t in side) for side in (view.inputs, view.outputs))
        views.append(replace(view, **dict(zip(("inputs", "outputs"), ends, strict=True))))
    return oracle.network(views, [nodes[0].inputs[0]], [nodes[-1].outputs[0]]), nodes[0].inputs[0]


def measured(path: Path, model: str, board: str, activations: str) -> Row:
    program = edgekc.compile(path, board=board, name=model)
    costs = program.measure(samples=1)
    assert costs.instructions is not None and costs.estimated_cycles is not None
    counts = costs.instructions, costs.estimated_cycles
    return Row(model, board, activations, *counts, costs.flash_bytes, costs.arena_bytes)


def checked(path: Path, shape: tuple[int, ...]) -> None:
    """AssertionError where the C of the host is not LiteRT's reference kernels', on four samples."""
    samples = wide.samples(shape, 0)
    expected = [oracle.interpret(path.read_bytes(), [x[None]])[0].ravel() for x in samples]
    np.testing.assert_array_equal(np.asarray(edgekc.compile(path).run(samples)).ravel(), np.concatenate(expected))


def rows(folder: Path, boards: list[str]) -> list[Row]:
    found = []
    with tempfile.TemporaryDirectory() as work:
        for model in MODELS:
            given, path = folder / f"{model}_int8.tflite", Path(work) / f"{model}.tflite"
            graph = import_model(given, model)
            data, source = twin(graph)
            path.write_bytes(data)
            checked(path, graph.tensors[source].shape)
            for board in boards:
                found += [measured(path, model, board, "int16"), measured(given, model, board, "int8")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="the folder of the int8 models")
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    found = rows(arguments.models, arguments.boards.split(","))
    table = Table(*Row.__annotations__, box=SIMPLE_HEAD)
    for row in found:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in asdict(row).values()))
    Console().print(table)
    if arguments.json:
        text = json.dumps({"edgekc": __version__, "rows": [asdict(row) for row in found]}, indent=1)
        RESULT.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
