"""A run of `edgekc fuzz`: networks are drawn, computed on all sides and compared; what differs is made small."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..boards.board import Board, load_board
from ..emulate import litert
from ..errors import ToolError, UnsupportedError, UsageError
from ..files.stopping import Stopped
from ..firmware.toolchain import emulator, host_compiler
from ..progress import Progress, silent

if TYPE_CHECKING:
    from .comparing import Finding
    from .sides import Sides

SECONDS = 60.0
ALL_FLAGS = (("-O0",), ("-O1",), ("-O2",), ("-O3",), ("-Os",))  # of --flags all
MOST_FINDINGS = 10  # then a run ends
MADE_SMALL = 3  # findings; the others are only named
_FIRST_BATCH, _LARGEST_BATCH = 6, 40
_SHRINKING_S = 40.0


@dataclass
class Run:
    """What a run did.

    Attributes:
        seed: of the run.
        networks: that were compared.
        refused: that the compiler refused, as it says.
        runs: of a network on a family of kernels or a board that chooses others than those before.
        sides: how many networks each side computed.
        unheld: networks that LiteRT refused.
        small: networks for which a board has no room.
        operators: of the compiled networks: how many networks have each.
        seconds: in all.
        findings: what is wrong, a line for each network.
        first_s: seconds until the first of them, before it was made small.
        written: the files of those that were made small, and the command that shows each again.
        notes: what was not compared, and why.
        stopped: ended by the user before its time.
    """

    seed: int
    networks: int = 0
    refused: int = 0
    runs: int = 0
    sides: dict[str, int] = field(default_factory=dict)
    unheld: int = 0
    small: int = 0
    operators: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    first_s: float | None = None
    written: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def flags_of(text: str) -> tuple[tuple[str, ...], ...]:
    """The sets of flags of `--flags`, which batches take in turn; an empty one: the usual ones."""
    if text == "all":
        return ((), *ALL_FLAGS)
    words = tuple(shlex.split(text))
    if any(not word.startswith("-") for word in words):
        raise UsageError(f"{text!r} are no flags of a compiler", where="--flags", fix='say all, or flags such as "-Os"')
    return (words,)


def fuzz(
    seed: int,
    *,
    seconds: float | None = SECONDS,
    networks: int | None = None,
    boards: Sequence[str | Path | Board] = (),
    flags: str = "",
    ops: Sequence[str] = (),
    out: Path = Path(),
    first: bool = False,
    shrink_s: float = _SHRINKING_S,
    progress: Progress = silent,
) -> Run:
    """Draw random networks, and hold everything that computes them against the numpy definition.

    Args:
        seed: the same seed and version draw the same networks.
        seconds: after which no further batch begins; None: no limit.
        networks: after which it ends; None: no limit.
        boards: whose emulators run the networks too.
        flags: of the compiler: "" takes the sanitizers where this machine has them, and boards' own flags; "all" these
            and each optimisation level, batch by batch.
        ops: only networks with one of these operators.
        out: the folder for what is found.
        first: end at the first difference.
        shrink_s: for making each finding small.
        progress: is told how far it is.

    Raises:
        UsageError: flags, operators or numbers that make no sense.
        ToolError: no compiler, no emulator for a board, or the packages that write networks are missing.
        BoardError: there is no such board.
    """
    run, begun = Run(seed), time.monotonic()
    try:
        check_writer()
        _fuzz(run, begun, seconds, networks, boards, flags, ops, out, first, shrink_s, progress)
    except (Stopped, KeyboardInterrupt):
        run.stopped = True
    run.seconds = round(time.monotonic() - begun, 1)
    return run


def _fuzz(
    run: Run, begun: float, seconds: float | None, networks: int | None, boards: Sequence[str | Path | Board],
    flags: str, ops: Sequence[str], out: Path, first: bool, shrink_s: float, progress: Progress,
) -> None:  # fmt: skip
    from . import drawing

    drawing.check_operators(ops)
    levels = flags_of(flags)
    chosen = tuple(b if isinstance(b, Board) else load_board(b) for b in boards)
    for board in chosen:
        emulator(board)
    host_compiler()
    if out.exists() and not out.is_dir():
        raise UsageError("it is a file", where=f"-o {out}", fix="name a folder")
    found = litert.find(None)
    if found is None:
        run.notes.append(f"LiteRT was not asked: it is not installed; {litert.INSTALL}")
    with tempfile.TemporaryDirectory(prefix="edgekc-fuzz-") as folder:
        place = Path(folder)
        for own in levels:
            if said := _refused(own, place):
                raise UsageError(f"{' '.join(own)}: {said}", where="--flags", fix="name flags that the compilers know")
        loop = _Loop(run, levels, chosen, found, place, out, shrink_s)
        loop.most = 1 if first else MOST_FINDINGS
        try:
            loop.go(begun, seconds, networks, ops, progress)
        finally:
            loop.close()


def check_writer() -> None:
    """ToolError where what writes the networks as .tflite files is not installed."""
    missing = [name for name in ("flatbuffers", "tflite") if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolError(
            f"networks are drawn as .tflite files, and {' and '.join(missing)} is not installed",
            where="fuzz",
            fix="pip install 'edgekc[fuzz]'",
        )


def default_flags(folder: Path) -> tuple[str, ...]:
    """The sanitizers, where this machine's compiler has them; else plain code."""
    from .compiling import SANITIZE

    return ("-O0",) if _refused(SANITIZE, folder) else SANITIZE


