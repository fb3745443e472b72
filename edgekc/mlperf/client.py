"""The host's end of MLPerf Tiny's protocol: commands that end with '%', and answers in lines up to m-ready.

The protocol is that of github.com/mlcommons/tiny, benchmark/api and benchmark/runner. A line of an answer is m-... or
e-[...]. It has no checksum: what a bad line damages is an error here, and nothing is asked twice but the name.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..console.protocol import COUNTERS, Line
from ..errors import ToolError
from ..progress import Log, unsaid

_READY = "m-ready"
_LONGEST = 4096  # characters of a line; more is noise
_MOST_LINES = 10_000  # of an answer
_CHUNK = 31  # bytes of a sample in a command, as the benchmark's runner sends them
_START_TRIES, _QUIET_S = 3, 0.2
_NAME = re.compile(r"m-name-dut-\[([^]]*)\]")
_FIELD = re.compile(r"m-(profile|model|counter)-\[([^]]*)\]")
_LAP = re.compile(r"m-lap-us-(\d{1,20})")
_RESULTS = re.compile(r"m-results-\[([^]]*)\]")
_ERROR = re.compile(r"e-\[(.*)\]")


class LineReader:
    """Bytes of a stream to lines; state between calls, hence a class. Bytes that are no ASCII become '?'."""

    def __init__(self) -> None:
        self.pending = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """All lines that are complete now, without their ends; of one that is too long its last part."""
        *whole, self.pending = (self.pending + data).replace(b"\r", b"\n").split(b"\n")
        self.pending = self.pending[-_LONGEST:]
        for line in whole:
            if line:
                text = line[-_LONGEST:].decode("ascii", errors="replace")
                yield "".join(c if c.isascii() and c.isprintable() else "?" for c in text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command was answered, without m-ready."""

    lines: tuple[str, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """The texts of e-[...]."""
        return tuple(found[1] for line in self.lines if (found := _ERROR.fullmatch(line)))

    @property
    def name(self) -> str | None:
        return next((found[1] for line in self.lines if (found := _NAME.fullmatch(line))), None)

    @property
    def fields(self) -> dict[str, str]:
        """profile, model and counter, as far as they were said."""
        return {found[1]: found[2] for line in self.lines if (found := _FIELD.fullmatch(line))}

    @property
    def laps_us(self) -> tuple[int, ...]:
        """Timestamps in microseconds."""
        return tuple(int(found[1]) for line in self.lines if (found := _LAP.fullmatch(line)))

    @property
    def results(self) -> tuple[float, ...] | None:
        """The numbers of the last m-results; None where there is none, or it holds something that is no number."""
        texts = [found[1] for line in self.lines if (found := _RESULTS.fullmatch(line))]
        if not texts:
            return None
        try:
            numbers = tuple(float(part) for part in texts[-1].split(",") if part.strip())
        except ValueError:
            return None
        return numbers if numbers and all(map(math.isfinite, numbers)) else None


@dataclass(frozen=True, slots=True)
class Identity:
    """What the device says of itself.

    Attributes:
        counter: what its timestamps are made of, one of COUNTERS; empty where it does not say.
        simulated: a tick of that counter is an instruction, as the program itself found out.
    """

    name: str
    profile: str
    model: str
    counter: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Inference:
    """The answer to `infer`."""

    results: tuple[float, ...]
    elapsed_us: int  # of all iterations, without the warmups


class Device:
    """A conversation with a device under test. State: the line, and what is half-read.

    Args:
        where: what errors call the device.
        answer_s: how long a command that moves bytes may take.
        run_s: how long `infer` may take.
        log: is given every command and every line, as a runner's log has them.
    """

    def __init__(self, line: Line, where: str, answer_s: float, run_s: float, log: Log = unsaid) -> None:
        self.line, self.where, self.answer_s, self.run_s, self.log = line, where, answer_s, run_s, log
        self.reader = LineReader()
        self.lines: list[str] = []  # that have come and were not read yet

    def identify(self) -> Identity:
        """Waits for the device to be ready, and asks who it is. ToolError where nobody answers in the protocol."""
        for attempt in range(_START_TRIES):
            try:
                answer = self._ask("name", self.answer_s, until_named=True)
                break
            except TimeoutError:
                if attempt == _START_TRIES - 1:
                    raise self._silent("name", self.answer_s) from None
        if attempt:
            self._drain()
        profile = self.command("profile")
        fields = profile.fields
        if answer.name is None or "model" not in fields:
            raise self._error("it does not say which model it has", "flash the program of `edgekc mlperf`")
        found = re.fullmatch(r"(\d),([01])", fields.get("counter", ""))
        counter = COUNTERS[min(int(found[1]), len(COUNTERS) - 1)] if found else ""
        simulated = found is not None and found[2] == "1"
        return Identity(answer.name, fields.get("profile", ""), fields["model"], counter, simulated)

    def command(self, text: str, wait_s: float | None = None) -> Answer:
        """One command and its answer. ToolError: e-[...], no answer in time, or the line has ended."""
        wait_s = self.answer_s if wait_s is None else wait_s
        try:
            answer = self._ask(text, wait_s)
        except TimeoutError:
            raise self._silent(text, wait_s) from None
        if answer.errors:
            raise self._error(f"{text[:40]!r} was refused: {answer.errors[0]}", "")
        return answer

    def load(self, sample: bytes) -> None:
        """A sample to the device, 31 bytes in a command."""
        self.command(f"db load {len(sample)}")
        answer = Answer(())
        for at in range(0, len(sample), _CHUNK):
            answer = self.command(f"db {sample[at : at + _CHUNK].hex()}")
        if "m-load-done" not in answer.lines:
            raise self._error("it does not confirm the sample: bytes were lost", "check the line, and run it again")

    def infer(self, iterations: int, warmups: int, expected: int) -> Inference:
        """`iterations` inferences of the sample, and the results of the last, `expected` numbers."""
        answer = self.command(f"infer {iterations} {warmups}", self.run_s)
        laps, results = answer.laps_us, answer.results
        if results is None or len(results) != expected:
            raise self._error(f"its answer to infer holds no {expected} results", "check the line, and run it again")
        if len(laps) != 2 or laps[1] < laps[0]:
            raise self._error("its answer to infer holds no two timestamps", "check the line, and run it again")
        return Inference(results, laps[1] - laps[0])

    def _ask(self, text: str, wait_s: float, *, until_named: bool = False) -> Answer:
        """With `until_named` an m-ready ends the answer only behind a name: a device that starts says m-ready too."""
        self.log(f"> {text}%")
        try:
            self.line.send(f"{text}%".encode("ascii"))
        except (EOFError, OSError) as error:
            raise self._ended(error) from error
        lines: list[str] = []
        deadline = time.monotonic() + wait_s
        while len(lines) < _MOST_LINES:
            line = self._next(deadline)
            self.log(line)
            if line == _READY and (not until_named or Answer(tuple(lines)).name is not None):
                return Answer(tuple(lines))
            if line != _READY:
                lines.append(line)
        raise self._error(f"it answers {text[:40]!r} with more than {_MOST_LINES} lines", "flash it again")

    def _next(self, deadline: float) -> str:
        while not self.lines:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                self.lines += self.reader.feed(self.line.receive(left))
            except (EOFError, OSError) as error:
                raise self._ended(error) from error
        return self.lines.pop(0)

    def _drain(self) -> None:
        """Drops what answers to a name that was asked twice."""
        deadline = time.monotonic() + _QUIET_S
        while True:
            try:
                self.log(self._next(deadline))
            except TimeoutError:
                return

    def _silent(self, text: str, wait_s: float) -> ToolError:
        return self._error(
            f"no answer to {text[:40]!r} within {wait_s:g} s", "check the connection, or allow more with --timeout"
        )

    def _ended(self, error: BaseException) -> ToolError:
        said = f" ({error})" if str(error) else ""
        return self._error(f"the line was closed{said}", "check the connection, and run it again")

    def _error(self, what: str, fix: str) -> ToolError:
        return ToolError(what, where=self.where, fix=fix)
