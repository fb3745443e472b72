"""`edgekc transfer`: what a recipe's student learns best from its teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def transfer(
    model: Annotated[Path, typer.Argument(help="A float model, the teacher: .onnx, .pt2, .tflite, .keras, .h5.")],
    recipe: Annotated[Path, typer.Option(help="A TOML file of steps that make a student and retrain it.")],
    data: Annotated[
        Path, typer.Option(help="Labelled samples: a folder or zip of images by class, or an .npz with x and y.")
    ],
    test: Annotated[Path | None, typer.Option(help="Labelled samples to evaluate on. Default: the data's.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    checkpoints: Annotated[
        Path | None, typer.Option(help="A folder that a killed run resumes from. Default: none is kept.")
    ] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step did.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare plain retraining, distillation, FitNets' hints and knowledge pre-regression, over several seeds."""
    from .. import recipe as rc
    from ..terminal import say, say_json
    from ..train.bars import training_bars
    from ..train.comparison import compare_files, render

    def log(text: str) -> None:
        if verbose or text.startswith("warning"):
            say(text, err=True)

    with training_bars() as progress:
        found = compare_files(
            model, rc.read(recipe), data, test, seeds, log, on_progress=progress, checkpoints=checkpoints
        )  # fmt: skip
    if as_json:
        say_json(found.as_json())
    else:
        render(found)
