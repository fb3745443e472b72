"""`edgekc transfer`: what a recipe's student learns best from its teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc transfer net.onnx --recipe dominant_student --data images.zip --seeds 5",)


def transfer(
    model: Annotated[
        Path, typer.Argument(help="A float model, the teacher: .onnx, .pt2, .tflite, .keras, .h5.", metavar="MODEL")
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="A recipe's name, or a TOML file of steps, that makes a student and retrains it.",
            show_default=False,
            autocompletion=way.complete_recipe,
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DATA",
            help="Labelled samples: a folder or zip of images by class, or an .npz with x and y.",
            show_default=False,
        ),
    ],
    validation: way.Validation = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="Labelled samples that judge, at the end. Default: the data's, or those that choose."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each variant.")] = 3,
    checkpoints: way.Checkpoints = None,
    device: way.Device = "cpu",
    workers: way.Workers = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step did.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare plain retraining, distillation, FitNets' hints and knowledge pre-regression, over several seeds."""
    from ..api.packed import transfer as run
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars
    from ..train.processes import rank

    first = rank().number == 0  # of several processes one writes and prints
    with bars(shown=first) as shown:

        def log(text: str) -> None:
            shown.progress(text, 0, 0)
            if verbose or text.startswith("warning"):
                say(text, err=True)

        shown.progress(f"read {model.name}", 0, 0)
        found = run(
            model, recipe=recipe, data=data, validation=validation, test=test, seeds=seeds, checkpoints=checkpoints,
            device=device, workers=workers, log=log, on_progress=shown.training,
        )  # fmt: skip
    if not first:
        return
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
