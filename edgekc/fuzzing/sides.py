"""All that computes a network: the definition, the file as imported, LiteRT, kernels here and on boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..boards.board import Board
from ..errors import UnsupportedError
from . import comparing, device, plans
from .building import Family, Job, Kernels, families, jobs_of
from .comparing import IMPORTED, LITERT, Finding
from .interpreter import Interpreter
from .subjects import NEAREST, Subject

COMPILER = "the compiler"  # the side of what is no difference, but an error of ours


@dataclass
class Checked:
    """What a batch of networks gave.

    Attributes:
        runs: of a network on a family of kernels or a board that chooses others than those before.
        sides: how many networks each side computed.
        unheld: networks that LiteRT refused.
        small: networks for which a board has no room.
        refused: names of networks that the planner refused, as unsupported.
    """

    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    sides: dict[str, int] = field(default_factory=dict)
    unheld: int = 0
    small: int = 0
    refused: set[str] = field(default_factory=set)

    def count(self, side: str, networks: int = 1) -> None:
        self.sides[side] = self.sides.get(side, 0) + networks


@dataclass(frozen=True)
class Sides:
    """What computes.

    Attributes:
        kernels: of this machine, by their flags.
        boards: whose emulators run the networks too.
        interpreter: LiteRT; None: it is not installed.
        flags: for the code on boards.
        folder: for what is built; its content goes.
    """

    kernels: Kernels
    boards: tuple[Board, ...]
    interpreter: Interpreter | None
    flags: tuple[str, ...]
    folder: Path

    def check(self, subjects: Sequence[Subject], side: str = "") -> Checked:
        """Compute networks, and compare.

        Args:
            side: only this one: LITERT, IMPORTED, or the name of a family or a board.

        Raises:
            ToolError: there is no compiler or emulator for a board.
        """
        out = Checked()
        named = {s.name: s for s in subjects}
        for s in subjects:
            self._check_file(s, side, out)
        chosen = [f for f in families() if side in ("", f.name)]
        jobs = [job for s in subjects for job in _jobs(s, chosen, out)]
        out.runs += len(jobs)
        for job in jobs:
            out.count(job.family.name)
        if jobs:
            out.findings += comparing.run_jobs(jobs, named, self.kernels, self.folder / "host")
        for board in self.boards:
            if side in ("", board.name):
                self._check_board(board, [j for s in subjects for j in _jobs(s, [device.family_of(board)], out)], named, out)  # fmt: skip  # noqa: E501
        return out

    def _check_file(self, s: Subject, side: str, out: Checked) -> None:
        """Against what the file says, where the weights are still those of the file."""
        if s.form == "wide":
            return
        if side in ("", IMPORTED):
            out.count(IMPORTED)
            if text := comparing.differs_from_import(s):
                out.findings.append(comparing.found(s, IMPORTED, text))
        if self.interpreter is None or s.form == NEAREST or side not in ("", LITERT):
            return
        try:
            values = comparing.litert_values(s, self.interpreter)
        except RuntimeError:
            out.unheld += 1
            return
        out.count(LITERT)
        if text := comparing.differs_from_litert(s, values):
            out.findings.append(comparing.found(s, LITERT, text))

    def _check_board(self, board: Board, jobs: Sequence[Job], named: dict[str, Subject], out: Checked) -> None:
        done, stopped, small = device.run(board, jobs, self.folder / board.name, self.flags)
        out.count(board.name, len(done) + len(stopped))
        out.runs += len(done)
        out.small += len(small)
        for job, rows in done:
            s = comparing.subject_of(job, named)
            if text := comparing.differs_from_definition(s, job, rows):
                out.findings.append(comparing.found(s, board.name, text))
        out.findings += [comparing.found(comparing.subject_of(job, named), board.name, text) for job, text in stopped]


def _jobs(s: Subject, chosen: Sequence[Family], out: Checked) -> list[Job]:
    try:
        return [plans.planned(job, s.net.kind, s.net.seed) for job in jobs_of(s.name, s.data, s.inputs, chosen)]
    except UnsupportedError:
        out.refused.add(s.name)
        return []
    except Exception as error:  # the planner or the reader: no user gave this network
        out.findings.append(comparing.found(s, COMPILER, f"{type(error).__name__}: {error}"))
        return []
