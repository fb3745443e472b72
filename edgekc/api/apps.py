"""A kind of app, and a model, to a project on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..apps.app import App
from ..apps.write import app_of, check_board, check_target, project_files
from ..boards.board import Board, load_board
from ..errors import UnsupportedError
from ..files.output import write_folder
from ..names import check_name
from ..progress import Progress, silent
from .compiling import DEFAULT_BOARD, compile
from .program import Program


@dataclass(frozen=True, slots=True)
class Project(tables.Shown):
    """An app's project on disk.

    Attributes:
        kind: of app.
        board: it is for this board.
        model: the file that its network was compiled from.
        folder: where it is.
        files: path below it -> bytes.
    """

    kind: str
    board: str
    model: Path
    folder: Path
    files: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc new-app --json` prints."""
        return {
            "kind": self.kind, "board": self.board, "model": str(self.model), "folder": str(self.folder),
            "files": dict(self.files),
        }  # fmt: skip

    def parts(self) -> list[tables.Part]:
        """What was made of what, and what to type next."""
        return [
            f"{self.folder}: {self.kind} app of {self.model.name} for {self.board}, {len(self.files)} files",
            f"try it: make -C {self.folder} run; the rest is in {self.folder / 'README.md'}",
        ]


def new_app(
    kind: str,
    folder: str | Path,
    *,
    model: str | Path | None = None,
    board: str | Path | Board = DEFAULT_BOARD,
    name: str = "net",
    progress: Progress = silent,
) -> Project:
    """Write a project that runs at once on the board's emulator, and is the start of a product.

    Args:
        kind: `edgekc new-app -h` lists them.
        folder: a new or empty one.
        model: a quantised or packed model that fits the kind. Default: the kind's own.
        board: the name of one that comes with edgekc, the path of a board file, or a Board.
        name: of the network in C.
        progress: is told what goes on.

    Raises:
        UsageError: there is no such kind, the folder exists, or the model does not fit the kind.
        BoardError: there is no such board, or apps do not start on it.
        CapacityError, ModelError, FormatError, UnsupportedError: as `compile`.
    """
    app, target = app_of(kind), Path(folder)
    target_board = board if isinstance(board, Board) else load_board(board)
    check_board(target_board)
    check_target(target)
    check_name(name)
    source = app.model() if model is None else Path(model)
    progress(f"compile {source.name}", 0, 1)
    program = _compiled(app, source, target_board, name)
    files = project_files(app, program.files, program.graph, target_board, source)
    write_folder(files, target)
    sizes = {path: len(data) for path, data in sorted(files.items())}
    return Project(kind, target_board.name, source, target, sizes)


def _compiled(app: App, model: Path, board: Board, name: str) -> Program:
    """The network, with its input in rows where the kind and the network have it so."""
    if app.input_rows:
        try:
            return compile(model, board=board, name=name, input_rows=True)
        except UnsupportedError:
            pass  # of the rows, or of the model: then it is said below
    return compile(model, board=board, name=name)
