"""Compressed models on an emulated core beside TensorFlow Lite Micro with CMSIS-NN on the same dense models.

    python benchmarks/compressed_models.py                            the models of examples/models/
    python benchmarks/compressed_models.py --models DIR --json        and a MobileNet; and the file
    python benchmarks/compressed_models.py --images cifar10-jpeg.zip  and the image model's accuracy
    python benchmarks/compressed_models.py --board mps2-an500         on a Cortex-M7; mps2-an505: M33, mps3-an547: M55

DIR holds vww_int8.tflite; it is clustered with 4 bits and no data, so its figure is speed alone. Exits with 1 if a
figure misses what is asked of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import edgekc
from edgekc import __version__
from edgekc.boards.board import Board, load_board
from edgekc.compression.methods.cluster import Options, cluster
from edgekc.data import load
from edgekc.evaluate import host_accuracy
from edgekc.files.output import write_folder
from edgekc.format.pack import pack
from edgekc.graph.ir import Graph, Quant, Role, constant, prune
from edgekc.measure.emulated import UNIT, measure
from edgekc.pipeline import compile_model, integer_graph, target_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "compressed_models.json"
EXAMPLES = HERE.parent / "examples"
BOARD = "mps2-an386"
ASKED = {"ic": 0.35, "kws": 0.50, "vww": 0.25, "ad": 0.30}  # of the peer's instructions on the dense model
CYCLES_ASKED = {"ic": 0.36, "kws": 0.45, "vww": 0.25, "ad": 0.36}  # of the peer's estimated cycles, on the Cortex-M4
HELIUM_BOARD, HELIUM_ASKED = "mps3-an547", 0.60  # of every model alike


@dataclass(frozen=True, slots=True)
class Row:
    model: str  # as the peer's table names it
    variant: str
    instructions: int
    ratio: float
    asked: float
    estimated_cycles: int | None  # without wait states; None: nothing estimates them
    cycles_ratio: float | None  # to the peer's on the dense model; None: either is not known
    weight_bytes: int  # weights, codebooks, indices, centers and pairs
    arena_bytes: int
    peer_arena_bytes: int
    accuracy: str | None
    layers: dict[str, tuple[str, int, int]]  # kernel, MACs, instructions

    @property
    def ok(self) -> bool:
        return self.ratio <= self.asked and (self.cycles_ratio is None or self.cycles_ratio <= CYCLES_ASKED[self.model])


def ramp(size_bytes: int) -> bytes:
    """The input with which the peer was measured."""
    return bytes((np.arange(size_bytes) * 37 + 11).astype(np.uint8))


def row(board: Board, model: str, variant: str, ekc: bytes, peer: dict[str, int], images: Path | None) -> Row:
    """One inference of a packed model on the core."""
    with tempfile.TemporaryDirectory() as temporary:
        path, folder = Path(temporary) / "model.ekc", Path(temporary) / "out"
        path.write_bytes(ekc)
        compiled = compile_model(path, model, target_of(board))
        write_folder(compiled.files, folder)
        m = measure(folder, board, samples=1, timeout_s=600, inputs=ramp(compiled.plan.input_bytes))
    kinds = ("weights", "codebook", "index", "pairs", "centers")
    graph = compiled.packed.graph
    stored = sum(
        size for name, (_, size) in compiled.packed.offsets.items() if graph.tensors[name].role.name.lower() in kinds
    )
    accuracy = None if images is None else str(host_accuracy(ekc, load(images, split="test")))
    layers = {c.name: (c.kernel, c.macs, c.instructions[0]) for c in m.layers if c.kernel}
    ratio = round(m.instructions[0] / peer["instructions"], 4)
    asked = HELIUM_ASKED if board.name == HELIUM_BOARD else ASKED[model]
    arenas = m.arena_bytes, peer["arena_bytes"]
    cycles = None if m.speed is None else round(m.speed.cycles.likely)
    known = cycles is not None and board.name == BOARD
    cycles_ratio = round(cycles / peer["estimated_cycles"], 4) if known else None
    return Row(model, variant, m.instructions[0], ratio, asked, cycles, cycles_ratio, stored, *arenas, accuracy, layers)


def clustered(graph: Graph, bits: int) -> Graph:
    """An INTEGER graph with the weights of its dense convolutions clustered, without data: for its speed alone.

    The first layer, with few input channels, stays dense: it has the fewest weights.
    """
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if node.op != "conv2d" or graph.tensors[node.inputs[0]].shape[3] < 4:
            nodes.append(node)
            continue
        _, weights, bias, multiplier, shift = graph.of(node.inputs)
        record = cluster(weights.value.astype(np.float64), 2**bits, Options())
        point = record.point - 3  # 13 bits are enough, and leave room for sums
        raw = np.rint(record.centers / 8).astype(np.int16)
        old, new = (w.reshape(len(w), -1).sum(1) for w in (weights.value.astype(np.int64), raw[record.index]))
        zero = node.int_attr("pad_value")
        whole = (bias.value + zero * old) * 2**point - zero * new
        parts = (
            constant(f"{node.name}/indices", record.index, Role.INDEX),
            constant(f"{node.name}/centers", raw[None], Role.CENTERS, Quant((2.0**-point,), (0,))),
            constant(bias.name, whole.astype(np.int32), Role.BIAS),
            multiplier,
            constant(shift.name, (shift.value - point).astype(np.int8), Role.REQUANT),
        )
        tensors.update({t.name: t for t in parts})
        nodes.append(replace(node, op="clustered_conv2d", inputs=(node.inputs[0], *(t.name for t in parts))))
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def packed_models(models: Path | None) -> Iterator[tuple[str, str, bytes]]:
    """Each packed model: what it is in the peer's table, which variant, and its bytes; `models`: of vww_int8.tflite."""
    for model, name in (("ic", "resnet8_cifar10.ekc"), ("kws", "kws_dscnn.ekc"), ("ad", "ad_lowrank.ekc")):
        yield model, name, (EXAMPLES / "models" / name).read_bytes()
    if models is not None:
        path = models / "vww_int8.tflite"
        graph = integer_graph(path.read_bytes(), "vww", path, "tflite", lambda text: None)
        yield "vww", "4-bit clusters", pack(clustered(graph, 4))


