"""What an application does with a network on an emulated core, and what it notices when something is wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..emulate.compare import reference_outputs
from ..errors import VerifyError
from ..firmware.build import Image
from ..graph.ir import Array, Graph
from ..measure.ledger import model_pieces
from .core import Core, Ended, Moment, within
from .records import Buffer, Verdict

_PAINT = 0xA5A5A5A5  # of the harness's stack, as in ek_cortexm.c
_COST = struct.Struct("<QIi")  # ek_port_cost: ticks, stack_bytes, overflow
_FILL = 0xA5  # in an output that was not written yet
_STEP = 1 << 16  # instructions between two looks while a run's are counted
_NO_LIMIT = 1 << 32  # instructions of an undamaged call, which ends by itself


@dataclass(frozen=True, slots=True)
class Places:
    """Ranges of flash, by what lies there.

    Attributes:
        weights: the embedded model, and what is laid out of it.
        tables: of layers, and their copies.
        code: the network function, kernels with their own tables, and library code that they call.
    """

    weights: tuple[Buffer, ...]
    tables: tuple[Buffer, ...]
    code: tuple[Buffer, ...]


class Trial:
    """A network on its core, undamaged between trials.

    Attributes:
        core: behind its startup.
        samples: how many inputs there are.
        lengths: instructions of NAME_run, for each input.
        checked: NAME_check is there, and called before each run.
    """

    def __init__(self, image: Image, graph: Graph, inputs: bytes, *, checked: bool) -> None:
        """Args:
            inputs: of the samples, one after the other; each is a sequence of its own.

        Raises:
            VerifyError: the undamaged core computes something else than the reference.
        """
        self.core, self.checked, self._graph = Core(image), checked, graph
        self.places = places_of(image)
        size = image.input_bytes
        self._inputs = [inputs[at : at + size] for at in range(0, len(inputs), size)]
        self.samples = len(self._inputs)
        self._expected = [reference_outputs(graph, x, 1) for x in self._inputs]
        self._states = [b""] * self.samples
        self._clean = self.core.save()
        self._limits = {"check": _NO_LIMIT, "reset": _NO_LIMIT}
        if checked:
            self._limits["check"] = self._limit_of("check")
        if image.state_bytes:
            self._limits["reset"] = self._limit_of("reset", [self.core.state.address])
        self._steps: dict[int, tuple[bytes, bytes]] = {}
        self.lengths: list[int] = []
        self._after: list[Moment] = []
        for k in range(self.samples):
            self.reset()
            self.prepare(k)
            self.core.enter(self._name("run"), self.arguments)
            self.lengths.append(self._length())
            self._states[k] = self.core.bytes_of(self.core.state)
            if self.core.bytes_of(self.core.output) != self._expected[k]:
                raise VerifyError(f"sample {k}: the undamaged program computes something else than the reference",
                                  where=f"board {image.board.name} (unicorn), {image.name}")  # fmt: skip
            self._after.append(self.core.save())
        self.reset()

    def _limit_of(self, function: str, arguments: Sequence[int] = ()) -> int:
        """Instructions behind which a watchdog gives a call up: twice those of an undamaged one."""
        self.reset()
        self.core.enter(self._name(function), arguments)
        return 2 * self._length()

    def _name(self, function: str) -> str:
        return f"{self.core.image.name}_{function}"

    @property
    def arguments(self) -> tuple[int, ...]:
        """Of NAME_run."""
        core = self.core
        state = (core.state.address,) if core.state.size_bytes else ()
        return (core.arena.address, *state, core.input.address, core.output.address)

    def _length(self) -> int:
        """Instructions until a call returns that was entered; it then has returned."""
        whole = 0
        while True:
            before = self.core.save()
            if self.core.go_on(_STEP).how != "stopped":
                break
            whole += _STEP
        low, high = 0, _STEP
        while high - low > 1:
            middle = (low + high) // 2
            self.core.restore(before)
            low, high = (low, middle) if self.core.go_on(middle).how == "returned" else (middle, high)
        self.core.restore(before)
        self.core.go_on(high)
        return whole + high

    # ---- what an application does ----

    def reset(self) -> None:
        """Core and RAM as behind the first startup."""
        self.core.restore(self._clean)

    def after(self, sample: int) -> None:
        """Core and RAM as behind an undamaged run."""
        self.core.restore(self._after[sample])

    def prepare(self, sample: int) -> Verdict | None:
        """The input is written, and a state is that of a sequence that has not begun. None: nothing was noticed."""
        core = self.core
        self._write_input(sample)
        if not core.state.size_bytes:
            return None
        ended = core.call(self._name("reset"), [core.state.address], self._limits["reset"])
        return _noticed(replace(ended, status=0))  # it returns nothing

    def _write_input(self, sample: int) -> None:
        """And into the output what no run wrote, so that none is right by what an earlier one left there."""
        self.core.fill(self.core.input, self._inputs[sample])
        self.core.fill(self.core.output, bytes([_FILL]) * self.core.output.size_bytes)

    def check(self) -> Verdict | None:
        """NAME_check, where it is there. None: nothing was noticed."""
        if not self.checked:
            return None
        return _noticed(self.core.call(self._name("check"), (), self._limits["check"]), "check")

    def run(self, sample: int, arguments: Sequence[int] | None = None) -> Verdict:
        """NAME_run, and whether its result is that of the undamaged program."""
        before = self.core.memory()
        given = self.arguments if arguments is None else arguments
        ended = self.core.call(self._name("run"), given, 2 * self.lengths[sample])
        return self.judge(ended, sample, before)

    def use(self, sample: int) -> Verdict:
        """Input, NAME_check, NAME_run: what an application does each time."""
        return self.prepare(sample) or self.check() or self.run(sample)

    def judge(self, ended: Ended, sample: int, before: Sequence[Array]) -> Verdict:
        """Of a run: what was noticed, or whether output, state and all that is not the run's own are right.

        Args:
            before: RAM at the beginning of the run, or when it was last changed from outside.
        """
        return self._judged(ended, self._expected[sample], self._states[sample], before)

    def _judged(self, ended: Ended, output: bytes, state: bytes, before: Sequence[Array]) -> Verdict:
        core = self.core
        right = (core.bytes_of(core.output), core.bytes_of(core.state)) == (output, state)
        return _noticed(ended) or ("harmless" if right and core.is_tidy(before) else "wrong")

    # ---- in the middle of a run ----

    def begin(self, sample: int) -> None:
        """An undamaged run stands before its first instruction."""
        self.reset()
        self.prepare(sample)
        self.core.enter(self._name("run"), self.arguments)

    def advance(self, instructions: int) -> Moment:
        """It goes on; what the core holds then."""
        if instructions and self.core.go_on(instructions).how != "stopped":
            raise VerifyError("two undamaged runs have different lengths", where=self.core.image.name)
        return self.core.save()

    def finish(self, sample: int, done: int) -> Verdict:
        """A run that was changed behind `done` instructions goes on to its end."""
        before = self.core.memory()
        return self.judge(within(self.core.go_on(2 * self.lengths[sample] - done)), sample, before)

    def next_step(self, sample: int, address: int, bit: int) -> Verdict:
        """The next step of a sequence, with a wrong bit of its state."""
        core, after = self.core, (sample + 1) % self.samples
        if sample not in self._steps:
            both = reference_outputs(self._graph, self._inputs[sample] + self._inputs[after], 2)
            self.after(sample)
            self._write_input(after)
            self._step(after)
            self._steps[sample] = both[-core.output.size_bytes :], core.bytes_of(core.state)
        self.after(sample)
        core.flip(address, bit)
        self._write_input(after)
        noticed, before = self.check(), core.memory()
        return noticed or self._judged(self._step(after), *self._steps[sample], before)

    def _step(self, sample: int) -> Ended:
        """A step as core, state and input stand."""
        return self.core.call(self._name("run"), self.arguments, 2 * self.lengths[sample])

    # ---- the harness's own call ----

    def on_stack(self, sample: int, stack: int) -> Verdict:
        """NAME_run as the harness calls it: with a painted stack, from `stack` down to the linker script's limit."""
        core, limit = self.core, self.core.stack_limit
        run = core.symbols["run" if core.state.size_bytes else self._name("run")] | 1
        cost = stack + 8  # behind the argument on the stack
        given = (run, core.arena.address, core.input.address, core.output.address, cost)
        below = Buffer(limit - 8, 8)
        before = core.bytes_of(below)
        painting = 4 * (core.stack_top - limit)  # instructions that paint it and look for what is left
        ended = core.call("ek_port_call", given, 2 * self.lengths[sample] + painting, stack)
        if noticed := _noticed(ended):
            return noticed
        if _COST.unpack(core.uc.mem_read(cost, _COST.size))[2]:
            return "stack"
        right = core.bytes_of(core.output) == self._expected[sample] and core.bytes_of(below) == before
        return "harmless" if right else "wrong"

    def lowest_word(self) -> int:
        """Address of the lowest word of the stack that a call of `on_stack` wrote to."""
        core = self.core
        data = core.bytes_of(Buffer(core.stack_limit, core.stack_top - core.stack_limit))
        words = struct.unpack(f"<{len(data) // 4}I", data)
        return core.stack_limit + 4 * next(i for i, word in enumerate(words) if word != _PAINT)


def _noticed(ended: Ended, status: Verdict = "status") -> Verdict | None:
    """What an application notices of a call; `status` where it returned another than EKC_OK."""
    if ended.how == "fault":
        return "fault"
    if ended.how == "endless":
        return "watchdog"
    return status if ended.status else None


def places_of(image: Image) -> Places:
    """Where the model's bytes lie in flash."""
    found: dict[str, list[Buffer]] = {"weights": [], "tables": [], "code": []}
    for piece in model_pieces(image):
        constant = not piece.section.startswith(".text")
        stem = piece.object.rpartition("/")[2].removesuffix(".o")
        kind = {f"{image.name}_data": "weights", image.name: "tables"}.get(stem, "code") if constant else "code"
        found[kind].append(Buffer(piece.address, piece.size_bytes))
    return Places(*(tuple(found[kind]) for kind in ("weights", "tables", "code")))
