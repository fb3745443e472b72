"""`edgekc graph`: the operators of a model as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc graph net.tflite -o net.svg", "edgekc graph out/kws.ekc -o kws.dot", "edgekc graph net.onnx")


def graph(
    model: Annotated[Path, typer.Argument(help="A float, quantised or packed model.", metavar="MODEL")],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="A .svg, or a .dot for Graphviz. Default: a table.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")] = False,
    as_json: way.AsJson = False,
) -> None:
    """Draw the operators of a model as they were read, with types and shapes."""
    from ..api.exports import check_drawing_file, draw_network
    from ..tables import show
    from ..terminal import say, say_json

    if output is not None:
        check_drawing_file(output, force=force)
    found = draw_network(model)
    if output is not None:
        found.save(output, force=force)
    if as_json:
        say_json(found.to_dict())
    elif output is not None:
        say(f"{output}: {len(found.graph.nodes)} operators, {found.graph.stage.value}")
    else:
        show(found.parts())
