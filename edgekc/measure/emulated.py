"""Turns a folder of generated C and a board into exact sizes and instruction counts of the linked firmware."""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..boards.board import Board
from ..emulate.device import DeviceRun, run_image
from ..emulate.plugin import Counts, LayerCounts, Unavailable, Violation, count, image_regions
from ..errors import ToolError, UsageError, VerifyError
from ..files.output import read_manifest
from ..firmware.build import Image, Optimise, build_image
from ..firmware.elf import Elf, read_elf
from ..firmware.toolchain import Compiler, emulator, qemu_name, qemu_path
from ..progress import Progress, silent
from .by_layer import INPUT, OUTPUT, STACK, RamRow, Row, split_flash, split_ram
from .cycles.estimate import Estimate, estimate
from .cycles.speed import Speed, speed_of
from .cycles.timing import TIMINGS, Cycles
from .ledger import Ledger, embedded_sections, read_ledger
from .stack import StackBound, check_stack, stack_bound

UNIT = "instructions (emulated, exact), not cycles"


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer executed. Loads and stores are those of the first sample, as the emulator makes them:

    an instruction that moves several registers counts several, an MVE one may count one for each element.
    None: not counted, which is so with unicorn.
    """

    name: str
    op: str
    kernel: str
    macs: int
    instructions: tuple[int, ...]  # per inference; empty where a board counted cycles
    cycles: tuple[int, ...]  # per inference; empty where an emulator counted instructions
    estimated_cycles: Cycles | None  # of the first inference, without wait states; None: the core has no timing here
    loads: int | None
    stores: int | None
    load_bytes: int | None
    store_bytes: int | None

    @property
    def counts(self) -> tuple[int, ...]:
        """Whichever of the two there is."""
        return self.cycles or self.instructions

    @property
    def per_mac(self) -> float | None:
        return self.counts[0] / self.macs if self.macs and self.counts else None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Sizes from the linked ELF, counts from its emulated run; instructions are never cycles or time."""

    name: str
    board: str
    compiler: str
    optimise: Optimise
    emulator: str
    ledger: Ledger
    by_layer: tuple[Row, ...]  # the ledger's flash again, split by layer
    ram: tuple[RamRow, ...]  # every byte of the ELF's RAM
    arena_bytes: int
    stack_bytes: int | None  # peak below SP at the call: by the plugin; None if it could not tell
    stack_bound: StackBound  # what it can be at most, by frames and calls
    painted_stack_bytes: int | None  # the same, by the harness's paint; None on Linux
    instructions: tuple[int, ...]  # per inference; empty if nothing could count, or cycles were counted
    cycles: tuple[int, ...]  # per inference, by a real board; else empty
    board_unit: str  # of what a board counted, by its console; else empty
    resolution: int  # each count is right to within this many instructions; 1: exact
    systick_instructions: tuple[int, ...]  # per inference, by the board's timer, with the call around; or empty
    layers: tuple[LayerCost, ...]  # empty where nothing could count by layer
    outside: LayerCost | None  # entry, checks and return of the network function
    violations: tuple[Violation, ...] | None  # accesses outside of what the model may touch; None: nothing looked
    note: str  # why something is missing; empty if nothing is
    state_bytes: int = 0  # of a streaming network: kept from one step to the next
    speed: Speed | None = None  # estimated; None: no emulator ran it by blocks, or the core has no timing here

    @property
    def unit(self) -> str:
        """Of what `counts` has."""
        if self.board_unit:
            return self.board_unit
        return UNIT if self.resolution == 1 else f"instructions (emulated, to within {self.resolution}), not cycles"

    @property
    def counts(self) -> tuple[int, ...]:
        return self.cycles or self.instructions

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def model_ram_bytes(self) -> int | None:
        """Arena, state, static data and peak stack; None if the stack is not known."""
        stack = self.stack_bytes if self.stack_bytes is not None else self.painted_stack_bytes
        static = sum(entry.size_bytes for entry in self.ledger.model_static_ram)
        return None if stack is None else self.arena_bytes + self.state_bytes + static + stack

    @property
    def io_bytes(self) -> int:
        """Input and output of one inference."""
        return sum(row.size_bytes for row in self.ram if row.what in (INPUT, OUTPUT))

    @property
    def board_ram_bytes(self) -> int | None:
        """What `edgekc fit` compares with a board's RAM: also input and output, and a stack of the static bound, at
        least of what the linker insists on, which stands alone where there is no bound. None on Linux."""
        insisted = sum(row.size_bytes for row in self.ram if row.what == STACK)
        if not insisted:
            return None
        static = sum(entry.size_bytes for entry in self.ledger.model_static_ram)
        buffers = self.arena_bytes + self.state_bytes + self.io_bytes
        return buffers + static + max(self.stack_bound.size_bytes or 0, insisted)

    def as_json(self) -> dict[str, Any]:
        """Plain data, with the totals."""
        data = dataclasses.asdict(self)
        data["unit"] = self.unit
        data["model_flash_bytes"] = self.ledger.model_flash_bytes
        data["model_ram_bytes"] = self.model_ram_bytes
        data["board_ram_bytes"] = self.board_ram_bytes
        data["macs"] = self.macs
        return data


