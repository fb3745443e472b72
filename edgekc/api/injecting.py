"""A network and a board to what becomes of wrong bits, lost RAM and resets: detected, harmless, or wrong in silence."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board, load_board
from ..emulate import host
from ..errors import BoardError, ToolError, UsageError
from ..faults.kinds import KINDS, Kind
from ..faults.records import BY, Row
from ..firmware.build import build_image
from ..names import nearest
from ..progress import Progress, silent
from .compiling import DEFAULT_BOARD, compile, open_program
from .program import Program
from .samples import first_inputs

_EXTREMES = 3  # inputs that `host.samples` begins with: of a network that sees one value little is used


@dataclass(frozen=True, slots=True)
class Injection(tables.Shown):
    """What became of injected faults.

    Attributes:
        network, board, core, compiler: what was built, and for what.
        check: NAME_check is there, and called before each run.
        check_run: NAME_run compares its layer tables.
        seed: drew the faults.
        instructions: of an undamaged NAME_run, for each input.
        rows: one for each kind of fault.
    """

    network: str
    board: str
    core: str
    compiler: str
    check: bool
    check_run: bool
    seed: int
    instructions: tuple[int, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc inject --json` prints."""
        found = asdict(self)
        found["rows"] = [{"what": KINDS[row.fault].what, **asdict(row)} for row in self.rows]
        return found

    def parts(self) -> list[tables.Part]:
        """The table, and where some of the faults were that nothing noticed."""
        number = tables.number
        checks = "--check-run" if self.check_run else "--check" if self.check else "no check"
        sheet = tables.Sheet(
            f"{self.network} on {self.board} ({self.core}, unicorn), {checks}, {self.compiler}, seed {self.seed}",
            "fault", tables.words("what happens"), number("injected"), number("detected"), tables.words("by"),
            number("harmless"), number("wrong in silence"),
        )  # fmt: skip
        for row in self.rows:
            by = ", ".join(f"{BY[name]} {count:,}" for name, count in row.detected.items())
            counts = (row.injected, sum(row.detected.values()), row.harmless, row.wrong)
            injected, detected, harmless, wrong = map(tables.size, counts)
            sheet.add(row.fault, KINDS[row.fault].what, injected, detected, by, harmless, wrong)
        return [sheet, *(f"{row.fault}, wrong in silence: {'; '.join(row.silent)}" for row in self.rows if row.silent)]


def inject(
    model: Any,
    *,
    board: str | Path | Board = "",
    check: bool = False,
    check_run: bool = False,
    faults: Sequence[str] = (),
    runs: int = 100,
    samples: int = 4,
    seed: int = 0,
    data: Any = None,
    progress: Progress = silent,
) -> Injection:
    """Inject faults into a network's program on an emulated core, one at a time, and say what became of each.

    A fault is detected where NAME_check or NAME_run return another status than EKC_OK, the core faults, a call takes
    more than twice its instructions, or the harness finds its painted stack used up. It is harmless where the run that
    follows, or goes on, gives the reference's bytes, and changes no other RAM and no register that a call keeps. What
    is neither is wrong in silence.

    Args:
        model: a Program, a folder that `Program.save` wrote, or what `compile` takes.
        board: of a model, what to compile it for; of a folder, what to build it for. Unicorn must emulate it.
        check: compile with NAME_check, which is called before each run. A program or folder has its check already.
        check_run: the same, and NAME_run compares its tables.
        faults: kinds, as the table names them. Default: all that the network can have.
        runs: faults of each kind.
        samples: inputs, which take turns.
        seed: draws inputs and faults. The same seed gives the same result with the same compiler.
        data: the first samples of this instead of random inputs, as `Program.evaluate` takes it.
        progress: is told what is injected.

    Raises:
        UsageError: a kind that is unknown, or that the network cannot have; a number below 1; or a check is asked of a
            program that was compiled without.
        BoardError: Unicorn does not emulate the board.
        CapacityError, ToolError: it cannot be built or emulated.
        VerifyError: the undamaged program computes something else than the reference.
    """
    for what, count in (("runs", runs), ("samples", samples)):
        if count < 1:
            raise UsageError(f"{what} is {count}, expected at least 1")
    kinds = _kinds(faults)
    if importlib.util.find_spec("unicorn") is None:
        raise ToolError("faults are injected on Unicorn, which is not installed", fix="pip install unicorn")
    from ..faults.session import session
    from ..faults.trial import Trial

    program = _program(model, board, check, check_run)
    _check_board(program.board)
    kinds = _possible(kinds, program, asked=bool(faults))
    manifest = dict(program.manifest)
    checked = manifest.get("check")
    if data is None:
        inputs = host.samples(manifest, _EXTREMES + samples, seed)[_EXTREMES * host.input_bytes(manifest) :]
    else:
        inputs = first_inputs(data, program.graph, manifest, samples)
    progress(f"build the program for {program.board.name}", 0, 0)
    with tempfile.TemporaryDirectory(prefix="edgekc-inject-") as folder:
        # The harness does not call NAME_check, so the linker has to be told that somebody does.
        kept = [f"-Wl,-u,{program.name}_check"] if checked else []
        image = build_image(program.folder, program.board, folder, link_flags=lambda _objects: kept)
        progress("run the undamaged program", 0, 0)
        trial = Trial(image, program.graph, inputs, checked=bool(checked))
        rows = tuple(session(trial, kinds, runs, seed, progress))
    return Injection(
        program.name, program.board.name, program.board.core.name, image.compiler, bool(checked),
        bool(checked and checked["each_run"]), seed, tuple(trial.lengths), rows,
    )  # fmt: skip


def _program(model: Any, board: str | Path | Board, check: bool, check_run: bool) -> Program:
    folder = isinstance(model, (str, Path)) and Path(model).is_dir()
    if not folder and not isinstance(model, Program):
        target = board if isinstance(board, Board) else load_board(board or DEFAULT_BOARD)
        _check_board(target)  # which takes less time than to compile
        return compile(model, board=target, check=check, check_run=check_run)
    program = open_program(model, board=board) if folder else model
    has = program.manifest.get("check", {})
    for option, asked, there in (("check", check, bool(has)), ("check_run", check_run, has.get("each_run"))):
        if asked and not there:
            raise UsageError(
                f"{option} is asked for, and the program was compiled without",
                where=str(model) if folder else program.name,
                fix=f"compile it with --{option.replace('_', '-')}",
            )
    if board and not folder:
        raise UsageError(f"the program is for {program.board.name}", where=program.name, fix="leave board out")
    return program


def _kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    for name in names:
        if name not in KINDS:
            raise UsageError(f"no kind of fault is called {name!r}", fix=nearest(name, list(KINDS)))
    return tuple(KINDS[name] for name in names or KINDS)


def _possible(kinds: Sequence[Kind], program: Program, *, asked: bool) -> tuple[Kind, ...]:
    """The kinds that the program can have; UsageError where it was asked for another."""
    has = {"": True, "state": "state_bytes" in program.manifest, "check": "check" in program.manifest}
    lacking = next((kind for kind in kinds if asked and not has[kind.needs]), None)
    if lacking is not None:
        raise UsageError(f"{lacking.name} faults need a {lacking.needs}, and there is none", where=program.name)
    return tuple(kind for kind in kinds if has[kind.needs])


def _check_board(board: Board) -> None:
    if "unicorn" not in board.emulators:
        raise BoardError(
            "faults are injected on the emulator Unicorn, which does not have this board",
            where=f"board {board.name}",
            fix="use a board that `edgekc boards --reach unicorn` lists",
        )
