"""Every way a user's input can be wrong: what happened, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence


class EdgekcError(Exception):
    """Base of all errors that are the user's to fix; the command line prints one line and exits with 2.

    Args:
        what: what is wrong, with the offending value.
        where: file, operator, tensor or key it is about; empty when `what` says it.
        fix: what the user can do; empty when `what` makes it obvious.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        line = f"{where}: {what}" if where else what
        super().__init__(f"{line}; {fix}" if fix else line)


class ModelError(EdgekcError):
    """The model file is damaged, or says something that cannot be true."""


class UnsupportedError(EdgekcError):
    """The model is sound, and uses an operator, type or attribute that edgekc does not have.

    Attributes:
        operator: index in the model of the operator that it is about; None: of no single one, or not known.
        tensor: name in the model of what that operator computes; empty: not known.
    """

    operator: int | None = None
    tensor: str = ""

    @property
    def obstacles(self) -> tuple[UnsupportedError, ...]:
        """Everything that stands in the way, in the model's order: this alone."""
        return (self,)


class ObstaclesError(UnsupportedError):
    """Several things stand in the way of a sound model; the command line prints one line for each.

    Args:
        found: two or more.
    """

    def __init__(self, found: Sequence[UnsupportedError]) -> None:
        self._found = tuple(found)
        super().__init__(f"{len(self._found)} obstacles: {' | '.join(map(str, self._found))}")

    @property
    def obstacles(self) -> tuple[UnsupportedError, ...]:
        """All of them, in the model's order."""
        return self._found


def refusal(found: Sequence[UnsupportedError]) -> UnsupportedError:
    """One error of what stands in the way, of which there is at least one."""
    return found[0] if len(found) == 1 else ObstaclesError(found)


class FormatError(EdgekcError):
    """An .ekc file is damaged or was written by a newer format version."""


class BoardError(EdgekcError):
    """A board is unknown, or its file is wrong."""


class CapacityError(EdgekcError):
    """The program does not fit into the board's flash or RAM."""


class ToolError(EdgekcError):
    """A compiler or emulator is missing or failed."""


class FlashError(EdgekcError):
    """A board could not be programmed, or what it holds afterwards is not what was sent.

    Args:
        problem: which of the ways that `edgekc.flashing.problems` lists.
    """

    def __init__(self, what: str, *, problem: str, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.problem = problem


class VerifyError(EdgekcError):
    """Two emulators computed different bytes."""


class UsageError(EdgekcError):
    """A command was given an argument that it cannot work with."""
