"""UF2 files for boards whose boot ROM shows itself as a drive: the file is copied there, and cannot be read back."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path

from ..errors import ToolError
from . import problems
from .records import Job, Step, Tool

_FILE = "image.uf2"
_INFO = "INFO_UF2.TXT"
_BLOCK_BYTES = 256  # what the boot ROMs of RP2040 and RP2350 take
_ROOTS = ("/media/*/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")


def write_uf2(job: Job) -> Path:
    """The image as UF2 beside the image.

    Raises:
        ToolError: the package uf2utils is not there.
    """
    try:
        from uf2utils.file import UF2File
    except ImportError as error:
        raise ToolError("the package uf2utils is not installed", fix=TOOL.install) from error
    family = (job.board.probe.uf2_family if job.board.probe is not None else None) or 0
    file = UF2File(board_family=family, fill_gaps=False)
    data = (job.folder / job.image).read_bytes()
    data += b"\xff" * (-len(data) % _BLOCK_BYTES)  # the boot ROM programs whole pages
    file.append_payload(data, start_offset=job.base, block_payload_size=_BLOCK_BYTES)
    path = job.folder / _FILE
    file.to_file(str(path))
    return path


def drives(roots: Sequence[str] = _ROOTS) -> tuple[Path, ...]:
    """Mounted UF2 drives."""
    return tuple(sorted(info.parent for root in roots for info in Path("/").glob(f"{root.lstrip('/')}/{_INFO}")))


def _drive(job: Job) -> str:
    if job.probe:
        return job.probe
    found = drives()
    name = (job.board.probe.uf2_board if job.board.probe is not None else "") or "DRIVE"
    return str(found[0]) if len(found) == 1 else f"/media/{getpass.getuser()}/{name}"


def _prepare(job: Job) -> None:
    found = [Path(job.probe)] if job.probe else list(drives())
    found = [drive for drive in found if (drive / _INFO).is_file()]
    where = "find the UF2 drive"
    if not found:
        said = "hold BOOTSEL or press reset twice, so that its drive appears"
        raise problems.error("no-probe", TOOL, job, where, said=said)
    if len(found) > 1:
        raise problems.error("two-probes", TOOL, job, where, said=", ".join(map(str, found)))
    expected = job.board.probe.uf2_board if job.board.probe is not None else ""
    info = (found[0] / _INFO).read_text(encoding="utf-8", errors="replace")
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("Board-ID:")]
    if expected and names and names[0] != expected:
        raise problems.error("wrong-chip", TOOL, job, where, said=f"the drive says {names[0]}, expected {expected}")
    write_uf2(job)


def _steps(job: Job) -> tuple[Step, ...]:
    return (Step("program", ("cp", _FILE, _drive(job))),)


TOOL = Tool(
    name="uf2",
    programs=("cp",),
    install="pip install 'edgekc[flash]'",
    steps=_steps,
    symptoms=(),
    reads_back=False,
    prepare=_prepare,
)
