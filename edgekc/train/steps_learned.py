"""Weights that are whole multiples of learned steps, as trainable parameters.

Learned step size quantisation: Esser, McKinstry, Bablani, Appuswamy, Modha 2020, arXiv 1902.08153. Forward, a weight is
its nearest level times the step of its output channel. Backward, a weight within the levels gets the gradient of what
it was rounded to; a step gets what rounding leaves over of each weight, or the outermost level of one beyond, and its
gradient is divided by the root of how many weights it serves, times the highest level.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..compression.methods import cluster
from ..graph.ir import Array
from .tensors import as_array, as_tensor

_WITHIN = 0.49  # of a step around a level: what is surely rounded to it


class _Rounded(torch.autograd.Function):
    """Nearest whole numbers. Backward: the gradient, made a little larger where it drives a weight to the middle
    between two levels, and smaller where away from it (element-wise gradient scaling: Lee, Kim, Ham 2021, arXiv
    2104.00903)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, scaling: float) -> Tensor:
        whole = x.round()
        ctx.save_for_backward(x - whole)
        ctx.scaling = scaling  # type: ignore[attr-defined]
        return whole

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (left,) = ctx.saved_tensors  # type: ignore[attr-defined]
        scaling: float = ctx.scaling  # type: ignore[attr-defined]
        return grad * (1 + scaling * grad.sign() * left), None


class Stepped(nn.Module):
    """weights = step of the channel * level; weights before rounding, and steps, are trained.

    Both are trained in units of their size: Adam moves each by about the learning rate.

    Args:
        record: as `methods.steps.cluster_steps` makes it.
        original: the weights as they were; None: those that the record stands for. Where the record has other
            levels than their nearest ones (`second_order`), or other steps (`compression.statistics`), they are moved
            as far as it takes to be rounded to the record's: what is trained starts as what is packed.
        scaling: of gradients by what rounding leaves over; 0: straight through (Bengio et al. 2013, arXiv 1308.3432).
    """

    unit: Tensor
    first: Tensor

    def __init__(self, record: cluster.Clustered, original: Array | None, scaling: float = 0.0) -> None:
        super().__init__()
        self.old, self.scaling = record, scaling
        self.known = record.real_centers  # levels that no weight has are centers too
        self.low, self.high = float(self.known[0]), float(self.known[-1])
        weights = cluster.reconstruct(record) if original is None else _placed(original, record)
        live = np.where(record.scales > 0, record.scales, 1.0)
        # One for all channels: weights then keep the sizes that they have to each other.
        self.register_buffer("unit", torch.tensor(float(np.median(live)) * self.high, dtype=torch.float32))
        self.register_buffer("first", as_tensor(record.scales))
        self.weights = nn.Parameter(as_tensor(weights) / self.unit)
        self.shares = nn.Parameter(torch.ones(len(record.scales)))  # of the first steps
        count = record.index.size // len(record.scales)
        self.slowed = 1 / math.sqrt(count * self.high)

    def forward(self) -> Tensor:
        steps = self._steps(self.slowed)
        rounded: Tensor = _Rounded.apply(self._places(steps), self.scaling)  # type: ignore[no-untyped-call]
        return (rounded + self.low) * steps

    def _places(self, steps: Tensor) -> Tensor:
        """Of weights among the levels, which are 0, 1, ... there."""
        return (self.weights * self.unit / steps.where(steps > 0, 1.0)).clamp(self.low, self.high) - self.low

    def _steps(self, share: float = 1.0) -> Tensor:
        """The steps, which the device wants positive, as the weights are laid out.

        Args:
            share: of the gradient that reaches them.
        """
        slow = self.shares * share + (self.shares * (1 - share)).detach()
        shape = [1] * self.old.index.ndim
        shape[self.old.channel_axis] = -1
        return (slow.abs() * self.first).reshape(shape)

    @torch.no_grad()
    def record(self) -> cluster.Clustered:
        """What is packed: an index for each weight, and the steps."""
        steps = self._steps()
        index = as_array(self._places(steps).round()).astype(np.int64)
        return cluster.from_centers(index, self.known, as_array(steps.flatten()), self.old)


def _placed(weights: Array, record: cluster.Clustered) -> Array:
    """Weights that are rounded to the levels of the record, as near to the given ones, times a gain, as may be."""
    rows = cluster.to_rows(weights, record.channel_axis)
    levels = record.real_centers
    low, high = levels[0], levels[-1]
    known = levels[cluster.to_rows(record.index, record.channel_axis)]
    steps = record.scales.astype(np.float64)[:, None]
    live = steps > 0
    places = np.divide(rows, steps, out=np.zeros_like(rows), where=live)
    rounded = (np.rint(places - low) + low).clip(low, high)
    off = live & (rounded != known).any(1, keepdims=True)  # channels that are others by now
    if not off.any():
        return weights
    match, power = (rows * known).sum(1, keepdims=True), np.square(known).sum(1, keepdims=True)
    fitted = np.where((match > 0) & (power > 0), match / np.where(power > 0, power, 1), steps)  # step of these levels
    places = rows / np.where(fitted > 0, fitted, 1)
    ends = np.where(known == low, -np.inf, known - _WITHIN), np.where(known == high, np.inf, known + _WITHIN)
    moved = np.where(off, np.clip(places, *ends) * steps, rows)
    return cluster.from_rows(moved.astype(np.float32), weights.shape, record.channel_axis)
