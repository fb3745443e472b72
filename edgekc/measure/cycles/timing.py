"""Published timing of the cores: cycles of an instruction behind the one before it, with what is not known as a range.

Sources: the technical reference manuals' tables of instruction timing: Cortex-M0 (DDI 0432C, 3.3), Cortex-M0+
(DDI 0484C, 3.3), Cortex-M3 (DDI 0337H, 18.2), Cortex-M4 (DDI 0439D, 3.3.1). Arm publishes no such table of the M33, M7,
M55, M85 and A53; their models follow what is said of their pipelines, and are marked as rough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .decode import Instruction, Kind


@dataclass(frozen=True, slots=True)
class Cycles:
    """A number of cycles, and the range that it lies in."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> Cycles:
        return Cycles(self.low * factor, self.likely * factor, self.high * factor)


def exactly(cycles: float) -> Cycles:
    return Cycles(cycles, cycles, cycles)


ZERO, ONE = exactly(0), exactly(1)


@dataclass(frozen=True, slots=True)
class Timing:
    """How a core without wait states spends its cycles.

    `kinds` has what differs from one cycle. Loads and stores of several registers take `multiple` and one for each.
    """

    name: str
    rough: bool  # not from a published table
    kinds: dict[Kind, Cycles]
    jump: Cycles  # more, where something else than the next instruction follows
    behind_memory: Cycles | None = None  # a load behind a load or store that does not feed its address
    interlock: Cycles = ZERO  # more, where the instruction before makes the address
    load_use: Cycles = ZERO  # more, where the instruction before loads what this one reads
    multiple: Cycles = ONE
    per_register: Cycles = ONE
    pop_pc: Cycles = ZERO  # more than a jump
    overlap: Cycles | None = None  # a vector instruction behind one of the other kind, arithmetic or memory
    pairs: Cycles | None = None  # of two instructions that may start together: what the second one takes


_MEMORY_KINDS = frozenset({"load", "store", "loads", "stores", "vector_load", "vector_store"})
_VECTOR_MEMORY = frozenset({"vector_load", "vector_store"})
_VECTOR = _VECTOR_MEMORY | {"vector"}
_JUMPS = frozenset({"branch", "call", "table_branch"})


def _classes(kind: Kind) -> str:
    """What of the core an instruction occupies alone."""
    if kind in _MEMORY_KINDS:
        return "memory"
    if kind in ("mul", "mla", "mull", "mlal", "dsp", "div"):
        return "multiplier"
    return "jump" if kind in _JUMPS else kind if kind in ("float", "float_mla", "float_div", "vector") else ""


def weigh(timing: Timing, code: Sequence[Instruction], before: Instruction | None = None) -> list[Cycles]:
    """Cycles of each instruction of a block that runs through, and no jump at its end.

    Args:
        before: the instruction from which the core went on to the block; None: it jumped.
    """
    cycles: list[Cycles] = []
    paired = False
    for i in code:
        if i.kind in ("loads", "stores"):
            own = timing.multiple + timing.per_register * i.registers
        else:
            own = timing.kinds.get(i.kind, ONE)
        if before is not None:
            feeds = bool(before.writes & i.address)
            if i.kind == "load" and timing.behind_memory and before.kind in _MEMORY_KINDS and not feeds:
                own = timing.behind_memory
            elif feeds and before.kind not in _MEMORY_KINDS:
                own = own + timing.interlock
            if before.kind in ("load", "loads", "vector_load") and before.writes & i.reads:
                own = own + timing.load_use
            if timing.overlap is not None and _alternate(before.kind, i.kind):
                own, paired = timing.overlap, False
            elif timing.pairs is not None and not paired and _pair(before, i):
                own, paired = timing.pairs, True
            else:
                paired = False
        if i.to_pc:
            own = own + timing.pop_pc
        cycles.append(own)
        before = i
    return cycles


def _alternate(first: Kind, second: Kind) -> bool:
    """Whether two neighbours are vector instructions of which one is in memory's unit, and one not."""
    return {first, second} <= _VECTOR and (first in _VECTOR_MEMORY) != (second in _VECTOR_MEMORY)


def _pair(first: Instruction, second: Instruction) -> bool:
    """Whether two neighbours may start in one cycle: neither needs the other, nor do both need the same unit."""
    busy = _classes(first.kind)
    return (
        not first.writes & (second.reads | second.writes)
        and not (busy and busy == _classes(second.kind))
        and first.kind not in ("loads", "stores", "it", "div", "float_div", "system", *_JUMPS)
        and second.kind not in ("loads", "stores", "it", "div", "float_div", "system")
    )


