"""READ FIRST: the whole walk, from a model file to a folder of C, one stage after the other."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import __version__, verify
from .board import Board
from .errors import CapacityError, UsageError
from .generate import check_name, generate
from .ir import Graph, dump
from .lower import lower
from .pack import Packed, pack, read
from .passes import INTEGER_PASSES, QUANTIZED_PASSES, Pass
from .plan import Plan, plan

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """What the compiler must know of a board: kernels it can run, and room. None: not limited."""

    name: str
    features: frozenset[str]
    flash_bytes: int | None
    ram_bytes: int | None


@dataclass(frozen=True, slots=True)
class Compiled:
    plan: Plan
    packed: Packed
    files: Mapping[str, bytes]  # path below the output folder -> content


def target_of(board: Board) -> Target:
    """What the compiler must know of a board."""
    return Target(board.name, board.features, board.flash_bytes, board.ram_bytes)


def check_rounding(rounding: str) -> str:
    if rounding not in ("tflite", "double"):
        raise UsageError(f"--rounding {rounding!r}; expected tflite or double")
    return rounding


def compile_model(
    path: Path,
    name: str,
    target: Target,
    *,
    rounding: str = "tflite",
    log: Log = lambda text: None,
    keep: Path | None = None,
) -> Compiled:
    """Walk from `path` (.tflite or .ekc) to the files of the output folder; nothing is written but `keep`.

    Args:
        name: of the network; becomes C identifiers.
        rounding: see `lower.lower`; an .ekc has its rounding already.
        log: is given one line for each thing a pass did.
        keep: folder for the text dump of each stage.
    """
    check_name(name)
    data = path.read_bytes()
    if path.suffix != ".ekc":
        data = pack(integer_graph(data, name, path, rounding, log, keep))
    packed = read(data, str(path))
    layout = plan(packed.graph, target.features)
    check_fit(layout, len(data), target)
    files = generate(layout, packed, data, name, target.name)
    _keep(keep, "40-packed.txt", dump(packed.graph))
    _keep(keep, "50-plan.txt", describe_plan(layout))
    log(f"plan: arena {layout.arena_bytes} bytes, lower bound {layout.lower_bound}, peak during {layout.peak_layer}")
    return Compiled(layout, packed, files)


def integer_graph(data: bytes, name: str, path: Path, rounding: str, log: Log, keep: Path | None = None) -> Graph:
    """The bytes of a source model to an INTEGER graph, through every pass."""
    from .importers.tflite import import_tflite

    graph = import_tflite(data, name, str(path))
    _keep(keep, "10-import.txt", dump(graph))
    graph = _passes(graph, QUANTIZED_PASSES, log)
    _keep(keep, "20-quantized.txt", dump(graph))
    graph = lower(graph, rounding)
    verify.check(graph)
    graph = _passes(graph, INTEGER_PASSES, log)
    metadata = {
        "tool": f"edgekc {__version__}",
        "source": path.name,
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "recipe": "none" if rounding == "tflite" else f"rounding={rounding}",
    }
    graph = replace(graph, metadata=metadata)
    verify.check(graph)
    _keep(keep, "30-integer.txt", dump(graph))
    return graph


def _passes(graph: Graph, passes: tuple[tuple[str, Pass], ...], log: Log) -> Graph:
    for name, run in passes:
        graph, notes = run(graph)
        for note in notes:
            log(f"{name}: {note}")
    verify.check(graph)
    return graph


def check_fit(layout: Plan, ekc_bytes: int, target: Target) -> None:
    """CapacityError where the weights or the arena alone are too large for the board.

    The linker has the last word; it also sees code and stack.
    """
    if target.flash_bytes is not None and ekc_bytes > target.flash_bytes:
        raise CapacityError(
            f"the packed model has {ekc_bytes} bytes, {ekc_bytes - target.flash_bytes} more than the flash holds",
            where=f"board {target.name}",
            fix="choose a board with more flash, or compress the model",
        )
    need = layout.arena_bytes + layout.input_bytes + layout.output_bytes
    if target.ram_bytes is not None and need > target.ram_bytes:
        raise CapacityError(
            f"arena, input and output need {need} bytes, {need - target.ram_bytes} more than the RAM holds; "
            f"the arena of {layout.arena_bytes} bytes peaks in layer {layout.peak_layer}",
            where=f"board {target.name}",
            fix="choose a board with more RAM, or a smaller input",
        )


def default_name(path: Path) -> str:
    """A network name made of the file's name."""
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII).lower()
    return name if name[:1].isalpha() else f"net_{name}"


def write_folder(files: Mapping[str, bytes], target: Path) -> None:
    """Write an output folder completely or not at all.

    An existing folder is replaced only if it is empty or an earlier output (it has a manifest.json).
    """
    target = target.absolute()
    if target.is_dir():
        if any(target.iterdir()) and not (target / "manifest.json").is_file():
            raise UsageError("the folder has other files in it", where=str(target), fix="name a new or empty folder")
    elif target.exists():
        raise UsageError("exists and is not a folder", where=str(target), fix="name a new or empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for path, data in files.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_bytes(data)
        temporary.chmod(0o755)
        if target.exists():
            old = temporary / ".old"
            os.replace(target, old)
            shutil.rmtree(old)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def describe_plan(layout: Plan) -> str:
    """The plan as stable text: one line a step."""
    lines = [f"arena {layout.arena_bytes} lower_bound {layout.lower_bound} peak {layout.peak_layer}"]
    for i, s in enumerate(layout.steps):
        inputs = ", ".join(f"{x.space}+{x.offset}" for x in s.inputs)
        scratch = f" scratch arena+{s.scratch.offset}[{s.scratch_bytes}]" if s.scratch else ""
        lines.append(
            f"{i} {s.view.node.name} {s.kernel.symbol} {inputs} -> {s.output.space}+{s.output.offset}"
            f"[{s.view.out.nbytes}]{scratch}{' in-place' if s.in_place else ''}"
        )
    return "\n".join(lines) + "\n"


def _keep(folder: Path | None, name: str, text: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
