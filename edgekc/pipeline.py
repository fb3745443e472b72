"""READ FIRST: the whole walk, from a model file to a folder of C, one stage after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import __version__
from .boards.board import Board
from .errors import UsageError
from .files.bounded import read_file
from .files.output import write_dump
from .files.place import recover
from .format.pack import Packed, pack, read
from .generate.embedded import DEFAULT, Form, embedded
from .generate.fits import Target, check_fit, model_ram, room_for_arena
from .generate.goals import Goal, plan_for
from .generate.parts import MOST_PARTS, plan_in_parts
from .generate.plan import Plan, Ram, buffer_bytes
from .generate.row_search import smallest
from .generate.sources import generate
from .generate.within import fastest_plan, least_plan, plan_by_input_rows
from .graph.ir import Graph, Stage, dump
from .names import check_name, visible
from .ops import legal
from .passes import INTEGER_PASSES, QUANTIZED_PASSES, apply
from .passes.floats import ALLOW, has_floats, refuse
from .passes.lower import lower
from .progress import Log, unsaid

DUMPS = ("10-import.txt", "20-quantized.txt", "30-integer.txt", "40-packed.txt", "50-plan.txt")


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
    allow_float: bool = False,
    goal: Goal = "speed",
    log: Log = unsaid,
    keep: Path | None = None,
    form: Form = DEFAULT,
) -> Compiled:
    """Walk from `path` (.tflite or .ekc) to the files of the output folder; nothing is written but `keep`.

    Args:
        name: of the network; becomes C identifiers.
        rounding: see `lower.lower`; an .ekc has its rounding already.
        allow_float: operators that compute in float run in C; else they are refused.
        goal: what kernels are chosen for.
        log: is given one line for each thing a pass did.
        keep: folder for the text dump of each stage, over what is there.
        form: how the C holds the model.
    """
    check_name(name)
    data = read_model(path)
    if path.suffix == ".ekc" and rounding != "tflite":
        raise UsageError("a packed model has its rounding already", where=f"--rounding {rounding}", fix="leave it out")
    if path.suffix != ".ekc":
        data = pack(integer_graph(data, name, path, rounding, log, keep, allow_float=allow_float))
    return compile_packed(data, str(path), name, target, goal=goal, log=log, keep=keep, form=form)


def compile_packed(
    data: bytes,
    where: str,
    name: str,
    target: Target,
    *,
    goal: Goal = "speed",
    log: Log = unsaid,
    keep: Path | None = None,
    form: Form = DEFAULT,
) -> Compiled:
    """The second half of the walk, from the bytes of an .ekc; `where` is what errors call them."""
    packed = read(data, where)
    found = planned(packed.graph, target, log, goal)
    check_fit(found, len(embedded(found, packed, data, form).data) if form.strip or form.blob else len(data), target)
    files = generate(found, packed, data, name, target.name, form)
    _keep(keep, "40-packed.txt", dump(packed.graph))
    _keep(keep, "50-plan.txt", describe_plan(found))
    log(f"plan: arena {found.arena_bytes} bytes, lower bound {found.lower_bound}, peak during {found.peak_layer}")
    if found.state_bytes:
        log(f"plan: state {found.state_bytes} bytes, kept from one step to the next")
    return Compiled(found, packed, files)


def planned(graph: Graph, target: Target, log: Log = unsaid, goal: Goal = "speed") -> Plan:
    """The plan for a target: the best by the goal that fits; where none does, the smallest."""
    if target.threads:
        _check_threads(target, goal)
        return plan_in_parts(graph, target.features, target.threads)
    fastest = fastest_plan(graph, target.features)
    beside = buffer_bytes(fastest) - fastest.arena_bytes - (fastest.input_bytes if target.input_rows else 0)
    room = room_for_arena(target, beside, fastest.state_bytes)
    if not target.input_rows:
        found = plan_for(goal, graph, target.features, room, fastest)
    elif goal == "speed":
        found = plan_by_input_rows(graph, target.features, room, fastest)
    else:
        raise UsageError(f"--input-rows goes with --optimise speed, not {goal}", fix="leave one out")
    why = f"{target.ram_bytes if target.model_ram_bytes is None else target.model_ram_bytes} bytes of RAM"
    why = "the least RAM" if goal == "ram" else why
    if found.slower:
        log(f"plan: {', '.join(found.slower)}: slower kernels of less scratch, for {why}")
    for group in found.plan.groups:
        first, last = (found.plan.steps[i].view.node.name for i in (group.steps[0], group.steps[-1]))
        log(f"plan: {first} to {last} run by rows, for {why}; outputs identical")
    if target.model_ram_bytes is None or not found.fits:
        return found.plan
    least = (smallest(graph, target.features, fed=True) if target.input_rows else None) or least_plan(
        graph, target.features
    )
    ends = model_ram(min(least, found.plan, key=model_ram)), model_ram(fastest)
    return replace(found.plan, ram=Ram(target.model_ram_bytes, *ends, found.more_cycles))


def _check_threads(target: Target, goal: Goal) -> None:
    if not 2 <= target.threads <= MOST_PARTS:
        raise UsageError(f"--threads {target.threads}; expected 2 to {MOST_PARTS}", fix="leave it out for one thread")
    for used, option in (
        (target.model_ram_bytes is not None, "--ram"),
        (target.input_rows, "--input-rows"),
        (goal != "speed", f"--optimise {goal}"),
    ):
        if used:
            raise UsageError(f"--threads does not go with {option}", fix="leave one out")


def read_model(path: Path) -> bytes:
    """The bytes of a file that the user named."""
    recover(path.parent)
    return read_file(path, None)


def integer_graph(
    data: bytes,
    name: str,
    path: Path,
    rounding: str,
    log: Log,
    keep: Path | None = None,
    *,
    allow_float: bool = False,
) -> Graph:
    """A quantised source model to an INTEGER graph, through every pass; `data` is what `path` holds."""
    from .importers import read_model as read_source

    recipe = "none" if rounding == "tflite" else f"rounding={rounding}"
    metadata = source_metadata(path, data, recipe)
    graph = read_source(path, name).sound(allow_float=allow_float)
    return imported_to_integer(graph, str(path), metadata, rounding, log, keep, allow_float=allow_float)


def imported_to_integer(
    graph: Graph, where: str, metadata: Mapping[str, str], rounding: str, log: Log, keep: Path | None = None,
    *, allow_float: bool = False,
) -> Graph:  # fmt: skip
    """A graph as an importer made it to an INTEGER graph. UsageError where it is float."""
    _keep(keep, "10-import.txt", dump(graph))
    if graph.stage is not Stage.QUANTIZED:
        file = Path(where).name
        throughout = f" throughout; {ALLOW} is for parts of an int8 model"
        raise UsageError(
            f"the model is float{throughout * allow_float}",
            where=where,
            fix=f"quantise it first: edgekc compress {file} --data DATA -o {Path(file).stem}.ekc",
        )
    return to_integer(graph, metadata, rounding, log, keep, allow_float=allow_float)


def source_metadata(path: Path, data: bytes, recipe: str) -> dict[str, str]:
    """Where a packed model comes from: source file, its hash, and what was done to it."""
    return {
        "source": path.name.encode(errors="replace").decode(),  # a file's name need not be text
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "recipe": recipe,
    }


def to_integer(
    graph: Graph, metadata: Mapping[str, str], rounding: str = "tflite", log: Log = unsaid, keep: Path | None = None,
    *, allow_float: bool = False,
) -> Graph:  # fmt: skip
    """A QUANTIZED graph to an INTEGER graph, through every pass; `metadata` joins the tool's version.

    Args:
        allow_float: see `compile_model`; the metadata's recipe then says so, where there is something to allow.
    """
    graph = apply(graph, QUANTIZED_PASSES, log)
    if not allow_float:
        refuse(graph)
    if has_floats(graph):
        recipe = metadata.get("recipe", "none")
        metadata = {**metadata, "recipe": "float" if recipe == "none" else f"{recipe}, float"}
    legal.check(graph)
    _keep(keep, "20-quantized.txt", dump(graph))
    graph = lower(graph, rounding)
    legal.check(graph)
    graph = apply(graph, INTEGER_PASSES, log)
    graph = replace(graph, metadata={"tool": f"edgekc {__version__}", **metadata})
    legal.check(graph)
    _keep(keep, "30-integer.txt", dump(graph))
    return graph


def describe_plan(plan: Plan) -> str:
    """The plan as stable text: one line a step."""
    lines = [f"arena {plan.arena_bytes} lower_bound {plan.lower_bound} peak {plan.peak_layer}"]
    if plan.state_bytes:
        places = zip(plan.graph.states, plan.state_offsets, strict=True)
        lines.append(f"state {plan.state_bytes} " + ", ".join(f"{s.start}+{at}" for s, at in places))
    for i, s in enumerate(plan.steps):
        inputs = ", ".join(f"{x.space}+{x.offset}" for x in s.inputs)
        scratch = f" scratch arena+{s.scratch.offset}[{s.scratch_bytes}]" if s.scratch else ""
        lines.append(
            f"{i} {s.view.node.name} {s.kernel.symbol} {inputs} -> {s.output.space}+{s.output.offset}"
            f"[{s.view.out.nbytes}]{scratch}{' in-place' if s.in_place else ''}"
            f"{'' if s.rows is None else f' rows {s.rows.rows}'}"
        )
    for group in plan.groups:
        rooms = ", ".join(f"{t.name} {t.room}" for t in group.rows.tensors)
        lines.append(f"rows {group.steps[0]}..{group.steps[-1]} held {group.held.space}+{group.held.offset} {rooms}")
    return "".join(f"{visible(line)}\n" for line in lines)


def _keep(folder: Path | None, name: str, text: str) -> None:
    if folder is not None:
        assert name in DUMPS
        write_dump(folder / name, text)
