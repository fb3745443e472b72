"""`edgekc compile`: a model to a folder of C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..progress import unsaid
from . import way

EXAMPLES = (
    "edgekc compile net.tflite -o out --board nucleo-f446re --name kws",
    "edgekc compile vww.tflite -o out --board nucleo-f446re --ram 24k",
    "edgekc compile kws.ekc -o out --name kws --package arduino --package wasm",
    "edgekc compile kws.ekc -o out --board rpi-pico2 --keep dumps -v",
)


def complete_package(incomplete: str) -> list[str]:
    """Kinds of packages, for the shell."""
    from ..packages import PACKAGES

    return [kind for kind in PACKAGES if kind.startswith(incomplete)]


def compile_(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite or .onnx model, or a packed .ekc.", metavar="MODEL")],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="The folder to write; replaced if it is an earlier output.",
            show_default=False,
        ),
    ],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="A board's name (see `edgekc boards`) or file.",
            autocompletion=way.complete_board,
        ),
    ] = "mps2-an386",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The network's name in C. Default: from the file.")
    ] = "",
    rounding: Annotated[
        str,
        typer.Option(
            metavar="tflite|double",
            help="tflite: as LiteRT's reference kernels. double: fully connected as in TFLM and CMSIS-NN.",
        ),
    ] = "tflite",
    allow_float: Annotated[
        bool,
        typer.Option("--allow-float", help="Run what the model computes in float as portable C, in float."),
    ] = False,
    optimise: Annotated[
        str,
        typer.Option(
            metavar="speed|size|ram",
            help="What kernels are chosen for: estimated cycles, bytes of linked code, or the smallest arena.",
        ),
    ] = "speed",
    embed: Annotated[
        str,
        typer.Option(
            metavar="auto|array|file",
            help="How the C holds the model. array: for every compiler. file: the assembler includes it. "
            "auto: file from 1 MiB on.",
        ),
    ] = "auto",
    strip: Annotated[
        bool,
        typer.Option("--strip", help="Embed only what kernels read; graph and metadata stay in NAME.ekc."),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="NAME_check finds damage of the constants in flash, by CRC-32.")
    ] = False,
    check_run: Annotated[
        bool, typer.Option("--check-run", help="--check, and NAME_run compares its layer tables before it reads them.")
    ] = False,
    ram: Annotated[
        str | None,
        typer.Option(
            metavar="BYTES",
            help="RAM for arena, state and stack, as 20000 or 20k: layers then run by rows where they must.",
        ),
    ] = None,
    input_rows: Annotated[
        bool,
        typer.Option("--input-rows", help="NAME_run_rows asks a callback for rows of the input, which is never whole."),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="NAME_run_parallel hands up to N parts of a layer to threads that the caller has. "
            "Default: the C knows nothing of threads.",
        ),
    ] = 0,
    blob: Annotated[
        bool,
        typer.Option(
            "--blob", help="Keep constants out of the C: NAME_open checks NAME.blob, wherever it lies, and takes them."
        ),
    ] = False,
    blob_for: Annotated[
        Path | None,
        typer.Option("--blob-for", metavar="DIR", help="--blob, and refuse what is no blob for the code in DIR."),
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            "--package",
            metavar="KIND",
            help="Write a package too, below DIR/packages: arduino, platformio, zephyr, esp-idf, cmsis-pack, cmake, "
            "rust, wasm or android. May be given several times.",
            autocompletion=complete_package,
        ),
    ] = None,
    sbom: Annotated[
        bool,
        typer.Option(
            "--sbom", help="Write a bill of materials too: sbom.cdx.json (CycloneDX 1.6), in DIR and in each package."
        ),
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a text dump of every stage to this folder.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier output that were changed since.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say what each pass did, and why it is exact.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest, and where it was written, as JSON.")
    ] = False,
) -> None:
    """Compile a quantised model to C99 with static memory, and its packed form."""
    from ..api.compiling import check_program_folder, compile
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars

    check_program_folder(out, keep, force=force)
    with bars(shown=not verbose) as shown:
        shown.progress(f"compile {model.name}", 0, 0)
        program = compile(
            model,
            board=board,
            name=name,
            rounding=rounding,
            allow_float=allow_float,
            optimise=optimise,
            embed=embed,
            strip=strip,
            check=check,
            check_run=check_run,
            ram=ram,
            input_rows=input_rows,
            threads=threads,
            blob=blob,
            blob_for=blob_for,
            packages=package or (),
            sbom=sbom,
            keep=keep,
            log=say if verbose and not as_json else unsaid,
            progress=shown.progress,
        )
    program.save(out, force=force)
    if as_json:
        say_json({"folder": str(out), **program.to_dict()})
    else:
        show(program.parts())
