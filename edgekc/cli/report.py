"""`edgekc report`: everything that is known of a build, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc report out -o report.html",
    "edgekc report out --data test.npz --float net.onnx -o report.html",
    "edgekc report before after -o grew.html",
    "edgekc report search_kws -o report.html",
)


def report(
    source: Annotated[
        Path,
        typer.Argument(help="A compiled folder, a search's folder, or a file of `measure --json`.", metavar="SOURCE"),
    ],
    other: Annotated[
        Path | None, typer.Argument(help="Another build: what grew since SOURCE is shown.", metavar="OTHER")
    ] = None,
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The file to write.", show_default=False)] = Path(
        "report.html"
    ),
    data: Annotated[
        str,
        typer.Option("--data", metavar="DATA", help="Labelled samples: accuracy, and inputs to choose in the page."),
    ] = "",
    float_model: Annotated[
        Path | None,
        typer.Option("--float", metavar="MODEL", help="The float model: each layer is compared with it."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="MODEL", help="The file that was compiled, where it is not found by itself."),
    ] = None,
    board: way.OtherBoard = "",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Inputs that reference, host and device are compared on.", min=1, max=1000)
    ] = 8,
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="Only the first N samples of --data.")
    ] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not compare reference, host and device.")] = False,
    no_network: Annotated[
        bool, typer.Option("--no-network", help="Leave the network out of the page: no WebAssembly.")
    ] = False,
    as_json: way.AsJson = False,
) -> None:
    """Measure, verify and draw a build, two builds or a search into one HTML file.

    The file holds its pictures, its styles and the network itself as WebAssembly. It loads nothing, and works from a
    disk or in a mail. Flash by layer, RAM over time, cycles by layer and against the roofline, weights, codebooks;
    with --data accuracy, with --float the error of each layer.
    """
    from ..api.reporting import check_report_file, make_report
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars

    check_report_file(output)
    with bars() as shown:
        found = make_report(
            source, other, data=data or None, float_model=float_model, model=model, board=board,
            samples=samples, verify=not no_verify, embed=not no_network, count=count, progress=shown.progress,
        )  # fmt: skip
    found.save(output)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
        say(f"{output}: {len(found.html):,} bytes")
    if any(headline.good is False for headline in found.page.headlines):
        raise typer.Exit(2)
