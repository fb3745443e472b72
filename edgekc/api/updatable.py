"""Programs that take updates, and updates of the boards that they run on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board, load_board
from ..console.protocol import Console, Line
from ..console.session import Way, check_link, default_link, open_line, patience, serial_line
from ..errors import UsageError
from ..files.output import FIRMWARE_FILE, read_manifest
from ..firmware.build import Optimise
from ..firmware.folder import build_firmware, firmware_folder, open_updatable
from ..firmware.updates import Updates
from ..flashing.run import choose_tool, make_job
from ..progress import Progress, silent
from ..update import keys, package, sending
from .program import Program
from .results import Built
from .updates import read_update


@dataclass(frozen=True, slots=True)
class Installed(tables.Shown):
    """An update that a board has taken.

    Attributes:
        file: of the update.
        where: the board, and its line.
        file_bytes: of the whole file.
        before, now: what the board said of its slots.
    """

    file: str
    where: str
    file_bytes: int
    before: sending.State
    now: sending.State

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc update --json` prints."""
        now = self.now
        return {
            "file": self.file, "where": self.where, "file_bytes": self.file_bytes, "slot": now.slot,
            "sequence_before": self.before.sequence if self.before.slot is not None else None,
            "sequence": now.sequence, "payload_bytes": now.payload_bytes, "payload_sha256": now.payload_hash.hex(),
            "runs": now.runs,
        }  # fmt: skip

    def parts(self) -> list[tables.Part]:
        """What was sent, and what the board holds now."""
        old = f"sequence {self.before.sequence}" if self.before.slot is not None else "no update"
        runs = "runs" if self.now.runs else "holds"
        return [
            f"{self.where}: took {self.file}, {tables.size(self.file_bytes)} bytes",
            f"it had {old}, and {runs} sequence {self.now.sequence} from slot {self.now.slot}",
        ]


def updates_of(program: Program, public_keys: Sequence[str | Path], *, monocypher: str | Path | None = None) -> Updates:
    """Whose updates a program of the network takes: of the keys' owners, with the network's identity.

    Args:
        public_keys: files of `make_keys`; their ids are 1, 2, ... in this order.
        monocypher: a folder of Monocypher 4's sources, which check signatures then; None: edgekc's own do.

    Raises:
        UsageError: a file holds no public key, or the folder has no Monocypher.
        ToolError: the package cryptography is missing.
    """
    found = tuple(keys.public_bytes(keys.load_public(Path(path))) for path in public_keys)
    source = None if monocypher is None else Path(monocypher).resolve()
    return Updates(found, package.network_identity(program.manifest), source)


def build_updatable(
    program: Program, public_keys: Sequence[str | Path], *, out: str | Path | None = None, link: str = "",
    optimise: Optimise = "speed", force: bool = False, monocypher: str | Path | None = None,
) -> Built:  # fmt: skip
    """Build the board's program that answers the console, and takes updates over it.

    Args:
        public_keys: files of `make_keys` whose owners may sign; their ids are 1, 2, ... in this order.
        out: the folder to write. Default: build/BOARD-LINK-updates below the program's folder.
        link: the console's line; empty: the board's first.
        optimise: what the model's code is compiled for.
        force: overwrite files of an earlier build that were changed.
        monocypher: a folder of Monocypher 4's sources, which check signatures then; None: edgekc's own do.

    Raises:
        BoardError: the board's file does not say where updates go.
        CapacityError, ToolError, UsageError: it cannot be built.
    """
    board, path = program.board, None if out is None else Path(out)
    link = check_link(board, link or default_link(board))
    updates = updates_of(program, public_keys, monocypher=monocypher)
    image = build_firmware(program.folder, board, path, link=link, optimise=optimise, updates=updates, force=force)
    place = firmware_folder(program.folder, board, path, link=link, optimise=optimise, updates=True)
    made = (image.elf, image.map, image.elf.parent / "image.bin")
    return Built(board.name, optimise, place, {file.name: file.stat().st_size for file in made})


def update_device(
    update: str | Path, *, board: str | Path | Board = "", folder: str | Path | None = None, way: Way | None = None,
    progress: Progress = silent,
) -> Installed:  # fmt: skip
    """Send an update to the program on a board, which `build_updatable` has made, and have it run that.

    The file is looked at before anything is sent. A refused one changes nothing, and what ran goes on. An update that
    another sender has left in the middle is given up first.

    Args:
        update: a file of `sign_update`.
        board: a name or file. Default: the one that the folder was compiled for.
        folder: what `compile` wrote, or what `build_updatable` did. Needed where the line needs the program: for RTT,
            and for an emulated board, which is started here.
        way: how the board is reached. Nothing is flashed.
        progress: is told how many bytes were sent.

    Raises:
        FormatError: the file is no whole update, or the board refuses it: the error says why.
        ToolError: the board does not answer, takes no updates, or is being updated by somebody else; its flash fails.
        BoardError, UsageError: the board cannot be reached in this way.
    """
    path = Path(update)
    data = read_update(path)
    sending.check_file(data, str(path))
    way = way or Way()
    with _console(board, None if folder is None else Path(folder), way) as console:
        before, now = sending.send(console, data, where=str(path), progress=progress)
        return Installed(str(path), console.where, len(data), before, now)


@contextmanager
def _console(named: str | Path | Board, folder: Path | None, way: Way) -> Iterator[Console]:
    board = _board(named, folder)
    if way.port or (folder is None and (way.link or default_link(board)) == "uart"):
        link = check_link(board, way.link or "uart")
        line: Line = serial_line(board, way.port, way.timeout_s)
        try:
            yield Console(line, patience(way.timeout_s), f"board {board.name} ({link})")
        finally:
            line.close()
        return
    if folder is None:
        raise UsageError(
            f"the console of {board.name} needs the program", fix="name its folder too, or a serial port with --port"
        )  # fmt: skip
    link = check_link(board, way.link or default_link(board))
    place = folder
    if not (folder / FIRMWARE_FILE).is_file():
        place = firmware_folder(folder, board, None, link=link, optimise=way.optimise, updates=True)
    image, link = open_updatable(place, board)
    emulated = board.probe is None
    tool = "" if emulated else choose_tool(board, way.tool).name
    job = make_job(image, place, probe=way.probe, openocd_config=way.openocd_config, options=way.options)
    with open_line(image, job, link, tool, "", way.timeout_s) as opened:
        yield Console(opened, patience(way.timeout_s), f"board {board.name} ({link})")


def _board(named: str | Path | Board, folder: Path | None) -> Board:
    if isinstance(named, Board):
        return named
    if named:
        return load_board(named)
    if folder is None:
        raise UsageError("which board is it?", fix="name it with --board, or name the folder that it runs")
    if (folder / FIRMWARE_FILE).is_file():
        raise UsageError("which board is it?", where=str(folder), fix="name it with --board")
    return load_board(str(read_manifest(folder)["board"]))


def with_updates(
    way: Way, program: Program, public_keys: Sequence[str | Path], monocypher: str | Path | None = None
) -> Way:
    """The same way, to a program that takes updates; without keys to one that takes none."""
    return replace(way, updates=updates_of(program, public_keys, monocypher=monocypher)) if public_keys else way
