"""An app's firmware and its input to estimated cycles, such as those of a second: `make cycles` of a project runs this.

The emulator counts each block of code between a call of the app and its return, and the core's published timing weighs
them, as for `edgekc measure` (docs/measuring.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
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
# A part: calls of a function, perhaps without another one that it calls; how many, or shared among the calls of one.
_PART = re.compile(r"([^=]+)=(\w+)(?:-(\w+))?(?:\*(\d+(?:\.\d+)?)|/(\w+))")
_EVERYTHING = Region("memory", 0, 1 << 32, READ | WRITE)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a function of the app, with all that it calls.

    Attributes:
        calls: how many there were.
        instructions: of a call in the mean, exact.
        cycles: of a call in the mean, estimated, without wait states.
    """

    calls: int
    instructions: float
    cycles: Cycles

    def __mul__(self, times: float) -> Cost:
        """The same calls, each so many times as large."""
        return Cost(self.calls, self.instructions * times, self.cycles * times)

    def less(self, inner: Cost) -> Cost:
        """Without the calls of another function in it.

        The estimate is a sum over instructions, so its ends are subtracted as its middle is.
        """
        each = inner * (inner.calls / self.calls)
        return Cost(self.calls, self.instructions - each.instructions, self.cycles + each.cycles * -1.0)


def cost(elf: Path, board: Board, file: Path, function: str) -> Cost:
    """What the calls of ek_app_FUNCTION_run take while the firmware reads its input.

    Args:
        elf: the firmware, linked with -g.
        board: it is for this board, which qemu emulates.
        file: becomes input.bin.
        function: such as `listen`. It is called by its name, or by ek_port_call.

    Raises:
        ToolError: qemu or capstone is missing, the core has no published timing, or the firmware fails.
        UsageError: there is no such file.
    """
    for path, fix in ((elf, "run make first"), (file, "pass INPUT=FILE")):
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix=fix)
    timing = TIMINGS.get(board.core.name)
    if timing is None:
        raise ToolError(f"no timing of {board.core.name} is known", where=f"board {board.name}")
    if importlib.util.find_spec("capstone") is None:
        raise ToolError("capstone is not installed", where="make cycles", fix="pip install 'edgekc[arm]'")

    def run(arguments: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="edgekc-cycles-") as folder:
            shutil.copyfile(file, Path(folder, "input.bin"))
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


def parts(pairs: Sequence[str], measured: Callable[[str], Cost]) -> dict[str, Cost]:
    """What each part of a unit takes: its name -> instructions and cycles of the unit.

    Args:
        pairs: `NAME=FUNCTION*TIMES`, with TIMES mean calls in a unit, or `NAME=FUNCTION/UNIT`, with all calls shared
            among those of UNIT. `FUNCTION-INNER` leaves out what INNER takes, which FUNCTION calls.
        measured: the cost of a function.

    Raises:
        UsageError: a part is not written so.
    """
    known = cache(measured)
    found = {}
    for pair in pairs:
        read = _PART.fullmatch(pair)
        if read is None:
            raise UsageError("is no part", where=pair, fix="write NAME=FUNCTION[-INNER]*TIMES, or NAME=FUNCTION/UNIT")
        name, function, inner, times, unit = read.groups()
        own = known(function).less(known(inner)) if inner else known(function)
        found[name] = own * (float(times) if times else own.calls / known(unit).calls)
    return found


def main(words: Sequence[str]) -> int:
    """Prints what a second, a frame or a window takes, a line for each part; an exit code."""
    parser = argparse.ArgumentParser(prog="python -m edgekc.apps.cycles", description=main.__doc__)
    parser.add_argument("elf", type=Path, help="the firmware")
    parser.add_argument("--board", required=True)
    parser.add_argument("--input", type=Path, required=True, help="what becomes input.bin")
    parser.add_argument("--of", required=True, metavar="UNIT", help="such as 'a second of audio'")
    parser.add_argument("parts", nargs="+", metavar="NAME=CALLS", help="FUNCTION[-INNER]*TIMES, or FUNCTION/UNIT")
    given = parser.parse_args(words)
    try:
        board = load_board(given.board)
        everything = 0.0
        for name, found in parts(given.parts, partial(cost, given.elf, board, given.input)).items():
            cycles = found.cycles
            everything += cycles.likely
            estimated = f"{cycles.likely:,.0f} estimated cycles ({cycles.low:,.0f} to {cycles.high:,.0f})"
            say(f"{name}: {found.instructions:,.0f} instructions of {given.of}, {estimated}")
        say(f"together {everything:,.0f} estimated cycles of {given.of} on a {board.core.name} without wait states")
    except EdgekcError as error:
        say(f"edgekc: error: {error}", err=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