def measure(
    folder: Path | str,
    board: Board,
    *,
    samples: int,
    timeout_s: float,
    inputs: bytes | None = None,
    out_dir: Path | str | None = None,
    optimise: Optimise = "speed",
    compiler: Compiler | None = None,
    cache: Path | None = None,
    clock_hz: int | None = None,
    progress: Progress = silent,
) -> Measurement:
    """Builds, links and runs what `edgekc compile` wrote.

    Args:
        folder: the output folder of `edgekc compile`.
        samples: inferences to run, on random bytes that are the same each time; ignored with inputs.
        timeout_s: for each of the two runs.
        inputs: the samples to run, one after the other.
        out_dir: where the image stays; None: a folder that is removed.
        cache: where the built plugin stays; None: the user's cache folder.
        clock_hz: of the core, for estimated milliseconds; None: the board's highest.
        progress: is told of the build and of each run.

    Raises:
        CapacityError, ToolError, UsageError: as build_image and run_image; ToolError too if two ways to
            count disagree.
    """
    if inputs is None and samples < 1:
        raise UsageError(f"samples: expected at least 1, got {samples}")
    progress("build the program", 0, 0)
    if out_dir is None:
        with tempfile.TemporaryDirectory(prefix="edgekc-measure-") as temporary:
            image = build_image(folder, board, temporary, optimise=optimise, compiler=compiler)
            return _measure(image, Path(folder), samples, timeout_s, inputs, cache, clock_hz, progress)
    image = build_image(folder, board, out_dir, optimise=optimise, compiler=compiler)
    return _measure(image, Path(folder), samples, timeout_s, inputs, cache, clock_hz, progress)


def check_accesses(m: Measurement) -> None:
    """Raises VerifyError where the model touched memory that is none of its business."""
    if not m.violations:
        return
    first = m.violations[0]
    layer = "outside of the layers" if first.layer is None else f"layer {first.layer} {m.layers[first.layer].name}"
    raise VerifyError(
        f"{len(m.violations)} different accesses outside of what the model may touch; the first: {first.function} "
        f"{'stores' if first.is_store else 'loads'} {first.size_bytes} bytes at 0x{first.address:08x}",
        where=f"{m.name} on {m.board}, {layer}",
    )


def _measure(
    image: Image, folder: Path, samples: int, timeout_s: float, inputs: bytes | None, cache: Path | None,
    clock_hz: int | None, progress: Progress,
) -> Measurement:  # fmt: skip
    manifest = read_manifest(folder)
    arena_bytes = int(manifest["arena_bytes"])
    ledger = read_ledger(image, arena_bytes, embedded_sections(manifest))
    ekc = folder / f"{image.name}.ekc"
    if inputs is None:
        inputs = np.random.default_rng(0).bytes(samples * image.input_bytes)
    run, counts, traced = _run(image, manifest, arena_bytes, inputs, timeout_s, cache, progress)

    elf, bound = read_elf(image.elf), stack_bound(image)
    stack_bytes = traced.stack_bytes if isinstance(traced, Counts) else None
    for measured in (stack_bytes, run.peak_stack_bytes):
        check_stack(bound, measured, f"{image.name} on {image.board.name}")
    layers: tuple[LayerCost, ...] = ()
    outside, speed = None, None
    instructions, resolution = run.instructions or (), run.resolution or 1
    if isinstance(counts, Counts) and isinstance(traced, Counts):
        instructions, resolution = counts.instructions, 1
        cycles = _estimate(image, elf, traced)
        if cycles is not None:
            speed = speed_of(TIMINGS[image.board.core.name], cycles.total, image.board, clock_hz)
        estimates = cycles.layers if cycles else (None,) * len(counts.layers)
        rows = zip(manifest["layers"], counts.layers, traced.layers, estimates, strict=True)
        layers = tuple(_cost(layer, exact, m if traced.traced else None, e) for layer, exact, m, e in rows)
        nothing = {"name": "", "op": "", "kernel": "", "macs": 0}
        outside = _cost(
            nothing, counts.outside, traced.outside if traced.traced else None, cycles.outside if cycles else None
        )
    return Measurement(
        name=image.name,
        board=image.board.name,
        compiler=image.compiler,
        optimise=image.optimise,
        emulator=run.emulator,
        ledger=ledger,
        by_layer=split_flash(image, elf, ledger, manifest, ekc) if ekc.is_file() else (),
        ram=split_ram(image, elf, ledger, arena_bytes),
        arena_bytes=arena_bytes,
        stack_bytes=stack_bytes,
        stack_bound=bound,
        painted_stack_bytes=run.peak_stack_bytes,
        instructions=instructions,
        cycles=(),
        board_unit="",
        resolution=resolution,
        systick_instructions=(run.instructions or ()) if layers else (),
        layers=layers,
        outside=outside,
        violations=traced.violations if isinstance(traced, Counts) else None,
        note=counts.reason if isinstance(counts, Unavailable) else "",
        state_bytes=image.state_bytes,
        speed=speed,
    )


