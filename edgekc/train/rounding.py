"""A clustered layer whose weights choose between two neighbouring centers, as trainable parameters.

AdaRound: Nagel, Amjad, van Baalen, Louizos, Blankevoort 2020, arXiv 2004.10568. A weight is its lower center, and a
share of the way to the upper one. The share is a rectified sigmoid, which reaches 0 and 1 (its equation 23). A
regulariser drives it to either end (equation 24), the harder the lower its power. Steps there are centers here.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..compression.methods import cluster
from ..graph.ir import Array
from .tensors import as_array, as_tensor

_STRETCH, _SHIFT = 1.2, -0.1  # of the sigmoid: zeta - gamma, and gamma
_LEAST = 0.01  # share at which a choice starts, at either end: beyond them it has no gradient
# How near the choice that the layer comes with a choice starts; 0: where the original weight is. Near it, what the
# layer's error was compensated by is kept, and short runs win; at 1 few choices would ever change.
_PULL = 0.8


class Rounded(nn.Module):
    """weights = scale of the channel * (lower center + share * (upper center - lower center)).

    Choices, scales and, unless they are whole multiples of a step, centers are trained. Scales and centers are trained
    in units of their size: Adam moves each by about the learning rate.

    Args:
        record: the layer as it is. A weight chooses between the center that it has, and the next one towards its
            original value.
        original: the weights as they were before the layer was clustered, of the shape of `record.index`.
    """

    low: Tensor
    high: Tensor
    first: Tensor
    known: Tensor

    def __init__(self, record: cluster.Clustered, original: Array) -> None:
        super().__init__()
        self.old, self.original, self.hard = record, original, False
        self.shape = [1] * record.index.ndim
        self.shape[record.channel_axis] = -1
        centers, scales = as_tensor(record.real_centers), as_tensor(record.scales)
        rows = scales.reshape(self.shape)
        places = torch.where(rows > 0, as_tensor(original) / rows.where(rows > 0, 1.0), 0.0).contiguous()
        now, top = torch.from_numpy(record.index.astype("int64")), len(centers) - 1
        low = (torch.bucketize(places, centers) - 1).clamp(0, max(top - 1, 0))
        low = torch.minimum(torch.maximum(low, now - 1), now)  # the center that it has is one of the two
        high = (low + 1).clamp(max=top)
        gap = centers[high] - centers[low]
        share = ((places - centers[low]) / gap.where(gap > 0, 1.0)).clamp(_LEAST, 1 - _LEAST)
        share = share + _PULL * ((now > low).float() - share)
        for name, value in (("low", low), ("high", high), ("first", scales), ("known", centers)):
            self.register_buffer(name, value)
        self.span = float(centers.abs().max()) or 1.0
        self.choice = nn.Parameter(torch.logit((share - _SHIFT) / _STRETCH))
        self.shares = nn.Parameter(torch.zeros(len(scales)))  # logarithms of what the first scales are multiplied by
        self.moved = nn.Parameter(torch.zeros(len(centers)), requires_grad=not record.steps)

    def forward(self) -> Tensor:
        centers = self._centers()
        low, high = centers[self.low], centers[self.high]
        return (low + self._share() * (high - low)) * self._scales().reshape(self.shape)

    def undecided(self, power: float) -> Tensor:
        """The regulariser, a sum over all weights: 0 where each is at a center, 1 for each in the middle of two."""
        return (1 - (2 * self._soft() - 1).abs().pow(power)).sum()

    def harden(self) -> None:
        """From now on each weight is at a center. Gradients reach choices straight through."""
        self.hard = True

    @torch.no_grad()
    def record(self) -> cluster.Clustered:
        """What is packed: the centers that were chosen, and the scales."""
        index = torch.where(self.choice > 0, self.high, self.low)
        made = cluster.from_centers(
            as_array(index), as_array(self._centers()), as_array(self._scales()), replace(self.old, output_error=None)
        )
        return replace(made, relative_error=cluster.relative_error(self.original, made))

    def _soft(self) -> Tensor:
        return (torch.sigmoid(self.choice) * _STRETCH + _SHIFT).clamp(0, 1)

    def _share(self) -> Tensor:
        if not self.hard:
            return self._soft()
        near = torch.sigmoid(self.choice)
        return (self.choice > 0).float() + near - near.detach()

    def _centers(self) -> Tensor:
        return self.known + self.moved * self.span

    def _scales(self) -> Tensor:
        return self.first * self.shares.exp()
