"""A simulated board on a desk, for tests: the server in a thread, and stock tools run against it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekc.simulate.mcu import Chip, Mcu
from edgekc.simulate.server import OPENOCD_CONFIG, Server, Trouble

_TIMEOUT_S = 600
# pyOCD gives a chip 2 to 10 s for a step by the wall clock; on a busy machine the simulated one may need longer.
_PYOCD_WAITS = (
    "reset.halt_timeout", "reset.core_recover.timeout", "reset.dap_recover.timeout", "flash.timeout.init",
    "flash.timeout.analyzer", "flash.timeout.erase_sector", "flash.timeout.program",
)  # fmt: skip
PYOCD_PATIENCE = tuple(word for name in _PYOCD_WAITS for word in ("-O", f"{name}=120"))


@dataclass(frozen=True, slots=True)
class Bench:
    mcu: Mcu  # to be looked at only while no tool is connected
    probe: str  # pyOCD's name for it
    openocd_port: int
    serial_port: int


@contextmanager
def bench(chip: Chip | None = None, trouble: Trouble | None = None) -> Iterator[Bench]:
    """A chip and its probe, served until the end of the block."""
    server = Server(Mcu(chip or Chip()), trouble or Trouble(), pyocd_port=0, openocd_port=0, serial_port=0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        assert server.openocd_port is not None and server.serial_port is not None
        yield Bench(server.mcu, f"remote:localhost:{server.pyocd_port}", server.openocd_port, server.serial_port)
    finally:
        server.close()
        thread.join(timeout=30)
        assert not thread.is_alive()


def need_pyocd() -> None:
    """Skips where pyOCD is absent."""
    if importlib.util.find_spec("pyocd") is None:
        pytest.skip("pyocd is not installed")


def need_openocd() -> None:
    """Skips where OpenOCD is absent."""
    if shutil.which("openocd") is None:
        pytest.skip("openocd is not installed")


def run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Exit status and all that it printed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode, done.stdout + done.stderr


def pyocd(board: Bench, folder: Path, subcommand: str, *arguments: str) -> tuple[int, str]:
    """Stock pyOCD, told which probe and which target."""
    words = (sys.executable, "-m", "pyocd", subcommand, "-u", board.probe, "-t", "stm32f412xg", "--no-config")
    return run([*words, *PYOCD_PATIENCE, *arguments], folder)


def openocd(board: Bench, folder: Path, *commands: str) -> tuple[int, str]:
    """Stock OpenOCD with its own target file for this chip."""
    quiet = "gdb_port disabled; tcl_port disabled; telnet_port disabled"
    words = ("openocd", "-c", quiet, "-c", f"set PORT {board.openocd_port}", "-f", str(OPENOCD_CONFIG))
    return run([*words, "-c", "; ".join(commands)], folder)
