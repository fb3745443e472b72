"""What a run of `edgekc fuzz` found: a frozen record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .. import tables


@dataclass(frozen=True, slots=True)
class Fuzzed(tables.Shown):
    """What was compared, and what differed.

    Attributes:
        seed: drew the networks.
        seconds: in all.
        networks: that were compared.
        refused: that the compiler refused, as it says.
        runs: of a network on a family of kernels or a board that chooses others than those before.
        sides: how many networks each side computed.
        unheld: networks that LiteRT refused.
        small: networks for which a board has no room.
        operators: of the compiled networks: how many networks have each.
        findings: what is wrong, a line for each network.
        first_s: seconds until the first of them, before it was made small.
        written: the files of those that were made small, and the command that shows each again.
        notes: what was not compared, and why.
        stopped: ended by the user before its time.
    """

    seed: int
    seconds: float
    networks: int
    refused: int
    runs: int
    sides: Mapping[str, int]
    unheld: int
    small: int
    operators: Mapping[str, int]
    findings: tuple[str, ...]
    first_s: float | None
    written: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    stopped: bool

    @property
    def ok(self) -> bool:
        """Whether nothing differed."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc fuzz --json` prints."""
        return asdict(self)

    def parts(self) -> list[tables.Part]:
        """Counts, what each side computed, and what differed."""
        rate = 60 * self.networks / max(self.seconds, 0.1)
        sheet = tables.Sheet("", "computed by", tables.number("networks"))
        for side, count in sorted(self.sides.items()):
            sheet.add(side, tables.size(count))
        return [
            *["stopped before its end"] * self.stopped,
            f"{self.networks:,} networks in {self.seconds:,.1f} s, {rate:,.0f} a minute; {self.runs:,} runs of their C",
            f"{len(self.operators):,} operators; {self.refused:,} networks refused by the compiler",
            *[sheet] * bool(self.sides),
            *[f"LiteRT refused {self.unheld:,} networks"] * bool(self.unheld),
            *[f"boards had no room for {self.small:,} networks"] * bool(self.small),
            *self.notes,
            *self._differences(),
        ]

    def _differences(self) -> Iterator[str]:
        if self.ok:
            yield "no difference"
            return
        yield f"{len(self.findings):,} differences:"
        shown = {w["finding"] for w in self.written}
        for w in self.written:
            yield f"  {w['finding']}"
            yield f"    made small: {w['layers']} layers, {w['text']}"
            yield from (f"    {line}" for line in w["listing"])
            yield f"    {w['command']}"
            if w["flags"]:
                yield f"    found with {w['flags']}"
        yield from (f"  {text}" for text in self.findings if text not in shown)
