"""An app's firmware and a recording to the estimated cycles of a second: `make cycles` of a project runs this module.

The emulator counts each block of code between a call of the app and its return, and the core's published timing weighs
them, as for `edgekc measure` (docs/measuring.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boards.board import Board, load_board
from ..emulate.device import elf_command
from ..emulate.plugin import READ, WRITE, Region, Unavailable, count
from ..errors import EdgekcError, ToolError, UsageError
from ..firmware.elf import read_elf
from ..firmware.toolchain import qemu_name, qemu_path
from ..measure.cycles.estimate import estimate
from ..measure.cycles.timing import TIMINGS, Cycles
from ..terminal import say

_TIMEOUT_S = 600.0
_CALLED = {"listen": "front end", "decide": "network"}
_EVERYTHING = Region("memory", 0, 1 << 32, READ | WRITE)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a function of the app, in the mean of all its calls.

    Attributes:
        calls: how many there were.
        instructions: of a call, exact.
        cycles: of a call, estimated, without wait states.
    """

    calls: int
    instructions: float
    cycles: Cycles


def cost(elf: Path, board: Board, recording: Path, function: str) -> Cost:
    """What the calls of ek_app_FUNCTION_run take while the firmware reads a recording.

    Args:
        elf: the firmware, linked with -g.
        board: it is for this board, which qemu emulates.
        recording: becomes input.bin.
        function: such as `listen`.

    Raises:
        ToolError: qemu or capstone is missing, the core has no published timing, or the firmware fails.
        UsageError: there is no such file.
    """
    for path, fix in ((elf, "run make first"), (recording, "pass INPUT=FILE")):
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix=fix)
    timing = TIMINGS.get(board.core.name)
    if timing is None:
        raise ToolError(f"no timing of {board.core.name} is known", where=f"board {board.name}")
    if importlib.util.find_spec("capstone") is None:
        raise ToolError("capstone is not installed", where="make cycles", fix="pip install 'edgekc[arm]'")

    def run(arguments: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="edgekc-cycles-") as folder:
            shutil.copyfile(recording, Path(folder, "input.bin"))
            done = subprocess.run(
                elf_command(elf.absolute(), board, arguments), cwd=folder, capture_output=True, text=True,
                stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
            result = Path(folder, "result.txt")
            if done.returncode != 0:
                said = done.stderr.strip() or (result.read_text() if result.is_file() else "it says nothing")
                raise ToolError(f"the firmware failed: {said.splitlines()[0]}", where=str(elf))

    found = count(elf, f"ek_app_{function}", [], qemu_path(board) or qemu_name(board), run, regions=[_EVERYTHING])
    if isinstance(found, Unavailable):
        raise ToolError(found.reason, where=str(elf))
    calls = len(found.instructions)
    whole = estimate(timing, read_elf(elf), found).total
    return Cost(calls, sum(found.instructions) / calls, whole * (1 / calls))


def main(words: Sequence[str]) -> int:
    """Prints what a second takes, a line for each function; an exit code."""
    parser = argparse.ArgumentParser(prog="python -m edgekc.apps.cycles", description=main.__doc__)
    parser.add_argument("elf", type=Path, help="the firmware")
    parser.add_argument("--board", required=True)
    parser.add_argument("--input", type=Path, required=True, help="what becomes input.bin")
    parser.add_argument("calls", nargs="+", metavar="FUNCTION=CALLS", help="of a second")
    given = parser.parse_args(words)
    try:
        board = load_board(given.board)
        everything = 0.0
        for pair in given.calls:
            function, _, rate = pair.partition("=")
            found = cost(given.elf, board, given.input, function)
            often = float(rate)
            cycles = found.cycles * often
            everything += cycles.likely
            estimated = f"{cycles.likely:,.0f} estimated cycles ({cycles.low:,.0f} to {cycles.high:,.0f})"
            instructions = f"{found.instructions * often:,.0f} instructions of a second"
            say(f"{_CALLED.get(function, function)}: {instructions}, {estimated}")
        say(f"together {everything:,.0f} estimated cycles of a second on a {board.core.name} without wait states")
    except (EdgekcError, ValueError) as error:
        say(f"edgekc: error: {error}", err=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
