"""What faults lie in, what notices them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What noticed it; or nothing did, and what followed was right in every byte, or was not.
By = Literal["check", "status", "fault", "watchdog", "stack"]
Verdict = Literal["check", "status", "fault", "watchdog", "stack", "harmless", "wrong"]
BY: Mapping[By, str] = {
    "check": "NAME_check",
    "status": "status of NAME_run",
    "fault": "fault of the core",
    "watchdog": "watchdog",
    "stack": "painted stack",
}

# Bits of the core's registers: bit 0 of PC is none, and APSR has N, Z, C and V on every Cortex-M.
REGISTERS: Mapping[str, range] = {
    **{f"R{i}": range(32) for i in range(13)},
    "SP": range(32),
    "LR": range(32),
    "PC": range(1, 32),
    "APSR": range(28, 32),
}


class NowhereError(Exception):
    """A network has no such bytes: no table, or an arena of 0 bytes."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes of memory that lie together."""

    address: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the faults of one kind.

    Attributes:
        fault: one of KINDS.
        injected: how many.
        detected: by what, and how many: check, status, fault, watchdog, stack.
        harmless: the run that followed, or went on, was right in every byte.
        wrong: it was not, and nothing was noticed.
        silent: where some of these were.
    """

    fault: str
    injected: int
    detected: Mapping[By, int]
    harmless: int
    wrong: int
    silent: tuple[str, ...]
