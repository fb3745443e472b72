"""A node of a FLOAT graph in PyTorch: the twin of quantize/float_reference, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor

from ..graph.ir import Node
from ..graph.op import View
from ..ops import floats_of

# Functions of their own, not torch.clamp: their gradients take a third of its time.
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": torch.relu,
    "relu6": F.relu6,
    "relu_n1_to_1": F.hardtanh,
}


def activate(x: Tensor, activation: str) -> Tensor:
    """A fused or stand-alone activation; `x` itself where there is none."""
    return _ACTIVATIONS[activation](x)


def run(node: Node, view: View, operands: Sequence[Tensor]) -> Tensor:
    """The node's output (n, ...) from its operands, constants included. UnsupportedError: no float definition."""
    out: Tensor = floats_of(node).torch(torch, view, operands)
    return activate(out, str(node.attrs.get("activation", "none")))
