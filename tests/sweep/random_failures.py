"""What a test says of findings of the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from random_sweep import rounding

from edgekc.emulate import litert
from edgekc.fuzzing.building import Kernels
from edgekc.fuzzing.comparing import Finding
from edgekc.fuzzing.failures import reported
from edgekc.fuzzing.interpreter import Interpreter
from edgekc.fuzzing.sides import Sides

MOST = 3  # findings that are made small; the others are named


def explained(findings: Sequence[Finding], kernels: Kernels, folder: Path) -> str:
    """The findings, and the first ones made small, with the files that were written of them."""
    found = litert.find(rounding())
    interpreter = None if found is None else Interpreter(found)
    sides = Sides(kernels, (), interpreter, (), folder / "again")
    lines = [f"{len(findings)} of the random networks are wrong:"]
    for i, finding in enumerate(findings[:MOST]):
        done = reported(finding, sides, folder, f"wrong-{i}", rounding())
        lines += [str(finding), f"a part of it that fails too: {done.command}", done.listing]
    if interpreter is not None:
        interpreter.close()
    return "\n".join([*lines, *map(str, findings[MOST:])])
