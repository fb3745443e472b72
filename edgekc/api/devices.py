"""A compiled folder and a board to outputs and to jobs for flash tools: by an emulator, or by the board itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..boards.board import Board, load_board
from ..console.session import BoardRun, Way, check_link, default_link, on_board, run_samples
from ..emulate import host
from ..emulate.device import run_image
from ..errors import BoardError
from ..firmware.build import Optimise, build_image
from ..firmware.folder import build_firmware
from ..flashing import run as flashing
from ..flashing.records import Job, Tool
from ..measure.stack import check_stack, stack_bound
from ..names import visible
from ..progress import Progress, silent

Device = Literal["host", "board"]


def board_of(named: str | Path | Board, manifest: Mapping[str, Any], folder: Path | None) -> Board:
    """The board that is named for a program, or that its folder remembers.

    Raises:
        BoardError: it is not known, or its file is wrong. A folder remembers a board's name, not where its file lies.
    """
    if isinstance(named, Board):
        return named
    try:
        return load_board(named)
    except BoardError:
        if named != manifest["board"] or Path(named).exists():
            raise
        what = f"was compiled for the board '{visible(str(named))}', which does not come with edgekc"
        fix = "pass --board with the file of that board, as for `edgekc compile`; in Python board="
        raise BoardError(what, where=str(folder), fix=fix) from None


def emulate(folder: Path, board: Board, sequences: Sequence[bytes], timeout_s: float) -> bytes:
    """Outputs of sequences of samples by the board's emulator; a state has its first value at the start of each."""
    with tempfile.TemporaryDirectory(prefix="edgekc-device-") as temporary:
        image = build_image(folder, board, Path(temporary))
        return b"".join(run_image(image, one, timeout_s=timeout_s, count=False).outputs for one in sequences)


def sequences_of(
    inputs: bytes, manifest: Mapping[str, Any], reset_each: bool, parts: Sequence[int] = ()
) -> list[bytes]:
    """The samples as one sequence, as sequences of these lengths, or each as one; where that makes a difference."""
    if not manifest.get("state_bytes") or not (reset_each or parts):
        return [inputs]
    size = host.input_bytes(dict(manifest))
    ends = np.cumsum([1] * (len(inputs) // size) if reset_each else parts) * size
    return [inputs[start:end] for start, end in pairwise([0, *map(int, ends)])]


def ask(
    folder: Path,
    board: Board,
    way: Way,
    inputs: bytes,
    *,
    layers: bool = False,
    check: bool = False,
    reset_each: bool = False,
    parts: Sequence[int] = (),
    progress: Progress = silent,
) -> BoardRun:
    """The samples through the console of the program on the board, which is built and flashed first.

    Args:
        layers: with traces, so that each layer is counted.
        check: compare each sample with the reference.
        reset_each: a state has its first value at each sample, not at the first alone.
        parts: how many samples each sequence has; empty: all are one.
    """

    def log(text: str) -> None:
        progress(f"{board.name}: {text}", 0, 0)

    progress(f"build and flash {board.name}", 0, 0)
    with on_board(folder, board, way, trace=layers) as (console, image, link):
        done = run_samples(
            console, image, folder, inputs, link=link, check=check, log=log, reset_each=reset_each,
            starts=[int(at) for at in np.cumsum(parts)[:-1]],
        )  # fmt: skip
    if not check:
        check_stack(stack_bound(image), done.stack_bytes or None, f"{done.network} on {done.board}")
    return done


def flash_job(folder: Path, board: Board, way: Way, optimise: Optimise) -> tuple[Tool, Job]:
    """The tool that programs the board, and what it is given; the program is built."""
    tool, link, updates = flashing.choose_tool(board, way.tool), "", way.updates
    if updates is not None:
        link = check_link(board, way.link or default_link(board))
    image = build_firmware(folder, board, link=link, optimise=optimise, updates=updates)
    return tool, flashing.make_job(
        image, image.elf.parent, probe=way.probe, openocd_config=way.openocd_config, options=way.options
    )  # fmt: skip
