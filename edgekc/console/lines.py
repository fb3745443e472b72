"""Byte streams to a board: a program's standard streams, a TCP port, a serial port, pyOCD's RTT."""

from __future__ import annotations

import importlib
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ToolError

_CHUNK = 4096
_ENDING_S = 5.0
_POLL_S = 0.002
_REBOOT_S = 3.0  # from a reset to the program's offer of RTT
_SENDING_S = 10.0  # for one request; a line that takes none of it is as good as closed


class ProcessLine:
    """Standard input and output of a program: an emulator, ssh, or adb."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.name = command[0]
        try:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except OSError as error:
            raise ToolError(f"did not start: {error.strerror}", where=command[0]) from error

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) or 0 :]

    def receive(self, timeout_s: float) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        if not ready:
            return b""
        data = os.read(self.process.stdout.fileno(), _CHUNK)
        if not data:
            raise EOFError(f"{self.name} ended")
        return data

    def close(self) -> None:
        self.process.terminate()
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(OSError):
            self.process.stdin.close()  # QEMU sees the signal only when the program's reading of a byte ends
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDING_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):
            self.process.stdout.close()


class SocketLine:
    """A TCP port, such as that of OpenOCD's `rtt server`."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.socket = socket.create_connection((host, port), timeout=timeout_s)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ToolError(f"cannot connect: {error.strerror or error}", where=f"{host}:{port}") from error
                time.sleep(0.05)

    def send(self, data: bytes) -> None:
        self.socket.settimeout(_SENDING_S)
        self.socket.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        self.socket.settimeout(max(timeout_s, 0.001))
        try:
            data = self.socket.recv(_CHUNK)
        except TimeoutError:
            return b""
        if not data:
            raise EOFError("the other end closed it")
        return data

    def close(self) -> None:
        self.socket.close()


class SerialLine:
    """A serial port, by pyserial."""

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial
        except ImportError as error:
            raise ToolError("the package pyserial is not installed", fix="pip install 'edgekc[flash]'") from error
        try:
            open_port: Any = serial.serial_for_url  # untyped
            self.port: Any = open_port(port, baudrate=baud, timeout=0, write_timeout=_SENDING_S)
        except (OSError, ValueError) as error:
            raise ToolError(f"cannot open the serial port: {error}", where=port, fix="name it with --port") from error

    def send(self, data: bytes) -> None:
        self.port.write(data)

    def receive(self, timeout_s: float) -> bytes:
        self.port.timeout = timeout_s
        first = self.port.read(1)
        return bytes(first + self.port.read(min(self.port.in_waiting, _CHUNK))) if first else b""

    def close(self) -> None:
        self.port.close()


def only_serial_port(where: str) -> str:
    """The one USB serial port that is connected; ToolError where there is none, or more than one."""
    try:
        list_ports: Any = importlib.import_module("serial.tools.list_ports")  # untyped
    except ImportError as error:
        raise ToolError("the package pyserial is not installed", fix="pip install 'edgekc[flash]'") from error
    found = sorted(str(port.device) for port in list_ports.comports() if port.vid is not None)
    if len(found) == 1:
        return found[0]
    what = "no USB serial port was found" if not found else f"more than one USB serial port: {', '.join(found)}"
    raise ToolError(what, where=where, fix="name the one with --port")


class PyocdLine:
    """RTT by pyOCD's Python interface; the control block is where the ELF says."""

    def __init__(self, target: str, probe: str, address: int, timeout_s: float) -> None:
        try:
            from pyocd.core.helpers import ConnectHelper
            from pyocd.debug.rtt import GenericRTTControlBlock
        except ImportError as error:
            raise ToolError("pyocd is not installed", fix="pip install 'edgekc[flash]'") from error
        where = f"pyocd, target {target}"
        try:
            # pyOCD would ask at the terminal which of several is meant.
            probes = ConnectHelper.get_all_connected_probes(blocking=False, unique_id=probe or None)
            if len(probes) > 1:
                ids = ", ".join(str(found.unique_id) for found in probes)
                raise ToolError(f"more than one probe is connected ({ids})", where=where, fix="name one with --probe")
            self.session: Any = ConnectHelper.session_with_chosen_probe(
                blocking=False,
                return_first=True,
                unique_id=probe or None,
                target_override=target,
                connect_mode="attach",
            )
            if self.session is None:
                raise ToolError("no probe was found", where=where, fix="connect the board, or name it with --probe")
            self.session.open()
            core: Any = self.session.target
            core.reset()
            self.find_block: Any = lambda: GenericRTTControlBlock.from_target(core, address, 16)
            if not self._attach(timeout_s):
                raise ToolError("the program does not offer RTT", where=where, fix="flash the board again")
        except Exception as error:
            self.close()
            if isinstance(error, ToolError):
                raise
            raise ToolError(f"cannot talk to the board: {error}", where=where) from error

    def _attach(self, timeout_s: float) -> bool:
        """Waits for the control block, in whose place there is anything before the program has written it."""
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(Exception):
                block = self.find_block()
                block.start()
                self.up, self.down = block.up_channels[0], block.down_channels[0]
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def _lost(self, error: Exception) -> None:
        """After a reset the program offers the block anew; else the line has ended."""
        if not self._attach(_REBOOT_S):
            raise EOFError(str(error)) from error

    def send(self, data: bytes) -> None:
        deadline = time.monotonic() + _SENDING_S
        while data and time.monotonic() < deadline:  # a program that takes nothing will be asked again
            try:
                sent = self.down.write(data)
            except Exception as error:
                self._lost(error)
                return  # the console asks again, or sees the greeting of a program that has started
            data = data[sent:]
            if data:
                time.sleep(_POLL_S)

    def receive(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while True:
            data = b""
            try:
                data = bytes(self.up.read())
            except Exception as error:
                self._lost(error)
            if data or time.monotonic() > deadline:
                return data
            time.sleep(_POLL_S)

    def close(self) -> None:
        with suppress(Exception):
            self.session.close()
