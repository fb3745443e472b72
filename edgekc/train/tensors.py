"""Between numpy and PyTorch: copies, never views; from any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..graph.ir import Array


def as_tensor(x: Array) -> Tensor:
    """float32."""
    return torch.from_numpy(np.array(x, np.float32))


def as_array(x: Tensor) -> Array:
    return np.asarray(x.detach().cpu().numpy().copy())
