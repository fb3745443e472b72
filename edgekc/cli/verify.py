"""`edgekc verify`: the same bytes from numpy reference, host and emulated device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.")],
    samples: Annotated[int, typer.Option(min=1, help="How many inputs: lowest, highest, a ramp, then random.")] = 16,
    board: Annotated[str, typer.Option("--board", help="Default: the board that the folder was compiled for.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the random inputs.")] = 0,
    no_device: Annotated[bool, typer.Option("--no-device", help="Compare reference and host only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare reference, host and device, layer by layer; exit 2 at the first difference."""
    from ..board import load_board
    from ..emulate import host
    from ..emulate.compare import compare
    from ..output import read_manifest

    manifest = read_manifest(folder)
    target = None if no_device else load_board(board or str(manifest.get("board", "")))
    result = compare(folder, target, host.samples(manifest, samples, seed))
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=1))
        return
    who = "reference = host" + (f" = {result.board} ({result.emulator})" if target is not None else "")
    typer.echo(f"{result.network}: {who}, {result.samples} samples, {result.layers} layers, every byte equal")
    typer.echo(f"outputs sha256 {result.output_sha256}")