def _estimate(image: Image, elf: Elf, counts: Counts) -> Estimate | None:
    """None: there is no timing of this core, the emulator gave no blocks, or no disassembler is installed."""
    timing = TIMINGS.get(image.board.core.name)
    if timing is None or not counts.blocks or importlib.util.find_spec("capstone") is None:
        return None
    return estimate(timing, elf, counts)


def _run(
    image: Image,
    manifest: Mapping[str, Any],
    arena_bytes: int,
    inputs: bytes,
    timeout_s: float,
    cache: Path | None,
    progress: Progress,
) -> tuple[DeviceRun, Counts | Unavailable, Counts | Unavailable]:
    """All samples counted, and the first one traced, which is slower."""
    lines = [(int(first), int(last)) for first, last in (layer["source_lines"] for layer in manifest["layers"])]
    progress(f"count {len(inputs) // max(image.input_bytes, 1)} inferences on {image.board.name}", 0, 0)
    if emulator(image.board) == "unicorn":
        return _run_unicorn(image, lines, arena_bytes, inputs, timeout_s)
    qemu = qemu_path(image.board) or qemu_name(image.board)
    runs: list[DeviceRun] = []

    def run_all(arguments: Sequence[str]) -> None:
        runs.append(run_image(image, inputs, timeout_s=timeout_s, qemu_args=arguments))

    def run_first(arguments: Sequence[str]) -> None:
        run_image(image, inputs[: image.input_bytes], timeout_s=timeout_s, qemu_args=arguments)

    counts = count(image.elf, image.name, lines, qemu, run_all, regions=None, cache=cache)
    if isinstance(counts, Unavailable):
        run = runs[0] if runs else run_image(image, inputs, timeout_s=timeout_s)
        return run, counts, counts
    regions = image_regions(image.elf, arena_bytes)
    progress("trace every access of the first inference", 0, 0)
    traced = count(image.elf, image.name, lines, qemu, run_first, regions=regions, cache=cache)
    run = runs[0]
    if isinstance(traced, Counts) and traced.instructions[0] != counts.instructions[0]:
        raise ToolError(
            f"one sample took {counts.instructions[0]} instructions, and {traced.instructions[0]} when traced",
            where=f"board {image.board.name}",
        )
    if len(counts.instructions) != run.samples:
        raise ToolError(f"{run.samples} samples ran, {len(counts.instructions)} were counted", where=image.name)
    return run, counts, traced


def _run_unicorn(
    image: Image, lines: Sequence[tuple[int, int]], arena_bytes: int, inputs: bytes, timeout_s: float
) -> tuple[DeviceRun, Counts | Unavailable, Counts | Unavailable]:
    """All samples checked by the harness, then counted; forbidden accesses are seen, others not counted."""
    from ..emulate import unicorn_core  # needs the unicorn package, which is an extra

    run = run_image(image, inputs, timeout_s=timeout_s, count=False)
    regions = image_regions(image.elf, arena_bytes)
    counts = unicorn_core.count_layers(image, lines, inputs, regions, timeout_s=timeout_s)
    return run, counts, counts


def _cost(
    layer: Mapping[str, Any], counts: LayerCounts, memory: LayerCounts | None, cycles: Cycles | None
) -> LayerCost:
    return LayerCost(
        str(layer["name"]),
        str(layer["op"]),
        str(layer["kernel"]),
        int(layer["macs"]),
        counts.instructions,
        (),
        cycles,
        memory.loads if memory else None,
        memory.stores if memory else None,
        memory.load_bytes if memory else None,
        memory.store_bytes if memory else None,
    )
