"""A simulated microcontroller that listens on TCP ports, as flash tools and the console reach a board."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import tables
from ..errors import UsageError
from ..files.stopping import uninterrupted

if TYPE_CHECKING:
    from ..simulate.server import Server


@dataclass(frozen=True, slots=True)
class SimulatedBoard(tables.Shown):
    """A simulated STM32F412, the board nucleo-f412zg. `with` it serves in a thread; `serve` does so in this one.

    Attributes:
        port: for pyOCD, as `--probe remote:localhost:PORT`.
        openocd_port: for OpenOCD's remote_bitbang.
        serial_port: of its USART3, as `--link uart --port localhost:PORT`.
        openocd_config: OpenOCD's configuration of it, as `--openocd-config FILE`.
    """

    port: int
    openocd_port: int
    serial_port: int
    openocd_config: Path
    _server: Server = field(repr=False, compare=False)
    _threads: list[threading.Thread] = field(repr=False, compare=False, default_factory=list)

    def serve(self) -> None:
        """Answer whoever connects, until `close` is called elsewhere or an interrupt comes."""
        self._server.serve(uninterrupted)

    def close(self) -> None:
        """End `serve`, from any thread."""
        self._server.close()

    def __enter__(self) -> SimulatedBoard:
        thread = threading.Thread(target=self.serve, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        for thread in self._threads:
            thread.join()

    def to_dict(self) -> dict[str, Any]:
        """Its ports, and OpenOCD's configuration."""
        return {
            "port": self.port,
            "openocd_port": self.openocd_port,
            "serial_port": self.serial_port,
            "openocd_config": str(self.openocd_config),
        }

    def parts(self) -> list[tables.Part]:
        """How tools reach it, a line each."""
        return [
            f"simulated STM32F412: pyOCD -u remote:localhost:{self.port}, OpenOCD remote_bitbang port "
            f"{self.openocd_port}, serial port at localhost:{self.serial_port}",
            f"OpenOCD's configuration: {self.openocd_config}",
        ]


def simulate_board(
    *,
    port: int = 0,
    openocd_port: int = 0,
    serial_port: int = 0,
    protected: bool = False,
    device_id: int | None = None,
    flash_kb: int = 1024,
    stuck: Sequence[int] = (),
    brownout_after: int | None = None,
    flash_cut: int | None = None,
    unplug_after: int | None = None,
    vanish_after: int | None = None,
) -> SimulatedBoard:
    """Listen as a simulated STM32F412 with Cortex-M4, flash, debug and serial port. A cycle of it is an instruction.

    Args:
        port: of 127.0.0.1, for pyOCD; 0 takes any that is free.
        openocd_port: for OpenOCD; 0: any.
        serial_port: for the chip's serial port; 0: any.
        protected: readout protection, level 1.
        device_id: the DEV_ID of another chip; None: the STM32F412's, 0x441.
        flash_kb: what the flash size register says.
        stuck: addresses of flash bytes whose lowest bit reads 0.
        brownout_after: instructions after which it loses power once; None: never.
        flash_cut: operations of the flash after which it loses power once, within the next; None: never.
        unplug_after: accesses after which the probe is lost; None: never.
        vanish_after: accesses after which the probe is lost and its connections closed; None: never.

    Raises:
        UsageError: a port is taken or is none, or unicorn is not installed.
    """
    try:
        from ..simulate.mcu import STM32F412, Chip, Mcu
        from ..simulate.server import OPENOCD_CONFIG, Server, Trouble
    except ModuleNotFoundError as error:
        if error.name != "unicorn":
            raise
        raise UsageError("the simulated core needs unicorn", fix='pip install "edgekc[arm]"') from None

    chip = Chip(
        device_id=STM32F412 if device_id is None else device_id,
        flash_kb=flash_kb,
        protected=protected,
        brownout_after=brownout_after,
        flash_cut=flash_cut,
        stuck=dict.fromkeys(stuck, 1),
    )
    trouble = Trouble(unplug_after=unplug_after, vanish_after=vanish_after)
    server = Server(Mcu(chip), trouble, pyocd_port=port, openocd_port=openocd_port, serial_port=serial_port)
    return SimulatedBoard(
        server.pyocd_port or 0, server.openocd_port or 0, server.serial_port or 0, OPENOCD_CONFIG, server
    )  # fmt: skip
