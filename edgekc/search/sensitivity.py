"""What the network loses when one layer alone is compressed, for every layer and choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..progress import Progress, silent
from .problem import Problem


@dataclass(frozen=True, slots=True)
class Loss:
    """What one layer's compression costs the network.

    Attributes:
        proxy: smooth: mean Kullback-Leibler divergence of the answers from the float model's, in nats; of a model
            without classes the squared output error over the squared outputs.
        loss: points of accuracy below the float model; of a model without classes percent of output error.
    """

    proxy: float
    loss: float


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """Losses of every layer and choice.

    Attributes:
        layers: layer -> choice -> loss; `int8` is the zero that the others are measured from.
        samples: validation samples that were looked at.
        accuracy: of the float model on them, a share; None without labels.
    """

    layers: Mapping[str, Mapping[str, Loss]]
    samples: int
    accuracy: float | None

    def proxy(self, layers: Mapping[str, str]) -> float:
        """Summed proxy of these choices (layer -> choice)."""
        return sum(self.layers[layer][choice].proxy for layer, choice in layers.items())

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        raise NotImplementedError


def table(
    problem: Problem,
    choices: Mapping[str, tuple[str, ...]],
    *,
    on_progress: Progress = silent,
    folder: Path | None = None,
) -> SensitivityTable:
    """Measure every layer and choice.

    Args:
        choices: layer -> its choices, as `space.choices` gives them.
        on_progress: is told after each layer.
        folder: holds sensitivity.json, from which a killed run goes on; None: nothing is kept.

    Raises:
        UsageError: the folder holds the table of another model or other samples, or cannot be written.
    """
    raise NotImplementedError
