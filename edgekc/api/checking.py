"""A model and a board to how each operator would run, and everything that stands in the way. Nothing is compiled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board, load_board
from ..data import batches_for, synthetic
from ..errors import CapacityError, EdgekcError, UnsupportedError
from ..format.pack import pack, read
from ..generate.choice import choose_kernel
from ..generate.fits import check_fit
from ..graph.ir import Graph, Stage
from ..graph.op import view_of
from ..importers import read_model
from ..importers.imported import Imported, SourceOperator, in_order, lowered_in_part
from ..names import default_name
from ..ops import OPS
from ..pipeline import check_rounding, planned, target_of, to_integer
from ..quantize import calibrate
from ..quantize.to_int8 import prepare, quantize
from ..terminal import styled
from .compiling import DEFAULT_BOARD
from .model import is_known, load, traced

_LONGEST_NAME = 60  # characters of a tensor's name in the table
_SAMPLES = 2  # made-up ones; a float model's scales only have to be possible
_RANGE = (-8.0, 8.0)  # of a tensor that was not observed


@dataclass(frozen=True, slots=True)
class CheckedOperator:
    """How an operator of a model runs.

    Attributes:
        index, operator, tensor: as the model counts and names it, and what it computes; empty: it has no name.
        runs: `kernel`; `float` (a kernel too, that computes in float); `bytes as they are` (another shape of the same
            bytes, no code); `folded away` (into another operator, or into a constant); `refused`; `taken` (it is read,
            but its kernel is chosen only when nothing stands in the way).
        kernels: the C functions that the board gets for it.
    """

    index: int
    operator: str
    tensor: str
    runs: str
    kernels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in a model's way.

    Attributes:
        operator: its index in the model; None: of no single one.
        tensor: that it computes; empty: not known.
        where, what, fix: the place, what is wrong there, and the way out; empty: `what` says it.
    """

    operator: int | None
    tensor: str
    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.fix}" if self.fix else line


