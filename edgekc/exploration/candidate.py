"""What a search tries, what it asks, and what it finds: records that are written and read back as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import UsageError
from ..files import records


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to compress a network and to build what comes out.

    Attributes:
        layers: each layer with weights and its choice, as `int8`, `cluster4` or `steps2`, in the order of the graph.
        keep: share of the multiply-accumulates that ordered pruning leaves; 1: nothing is pruned.
        optimise: what kernels are chosen for, see `compile`.
        ram: bytes of arena, state and stack that the plan may take; None: what costs fewest cycles.
        epochs: of retraining; 0: nothing is trained.
    """

    layers: tuple[tuple[str, str], ...]
    keep: float = 1.0
    optimise: str = "speed"
    ram: int | None = None
    epochs: int = 0

    @property
    def key(self) -> str:
        """A name that only equal candidates share, 16 hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        return {**asdict(self), "layers": dict(self.layers)}

    @staticmethod
    def from_dict(found: Any) -> Candidate:
        """What `to_dict` gave, as JSON has it; UsageError where it is anything else."""
        layers = found.get("layers") if isinstance(found, Mapping) else None
        if not isinstance(layers, Mapping) or not all(isinstance(choice, str) for choice in layers.values()):
            raise UsageError("has no layers with a choice each", where="candidate")
        # A search reads its candidates again and again: the layers are most of one, and are looked at already.
        made: Candidate = records.of_json({**found, "layers": []}, Candidate, "candidate")
        return replace(made, layers=tuple(layers.items()))


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; None: as much as it takes.

    Attributes:
        flash: linked bytes of the model: weights, tables and code.
        ram: bytes of arena, state, static data and stack.
        seconds: of one run on the board, by estimated cycles.
        loss: points of accuracy below the float model; of a model without classes percent of output error.
    """

    flash: int | None = None
    ram: int | None = None
    seconds: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a candidate costs, measured on what was built, and what it loses on validation samples.

    Attributes:
        flash, ram, seconds, loss: as `Budget`; seconds None where the board has no clock or no estimate.
        cycles: estimated, of one run; None where the core has no estimate.
        accuracy: share of validation samples that are right; None without labels.
        weights: bytes of what stands for the weights.
    """

    flash: int
    ram: int
    cycles: int | None
    seconds: float | None
    loss: float
    accuracy: float | None
    weights: int

    @staticmethod
    def from_dict(found: Any) -> Figures:
        """What `dataclasses.asdict` gave, as JSON has it; UsageError where it is anything else."""
        made: Figures = records.of_json(found, Figures, "figures")
        return made

    def over(self, budget: Budget) -> dict[str, float]:
        """By how much of each budget it is beyond it, as a share; empty where it meets all."""
        found = {}
        for name, most in asdict(budget).items():
            value = getattr(self, name)
            if most is not None and value is not None and value > most:
                found[name] = (value - most) / most if most else float("inf")
        return found
