"""`edgekc compress`: a float model to a packed one, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc compress net.onnx --data samples.npz -o net.ekc",
    "edgekc compress net.pt2 --data images.zip --recipe cluster4 -o net.ekc",
    "edgekc compress net.h5 --data x.npz --test y.npz --recipe my.toml -o net.ekc",
    "edgekc compress net.pt2 --data imgs --recipe my.toml --device cuda -o net.ekc",
)


def compress(
    model: way.FloatModel,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The .ekc file to write.", show_default=False)
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE",
            help="A recipe's name, such as cluster4, or a TOML file of steps. Default: quantise only.",
            autocompletion=way.complete_recipe,
        ),
    ] = "",
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Samples: a folder or zip of images by class, or an .npz with x and y."),
    ] = None,
    validation: way.Validation = None,
    test: way.Test = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="MODEL", help="Another model to compare with, such as the int8 one. May be repeated."),
    ] = None,
    int8: Annotated[
        bool | None,
        typer.Option("--int8/--no-int8", help="Compare with the plain int8 model too. Default: where that is cheap."),
    ] = None,
    checkpoints: way.Checkpoints = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The network's name. Default: from the output file.")
    ] = "",
    device: way.Device = "cpu",
    workers: way.Workers = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step and pass did.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compress, retrain and quantise a float model by a recipe, and print where every byte went."""
    from ..api.packed import check_packed_path, load_recipe
    from ..api.packed import compress as run
    from ..names import default_name
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars
    from ..train.processes import rank

    check_packed_path(out)
    steps = load_recipe(recipe or None)
    first = rank().number == 0  # of several processes one writes and prints
    with bars(shown=first) as shown:

        def log(text: str) -> None:
            shown.progress(text, 0, 0)
            if verbose or text.startswith(("warning", "note")):
                say(text, err=True)

        shown.progress(f"compress {model.name}", 0, 0)
        packed = run(
            model, data=data, recipe=steps, validation=validation, test=test, against=against or (), int8=int8,
            project=None if data is None and test is None else out.parent, name=name or default_name(out),
            checkpoints=checkpoints, device=device, workers=workers, log=log, on_progress=shown.training,
        )  # fmt: skip
    if not first:
        return
    packed.save(out)
    if as_json:
        say_json(packed.to_dict())
    else:
        show(packed.parts())
