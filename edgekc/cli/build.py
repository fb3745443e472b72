"""`edgekc build`: a compiled folder to a board's firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def build(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")],
    board: Annotated[
        str, typer.Option("--board", help="A board's name or file. Default: the board that DIR was compiled for.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder to write. Default: DIR/build/BOARD.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Build the board's program: the model, startup, linker script and the measuring harness."""
    from ..board import load_board
    from ..firmware import build_firmware, firmware_folder
    from ..output import read_manifest

    target = load_board(board or str(read_manifest(folder).get("board", "")))
    image = build_firmware(folder, target, out)
    where = firmware_folder(folder, target, out)
    sizes = {p.name: p.stat().st_size for p in (image.elf, image.map, where / "image.bin") if p.is_file()}
    if as_json:
        row = {"board": target.name, "folder": str(where), "compiler": image.compiler, "files": sizes}
        typer.echo(json.dumps(row, indent=1))
        return
    typer.echo(f"{where}: {', '.join(f'{name} {size:,} bytes' for name, size in sizes.items())}")
