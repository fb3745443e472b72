"""A run of `edgekc fuzz`: networks are drawn, computed on all sides and compared; what differs is made small."""

from __future__ import annotations

import importlib.util
import secrets
import shlex
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..boards.board import Board, load_board
from ..emulate import litert
from ..errors import ToolError, UnsupportedError, UsageError
from ..files.stopping import Stopped
from ..firmware.toolchain import emulator, host_compiler
from ..progress import Log, Progress, silent, unsaid
from .summary import Fuzzed

if TYPE_CHECKING:
    from .comparing import Finding
    from .sides import Sides

SECONDS = 60.0
ALL_FLAGS = (("-O0",), ("-O1",), ("-O2",), ("-O3",), ("-Os",))  # of --flags all
MOST_FINDINGS = 10  # then a run ends
MADE_SMALL = 3  # findings; the others are only named
_FIRST_BATCH, _LARGEST_BATCH = 6, 40
_SHRINKING_S = 40.0
_SEEDS = 1_000_000  # of which one is drawn: short enough to be typed again


@dataclass
class Tally:
    """What is counted while a run goes on; `Fuzzed` says what each is."""

    networks: int = 0
    refused: int = 0
    runs: int = 0
    sides: Counter[str] = field(default_factory=Counter)
    unheld: int = 0
    small: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    first_s: float | None = None
    written: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    def record(self, seed: int, seconds: float) -> Fuzzed:
        """What was counted, as nothing changes it any more."""
        return Fuzzed(
            seed=seed, seconds=seconds, networks=self.networks, refused=self.refused, runs=self.runs,
            sides=dict(self.sides), unheld=self.unheld, small=self.small, operators=dict(self.operators),
            findings=tuple(self.findings), first_s=self.first_s, written=tuple(self.written), notes=tuple(self.notes),
            stopped=self.stopped,
        )  # fmt: skip


def flags_of(text: str) -> tuple[tuple[str, ...], ...]:
    """The sets of flags of `--flags`, which batches take in turn; an empty one: the usual ones."""
    if text == "all":
        return ((), *ALL_FLAGS)
    words = tuple(shlex.split(text))
    if any(not word.startswith("-") for word in words):
        raise UsageError(f"{text!r} are no flags of a compiler", where="--flags", fix='say all, or flags such as "-Os"')
    return (words,)


def fuzz(
    seed: int | None = None,
    *,
    seconds: float | None = None,
    networks: int | None = None,
    boards: Sequence[str | Path | Board] = (),
    flags: str = "",
    ops: Sequence[str] = (),
    out: str | Path = Path(),
    first: bool = False,
    shrink_s: float = _SHRINKING_S,
    log: Log = unsaid,
    progress: Progress = silent,
) -> Fuzzed:
    """Draw random networks, and hold everything that computes them against the numpy definition.

    Args:
        seed: the same seed and version draw the same networks. None: a new one.
        seconds: after which no further batch begins. Default: 60, or no limit where `networks` is given.
        networks: after which it ends; None: no limit.
        boards: whose emulators run the networks too.
        flags: of the compiler: "" takes the sanitizers where this machine has them, and boards' own flags; "all" these
            and each optimisation level, batch by batch.
        ops: only networks with one of these operators.
        out: the folder for what is found: a model, its inputs and the layers of each that was made small.
        first: end at the first difference.
        shrink_s: for making each finding small.
        log: is told the seed, before anything is drawn.
        progress: is told how far it is.

    Returns:
        What was compared and what differed. An interrupt ends the run, and what was found until then is returned.

    Raises:
        UsageError: flags, operators or numbers that make no sense.
        ToolError: no compiler, no emulator for a board, or the packages that write networks are missing.
        BoardError: there is no such board.
    """
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    if seconds is None and networks is None:
        seconds = SECONDS
    log(f"seed {seed}")
    tally, begun = Tally(), time.monotonic()
    try:
        check_writer()
        _fuzz(tally, seed, begun, seconds, networks, boards, flags, ops, Path(out), first, shrink_s, progress)
    except (Stopped, KeyboardInterrupt):
        tally.stopped = True
    return tally.record(seed, round(time.monotonic() - begun, 1))


def _fuzz(
    tally: Tally, seed: int, begun: float, seconds: float | None, networks: int | None,
    boards: Sequence[str | Path | Board], flags: str, ops: Sequence[str], out: Path, first: bool, shrink_s: float,
    progress: Progress,
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
        tally.notes.append(f"LiteRT was not asked: it is not installed; {litert.INSTALL}")
    with tempfile.TemporaryDirectory(prefix="edgekc-fuzz-") as folder:
        place = Path(folder)
        for own in levels:
            if said := _refused(own, place):
                raise UsageError(f"{' '.join(own)}: {said}", where="--flags", fix="name flags that the compilers know")
        loop = _Loop(tally, seed, levels, chosen, found, place, out, shrink_s)
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
        self, tally: Tally, seed: int, levels: Sequence[tuple[str, ...]], boards: tuple[Board, ...],
        found: litert.Interpreter | None, folder: Path, out: Path, shrink_s: float,
    ) -> None:  # fmt: skip
        from .building import Kernels
        from .interpreter import Interpreter

        self.tally, self.seed, self.folder, self.out, self.shrink_s = tally, seed, folder, out, shrink_s
        self.boards = boards
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
            if len(self.tally.findings) >= self.most or (seconds is not None and left <= 0):
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
            drawn = drawing.draw(self.seed, number, ops)
            try:
                s = subject(drawn.net, drawn.form, rounding=self.rounding)
            except UnsupportedError:
                self.tally.refused += 1
                continue
            except Exception as error:  # no user made this network, and its file is sound: it is our own fault
                text = f"{type(error).__name__}: {error}"
                findings.append(Finding(drawn.net.kind, drawn.net.seed, drawn.form, COMPILER, text))
                continue
            subjects.append(s)
            for op in {node.op for node in s.graph.nodes}:
                self.tally.operators[op] += 1
        checked = sides.check(subjects)
        self.tally.networks += len(subjects) - len(checked.refused)
        self.tally.refused += len(checked.refused)
        self.tally.runs += checked.runs
        self.tally.unheld += checked.unheld
        self.tally.small += checked.small
        self.tally.sides.update(checked.sides)
        wrong: dict[tuple[str, int, str], list[Finding]] = {}
        for finding in [*findings, *checked.findings]:
            wrong.setdefault((finding.kind, finding.seed, finding.form), []).append(finding)
        for alike in wrong.values():
            self._take(alike, sides)

    def _take(self, alike: Sequence[Finding], sides: Sides) -> None:
        """What is wrong with one network, on one or several sides; the first is made small."""
        from .failures import reported

        if self.tally.first_s is None:
            self.tally.first_s = round(time.monotonic() - self.begun, 1)
        finding, *others = alike
        also = sorted({f.side for f in others})
        self.tally.findings.append(f"{finding}; also: {', '.join(also)}" if also else str(finding))
        if len(self.tally.written) >= min(MADE_SMALL, self.most):
            return
        stem = f"fuzz-{self.seed}-{len(self.tally.written) + 1}"
        done = reported(finding, sides, self.out, stem, self.rounding, self.shrink_s)
        self.tally.written.append({
            "finding": self.tally.findings[-1], "side": finding.side, "also": also,
            "flags": " ".join(sides.kernels.flags),
            "model": str(done.model), "inputs": str(done.inputs), "command": done.command, "text": done.text,
            "layers": done.layers, "listing": done.listing.splitlines(),
        })  # fmt: skip
