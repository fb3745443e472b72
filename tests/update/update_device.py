"""The C of updates on this machine: programs and libraries of it, and files for its device of driver.c."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from built import SANITIZED, STRICT, program_of

from edgekc.assets import RUNTIME_C
from edgekc.firmware.toolchain import host_compiler
from edgekc.update.header import SIGNED_BYTES, Header
from edgekc.update.status import TEXTS

HERE = Path(__file__).resolve().parent
FOLDER = RUNTIME_C / "update"
DEVICE = [FOLDER / f"ek_{name}.c" for name in ("slots", "marks", "update", "update_text", "sha256")]
NETWORK = b"a small network\0"  # of driver.c, as are the ids 1 and 7 of its keys, and the counter 5
FAULTS = {name: i for i, name in enumerate(("none", "read-only", "no program", "no erase", "stuck", "no read",
                                            "twice", "not begun", "pulled out"))}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    status: str  # name of what the device said
    opened: str  # at its next start
    running: str  # SHA-256 of what it runs then, in hexadecimal


def monocypher() -> Path:
    """Where its sources are; skips where they are not."""
    folder = Path(os.environ.get("EDGEKC_MONOCYPHER", "../shared/monocypher"))
    if not (folder / "monocypher.c").is_file():
        pytest.skip("Monocypher 4 is not in ../shared/monocypher: name its folder in EDGEKC_MONOCYPHER")
    return folder.resolve()


def program(name: str, *, sanitized: bool) -> Path:
    """A program of tests/update/NAME.c and the model of flash, compiled once for all processes."""
    can = host_compiler().family != "zig"  # that has no address sanitizer
    flags = [*STRICT, *(SANITIZED if sanitized and can else ()), f"-I{FOLDER}", f"-I{HERE}"]
    return program_of(f"update-{name}", [HERE / f"{name}.c", HERE / "flash_model.c", *DEVICE], flags)


def outcomes(cases: Sequence[tuple[bytes, bool, str]]) -> list[Outcome]:
    """What a device makes of files, each with whether its signature is right and a fault; all meet the first one."""
    stream = b"".join(
        len(file).to_bytes(4, "little") + bytes([right, FAULTS[fault]]) + file for file, right, fault in cases
    )
    done = subprocess.run([program("driver", sanitized=True)], input=stream, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    names = tuple(TEXTS)
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    assert len(rows) == len(cases)
    return [Outcome(names[int(status)], names[int(opened)], digest) for status, opened, _, digest in rows]


def signed(key: Any, header: Header, body: bytes) -> bytes:
    """A file with any header, rightly signed."""
    data = header.pack()
    assert len(data) == SIGNED_BYTES
    return data + key.sign(data) + body
