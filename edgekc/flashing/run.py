"""Programs one image into one board, reads it back and compares every byte."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board
from ..errors import BoardError, UsageError
from ..files.output import write_file
from ..firmware.build import Image
from ..firmware.flat import flat_image
from ..progress import Log
from . import gdb, openocd, problems, pyocd, remote, stlink, uf2, usb
from .records import Job, Step, Tool

TOOLS: dict[str, Tool] = {
    tool.name: tool for tool in (pyocd.TOOL, openocd.TOOL, stlink.TOOL, uf2.TOOL, remote.SSH, remote.ADB, gdb.TOOL)
}
_ENDING_S = 5.0  # for a server that was told to end
# Python packages whose program may lie beside this interpreter without being on PATH.
_MODULES = {"pyocd"}


@dataclass(frozen=True, slots=True)
class Flashed(tables.Shown):
    """What is on the board now.

    Attributes:
        board, tool: what was flashed, and by what.
        base: address of the first byte.
        size_bytes: of the image.
        read_back: and found equal; False: the tool cannot read.
    """

    board: str
    tool: str
    base: int
    size_bytes: int
    read_back: bool

    def to_dict(self) -> dict[str, Any]:
        """Board, tool, address, bytes, and whether they were read back."""
        return asdict(self)

    def parts(self) -> list[tables.Part]:
        """What was flashed, on one line."""
        checked = "read back and equal" if self.read_back else f"not read back: {self.tool} cannot"
        return [f"{self.board}: {tables.size(self.size_bytes)} bytes at 0x{self.base:08x} by {self.tool}, {checked}"]


def choose_tool(board: Board, name: str = "") -> Tool:
    """The named tool, or the first of the board's that is installed, or the first.

    Raises:
        BoardError: the board cannot be programmed at all.
        UsageError: that tool does not exist.
    """
    known = board.flash_tools
    if not known:
        raise BoardError(
            "it cannot be programmed", where=f"board {board.name}", fix="`edgekc boards` shows how each is reached"
        )
    if name and name not in TOOLS:
        raise UsageError(f"--tool {name}: no such tool", fix="use one of: " + ", ".join(known))
    if name and name not in known and name not in ("gdb", "openocd"):
        raise UsageError(f"--tool {name}: it cannot program {board.name}", fix="use one of: " + ", ".join(known))
    if name:
        return TOOLS[name]
    installed = [TOOLS[tool] for tool in known if all(_program(p) for p in TOOLS[tool].programs)]
    return installed[0] if installed else TOOLS[known[0]]


def make_job(
    image: Image, folder: Path, *, probe: str = "", openocd_config: Path | None = None, options: tuple[str, ...] = ()
) -> Job:
    """Writes what is to be programmed into `folder`, and says where all is.

    Raises:
        CapacityError, ToolError: as flat_image.
        UsageError: openocd_config is not a file.
    """
    if openocd_config is not None and not openocd_config.is_file():
        raise UsageError("no such file", where=str(openocd_config))
    folder = folder.resolve()
    if image.board.core.system == "linux":
        name, base, size = image.elf.name, 0, image.elf.stat().st_size
        if image.elf.parent != folder:
            shutil.copyfile(image.elf, folder / name)
    else:
        name = "image.bin"
        base, data = flat_image(image.elf, image.board)
        size = len(data)
        write_file(folder / name, data)
    return Job(
        board=image.board,
        folder=folder,
        elf=image.elf.name if image.elf.parent == folder else str(image.elf),
        image=name,
        base=base,
        size_bytes=size,
        readback="readback.bin",
        chip="chip.bin",
        probe=probe,
        openocd_config=None if openocd_config is None else openocd_config.resolve(),
        options=options,
    )


def command_lines(tool: Tool, job: Job) -> list[str]:
    """What a shell would be told, line by line."""
    _check_address(tool, job)
    lines = [f"cd {shlex.quote(str(job.folder))}"]
    for step in tool.steps(job):
        if step.server:
            lines.append(shlex.join(step.server) + " &")
        lines.append(shlex.join(step.command) + (f" > {shlex.quote(step.stdout)}" if step.stdout else ""))
    return lines


def flash(tool: Tool, job: Job, *, timeout_s: float, log: Log) -> Flashed:
    """Takes the tool's steps one after the other, then compares what was read back.

    Raises:
        FlashError: with the problem's kind; the first that shows.
    """
    _check_address(tool, job)
    for program in tool.programs:
        if not _program(program):
            raise problems.error("no-tool", tool, job, "look for the tool", program=program)
    _check_probes(tool, job)
    for name in (job.readback, job.chip):
        (job.folder / name).unlink(missing_ok=True)
    if tool.prepare is not None:
        tool.prepare(job)
    for step in tool.steps(job):
        log(f"{step.what}: {shlex.join(step.command)}")
        output = _run(tool, job, step, timeout_s)
        if step.what == "identify the chip":
            _check_chip(tool, job, step, output)
    if tool.reads_back:
        _compare(tool, job, output)
    return Flashed(job.board.name, tool.name, job.base, job.size_bytes, tool.reads_back)


def program_command(name: str) -> tuple[str, ...]:
    """The words that start a tool: its path, or this interpreter for one that lies beside it."""
    return _program(name) or (name,)


def _program(name: str) -> tuple[str, ...] | None:
    if name in _MODULES and importlib.util.find_spec(name) is not None:
        return (sys.executable, "-m", name)
    path = shutil.which(name)
    return (path,) if path else None


def _check_address(tool: Tool, job: Job) -> None:
    if tool is remote.SSH and not remote.host(job):
        raise UsageError("ssh needs to know where the board is", where=f"board {job.board.name}",
                         fix="name it with --probe user@host")  # fmt: skip


def _check_probes(tool: Tool, job: Job) -> None:
    """Tools that take the first probe of several would program the wrong board."""
    if tool.name not in ("openocd", "stlink") or job.probe or job.openocd_config is not None:
        return
    found = usb.probes()
    if len(found) > 1:
        raise problems.error("two-probes", tool, job, "look for the probe", said=", ".join(found))


def _run(tool: Tool, job: Job, step: Step, timeout_s: float) -> str:
    """All that the step printed."""
    words = (*(_program(step.command[0]) or step.command[:1]), *step.command[1:])
    with _server(tool, job, step):
        try:
            done = subprocess.run(
                words, cwd=job.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            # What it was waiting for may be the better answer.
            said = (late.stdout or b"").decode(errors="replace")
            found = problems.diagnose(tool, job, step, said, -1)
            if found.problem != "failed":
                raise found from late
            raise problems.error(
                "timeout", tool, job, step.what, timeout_s=timeout_s, program=step.command[0]
            ) from late
        except OSError as error:
            raise problems.error("failed", tool, job, step.what, said=str(error), program=step.command[0]) from error
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise problems.diagnose(tool, job, step, output, done.returncode)
    return output


@contextmanager
def _server(tool: Tool, job: Job, step: Step) -> Iterator[None]:
    if not step.server:
        yield
        return
    try:
        process = subprocess.Popen(
            step.server, cwd=job.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise problems.error("no-tool", tool, job, step.what, said=str(error), program=step.server[0]) from error
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING_S)
        if process.poll() is None:
            process.kill()
            process.wait()


def _check_chip(tool: Tool, job: Job, step: Step, output: str) -> None:
    chip = job.board.probe.chip_id if job.board.probe is not None else None
    if chip is None:
        return
    path = job.folder / job.chip
    if not path.is_file() or path.stat().st_size != 4:
        raise problems.diagnose(tool, job, step, output, 0)
    word = int.from_bytes(path.read_bytes(), "little")
    if word & chip.mask != chip.value:
        raise problems.wrong_chip(job.board, word & chip.mask, tool, job)


def _compare(tool: Tool, job: Job, output: str) -> None:
    path = job.folder / job.readback
    step = tool.steps(job)[-1]
    if not path.is_file():
        raise problems.diagnose(tool, job, step, output, 0)
    sent, found = (job.folder / job.image).read_bytes(), path.read_bytes()
    if sent == found:
        return
    if len(sent) != len(found):
        said = f"{len(found)} bytes came back of {len(sent)}"
    else:
        wrong = [i for i, (a, b) in enumerate(zip(sent, found, strict=True)) if a != b]
        at = wrong[0]
        said = (
            f"{len(wrong)} of {len(sent)} bytes differ, the first at 0x{job.base + at:08x}: "
            f"0x{found[at]:02x} instead of 0x{sent[at]:02x}"
        )
    raise problems.error("verify", tool, job, "compare", said=said)
