"""`edgekc search`: how to compress a float model within budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc search net.onnx --data d.zip --board microbit --max-flash 64k -o out",
    "edgekc search n.pt2 --data d --board rpi-pico --max-loss 1 --time 2h -o out",
)


def search(
    model: way.FloatModel,
    data: Annotated[
        Path,
        typer.Option(
            metavar="DATA",
            help="Samples: a folder or zip of images by class, or an .npz with x and y.",
            show_default=False,
        ),
    ],
    board: Annotated[
        str,
        typer.Option(
            metavar="BOARD",
            help="What candidates are built for: a board's name or file.",
            show_default=False,
            autocompletion=way.complete_board,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR", help="For the model, recipe, report, and what is kept.", show_default=False
        ),
    ],
    max_flash: Annotated[
        str, typer.Option(metavar="SIZE", help="Most flash of the model: weights, tables and code, as 64k.")
    ] = "",
    max_ram: Annotated[
        str, typer.Option(metavar="SIZE", help="Most RAM: arena, state, static data and stack, as 20k.")
    ] = "",
    max_latency: Annotated[
        str, typer.Option(metavar="TIME", help="Longest run by estimated cycles, with a unit: 50ms.")
    ] = "",
    max_loss: Annotated[
        float | None, typer.Option(metavar="POINTS", help="Most points of accuracy below the float model.")
    ] = None,
    time: Annotated[
        str, typer.Option(metavar="TIME", help="Of all runs in DIR together: 30min, 2h. Default: until it is done.")
    ] = "",
    trials: Annotated[int, typer.Option(metavar="N", help="Most candidates that are measured untrained.")] = 60,
    epochs: Annotated[
        int, typer.Option(metavar="N", help="Of the last training of the best; 0: none is trained.")
    ] = 20,
    validation: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Samples that choose. Default: the data's, or some split off."),
    ] = None,
    test: way.Test = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The network's name. Default: from the model's file.")
    ] = "",
    seed: Annotated[int, typer.Option(metavar="N", help="Of all that is drawn.")] = 0,
    serve: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where `edgekc worker` of other hosts finds the search.")
    ] = "",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step and pass did.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Find how to compress a float model within budgets of flash, RAM, latency and loss on a board.

    Candidates are packed, compiled, linked and judged by validation samples; the best are trained. Start a search that
    was killed again: it goes on. The exit code is 1 where no candidate meets the budgets; the nearest is written then.
    """
    from ..api.searching import search as run
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars

    with bars() as shown:

        def log(text: str) -> None:
            if verbose or text.startswith(("warning", "note", "best")):
                say(text, err=True)

        shown.progress(f"read {model.name}", 0, 0)
        found = run(
            model, data=data, board=board, out=out, max_flash=max_flash or None, max_ram=max_ram or None,
            max_latency=max_latency or None, max_loss=max_loss, time=time or None, trials=trials, epochs=epochs,
            validation=validation, test=test, name=name, seed=seed, serve=serve, log=log, progress=shown.progress,
            on_progress=shown.training,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
        say(f"written to {out}: best.ekc, recipe.toml, report.md, pareto.json, pareto.svg")
    if not found.met:
        raise typer.Exit(1)
