"""A finding made small, and written to files with which `edgekc verify` shows it again."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..boards.board import list_boards, load_board
from ..errors import UnsupportedError
from ..files.output import write_file
from .building import asked_features, families
from .comparing import IMPORTED, LITERT, Finding, first_line
from .drawing import net_of
from .floats import KIND as FLOAT
from .nets import random_samples
from .plans import goal_of
from .shrinking import Case, described, shrunk
from .sides import COMPILER, Sides
from .subjects import NEAREST, SAMPLES, Subject, subject


@dataclass(frozen=True, slots=True)
class Written:
    """A finding that was made small.

    Attributes:
        model: the `.ekc`, or the `.tflite` where that is what edgekc reads wrongly.
        inputs: the samples, an array x0, x1 ... for each input.
        command: shows it again.
        text: what is wrong with the small network, in a line.
        layers: of the small network.
        listing: the small network, one node a line.
    """

    finding: Finding
    model: Path
    inputs: Path
    command: str
    text: str
    layers: int
    listing: str


def reported(
    finding: Finding, sides: Sides, folder: Path, stem: str, rounding: str = "tflite", seconds: float = 60.0
) -> Written:
    """Make a finding small, and write it to `folder`.

    Args:
        stem: of the files' names.
        seconds: for making it small.
    """
    whole = net_of(finding.kind, finding.seed)
    texts: dict[int, str] = {}

    def fails(case: Case) -> bool:
        texts[id(case)] = text = again(case, finding, sides, rounding)
        return bool(text)

    case = shrunk(Case(whole, random_samples(whole, SAMPLES)), fails, seconds)
    text = texts.get(id(case)) or again(case, finding, sides, rounding) or finding.text
    files = _files(case, finding, rounding)
    model, inputs = folder / f"{stem}{'.tflite' if 'tflite' in files else '.ekc'}", folder / f"{stem}.npz"
    command = _command(finding, model, inputs, _board_of(finding.side, sides))
    listing = described(case.net)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(model, files["tflite"] if "tflite" in files else files["ekc"])
    write_file(inputs, files["npz"])
    write_file(folder / f"{stem}.txt", f"{finding}\n\n{text}\n\n{listing}\n\n{command}\n".encode())
    return Written(finding, model, inputs, command, first_line(text), len(case.net.views), listing)


def _command(finding: Finding, model: Path, inputs: Path, board: str) -> str:
    """What shows a finding again. Plans by rows are drawn by chance: `verify` has none of them."""
    named = f" --board {board}" if board else ""
    goal = goal_of(finding.kind, finding.seed)
    options = f" --optimise {goal}" if model.suffix == ".ekc" and goal in ("size", "ram") else ""
    options += " --allow-float" if model.suffix == ".tflite" and finding.kind == FLOAT else ""
    if not options:
        return f"edgekc verify {model} --data {inputs}{named}"
    folder = model.with_suffix("")
    return f"edgekc compile {model} -o {folder}{options}{named} && edgekc verify {folder} --data {inputs}"


def again(case: Case, finding: Finding, sides: Sides, rounding: str) -> str:
    """What is wrong with a case on the finding's side; empty where it is refused or right."""
    try:
        s = subject(case.net, finding.form, rounding=rounding, samples=case.samples)
    except UnsupportedError:
        return ""
    except Exception as error:
        name = type(error).__name__
        return f"{name}: {error}" if finding.side == COMPILER and finding.text.startswith(f"{name}:") else ""
    if not all(np.isfinite(v).all() for v in s.values.values()):  # a smaller network may leave what float defines
        return ""
    found = [f for f in sides.check([s], finding.side).findings if f.side == finding.side]
    return found[0].text if found else ""


def _files(case: Case, finding: Finding, rounding: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    s: Subject | None = None
    if finding.side == COMPILER or (finding.side in (LITERT, IMPORTED) and finding.form != NEAREST):
        files["tflite"] = case.net.model()
    else:
        s = subject(case.net, finding.form, rounding=rounding, samples=case.samples)
        files["ekc"] = s.data
    columns = (
        s.inputs if s is not None else [np.concatenate(list(column)) for column in zip(*case.samples, strict=True)]
    )
    buffer = io.BytesIO()
    arrays: dict[str, np.ndarray] = {f"x{i}": x for i, x in enumerate(columns)}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return {**files, "npz": buffer.getvalue()}


def _board_of(side: str, sides: Sides) -> str:
    """A board with the kernels of a side; empty: any."""
    if any(board.name == side for board in sides.boards):
        return side
    family = next((f for f in families() if f.name == side), None)
    if family is None:
        return ""
    boards = [load_board(name) for name in list_boards()]
    alike = [b for b in boards if b.features & asked_features() == family.features and b.emulators]
    return alike[0].name if alike else ""
