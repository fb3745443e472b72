"""The host's end of the framed console: requests that are asked again over a bad line, and answers or one clear error.

runtime_c/port/ek_console.h describes frames and requests; runtime_c/port/ek_console.c is the other end.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..errors import ToolError
from ..names import visible

MAGIC = b"\xec\x4b"
MAX_PAYLOAD = 512
VERSION = 1
_MAX_TEXT = 4096  # of what a board says before it stops
_HEADER = struct.Struct("<2sBBH")
_FRAME = _HEADER.size + MAX_PAYLOAD + 4

HELLO, WRITE, RUN, READ, LAYERS, LAYER, TEXT, REFUSED, REPLY = 1, 2, 3, 4, 5, 6, 0xFE, 0xFF, 0x80
COUNTERS = ("none", "SysTick", "DWT", "mcycle")
COUNTS_INSTRUCTIONS = 256  # added to the counter by a program on a simulator, where a tick is an instruction
FLAGS = ("the stack overflowed", "wrote beside arena, input or output", "changed its input")


class RefusedError(ToolError):
    """The program on the board knows the request not, or not at this time."""


class Line(Protocol):
    """A byte stream to the board, which may lose, change and invent bytes."""

    def send(self, data: bytes) -> None: ...

    def receive(self, timeout_s: float) -> bytes:
        """What has come, at least one byte; empty when nothing came in time. Raises EOFError when it has ended."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """What the program on the board says of itself."""

    name: str
    layers: int  # 0: built without traces
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    clock_hz: int


@dataclass(frozen=True, slots=True)
class Run:
    """One inference on the board."""

    status: int
    cycles: int  # by `counter`'s clock, which is the core's; 0 where nothing counts
    stack_bytes: int
    problems: tuple[str, ...]
    counter: str
    simulated: bool  # a tick is an instruction, as the program itself found out


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a request is asked."""

    tries: int
    answer_s: float  # for a request that only moves bytes
    run_s: float  # for one that computes


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    head = _HEADER.pack(MAGIC, frame.kind, frame.sequence, len(frame.payload))
    body = head + frame.payload
    return body + struct.pack("<I", zlib.crc32(body[2:]))


class Decoder:
    """Finds whole frames in a stream; state between calls, hence a class."""

    def __init__(self) -> None:
        self.pending = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """All frames that are complete now; whatever is none is skipped."""
        self.pending += data
        while True:
            at = self.pending.find(MAGIC)
            if at < 0:
                self.pending = self.pending[-1:] if self.pending.endswith(MAGIC[:1]) else b""
                return
            self.pending = self.pending[at:]
            if len(self.pending) < _HEADER.size:
                return
            _, kind, sequence, size = _HEADER.unpack_from(self.pending)
            end = _HEADER.size + size + 4
            if size <= MAX_PAYLOAD and len(self.pending) < end:
                return
            body = self.pending[2 : end - 4]
            if size > MAX_PAYLOAD or struct.pack("<I", zlib.crc32(body)) != self.pending[end - 4 : end]:
                self.pending = self.pending[1:]
                continue
            self.pending = self.pending[end:]
            yield Frame(kind, sequence, body[4:])


