"""Serves the chip's debug port over TCP: pyOCD's remote probe protocol, and OpenOCD's remote_bitbang (JTAG).

One thread does it all: it answers what has come, and lets the core run in between. Protocols:
pyocd/probe/tcp_probe_server.py of pyOCD 0.46 (one JSON object a line), and doc/manual/jtag/drivers/remote_bitbang.txt
of OpenOCD 0.12 (one character a level).
"""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .dap import Dap, FaultError
from .jtag import Chain
from .mcu import Mcu

# Instructions between two looks at the sockets: few while a tool is talking, since it waits for each answer.
_SLICE_MIN, _SLICE_MAX = 250, 32_000
_IDLE_S = 0.002  # a core that waits for an interrupt leaves the processor to others
_PROTOCOL_VERSION = 1
_GENERAL_ERROR, _PROBE_DISCONNECTED, _TRANSFER_ERROR, _TRANSFER_FAULT = 1, 2, 10, 12
_WORD = 0xFFFFFFFF
OPENOCD_CONFIG = Path(__file__).resolve().parent / "openocd.cfg"
Reader = Callable[[socket.socket, bytes], None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with the probe itself."""

    unplug_after: int | None = None  # accesses of the access port, then pyOCD's server loses the probe
    vanish_after: int | None = None  # the same, and with it go the connections
    never_connects: bool = False  # the probe is there, the chip's power or wires are not


class ClosedError(Exception):
    """The connection is to be closed."""


class UnpluggedError(ClosedError):
    """The probe is gone; remote_bitbang has no other word for it than to close."""


class Probe:
    """One probe on the chip: pyOCD's requests, OpenOCD's characters."""

    def __init__(self, mcu: Mcu, trouble: Trouble) -> None:
        self.mcu, self.trouble = mcu, trouble
        self.dap = Dap(mcu)
        self.chain = Chain(
            self.dap, core_idcode=mcu.chip.core_idcode, boundary_scan_idcode=mcu.chip.boundary_scan_idcode
        )
        self.accesses = 0
        self.unplugged = self.vanished = False
        self._tck = 0

    def _access(self, count: int) -> None:
        self.accesses += count
        unplug, vanish = self.trouble.unplug_after, self.trouble.vanish_after
        if vanish is not None and self.accesses > vanish:
            self.vanished = True
            raise ClosedError
        if unplug is not None and self.accesses > unplug:
            self.unplugged = True
            raise UnpluggedError

    # pyOCD.
    def line(self, line: bytes) -> bytes:
        """The answer to one request."""
        number = -1
        try:
            request = json.loads(line)
            number = request["id"]
            name = str(request["request"])
            wires = name.startswith(("read_", "write_", "swj_", "assert_"))  # not the server's own lock
            if self.unplugged and wires:
                raise UnpluggedError
            if self.trouble.never_connects and wires:
                return self._error(number, _TRANSFER_ERROR, "No ACK received")
            result = self._request(name, request.get("arguments", []))
        except FaultError:
            return self._error(number, _TRANSFER_FAULT, "access fault")
        except UnpluggedError:
            return self._error(number, _PROBE_DISCONNECTED, "the probe was unplugged")
        except (ValueError, KeyError, TypeError) as error:
            return self._error(number, _GENERAL_ERROR, f"bad request: {error!r}")
        answer: dict[str, Any] = {"id": number, "status": 0}
        if result is not None:
            answer["result"] = result
        return json.dumps(answer).encode() + b"\n"

    @staticmethod
    def _error(number: int, status: int, text: str) -> bytes:
        return json.dumps({"id": number, "status": status, "error": text}).encode() + b"\n"

    def _request(self, name: str, arguments: list[Any]) -> Any:
        handlers: dict[str, Callable[..., Any]] = {
            "hello": self._hello, "readprop": self._property, "connect": self._connect,
            "swj_sequence": lambda _length, _bits: None, "set_clock": lambda _hertz: None,
            "reset": self._reset, "assert_reset": self.mcu.hold_reset,
            "is_reset_asserted": lambda: self.mcu.reset_held,
            "read_dp": self.dap.read_dp, "write_dp": self.dap.write_dp,
            "read_ap": lambda address: self._read_ap(address, 1)[0],
            "write_ap": lambda address, value: self._write_ap(address, [value]),
            "read_ap_multiple": self._read_ap, "write_ap_multiple": self._write_ap,
            "get_memory_interface_for_ap": lambda _version, _address: None,
            **{name: lambda: None for name in ("open", "close", "lock", "unlock", "disconnect", "flush")},
        }  # fmt: skip
        if name not in handlers:
            raise ValueError(f"unknown request {name}")
        return handlers[name](*arguments)

    def _hello(self, version: int) -> None:
        if version != _PROTOCOL_VERSION:
            raise ValueError(f"protocol version {version}")

    def _property(self, name: str) -> Any:
        return {
            "vendor_name": "edgekc", "product_name": "simulated STM32F412",
            "supported_wire_protocols": ["DEFAULT", "SWD"], "wire_protocol": "SWD", "capabilities": ["SWJ_SEQUENCE"],
        }[name]  # fmt: skip

    def _connect(self, _protocol: str) -> None:
        self.dap = self.chain.dap = Dap(self.mcu)

    def _reset(self) -> None:
        self.mcu.hold_reset(True)
        self.mcu.hold_reset(False)

    def _read_ap(self, address: int, count: int) -> list[int]:
        self._access(count)
        return [self.dap.read_ap(address) for _ in range(count)]

    def _write_ap(self, address: int, values: list[int]) -> None:
        self._access(len(values))
        for value in values:
            self.dap.write_ap(address, value & _WORD)

    # OpenOCD.
    def bits(self, text: bytes) -> bytes:
        """The answers to some characters of remote_bitbang; raises ClosedError at Q."""
        answers = bytearray()
        chain = self.chain
        for character in text:
            if 48 <= character <= 55:  # '0' to '7': TCK, TMS, TDI
                tck = character >> 2 & 1
                if tck and not self._tck:
                    before = chain.state
                    chain.clock(character >> 1 & 1, character & 1)
                    if before != "update-dr" and chain.state == "update-dr":
                        self._access(1)
                self._tck = tck
            elif character == 82:  # R
                answers.append(48 + (chain.tdo if not self.trouble.never_connects else 1))
            elif 114 <= character <= 117:  # r, s, t, u: TRST and SRST
                if character - 114 >> 1:
                    chain.test_reset()
                self.mcu.hold_reset(bool(character - 114 & 1))
            elif character == 81:  # Q
                raise ClosedError
        return bytes(answers)


class Server:
    """Listens on the ports that are asked for (0: any free one; None: not at all); `serve` runs until `close`."""

    def __init__(
        self, mcu: Mcu, trouble: Trouble, *, pyocd_port: int | None, openocd_port: int | None, serial_port: int | None
    ) -> None:
        self.mcu = mcu
        self.probe = Probe(mcu, trouble)
        self.selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self.selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._closed = False
        self._partial: dict[socket.socket, bytearray] = {}
        self._serial_clients: list[socket.socket] = []
        self.pyocd_port = self._listen(pyocd_port, self._pyocd_bytes)
        self.openocd_port = self._listen(openocd_port, self._openocd_bytes)
        self.serial_port = self._listen(serial_port, self._serial_bytes)
        mcu.serial_out = self._send_serial

    def _listen(self, port: int | None, reader: Reader) -> int | None:
        if port is None:
            return None
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "there is no such port"
            raise UsageError(reason, where=f"port {port}", fix="choose another; 0 takes any that is free") from error
        self.selector.register(listener, selectors.EVENT_READ, (listener, reader))
        return int(listener.getsockname()[1])

    def serve(self) -> None:
        budget = _SLICE_MIN
        while not self._closed:
            wait_s = 1.0 if not self.mcu.running else _IDLE_S if self.mcu.core.idle else 0.0
            ready = self.selector.select(wait_s)
            for key, _ in ready:
                if key.data is not None:
                    listener, reader = key.data
                    self._serve_socket(key.fileobj, listener, reader)
            budget = _SLICE_MIN if ready else min(2 * budget, _SLICE_MAX)
            self.mcu.run(budget)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self.selector.close()

    def close(self) -> None:
        """From any thread; `serve` then returns."""
        self._wake_out.send(b".")  # first: once it is closed, `serve` may shut the other end at any moment
        self._closed = True
        self._wake_out.close()

    def _serve_socket(
        self, found: Any, listener: socket.socket, reader: Callable[[socket.socket, bytes], None]
    ) -> None:
        if found is listener:
            client, _ = listener.accept()
            if self.probe.vanished:
                client.close()
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._partial[client] = bytearray()
            if reader == self._serial_bytes:
                self._serial_clients.append(client)
            self.selector.register(client, selectors.EVENT_READ, (listener, reader))
            return
        try:
            data = found.recv(1 << 16)
            if not data:
                raise ClosedError
            reader(found, data)
        except (ClosedError, OSError):
            self.selector.unregister(found)
            del self._partial[found]
            if found in self._serial_clients:
                self._serial_clients.remove(found)
            found.close()

    def _pyocd_bytes(self, client: socket.socket, data: bytes) -> None:
        waiting = self._partial[client]
        waiting += data
        while (end := waiting.find(b"\n")) >= 0:
            line = bytes(waiting[:end])
            del waiting[: end + 1]
            client.sendall(self.probe.line(line))

    def _openocd_bytes(self, client: socket.socket, data: bytes) -> None:
        client.sendall(self.probe.bits(data))

    def _serial_bytes(self, _client: socket.socket, data: bytes) -> None:
        self.mcu.serial_in += data

    def _send_serial(self, data: bytes) -> None:
        for client in self._serial_clients:
            client.sendall(data)