@dataclass(frozen=True, slots=True)
class Check(tables.Shown):
    """How a model would run on a board.

    Attributes:
        model: what was asked about.
        board: its name.
        stage: `float`, `quantised` or `packed`; empty: nothing could be read.
        operators: all of the model's, in its order.
        obstacles: everything that stands in the way, in the model's order.
    """

    model: str
    board: str
    stage: str
    operators: tuple[CheckedOperator, ...]
    obstacles: tuple[Obstacle, ...]

    @property
    def ok(self) -> bool:
        """Nothing stands in the way."""
        return not self.obstacles

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc check --json` prints."""
        return {"schema": 1, "ok": self.ok, **asdict(self)}

    def parts(self) -> list[tables.Part]:
        """A table of operators, and a line for each obstacle."""
        number, words = tables.number, tables.words
        sheet = tables.Sheet(f"{self.model} on {self.board}", number(""), "operator", words("runs"), "computes", keys=2)
        for op in self.operators:
            said = " ".join(op.kernels) + " (float)" * (op.runs == "float")
            runs = styled(said or op.runs, "red" if op.runs == "refused" else "")
            sheet.add(str(op.index), op.operator, runs, op.tensor[:_LONGEST_NAME])
        shown: list[tables.Part] = [sheet] if self.operators else []
        if self.ok:
            first = "compress the model, then compile it" if self.stage == "float" else "compile takes it"
            return [*shown, f"Nothing stands in the way: {first}."]
        count = len(self.obstacles)
        return [*shown, f"{count} obstacle{'s' * (count > 1)}:", *map(str, self.obstacles)]


def check(
    model: Any,
    example_inputs: Any = None,
    *,
    board: str | Path | Board = DEFAULT_BOARD,
    rounding: str = "tflite",
    allow_float: bool = False,
) -> Check:
    """Say of every operator how it will run, and everything that stands in the way. Nothing is compiled or written.

    A float model is looked at as `compress` without a recipe would quantise it.

    Args:
        model: what `load` takes.
        example_inputs: as in `load`.
        board: as in `compile`; it decides which kernels there are, and how much memory.
        rounding: as in `compile`.
        allow_float: as in `compile`.

    Raises:
        UsageError, ModelError, FormatError, ToolError: as `load`.
        BoardError: there is no such board.
    """
    target = board if isinstance(board, Board) else load_board(board)
    check_rounding(rounding)
    try:
        where, found = _read(model, example_inputs)
    except UnsupportedError as error:  # before its operators are known
        return Check(_title(model), target.name, "", (), tuple(_obstacles(error.obstacles)))
    kernels, refused = _ways(found, target, rounding, allow_float)
    stage = {Stage.FLOAT: "float", Stage.QUANTIZED: "quantised", Stage.INTEGER: "packed"}[found.graph.stage]
    blamed = {e.operator for e in refused if isinstance(e, UnsupportedError)}
    rows = (
        CheckedOperator(op.index, op.operator, op.tensor, *_way(op, kernels, blamed, bool(found.refused)))
        for op in found.operators
    )
    return Check(Path(where).name, target.name, stage, tuple(rows), tuple(_obstacles(refused)))


def _title(model: Any) -> str:
    return Path(model).name if isinstance(model, (str, Path)) else type(model).__name__


def _read(model: Any, example_inputs: Any) -> tuple[str, Imported]:
    """What errors call the model, and what could be read of it."""
    if isinstance(model, (str, Path)) and Path(model).suffix != ".ekc":
        return str(model), read_model(Path(model), default_name(Path(model)))
    if not is_known(model):
        return _title(model), traced(model, example_inputs, "")[1]
    loaded = load(model)
    nodes = tuple(replace(node, source=i) for i, node in enumerate(loaded.graph.nodes))
    operators = tuple(SourceOperator(node.source, node.op, node.name) for node in nodes)
    return loaded.where, Imported(replace(loaded.graph, nodes=nodes), operators)


def _ways(
    found: Imported, board: Board, rounding: str, allow_float: bool
) -> tuple[dict[int, list[str]] | None, list[EdgekcError]]:
    """The kernels of each operator by its index (empty: no code; None: not known), and what stands in the way."""
    if found.refused:
        return _ways_in_part(found, board, rounding, allow_float)
    graph = found.graph
    try:
        if graph.stage is Stage.FLOAT:
            graph = _quantised(graph)
        found = replace(found, graph=graph)
        if graph.stage is Stage.QUANTIZED:
            graph = to_integer(graph, {}, rounding, allow_float=allow_float)
        ekc, target = pack(graph), target_of(board)
        plan = planned(read(ekc, found.graph.name).graph, target)
    except UnsupportedError as error:
        if found.graph.stage is Stage.QUANTIZED:
            known, refused = _ways_in_part(found, board, rounding, allow_float)
            return known, refused or list(error.obstacles)
        return None, list(error.obstacles)
    chosen = {step.view.node.name: step.kernel.symbol for step in plan.steps}
    kernels: dict[int, list[str]] = defaultdict(list)
    for node in graph.nodes:
        kernels[node.source].append(chosen.get(node.name, ""))
    try:
        check_fit(plan, len(ekc), target)
    except CapacityError as error:
        return kernels, [error]
    return kernels, []


def _ways_in_part(
    found: Imported, board: Board, rounding: str, allow_float: bool
) -> tuple[dict[int, list[str]] | None, list[EdgekcError]]:
    """The same of a model in whose way something stands; the planner's choice for each layer by itself."""
    graph, more = lowered_in_part(found, rounding, allow_float=allow_float)
    refused = [*found.refused, *more]
    if graph.stage is not Stage.INTEGER:
        return None, list(in_order(refused))
    kernels: dict[int, list[str]] = defaultdict(list)
    for node in graph.nodes:
        try:
            symbol = "" if OPS[node.op].view else choose_kernel(view_of(graph, node), board.features).symbol
        except UnsupportedError as error:
            error.operator = node.source
            refused.append(error)
            continue
        kernels[node.source].append(symbol)
    return kernels, list(in_order(refused))


def _quantised(graph: Graph) -> Graph:
    """A float model with scales that it could have."""
    graph = prepare(graph)
    ranges = {name: _RANGE for name, t in graph.tensors.items() if t.data is None}
    if len(graph.inputs) == 1:
        samples = synthetic(graph, _SAMPLES, 0, None)
        observed = calibrate.observe(graph, lambda: batches_for(samples, graph, _SAMPLES), False)
        ranges = calibrate.choose(observed, "min-max", 100.0)
    return quantize(graph, ranges)


def _way(
    op: SourceOperator, kernels: dict[int, list[str]] | None, blamed: set[int | None], in_part: bool
) -> tuple[str, tuple[str, ...]]:
    if op.index in blamed:
        return "refused", ()
    if kernels is None:
        return "taken", ()
    if op.index not in kernels:
        return ("taken" if in_part else "folded away"), ()
    symbols = tuple(dict.fromkeys(symbol for symbol in kernels[op.index] if symbol))
    if any(symbol.endswith("_f32") for symbol in symbols):  # kernels have the suffix of their type
        return "float", symbols
    return ("kernel" if symbols else "bytes as they are"), symbols


def _obstacles(errors: Sequence[EdgekcError]) -> Iterator[Obstacle]:
    for e in errors:
        place = (e.operator, e.tensor) if isinstance(e, UnsupportedError) else (None, "")
        yield Obstacle(*place, e.where, e.what, e.fix)
