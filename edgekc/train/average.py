"""The weights of a training's last steps to their average, which wavers less than the weights of any one step.

An exponential moving average, the name of the scheme in every framework: Polyak, Juditsky 1992 (SIAM J. Control Optim.
30 (4)) average all steps alike; Tarvainen, Valpola 2017 (arXiv 1703.01780, section 2) let early steps fade, as here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

_SHARE = 20  # of a training's steps, one in so many counts where the decay is "auto"


def decay_for(asked: float | Literal["auto"], steps: int) -> float:
    """What an average keeps of itself in each step, 0..1.

    Args:
        asked: that, or "auto": then about the last twentieth of a training is averaged.
        steps: of the training.
    """
    return 1 - 1 / max(steps / _SHARE, 1.0) if asked == "auto" else asked


class Average:
    """The averages of all parameters that a net trains.

    Indices and whatever else is not trained by gradients are those of the net. Weights that are rounded in every pass
    are averaged as they are before rounding.

    Args:
        net: its parameters are where the averages start.
        decay: see `decay_for`. The first steps keep less, so that the start is soon forgotten.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self._values = {name: p.detach().clone() for name, p in _trained(net)}

    @torch.no_grad()
    def add(self, net: nn.Module) -> None:
        """Take in the net's parameters after a step. Those that the net has given up are dropped."""
        self.steps += 1
        share = 1 - min(self.decay, self.steps / (self.steps + 9))
        self._values = {name: self._values[name].lerp_(p, share) for name, p in _trained(net)}

    @contextmanager
    def within(self, net: nn.Module) -> Iterator[None]:
        """The net has the averages, and afterwards its own parameters again."""
        own = {name: p.detach().clone() for name, p in _trained(net)}
        self.into(net)
        try:
            yield
        finally:
            _put(net, own)

    def into(self, net: nn.Module) -> None:
        """Give the net the averages."""
        _put(net, self._values)

    def state(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"steps": self.steps, "values": self._values}

    def resume(self, state: dict[str, object]) -> None:
        """What `state` gave. ValueError where it is of another net."""
        steps, values = state["steps"], state["values"]
        if not isinstance(steps, int) or not isinstance(values, dict) or values.keys() != self._values.keys():
            raise ValueError("averages of other parameters")
        self.steps = steps
        self._values = {name: values[name].to(old.device) for name, old in self._values.items()}


def _trained(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, p) for name, p in net.named_parameters() if p.requires_grad)


@torch.no_grad()
def _put(net: nn.Module, values: dict[str, Tensor]) -> None:
    for name, p in _trained(net):
        p.copy_(values[name])