def _refused(flags: Sequence[str], folder: Path) -> str:
    """What this machine says of a small program by these flags; empty: it runs."""
    probe, program = folder / "probe.c", folder / "probe"
    probe.write_text("int main(void) { return 0; }\n")
    for words in ([*host_compiler().command, *flags, str(probe), "-o", str(program)], [str(program)]):
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            return next(iter(done.stderr.strip().splitlines()), f"it ended with {done.returncode}")
    return ""


class _Loop:
    """The batches of one run. It keeps what several batches share: kernels that are compiled, and LiteRT's process."""

    def __init__(
        self, run: Run, levels: Sequence[tuple[str, ...]], boards: tuple[Board, ...],
        found: litert.Interpreter | None, folder: Path, out: Path, shrink_s: float,
    ) -> None:  # fmt: skip
        from .building import Kernels
        from .interpreter import Interpreter

        self.run, self.folder, self.out, self.shrink_s, self.boards = run, folder, out, shrink_s, boards
        self.begun = 0.0  # by time.monotonic
        self.levels, self.most = levels, MOST_FINDINGS
        usual = default_flags(folder)
        self.kernels = [Kernels(folder / f"kernels_{i}", flags or usual) for i, flags in enumerate(levels)]
        self.interpreter = None if found is None else Interpreter(found)
        self.rounding = "tflite" if found is None or "litert" in found.title else "double"

    def close(self) -> None:
        if self.interpreter is not None:
            self.interpreter.close()

    def go(
        self, begun: float, seconds: float | None, networks: int | None, ops: Sequence[str], progress: Progress
    ) -> None:
        self.begun = begun
        number, batch, size = 0, 0, _FIRST_BATCH
        while networks is None or number < networks:
            count = size if networks is None else min(size, networks - number)
            before = time.monotonic()
            spent = before - begun
            rate = 60 * number / spent if number else 0.0
            done = min(int(spent), int(seconds)) if seconds is not None else number
            progress(f"{number:,} networks, {rate:,.0f} a minute", done, int(seconds or networks or 0))
            self._batch(range(number, number + count), batch, ops)
            number, batch = number + count, batch + 1
            took, left = time.monotonic() - before, (seconds or 0) - (time.monotonic() - begun)
            if len(self.run.findings) >= self.most or (seconds is not None and left <= 0):
                return
            size = _LARGEST_BATCH if batch > 1 else 2 * _FIRST_BATCH
            if seconds is not None:  # batches that end in time
                size = max(1, min(size, int(count * left / max(took, 0.1))))

    def _batch(self, numbers: range, batch: int, ops: Sequence[str]) -> None:
        from . import drawing
        from .comparing import Finding
        from .sides import COMPILER, Sides
        from .subjects import subject

        level = batch % len(self.levels)
        sides = Sides(self.kernels[level], self.boards, self.interpreter, self.levels[level], self.folder)
        subjects, findings = [], []
        for number in numbers:
            drawn = drawing.draw(self.run.seed, number, ops)
            try:
                s = subject(drawn.net, drawn.form, rounding=self.rounding)
            except UnsupportedError:
                self.run.refused += 1
                continue
            except Exception as error:  # no user made this network, and its file is sound: it is our own fault
                text = f"{type(error).__name__}: {error}"
                findings.append(Finding(drawn.net.kind, drawn.net.seed, drawn.form, COMPILER, text))
                continue
            subjects.append(s)
            for op in {node.op for node in s.graph.nodes}:
                self.run.operators[op] = self.run.operators.get(op, 0) + 1
        checked = sides.check(subjects)
        self.run.networks += len(subjects) - len(checked.refused)
        self.run.refused += len(checked.refused)
        self.run.runs += checked.runs
        self.run.unheld += checked.unheld
        self.run.small += checked.small
        for side, count in checked.sides.items():
            self.run.sides[side] = self.run.sides.get(side, 0) + count
        wrong: dict[tuple[str, int, str], list[Finding]] = {}
        for finding in [*findings, *checked.findings]:
            wrong.setdefault((finding.kind, finding.seed, finding.form), []).append(finding)
        for alike in wrong.values():
            self._take(alike, sides)

    def _take(self, alike: Sequence[Finding], sides: Sides) -> None:
        """What is wrong with one network, on one or several sides; the first is made small."""
        from .failures import reported

        if self.run.first_s is None:
            self.run.first_s = round(time.monotonic() - self.begun, 1)
        finding, *others = alike
        also = sorted({f.side for f in others})
        self.run.findings.append(f"{finding}; also: {', '.join(also)}" if also else str(finding))
        if len(self.run.written) >= min(MADE_SMALL, self.most):
            return
        stem = f"fuzz-{self.run.seed}-{len(self.run.written) + 1}"
        done = reported(finding, sides, self.out, stem, self.rounding, self.shrink_s)
        self.run.written.append({
            "finding": self.run.findings[-1], "side": finding.side, "also": also,
            "flags": " ".join(sides.kernels.flags),
            "model": str(done.model), "inputs": str(done.inputs), "command": done.command, "text": done.text,
            "layers": done.layers, "listing": done.listing.splitlines(),
        })  # fmt: skip