_FPV4: dict[Kind, Cycles] = {"float_div": exactly(14), "float_mla": exactly(3), "float": ONE}
_V7M: dict[Kind, Cycles] = {"table_branch": exactly(2), "it": Cycles(0, 1, 1), "system": exactly(2)}
_M4 = Timing(
    "Cortex-M4",
    False,
    {"load": exactly(2), "div": Cycles(2, 6, 12), **_V7M, **_FPV4},
    jump=Cycles(1, 2, 3),
    behind_memory=ONE,
    interlock=ONE,
)
_M3 = Timing(
    "Cortex-M3",
    False,
    {
        "load": exactly(2), "mla": exactly(2), "mull": Cycles(3, 4, 5), "mlal": Cycles(4, 5, 7),
        "div": Cycles(2, 6, 12), **_V7M,
    },
    jump=Cycles(1, 2, 3),
    behind_memory=ONE,
    interlock=ONE,
)  # fmt: skip
_M0 = Timing(
    "Cortex-M0",
    False,
    {"load": exactly(2), "store": exactly(2), "call": exactly(2), "system": exactly(4)},
    jump=exactly(2),
    pop_pc=ONE,
)
_M0PLUS = Timing(
    "Cortex-M0+",
    False,
    {"load": exactly(2), "store": exactly(2), "call": exactly(2), "system": exactly(3)},
    jump=ONE,
    pop_pc=ONE,
)
_M33 = Timing(
    "Cortex-M33",
    True,
    {"load": Cycles(1, 2, 2), "div": Cycles(2, 6, 11), **_V7M, **_FPV4},
    jump=Cycles(1, 2, 3),
    behind_memory=ONE,
    interlock=Cycles(0, 1, 1),
)
_TWO: dict[Kind, Cycles] = {
    "div": Cycles(3, 7, 12),
    "table_branch": exactly(3),
    "float_div": exactly(16),
    "system": exactly(2),
}
_M7 = Timing(
    "Cortex-M7",
    True,
    _TWO,
    jump=Cycles(0, 1, 3),
    load_use=Cycles(0, 1, 1),
    multiple=Cycles(0, 1, 1),
    per_register=Cycles(0.5, 1, 1),
    pairs=Cycles(0, 0, 0.5),
)
_HELIUM: dict[Kind, Cycles] = {
    **_TWO,
    "load": Cycles(1, 1, 2),
    "vector": Cycles(1.5, 2, 2.5),
    "vector_load": Cycles(1.5, 2, 2.5),
    "vector_store": Cycles(1.5, 2, 2.5),
}
# A vector instruction has four beats, two a cycle. The next one may start when half of them are done, if it needs the
# other unit: loads and multiplications in turns are one a cycle (Cortex-M55 TRM, 101051, Helium's beat-wise overlap).
_OVERLAP = Cycles(1, 1, 2)
_M55 = Timing("Cortex-M55", True, _HELIUM, jump=Cycles(0, 1, 3), load_use=Cycles(0, 1, 1), overlap=_OVERLAP)
# Calibrated on the RA8D1's published latencies of MLPerf Tiny with CMSIS-NN, 0.83 to 0.98 cycles an instruction.
_ONE_OR_TWO = Cycles(1, 1, 2)
_M85 = Timing(
    "Cortex-M85",
    True,
    {**_HELIUM, "vector": _ONE_OR_TWO, "vector_load": _ONE_OR_TWO, "vector_store": _ONE_OR_TWO},
    jump=Cycles(0, 1, 3),
    load_use=Cycles(0, 1, 1),
    per_register=Cycles(0.5, 1, 1),
    pairs=Cycles(0, 0.25, 1),
)
_A53 = Timing(
    "Cortex-A53",
    True,
    {"div": Cycles(4, 8, 12), "float_div": exactly(18), "vector": Cycles(1, 1, 2), "vector_load": Cycles(1, 2, 2)},
    jump=Cycles(0, 1, 2),
    load_use=Cycles(0, 1, 2),
    multiple=ZERO,
    per_register=Cycles(0.5, 0.5, 1),
    pairs=Cycles(0, 0, 0.5),
)
TIMINGS: dict[str, Timing] = {
    "cortex-m0": _M0,
    "cortex-m0plus": _M0PLUS,
    "cortex-m3": _M3,
    "cortex-m4": _M4,
    "cortex-m4f": _M4,
    "cortex-m33": _M33,
    "cortex-m33-nodsp": _M33,
    "cortex-m7": _M7,
    "cortex-m55": _M55,
    "cortex-m85": _M85,
    "cortex-a53": _A53,
}