class Console:
    """A conversation with one board. State: the line, the sequence number, what is half-read."""

    def __init__(self, line: Line, patience: Patience, where: str) -> None:
        self.line, self.patience, self.where = line, patience, where
        self.decoder = Decoder()
        self.sequence = 0
        self.started = False
        self.text = b""
        self.resent = 0  # requests that had to be asked again

    def hello(self) -> Hello:
        """Raises ToolError where the program is another version's, or nothing answers."""
        reply = self._ask(HELLO, b"", self.patience.answer_s, exact=None)
        if len(reply) < 24:
            raise self._error(f"a greeting of {len(reply)} bytes", "flash the board again")
        version, layers, size_in, size_out, arena, clock = struct.unpack_from("<6I", reply)
        if version != VERSION:
            raise self._error(f"its program speaks version {version} of the console, not {VERSION}", "flash it again")
        self.started = True
        return Hello(reply[24:].decode(errors="replace"), layers, size_in, size_out, arena, clock)

    def run(self, sample: bytes, step: int | None = None) -> Run:
        """Sends the input and runs it once; `step`: which of its sequence, for a network with a state."""
        most = MAX_PAYLOAD - 4
        for at in range(0, len(sample), most):
            self._ask(WRITE, struct.pack("<I", at) + sample[at : at + most], self.patience.answer_s, exact=0)
        words = [zlib.crc32(sample), *([] if step is None else [step])]
        reply = self._ask(RUN, struct.pack(f"<{len(words)}I", *words), self.patience.run_s, exact=24)
        status, low, high, stack, flags, counter = struct.unpack("<6I", reply)
        problems = tuple(text for bit, text in enumerate(FLAGS) if flags >> bit & 1)
        simulated, counter = bool(counter & COUNTS_INSTRUCTIONS), counter & (COUNTS_INSTRUCTIONS - 1)
        name = COUNTERS[min(counter, len(COUNTERS) - 1)]
        return Run(status, high << 32 | low, stack, problems, name, simulated)

    def output(self, size: int) -> bytes:
        """The last run's output."""
        return self._read(size, lambda at, count: (READ, struct.pack("<II", at, count)), self.patience.answer_s)

    def layers(self, count: int) -> tuple[tuple[int, int], ...]:
        """CRC-32 of the output, and cycles, of each layer of the last run."""
        found: list[tuple[int, int]] = []
        while len(found) < count:
            reply = self._ask(LAYERS, struct.pack("<I", len(found)), self.patience.answer_s, exact=None)
            if not reply or len(reply) % 8:
                raise self._error(f"{len(found)} layers of {count} came back", "flash the board again")
            found += struct.iter_unpack("<II", reply)
        return tuple(found[:count])

    def layer(self, index: int, size: int) -> bytes:
        """The output of one layer, by as many runs as it takes."""
        return self._read(size, lambda at, count: (LAYER, struct.pack("<III", index, at, count)), self.patience.run_s)

    def service(self, kind: int, payload: bytes, *, computes: bool, exact: int) -> bytes:
        """The reply to a request of another part of the program; RefusedError where it has no such part.

        Args:
            computes: it may take as long as an inference.
            exact: bytes of the reply.
        """
        wait_s = self.patience.run_s if computes else self.patience.answer_s
        return self._ask(kind, payload, wait_s, exact=exact)

    def tell(self, kind: int, payload: bytes) -> None:
        """Sends a request once, and does not wait for its reply."""
        self.sequence = self.sequence % 255 + 1
        self._send(encode(Frame(kind, self.sequence, payload)))

    def _read(self, size: int, ask: Callable[[int, int], tuple[int, bytes]], wait_s: float) -> bytes:
        data = b""
        while len(data) < size:
            count = min(MAX_PAYLOAD, size - len(data))
            kind, payload = ask(len(data), count)
            data += self._ask(kind, payload, wait_s, exact=count)
        return data

    def _ask(self, kind: int, payload: bytes, wait_s: float, *, exact: int | None) -> bytes:
        self.sequence = self.sequence % 255 + 1
        request = encode(Frame(kind, self.sequence, payload))
        for attempt in range(self.patience.tries):
            # Zeros end whatever frame the board believes it is in.
            self.resent += attempt > 0
            self._send((bytes(_FRAME) if attempt else b"") + request)
            deadline = time.monotonic() + wait_s
            while (left := deadline - time.monotonic()) > 0:
                for frame in self.decoder.feed(self._receive(left)):
                    if self._is_answer(frame, kind) and (exact is None or len(frame.payload) == exact):
                        return frame.payload
        raise self._error(
            f"no answer within {wait_s * self.patience.tries:g} s, asked {self.patience.tries} times",
            "check the connection, or allow more with --timeout",
        )

    def _is_answer(self, frame: Frame, kind: int) -> bool:
        if frame.kind == TEXT:
            self.text = (self.text + frame.payload)[-_MAX_TEXT:]
            if not frame.payload:
                raise self._error(f"the program stopped: {_line(self.text)}", "")
        if frame.kind == HELLO | REPLY and frame.sequence == 0 and self.started:
            raise self._error("the board was reset in the middle of the run", "check its power, and run it again")
        if frame.sequence != self.sequence:
            return False
        if frame.kind == REFUSED:
            raise RefusedError(f"the board refuses: {_line(frame.payload)}", where=self.where, fix="flash it again")
        return frame.kind == kind | REPLY

    def _send(self, data: bytes) -> None:
        try:
            self.line.send(data)
        except (EOFError, OSError) as error:
            raise self._ended(error) from error

    def _receive(self, timeout_s: float) -> bytes:
        try:
            return self.line.receive(timeout_s)
        except (EOFError, OSError) as error:
            raise self._ended(error) from error

    def _ended(self, error: BaseException) -> ToolError:
        said = f" ({error})" if str(error) else ""
        return self._error(f"the line was closed{said}", "check the connection, and run it again")

    def _error(self, what: str, fix: str) -> ToolError:
        return ToolError(what, where=self.where, fix=fix)


def _line(text: bytes) -> str:
    """What a board says, as one line."""
    return visible(" ".join(text.decode(errors="replace").split()))
