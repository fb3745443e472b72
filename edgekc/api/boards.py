"""The boards there are, which of them hold a model, and which tools are on this machine."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board, load_board
from ..boards.board import list_boards as board_names
from ..errors import UsageError
from ..firmware import toolchain
from ..measure import which_boards
from ..names import nearest
from ..progress import Progress, silent
from ..terminal import styled
from .compiling import packed_bytes
from .model import load


@dataclass(frozen=True, slots=True)
class Boards(tables.Shown):
    """Boards, one a line: name, core, flash, RAM, and how each is reached."""

    found: tuple[Board, ...]

    def __iter__(self) -> Iterator[Board]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def to_dict(self) -> dict[str, Any]:
        """`boards` is what `edgekc boards --json` prints."""
        return {"boards": [board.to_dict() for board in self.found]}

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Name, core, bytes of flash and of RAM (empty: the board sets no limit), and ways to reach it, of each board.

        A pipe gets them with tabs between.
        """
        return tuple(
            (b.name, b.core.name, *(str(n or "") for n in (b.flash_bytes, b.ram_bytes)), ",".join(b.reached))
            for b in self.found
        )

    def parts(self) -> list[tables.Part]:
        """One table, a line for each."""
        number = tables.number
        sheet = tables.Sheet("", "board", "core", number("flash"), number("RAM"), tables.words("reached by"))
        for b in self.found:
            sizes = (tables.short_size(b.flash_bytes), tables.short_size(b.ram_bytes))
            sheet.add(b.name, b.core.name, *sizes, " ".join(b.reached))
        return [sheet]


def list_boards(*, core: str = "", reach: str = "") -> Boards:
    """The boards that come with edgekc.

    Args:
        core: only those with this core; a pattern such as `cortex-m*`.
        reach: only those that this reaches: a flash tool, an emulator, or `library`.

    Raises:
        UsageError: no board has such a core, or is reached so; names what there is.
    """
    boards = [load_board(name) for name in board_names()]
    if core:
        boards = _chosen(boards, core, "core", lambda b: (b.core.name,))
    if reach:
        boards = _chosen(boards, reach, "way to reach it", lambda b: (*b.reached, *b.flash_tools))
    return Boards(tuple(boards))


def _chosen(boards: list[Board], wanted: str, what: str, of: Callable[[Board], tuple[str, ...]]) -> list[Board]:
    known = sorted({value for name in board_names() for value in of(load_board(name))})
    if not fnmatch.filter(known, wanted):
        raise UsageError(f"no board has the {what} {wanted!r}", fix=nearest(wanted, known, "there are"))
    return [board for board in boards if fnmatch.filter(of(board), wanted)]


@dataclass(frozen=True, slots=True)
class Fits(tables.Shown):
    """Which boards hold a model, and by how many bytes the others are too small.

    Attributes:
        model: what was asked about.
        rows: a board each.
        left_out: names of boards that nobody asked for and for which no compiler is here.
    """

    model: str
    rows: tuple[which_boards.Fit, ...]
    left_out: tuple[str, ...] = ()

    @property
    def boards(self) -> tuple[str, ...]:
        """Names of those that hold it."""
        return tuple(row.board for row in self.rows if row.fits)

    def to_dict(self) -> dict[str, Any]:
        """`rows` is what `edgekc fit --json` prints."""
        return {"model": self.model, "rows": [row.as_json() for row in self.rows], "left_out": list(self.left_out)}

    def parts(self) -> list[tables.Part]:
        """One table, and what to do where no board holds it."""
        number = tables.number
        sheet = tables.Sheet(
            f"{self.model} on boards", "board", "core", number("flash"), number("RAM"), tables.words("")
        )  # fmt: skip
        for row in self.rows:
            lacks = [
                f"{what} lacks {size:,} bytes"
                for what, size in (("flash", row.flash_missing), ("RAM", row.ram_missing))
                if size
            ]
            verdict = styled("fits", "green") if row.fits else styled(", ".join(lacks), "red")
            flash, ram = tables.size(row.needs.flash_bytes), tables.size(row.needs.ram_bytes)
            sheet.add(row.board, row.core, flash, ram, verdict)
        shown: list[tables.Part] = [
            sheet,
            "RAM: arena, input, output, and the most that the stack can take (see measure).",
        ]
        if self.left_out:
            shown.append(f"No compiler is here for {', '.join(self.left_out)}: see edgekc doctor.")
        if not self.boards:
            advice = "compress the model (edgekc compress --recipe), or take a smaller input."
            shown.append(f"No board holds it: {advice}")
        return shown


def find_boards(
    model: Any, boards: Sequence[str | Path | Board] = (), *, allow_float: bool = False, progress: Progress = silent
) -> Fits:
    """The bare-metal boards whose flash and RAM hold a model. It is linked once for each kind of core.

    Args:
        model: what `compile` takes.
        boards: only these. Default: all that come with edgekc, but for those whose compiler is missing.
        allow_float: as in `compile`.
        progress: is told of each board.

    Raises:
        UsageError, ModelError, FormatError, UnsupportedError: as `compile`.
        BoardError: there is no such board.
        ToolError: there is no compiler.
    """
    chosen = [b if isinstance(b, Board) else load_board(b) for b in boards or board_names()]
    source = load(model, allow_float=allow_float)
    bare = [board for board in chosen if board.core.system == "bare"]
    left_out = () if boards else tuple(b.name for b in bare if not toolchain.has_compiler(b))
    if len(left_out) == len(bare):
        left_out = ()  # the error says what to install
    asked = [board for board in chosen if board.name not in left_out]
    rows = which_boards.fit_boards(packed_bytes(source, allow_float=allow_float), asked, progress)
    return Fits(Path(source.where).name, rows, left_out)


@dataclass(frozen=True, slots=True)
class Tools(tables.Shown):
    """Which compilers and emulators are on this machine, and the command that adds each of the others."""

    findings: tuple[toolchain.Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing that is required is missing."""
        return all(finding.found or not finding.required for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """`findings` is what `edgekc doctor --json` prints."""
        return {"findings": [dataclasses.asdict(finding) for finding in self.findings]}

    def parts(self) -> list[tables.Part]:
        """One table, a line for each."""
        words = tables.words
        sheet = tables.Sheet("edgekc doctor", "", words("tool"), words("for"), words("found, or how to add it"))
        for finding in self.findings:
            if finding.found:
                mark, last = styled("yes", "green"), styled(finding.version or finding.path, "")
            else:
                mark = styled("NO", "red") if finding.required else styled("no", "yellow")
                last = styled(finding.install, "bold")
            tool = styled(finding.tool, "")
            if finding.required:
                tool.append(" (required)", "dim")
            sheet.add(mark, tool, finding.purpose, last)
        return [sheet]


def check_tools() -> Tools:
    """Look for compilers and emulators. They are asked for their versions, which takes a moment."""
    return Tools(tuple(toolchain.doctor()))
