"""A quantised or packed model and a board to a Program, and an output folder back to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..boards.board import Board, load_board
from ..errors import UsageError
from ..figures import parse_bytes
from ..files.output import check_dump, check_output, read_manifest
from ..format.blob import check_fits
from ..format.pack import pack
from ..generate.embedded import Check, Form, check_embed, check_form
from ..generate.goals import check_goal
from ..graph.ir import Stage
from ..names import check_name, default_name
from ..packages.write import check_kinds, with_packages
from ..pipeline import DUMPS, check_rounding, compile_packed, imported_to_integer, target_of
from ..progress import Log, Progress, silent, unsaid
from .model import Model, load
from .program import Program

DEFAULT_BOARD = "mps2-an386"  # a Cortex-M4F, emulated by what `pip install edgekc[arm]` brings


def compile(  # the name of the command
    model: Any,
    *,
    board: str | Path | Board = DEFAULT_BOARD,
    name: str = "",
    rounding: str = "tflite",
    allow_float: bool = False,
    optimise: str = "speed",
    embed: str = "auto",
    strip: bool = False,
    check: bool = False,
    check_run: bool = False,
    ram: int | str | None = None,
    input_rows: bool = False,
    threads: int = 0,
    blob: bool = False,
    blob_for: str | Path | None = None,
    packages: Sequence[str] = (),
    sbom: bool = False,
    keep: str | Path | None = None,
    log: Log = unsaid,
    progress: Progress = silent,
) -> Program:
    """Compile a quantised or packed model to C99 with static memory. Nothing is written but `keep`; see `Program.save`.

    Args:
        model: what `compress` gave; or a path, a Model or whatever else `load` takes, if it is quantised.
        board: the name of one that comes with edgekc, the path of a board file, or a Board.
        name: of the network; becomes C identifiers. Default: the model's.
        rounding: `tflite`: as LiteRT's reference kernels. `double`: fully connected as in TFLM and CMSIS-NN. A packed
            model has its rounding already.
        allow_float: what a quantised model computes in float runs in portable C, in float. Else it is refused. A packed
            model was allowed it when it was packed.
        optimise: what kernels are chosen for. `speed`: fewest estimated cycles. `size`: few bytes of linked code.
            `ram`: the smallest arena, and the fastest kernels in it. The outputs are the same.
        embed: how the C holds the model. `array`: as C arrays, which every compiler takes. `file`: as files that the
            assembler includes. `auto`: arrays below 1 MiB, else files.
        strip: the C holds only the constants that its kernels read. Graph and metadata are in NAME.ekc alone.
        check: the C has NAME_check and NAME_check_step, which say whether the constants in flash are those that were
            compiled (docs/trust.md).
        check_run: the same, and NAME_run compares its layer tables in each call, before it reads them.
        ram: bytes that arena, state and stack may take, as 20000 or "20k". The plan is the one that costs least of
            those that fit: kernels of less scratch, or layers that run by rows. Default: what the board has.
        input_rows: the C has NAME_run_rows, which asks a callback for the rows of the input: it need not be in memory.
        threads: most parts of a layer that may run at the same time, 2 to 64. The C then has NAME_run_parallel, which
            hands them to a function of the caller's. Default: the C knows nothing of threads.
        blob: the constants are not in the C, but in NAME.blob. NAME_open takes them from a region that the caller
            names, after it has checked all of it (docs/blobs.md).
        blob_for: as blob, and the blob is one for the code in this folder, which was compiled with blob earlier.
        packages: kinds of packages, such as `arduino` or `wasm`, whose files come too, below `packages/KIND`
            (docs/packages.md).
        sbom: a bill of materials, `sbom.cdx.json` (CycloneDX 1.6), comes into the folder and into each package.
        keep: a folder for the text dump of every stage, over what is there.
        log: is given one line for each thing that a pass did.
        progress: is told which package is made.

    Raises:
        UsageError: the model is float, the name is none for C or for a package, or the file cannot be read; or the code
            in `blob_for` would refuse the blob.
        BoardError: there is no such board.
        CapacityError: weights or arena alone are too large for the board; says by how much, and what to do.
        ModelError, FormatError, UnsupportedError, ToolError: as `load`.
    """
    target_board = board if isinstance(board, Board) else load_board(board)
    check_rounding(rounding)
    checked: Check = "run" if check_run else "ask" if check else "none"
    blob = blob or blob_for is not None
    goal, form = check_goal(optimise), check_form(Form(check_embed(embed), strip, checked, blob))
    older = None if blob_for is None else read_manifest(Path(blob_for))
    if blob and packages:
        raise UsageError("--package does not go with --blob: a package's code has its constants", fix="leave one out")
    if isinstance(model, (str, Path)):
        name = name or default_name(Path(model))
        check_name(name)
    source = load(model, name=name, allow_float=allow_float)
    name = check_name(name or source.name)
    check_kinds(packages, name)
    dumps = None if keep is None else Path(keep)
    if source.graph.stage is Stage.INTEGER and rounding != "tflite":
        raise UsageError("a packed model has its rounding already", where=f"--rounding {rounding}", fix="leave it out")
    packed = source.graph.stage is Stage.INTEGER
    data = source.data if packed else _pack(source, name, rounding, log, dumps, allow_float)
    target = replace(target_of(target_board), input_rows=input_rows, threads=threads)
    if ram is not None:
        target = replace(target, model_ram_bytes=parse_bytes(str(ram), "--ram"))
    found = compile_packed(data, source.where, name, target, goal=goal, log=log, keep=dumps, form=form)
    if older is not None:
        check_fits(json.loads(found.files["manifest.json"]), older, source.where, str(blob_for))
    files = with_packages(found.files, packages, progress, sbom=sbom) if packages or sbom else found.files
    return Program(
        files,
        None,
        target_board,
        json.loads(files["manifest.json"]),
        source.path,
        source.graph.metadata.get("source_layout", ""),
    )


def packed_bytes(model: Model, *, allow_float: bool = False) -> bytes:
    """The .ekc of a quantised or packed model. UsageError where it is float.

    Args:
        allow_float: as in `compile`.
    """
    if model.graph.stage is Stage.INTEGER:
        return model.data
    return _pack(model, model.name, "tflite", unsaid, None, allow_float)


def _pack(model: Model, name: str, rounding: str, log: Log, keep: Path | None, allow_float: bool = False) -> bytes:
    if model.graph.stage is Stage.FLOAT and model.path is None:
        raise UsageError(
            "the model is float", where=model.where, fix="quantise it first: edgekc.compress(model, data=...)"
        )
    recipe = "none" if rounding == "tflite" else f"rounding={rounding}"
    metadata = {**model.origin, "recipe": recipe}
    graph = replace(model.graph, name=name)
    return pack(imported_to_integer(graph, model.where, metadata, rounding, log, keep, allow_float=allow_float))


def open_program(folder: str | Path, *, board: str | Path | Board = "") -> Program:
    """A folder that `Program.save` or `edgekc compile -o` wrote.

    Args:
        board: to build and run it for another board. Default: the one that it was compiled for.

    Raises:
        UsageError: it is no such folder, or its manifest is damaged.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    return Program(None, path, board or str(manifest["board"]), manifest)


def check_program_folder(folder: str | Path, keep: str | Path | None = None, *, force: bool = False) -> None:
    """UsageError where `Program.save` and `keep` would lose something that edgekc cannot make again."""
    out, dumps = Path(folder), None if keep is None else Path(keep)
    check_output(out, dumps, force=force)
    for dump in () if dumps is None else DUMPS:
        check_dump(Path(dumps or "") / dump, force=force)
