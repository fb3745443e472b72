"""`edgekc compress`: a float model to a packed one, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compress(
    model: Annotated[Path, typer.Argument(help="A float model: .onnx, .pt2, .tflite, .keras, .h5.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .ekc file to write.")],
    recipe: Annotated[Path | None, typer.Option(help="A TOML file of steps. Default: quantise only.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Samples: a folder or zip of images by class, or an .npz with x and y.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled samples to evaluate on. Default: the data's.")] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="A folder that a killed run resumes from. Default: none is kept.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The network's name. Default: from the output file.")] = "",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step and pass did.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compress, retrain and quantise a float model by a recipe, and print where every byte went."""
    from .. import recipe as rc
    from ..compress.walk import render, run
    from ..files.output import check_writable, write_file
    from ..format.fields import MAGIC
    from ..names import default_name
    from ..terminal import say, say_json
    from ..train.bars import training_bars
    from ..train.pytorch import trainer

    def log(text: str) -> None:
        if verbose or text.startswith(("warning", "note")):
            say(text, err=True)

    check_writable(out, magic=MAGIC)
    with training_bars() as progress:
        ekc, report = run(
            model, name or default_name(out), rc.read(recipe), data, test, log,
            on_progress=progress, trainer=trainer, checkpoints=checkpoints,
        )  # fmt: skip
    write_file(out, ekc, magic=MAGIC, force=False)
    if as_json:
        say_json(report.as_json())
    else:
        render(report)
