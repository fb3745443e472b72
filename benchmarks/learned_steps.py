"""ResNet-8 on JPEG CIFAR-10 at 2, 3 and 4 bits: the recipes qat2, qat3 and qat4, with images mirrored and moved.

    python benchmarks/learned_steps.py --data FOLDER [--model ONNX] [--bits 2 3 4] [--epochs N] [--rate R] [--json]

Without --test, training samples alone are read: a tenth of them is split off, and what is left trains. Those that are
split off choose the epoch and give the accuracies. The float model has seen them in its own training, and the packed
one has not, so points lost are more there than on new images. Bytes are those that stand for the weights in the .ekc.
Each run is recorded as soon as it is done, in place of the same run before, and resumes from `--checkpoints` where it
was interrupted. With `--epochs 0` nothing is trained: what the recipes begin with is measured step by step.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compression import walk
from edgekc.files.output import write_file
from edgekc.train.bars import bars
from edgekc.train.pytorch import trainer

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
RESULT = HERE / "results" / "learned_steps.json"
RECIPES = HERE.parent / "examples" / "recipes"
STARTS = ("nearest", "second-order", "second-order, statistics")  # what training may begin with


def recipe(bits: int, args: argparse.Namespace, start: str) -> rc.Recipe:
    """The recipe that edgekc comes with, and what these images allow beside it; without epochs its first steps."""
    loaded = rc.load(RECIPES / f"qat{bits}.toml")
    cluster, *others, retrain = loaded.compress
    if not args.epochs:
        nearest = cluster.model_copy(update={"assignment": start.split(",")[0]})
        return loaded.model_copy(update={"compress": (nearest, *(others if "statistics" in start else ()))})
    more: dict[str, Any] = {"epochs": args.epochs, "seed": args.seed, "flip": True, "shift": 2, "precision": "bfloat16"}
    if args.rate is not None:
        more["learning_rate"] = args.rate
    return loaded.model_copy(update={"compress": (cluster, *others, retrain.model_copy(update=more))})


def measured(args: argparse.Namespace, bits: int, start: str) -> dict[str, Any]:
    """One run: its bytes, the accuracies of both models, and what was said of the training."""
    said: list[str] = []

    def log(text: str) -> None:
        print(text, flush=True)
        if text.startswith(("note: compress", "warning: compress")):
            said.append(text)

    begun = time.monotonic()
    with bars() as shown:
        _, report = walk.run(
            args.model, f"resnet8_{bits}bit", recipe(bits, args, start), args.data,
            args.data if args.test else None, log, on_progress=shown.training,
            trainer=trainer if args.epochs else None, checkpoints=args.checkpoints,
        )  # fmt: skip
    judgement = report.judgement
    assert judgement is not None
    return {
        "bits": bits, "start": start, "epochs": args.epochs, "learning_rate": args.rate, "seed": args.seed,
        "weight_bytes": report.packed_weight_bytes, "ekc_bytes": report.ekc_bytes,
        "float_percent": judgement.base.percent, "packed_percent": judgement.packed.percent,
        "judgement": judgement.as_json(), "said": said, "seconds": round(time.monotonic() - begun),
    }  # fmt: skip


def show(runs: list[dict[str, Any]]) -> None:
    table = Table(title="ResNet-8 on learned steps")
    for column in ("bits", "start", "epochs", "bytes of weights", "float", "packed", "points lost", "samples"):
        table.add_column(column, justify="right")
    for run in runs:
        base, packed, part = run["float_percent"], run["packed_percent"], run["judgement"]["part"]
        figures = (f"{run['weight_bytes']:,}", f"{base:.2f} %", f"{packed:.2f} %", f"{base - packed:.2f}")
        samples = f"{part['samples']:,} of {part['name']}"
        table.add_row(str(run["bits"]), run["start"], str(run["epochs"]), *figures, samples)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "cifar10-jpeg.zip")
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "resnet8_cifar10jpeg.onnx")
    parser.add_argument("--bits", type=int, nargs="+", choices=(2, 3, 4), default=[2, 3, 4])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, help="learning rate; default: found by short trainings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", action="store_true", help="the data's test part judges; then choose nothing by it")
    parser.add_argument("--checkpoints", type=Path, help="a folder that an interrupted run resumes from")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    args = parser.parse_args()
    runs: list[dict[str, Any]] = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else []
    for bits, start in ((bits, start) for bits in args.bits for start in (STARTS[-1:] if args.epochs else STARTS)):
        found = {**measured(args, bits, start), "command": command(args, bits)}
        runs = [run for run in runs if any(run[key] != found[key] for key in ("command", "start"))] + [found]
        if args.json:
            text = json.dumps({"runs": runs}, indent=1).replace(str(args.data), args.data.name)
            write_file(RESULT, f"{text}\n".encode())
    show(runs)


def command(args: argparse.Namespace, bits: int) -> str:
    """What makes the run again."""
    rate = "" if args.rate is None else f" --rate {args.rate:g}"
    test = " --test" if args.test else ""
    return (
        f"python benchmarks/learned_steps.py --data {args.data.name} --bits {bits} --epochs {args.epochs}{rate} "
        f"--seed {args.seed}{test} --json"
    )


if __name__ == "__main__":
    main()