def steps_model(models: Path, bits: int = 2) -> tuple[str, str, bytes]:
    """As of `packed_models`: ResNet-8 with weights of whole multiples of a step, without data: for its speed alone."""
    recipe = {"compress": [{"method": "cluster", "bits": bits, "centers": "steps"}]}
    packed = edgekc.compress(edgekc.load(models / "resnet8_cifar10jpeg.onnx"), data=None, recipe=recipe)
    return "ic", f"steps of {bits} bits", packed.data


def table(board: Board, rows: list[Row]) -> Table:
    title = f"{board.name} ({board.core.name}): {UNIT}"
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    out.add_column("model")
    for name in ("instructions", "ratio", "asked", "est. cycles", "ratio", "asked", "weights", "arena", "accuracy"):
        out.add_column(name, justify="right")
    for r in rows:
        counted = f"{r.instructions:,}", *_beside(r.ratio, r.asked)
        cycles = "" if r.estimated_cycles is None else f"{r.estimated_cycles:,}"
        estimated = cycles, *(("", "") if r.cycles_ratio is None else _beside(r.cycles_ratio, CYCLES_ASKED[r.model]))
        sizes = f"{r.weight_bytes:,}", f"{r.arena_bytes:,}"
        out.add_row(f"{r.model} {r.variant}", *counted, *estimated, *sizes, r.accuracy or "")
    return out


def _beside(ratio: float, asked: float) -> tuple[str, str]:
    return f"{ratio:.3f}" if ratio <= asked else f"[red]{ratio:.3f}[/red]", f"{asked:g}"


def command_line() -> str:
    """What was called, with each path as it is seen from the project's folder."""
    return shlex.join(["python", *(os.path.relpath(w, HERE.parent) if os.path.isabs(w) else w for w in sys.argv)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of vww_int8.tflite")
    parser.add_argument("--images", type=Path, help="cifar10-jpeg.zip")
    parser.add_argument("--board", default=BOARD, help=f"where it runs; {BOARD} by default")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, help="write the figures to a file")
    arguments = parser.parse_args()
    peers = json.loads((HERE / "peers.json").read_text())
    board = load_board(arguments.board)
    of_board = peers["boards"].get(board.name, {})  # what was not measured there is as on the M4
    peer = {model: {**row, **of_board.get(model, {})} for model, row in peers["boards"][BOARD].items()}
    rows = []
    for model, variant, ekc in packed_models(arguments.models):
        rows.append(row(board, model, variant, ekc, peer[model], arguments.images if model == "ic" else None))
    console = Console(width=max(Console().width, 110))
    console.print(table(board, rows))
    console.print(f"Ratio: to {peers['name']} on the dense int8 model; {peers['source']}.", highlight=False)
    if arguments.json is not None:
        data = {
            "command": command_line(),
            "edgekc": __version__,
            "board": board.name,
            "unit": UNIT,
            "peer": peers["source"],
        }
        arguments.json.write_text(json.dumps({**data, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")
        console.print(f"wrote {arguments.json}")
    return 0 if all(any(r.ok for r in rows if r.model == model) for model in {r.model for r in rows}) else 1


if __name__ == "__main__":
    sys.exit(main())
