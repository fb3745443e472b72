"""What a packed model loses, with its 95 % interval, and what it takes when it is linked: beside float and dense int8.

    python benchmarks/losses.py [--models DIR] [--data DIR] [--only MODEL] [--json]

Of each of two models in examples/models/ that came from labelled data, float, dense int8 and packed answer the same
samples, so the interval is that of the paired difference (`edgekc.paired`): only samples on which the two answers are
not both right or both wrong count. The dense model is the float model after `[quantize]` alone. Keywords at even
positions calibrate it, and those at odd positions judge; all of them have calibrated the packed file, without labels.
Flash, RAM and instructions are those of the firmware linked for a Cortex-M4, as `edgekc measure` finds them; RAM is
arena, static data and peak stack. DIRs: of resnet8_cifar10jpeg.onnx and kws_float.tflite; of cifar10-jpeg.zip and
kws01.npz.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgekc.boards.board import load_board
from edgekc.data import load, take
from edgekc.evaluate import float_answers, host_answers
from edgekc.files.output import write_folder
from edgekc.format.pack import pack
from edgekc.graph.ir import Quant
from edgekc.importers import import_model
from edgekc.measure.emulated import measure
from edgekc.paired import compare, wilson
from edgekc.pipeline import compile_model, target_of, to_integer
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
RESULT = HERE / "results" / "losses.json"
EXAMPLES = HERE.parent / "examples" / "models"
BOARD = "mps2-an386"
# name, float model, packed model, data, the [quantize] of the dense model
MODELS = (
    ("ResNet-8", "resnet8_cifar10jpeg.onnx", "resnet8_cifar10.ekc", "cifar10-jpeg.zip", Quantize()),
    (
        "KWS DS-CNN",
        "kws_float.tflite",
        "kws_dscnn.ekc",
        "kws01.npz",
        Quantize(samples=500, equalise="off", input_quant=(0.5847029089927673, 83)),
    ),
)


@dataclass(frozen=True, slots=True)
class Linked:
    """The firmware of one model: what of it is the model's."""

    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    instructions: int


@dataclass(frozen=True, slots=True)
class Loss:
    """One form of a model against its float form, on the same samples."""

    model: str
    form: str
    samples: int
    right: int
    float_right: int
    only_float_right: int
    only_this_right: int
    points_lost: float
    half_width: float  # of the 95 % interval, in points
    disagree: int  # samples to which the two give different classes
    p: float  # of McNemar's exact test
    linked: Linked


def linked(ekc: bytes) -> Linked:
    board = load_board(BOARD)
    with tempfile.TemporaryDirectory() as temporary:
        path, folder = Path(temporary) / "model.ekc", Path(temporary) / "out"
        path.write_bytes(ekc)
        write_folder(compile_model(path, "model", target_of(board)).files, folder)
        m = measure(folder, board, samples=1, timeout_s=600)
    ram = m.model_ram_bytes
    assert ram is not None, "no plugin traced the stack, nor did the harness paint it"
    return Linked(m.ledger.model_flash_bytes, ram, m.arena_bytes, m.instructions[0])


def losses(models: Path, data: Path, only: str) -> list[Loss]:
    rows = []
    for name, source, packed, samples, settings in MODELS:
        if only not in ("", name):
            continue
        graph = import_model(models / source, name)
        images = samples.endswith(".zip")
        given = settings.input_quant
        quant = None if given is None else Quant((given[0],), (given[1],))
        test = load(data / samples, split="test" if images else "", quant=quant)
        if images:
            few = load(data / samples, split="train", count=settings.samples, quant=quant)
        else:
            few, test = (take(test, np.arange(start, len(test), 2)) for start in (0, 1))
        dense = pack(to_integer(post_training(graph, few, settings), {"source": source}))
        exact = float_answers(graph, test)
        for form, ekc in (("dense int8", dense), ("packed", (EXAMPLES / packed).read_bytes())):
            found = compare(host_answers(ekc, test), exact, test.labels, "float", "test")
            counts = found.samples, found.right, found.base_right, found.lost, found.won
            half = round((found.high - found.low) / 2, 2)
            rows.append(
                Loss(
                    name,
                    form,
                    *counts,
                    round(100 * (found.base_right - found.right) / found.samples, 2),
                    half,
                    found.disagree,
                    found.p,
                    linked(ekc),
                )
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder of the float models")
    parser.add_argument("--data", type=Path, default=SHARED / "data", help="folder of the labelled samples")
    parser.add_argument("--only", default="", choices=[m[0] for m in MODELS], help="one model; others' rows stay")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    rows = losses(arguments.models, arguments.data, arguments.only)
    for r in rows:
        low, high = wilson(r.right, r.samples)
        print(
            f"{r.model} {r.form}: {r.right} of {r.samples} ({low:.1f} to {high:.1f} %), lost {r.points_lost:.2f} "
            f"± {r.half_width:.2f} points; flash {r.linked.flash_bytes:,}, RAM {r.linked.ram_bytes:,}, arena "
            f"{r.linked.arena_bytes:,}, instructions {r.linked.instructions:,}"
        )
    if arguments.json:
        command = "python benchmarks/losses.py --json"
        known = json.loads(RESULT.read_text())["rows"] if arguments.only else []
        done = {(r.model, r.form): asdict(r) for r in rows}
        kept = {(r["model"], r["form"]): r for r in known} | done
        record = {"command": command, "board": BOARD, "rows": list(kept.values())}
        RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
