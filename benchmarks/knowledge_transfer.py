"""ResNet-8 to a student of a quarter of its parameters: plain training, distillation, hints, pre-regression.

    python benchmarks/knowledge_transfer.py [--shared DIR] [--images N] [--epochs N] [--seeds 3] [--json]

The recipe is examples/recipes/dominant_student.toml; each row learns from the labels and one thing more. Training
takes the first N images of each class, accuracy is that of all 5,000 test images. Asked: KP >= hints >= plain in the
mean of three seeds. What is done is written after each run; with --checkpoints a killed one resumes.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgekc import recipe as rc
from edgekc.data import Dataset, load, take
from edgekc.importers import import_model
from edgekc.train.comparison import Comparison, compare, render
from edgekc.train.steps.retrain import Retrain

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "knowledge_transfer.json"
RECIPE = ROOT / "examples" / "recipes" / "dominant_student.toml"


def first_of_each_class(dataset: Dataset, count: int) -> Dataset:
    """`count` samples of each class."""
    labels = dataset.labels
    chosen = np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])
    return take(dataset, np.sort(chosen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="folder with models/ and data/")
    parser.add_argument("--images", type=int, default=1000, help="training images of each class, of 5,000")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--checkpoints", type=Path, help="folder that a killed run resumes from")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    args = parser.parse_args()
    recipe = rc.load(RECIPE)
    steps = tuple(
        step.model_copy(update={"epochs": args.epochs}) if isinstance(step, Retrain) else step
        for step in recipe.compress
    )
    images = args.shared / "data" / "cifar10-jpeg.zip"
    samples = first_of_each_class(load(images, split="train"), args.images)

    def keep(found: Comparison) -> None:
        if args.json:
            result: dict[str, Any] = {
                "command": f"python benchmarks/knowledge_transfer.py --images {args.images} --epochs {args.epochs} "
                f"--seeds {args.seeds} --json",
                "recipe": RECIPE.relative_to(ROOT).as_posix(),
                "training_images": len(samples),
                **found.as_json(),
            }
            RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    found = compare(
        import_model(args.shared / "models" / "resnet8_cifar10jpeg.onnx", "resnet8"),
        recipe.model_copy(update={"compress": steps}),
        samples,
        partial(load, images, split="test"),
        args.seeds,
        lambda text: print(text, flush=True),
        checkpoints=args.checkpoints,
        done=keep,
    )
    render(found)


if __name__ == "__main__":
    main()
