"""An engine whose figures are a formula: what a study does with them takes milliseconds, and can be said in advance."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekc.compression.state import Progress as Training
from edgekc.errors import UsageError
from edgekc.exploration.candidate import Budget, Candidate, Figures
from edgekc.judgement import Judgement
from edgekc.progress import Log, Progress
from edgekc.study.engine import Identity, Space

BITS = {"int8": 8, "cluster4": 4, "cluster2": 2}
LAYERS = tuple(f"layer{i}" for i in range(4))
_SIZES = (400, 800, 1200, 1600)  # weights of each layer
_FREE = (0.05, 0.2, 0.1, 0.4)  # points that a layer loses with each bit that is missing


@dataclass
class FakeEngine:
    """See `edgekc.study.engine.Engine`.

    Attributes:
        calls: keys of what was measured, in order.
        wait: seconds that one takes.
        broken: keys of candidates that cannot be built.
        widths: shares of the computation that it can leave.
        corrects: whether it follows up on what it measured.
    """

    identity: Identity = field(default_factory=lambda: Identity("0.1.0", "m" * 64, "d" * 64, "board 0", 0))
    trainable: bool = True
    labelled: bool = True
    wait: float = 0.0
    broken: frozenset[str] = frozenset()
    before: Callable[[Candidate], None] = lambda candidate: None
    judgement: Judgement | None = None
    widths: tuple[float, ...] = ()
    corrects: bool = False
    name: str = "fake"
    board: str = "nucleo-f446re"
    calls: list[str] = field(default_factory=list)

    def check(self) -> None:
        """It has no test part."""

    def prepare(self, folder: Path, progress: Progress) -> None:
        progress("tables", 0, 0)

    def space(self, budget: Budget) -> Space:
        return Space({layer: tuple(BITS) for layer in LAYERS}, ("speed", "size"), keep=(1.0, *self.widths))

    def candidates(self, budget: Budget, count: int) -> Sequence[Candidate]:
        least = figures(Candidate(tuple((layer, "cluster2") for layer in LAYERS), optimise="size")).flash
        if budget.flash is not None and budget.flash < least:
            raise UsageError(f"the least possible is {least:,} bytes", where="--max-flash")
        every = [Candidate(tuple(zip(LAYERS, names, strict=True))) for names in itertools.product(BITS, repeat=4)]
        fitting = [c for c in every if budget.flash is None or figures(c).flash <= budget.flash]
        return sorted(fitting, key=lambda c: (self.proxy(c), c.key))[:count]

    def may_narrow_to(self, budget: Budget) -> bool:
        return bool(self.widths)

    def narrower(
        self, budget: Budget, count: int, keep: float, folder: Path, *, on_training: Callable[[str, Any], None],
        progress: Progress, log: Log,
    ) -> Sequence[Candidate]:  # fmt: skip
        """Of those that it has, all of one kind."""
        if keep not in self.widths:
            raise UsageError("has no channels to lose")
        return [Candidate(tuple((layer, name) for layer in LAYERS), keep=keep) for name in BITS][:count]

    def corrected(self, budget: Budget, candidate: Candidate, found: Figures) -> Candidate | None:
        """The first layer makes room, or takes it, by a step."""
        if not self.corrects or budget.flash is None:
            return None
        order, layers = list(BITS), dict(candidate.layers)
        at = order.index(layers[LAYERS[0]]) + (1 if found.flash > budget.flash else -1)
        if not 0 <= at < len(order):
            return None
        return replace(candidate, layers=tuple({**layers, LAYERS[0]: order[at]}.items()))

    def learns(self, candidate: Candidate) -> bool:
        return "cluster2" in dict(candidate.layers).values()

    def proxy(self, candidate: Candidate) -> float | None:
        return (
            None
            if candidate.epochs
            else sum((8 - BITS[name]) * w for (_, name), w in zip(candidate.layers, _FREE, strict=True))
        )

    def measure(
        self, candidate: Candidate, *, checkpoints: Path | None, on_progress: Callable[[str, Any], None], log: Log
    ) -> tuple[bytes, Figures]:
        self.calls.append(candidate.key)
        self.before(candidate)
        if candidate.key in self.broken:
            raise UsageError("does not link", where=candidate.key)
        for epoch in range(candidate.epochs):
            left = self.wait * (candidate.epochs - epoch - 1)
            on_progress("train", Training(epoch, candidate.epochs, 0, 1, 0.0, None, left))
            time.sleep(self.wait)
        time.sleep(self.wait)
        return json.dumps(candidate.to_dict()).encode(), figures(candidate)

    def recipe(self, candidate: Candidate) -> str:
        return f"# {candidate.key}\nversion = 1\n"

    def judge(self, data: bytes, recipe: str, project: Path) -> Judgement | None:
        return self.judgement


def figures(candidate: Candidate) -> Figures:
    """Fewer bits, less flash and more loss; a layer that is not int8 takes cycles; training wins half of it back."""
    bits = [BITS[name] for _, name in candidate.layers]
    weights = round(candidate.keep * sum(size * b // 8 for size, b in zip(_SIZES, bits, strict=True)))
    loss = sum(w * (8 - b) for w, b in zip(_FREE, bits, strict=True))
    noise = int(hashlib.sha256(str(candidate.layers).encode()).hexdigest()[:2], 16) / 2550
    loss = round((loss + noise + 2 * (1 - candidate.keep)) / (1 + min(candidate.epochs, 8) / 4), 4)
    size = candidate.optimise == "size"
    cycles = 10_000 + 900 * sum(b < 8 for b in bits) + 3_000 * size
    return Figures(1_500 + weights - 300 * size, 900, cycles, cycles / 180e6, loss, 0.8 - loss / 100, weights)


def other_model(engine: FakeEngine) -> FakeEngine:
    """The same of another model."""
    return replace(engine, identity=replace(engine.identity, model="n" * 64), calls=[])
