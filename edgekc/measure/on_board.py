"""Turns a folder of generated C and a board, asked through its console, into sizes and what the board counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..boards.board import Board
from ..console.session import BoardRun, Way, on_board, run_samples
from ..errors import ToolError
from ..files.output import read_manifest
from ..firmware.elf import read_elf
from ..progress import Progress, silent
from .by_layer import split_flash, split_ram
from .cycles.speed import Speed
from .cycles.timing import TIMINGS, Cycles
from .emulated import LayerCost, Measurement, measure
from .ledger import read_ledger
from .stack import check_stack, stack_bound


def measure_on_board(
    folder: Path,
    board: Board,
    way: Way,
    samples: int,
    inputs: bytes | None = None,
    clock_hz: int | None = None,
    progress: Progress = silent,
) -> Measurement:
    """Flashes two programs: one without traces for the totals and the stack, then one with, for the layers.

    Where an emulator of the board and a timing of its core are there, the estimate of the first sample stands beside
    what the board counted.

    Args:
        samples: inferences to run with each, on random bytes that are the same each time; ignored with inputs.
        inputs: the samples to run, one after the other.
        clock_hz: of the core, for the estimate; None: that of the console's program.
        progress: is told of each program and sample.

    Raises:
        BoardError, CapacityError, FlashError, ToolError, UsageError: as on_board.
        VerifyError: the stack went deeper than its static bound.
    """
    manifest = read_manifest(folder)
    arena_bytes = int(manifest["arena_bytes"])
    sample_bytes = sum(int(edge["bytes"]) for edge in manifest["inputs"])
    if inputs is None:
        inputs = np.random.default_rng(0).bytes(samples * sample_bytes)

    def log(text: str) -> None:
        progress(f"{board.name}: {text}", 0, 0)

    progress(f"build and flash {board.name}", 0, 0)
    with on_board(folder, board, way, trace=False) as (console, image, link):
        plain = run_samples(console, image, folder, inputs, link=link, check=False, log=log)
        # Now, since the program with traces is built in the same place.
        ledger, bound = read_ledger(image, arena_bytes, manifest["sections"]), stack_bound(image)
        elf = read_elf(image.elf)
        by_layer = split_flash(image, elf, ledger, manifest, folder / f"{image.name}.ekc")
        ram = split_ram(image, elf, ledger, arena_bytes)
    counts, emulated = plain.counter != "none", plain.emulated
    stack = plain.stack_bytes if counts else None
    check_stack(bound, stack, f"{image.name} on {board.name}")
    layers: tuple[LayerCost, ...] = ()
    if counts:
        progress(f"build and flash {board.name} again, with traces", 0, 0)
        with on_board(folder, board, way, trace=True) as (console, traced, link):
            run = run_samples(console, traced, folder, inputs, link=link, check=False, log=log)
        speed, estimates = _estimate(folder, board, way, inputs[:sample_bytes], clock_hz, progress)
        layers = _layers(manifest, run, estimates or (None,) * len(manifest["layers"]))
    else:
        speed = None
    return Measurement(
        name=image.name,
        board=board.name,
        compiler=image.compiler,
        optimise=image.optimise,
        emulator=f"the board over {link}",
        ledger=ledger,
        by_layer=by_layer,
        ram=ram,
        arena_bytes=arena_bytes,
        stack_bytes=None,
        stack_bound=bound,
        painted_stack_bytes=stack,
        instructions=plain.cycles if counts and emulated else (),
        cycles=plain.cycles if counts and not emulated else (),
        board_unit=plain.unit,
        resolution=plain.resolution,
        systick_instructions=(),
        layers=layers,
        outside=None,
        violations=None,
        note="" if counts else "nothing counts cycles there",
        state_bytes=image.state_bytes,
        speed=speed,
    )


def _estimate(
    folder: Path, board: Board, way: Way, sample: bytes, clock_hz: int | None, progress: Progress
) -> tuple[Speed | None, tuple[Cycles | None, ...]]:
    """Of the sample, all in all and by layer, from the board's emulator; None and () where there is none."""
    if board.core.name not in TIMINGS:
        return None, ()
    clock = clock_hz or (board.console.clock_hz if board.console else None)
    try:
        m = measure(
            folder, board, samples=1, timeout_s=way.timeout_s, inputs=sample, optimise=way.optimise, clock_hz=clock,
            progress=progress,
        )  # fmt: skip
    except ToolError:  # what the board counted is what was asked for
        return None, ()
    return m.speed, tuple(layer.estimated_cycles for layer in m.layers)


def _layers(manifest: dict[str, Any], run: BoardRun, estimates: Sequence[Cycles | None]) -> tuple[LayerCost, ...]:
    return tuple(
        LayerCost(
            name=str(layer["name"]),
            op=str(layer["op"]),
            kernel=str(layer["kernel"]),
            macs=int(layer["macs"]),
            instructions=cycles if run.emulated else (),
            cycles=() if run.emulated else cycles,
            estimated_cycles=estimate,
            loads=None,
            stores=None,
            load_bytes=None,
            store_bytes=None,
        )
        for layer, (_, cycles), estimate in zip(manifest["layers"], run.layer_cycles, estimates, strict=True)
    )
