"""Instructions of one inference on emulated Arm application cores, with the vector kernels and with portable C.

    python benchmarks/neon.py [--models DIR] [--boards A,B] [--packed] [--json]

The four int8 models of MLPerf Tiny, and the packed ones of compressed_models.py, under user-mode qemu, exact by
edgekc's plugin, on one random input. One more is ResNet-8 with weights of two bits in equal steps, for its speed alone:
it is made of resnet8_cifar10jpeg.onnx without data. Without --boards: armv7 NEON, and aarch64 with the baseline's
products, with SDOT, and with SMMLA. With --packed the packed ones only; --json then keeps what the file says of the
others, which the packed ones are compared with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from compressed_models import packed_models, steps_model
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edgekc.boards.board import Board, load_board
from edgekc.emulate.device import run_image
from edgekc.emulate.plugin import Unavailable, count
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import build_image
from edgekc.firmware.toolchain import arm_compiler, qemu_path
from edgekc.pipeline import Target, compile_model

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "neon.json"
BOARDS = ("linux-arm", "linux-aarch64", "rpi5", "linux-aarch64-i8mm")
MODELS = ("ic", "kws", "vww", "ad")


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one board: instructions of one inference, by layer for the vector kernels."""

    board: str
    core: str
    model: str
    variant: str  # "int8", or of a packed model
    macs: int
    portable: int
    vector: int
    layers: dict[str, int]


def counted(model: Path, name: str, board: Board, features: frozenset[str]) -> tuple[dict[str, int], int]:
    """Instructions of each layer (and outside of them), and the MACs of the network."""
    compiled = compile_model(model, name, Target(board.name, features, None, None))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "out"
        write_folder(compiled.files, folder)
        image = build_image(folder, board, Path(temporary) / "build")
        manifest = read_manifest(folder)
        inputs = np.random.default_rng(0).bytes(image.input_bytes)
        lines = [(int(first), int(last)) for first, last in (layer["source_lines"] for layer in manifest["layers"])]

        def run(arguments: tuple[str, ...]) -> object:
            return run_image(image, inputs, timeout_s=600, qemu_args=arguments)

        counts = count(image.elf, name, lines, qemu_path(board) or "", run, regions=None)
    if isinstance(counts, Unavailable):
        raise SystemExit(counts.reason)
    layers = {
        f"{i} {layer['name']} {layer['kernel']}": cost.instructions[0]
        for i, (layer, cost) in enumerate(zip(manifest["layers"], counts.layers, strict=True))
    }
    return {"outside": counts.outside.instructions[0], **layers}, int(manifest["macs"])


def dense_counts() -> dict[tuple[str, str], int]:
    """Instructions of the int8 models by board and model, as the file has them."""
    kept = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else []
    return {(row["board"], row["model"]): row["vector"] for row in kept if row["variant"] == "int8"}


def table(rows: list[Row]) -> Table:
    view = Table(box=SIMPLE_HEAD)
    dense = {**dense_counts(), **{(row.board, row.model): row.vector for row in rows if row.variant == "int8"}}
    heads = "board", "model", "portable", "vector", "vector / portable", "instructions per MAC", "packed / dense"
    for head in heads:
        view.add_column(head, justify="left" if head in ("board", "model") else "right")
    for row in rows:
        ratio, per_mac = f"{row.vector / row.portable:.3f}", f"{row.vector / row.macs:.3f}"
        name = row.model if row.variant == "int8" else f"{row.model} {row.variant}"
        beside = dense.get((row.board, row.model)) if row.variant != "int8" else None
        to_dense = "" if beside is None else f"{row.vector / beside:.3f}"
        counts = f"{row.portable:,}", f"{row.vector:,}"
        view.add_row(f"{row.board} ({row.core})", name, *counts, ratio, per_mac, to_dense)
    return view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with the int8 models")
    parser.add_argument("--boards", default=",".join(BOARDS), help="comma-separated")
    parser.add_argument("--packed", action="store_true", help="the packed models only")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    rows, compilers = [], set()
    models = [] if arguments.packed else [(m, "int8", arguments.models / f"{m}_int8.tflite") for m in MODELS]
    folder = tempfile.TemporaryDirectory()
    packed = [*packed_models(arguments.models), steps_model(arguments.models)]
    for k, (model, variant, ekc) in enumerate(packed):
        path = Path(folder.name) / f"{k}.ekc"
        path.write_bytes(ekc)
        models.append((model, variant, path))
    for name in arguments.boards.split(","):
        board = load_board(name)
        compilers.add(arm_compiler(board).description)
        for model, variant, path in models:
            portable, _ = counted(path, model, board, board.features - {"vector"})
            vector, macs = counted(path, model, board, board.features)
            totals = sum(portable.values()), sum(vector.values())
            rows.append(Row(name, board.core.name, model, variant, macs, *totals, vector))
            print(f"{name} {model} {variant}: portable {totals[0]:,}, vector {totals[1]:,}", flush=True)
    Console().print(table(rows))
    if arguments.json:
        command = "python benchmarks/neon.py --json"
        kept = json.loads(RESULT.read_text())["rows"] if arguments.packed and RESULT.is_file() else []
        records = [row for row in kept if row["variant"] == "int8"] + [asdict(row) for row in rows]
        record = {"command": command, "compilers": sorted(compilers), "rows": records}
        RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
