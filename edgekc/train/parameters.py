"""A layer's weights as trainable parameters: dense, centers of clusters, or templates and their pairs.

Each module's `forward` gives weights in the layout of the graph, and `record` turns what was trained back into the
form that the packer takes. Indices are fixed, unless the layer has latent values: what the compressed form stands
for, before it was brought to the nearest center, pair or template. The forward pass computes with the compressed
form; the gradient goes to centers, pairs and scales, and to the latent values as well (straight-through, Bengio et al.
2013, arXiv 1308.3432), and `reassign` chooses the nearest index for each of these. Latent values end with `settle`;
from then on centers and pairs are trained alone, with fixed indices.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..compression.methods import cluster, codebook
from ..compression.methods.pairs import WINDOW, Pairs
from ..compression.model import Templates
from ..graph.ir import Array
from .tensors import as_array, as_tensor

_TYPICAL = 0.1  # root mean square of a layer's weights where its inputs are about 1


class Dense(nn.Module):
    """Weights as they are, trained in a unit in which they are not tiny.

    Adam moves every weight by about the learning rate, whatever its size; a layer that reads pixels 0 to 255 has
    weights of a few thousandths, and would be lost within some steps. The unit is a power of two, so that weights
    which no step has changed come back bit for bit.
    """

    def __init__(self, weights: Array) -> None:
        super().__init__()
        size = float(np.sqrt(np.square(weights, dtype=np.float64).mean()))
        self.unit = 2.0 ** round(math.log2(size / _TYPICAL)) if 0 < size < _TYPICAL / 4 else 1.0
        self.relative = nn.Parameter(as_tensor(weights) / self.unit)

    def forward(self) -> Tensor:
        return self.relative * self.unit


class Clustered(nn.Module):
    """weights = scale of the filter * center[index]; centers and scales are trained."""

    index: Tensor
    latent: nn.Parameter | None

    def __init__(self, record: cluster.Clustered, latent: Array | None) -> None:
        super().__init__()
        self.old = record
        self.centers = nn.Parameter(as_tensor(record.real_centers))
        self.scales = nn.Parameter(as_tensor(record.scales))
        self.register_buffer("index", torch.from_numpy(record.index.astype(np.int64)))
        self.latent = None if latent is None else nn.Parameter(as_tensor(latent))

    def forward(self) -> Tensor:
        return _straight_through(self.centers[self.index] * self._rows(), self.latent)

    def _rows(self) -> Tensor:
        """The scales, which the device wants positive, to be multiplied with the weights."""
        shape = [1] * self.index.ndim
        shape[self.old.channel_axis] = -1
        return self.scales.abs().reshape(shape)

    @torch.no_grad()
    def reassign(self) -> float:
        """The nearest center for each latent weight; the share of weights whose index changed."""
        if self.latent is None:
            return 0.0
        rows = self._rows()
        places = torch.where(rows == 0, 0.0, self.latent / rows).contiguous()
        ordered, order = torch.sort(self.centers)
        found = order[torch.bucketize(places, (ordered[1:] + ordered[:-1]) / 2)]
        changed = (found != self.index).float().mean()
        self.index.copy_(found)
        return float(changed)

    def settle(self) -> None:
        self.latent = None

    def record(self) -> cluster.Clustered:
        return cluster.from_centers(as_array(self.index), as_array(self.centers), as_array(self.scales.abs()), self.old)


class TemplateKernels(nn.Module):
    """weights[o, :, :, i] = a[o, i] * book[index[o, i]] + b[o, i]; a, b and, where asked for, the book are trained.

    Latent are the dense weights where each kernel has its own a and b: then templates are assigned anew. Where
    pairs are clustered, the templates stay and the a and b of each kernel are latent. Weights and `original` of a
    depthwise layer are (1, kh, kw, oc); inside they are (oc, kh, kw, 1), as `codebook.from_depthwise` has them.
    """

    index: Tensor
    pair_index: Tensor
    latent: nn.Parameter | None

    def __init__(self, record: Templates, book: nn.Parameter, original: Array | None, depthwise: bool) -> None:
        super().__init__()
        self.old = record
        self.depthwise = depthwise
        if original is not None and depthwise:
            original = codebook.from_depthwise(original)
        self.book = book
        self.register_buffer("index", torch.from_numpy(record.kernels.index.astype(np.int64)))
        pairs = record.pairs
        if pairs is None:
            self.a, self.b = nn.Parameter(as_tensor(record.kernels.a)), nn.Parameter(as_tensor(record.kernels.b))
            self.latent = None if original is None else nn.Parameter(as_tensor(original))
        else:
            self.values, self.scales = nn.Parameter(as_tensor(pairs.values)), nn.Parameter(as_tensor(pairs.scales))
            self.register_buffer("pair_index", torch.from_numpy(pairs.index.astype(np.int64)))
            # The pairs before they were clustered, where they are known.
            free = self._chosen() if record.unclustered is None else as_tensor(record.unclustered)
            self.latent = None if original is None else nn.Parameter(free.detach().clone())

    def _chosen(self) -> Tensor:
        return self.values[self.pair_index] * self.scales.abs()[:, None, None]

    def pairs(self) -> tuple[Tensor, Tensor]:
        """a and b, each (oc, ic)."""
        if self.old.pairs is None:
            return self.a, self.b
        chosen = _straight_through(self._chosen(), self.latent)
        return chosen[..., 0], chosen[..., 1]

    def forward(self) -> Tensor:
        a, b = self.pairs()
        kernels = (a[:, :, None, None] * self.book[self.index] + b[:, :, None, None]).permute(0, 2, 3, 1)
        if self.old.pairs is None:
            kernels = _straight_through(kernels, self.latent)
        return kernels.permute(3, 1, 2, 0) if self.depthwise else kernels

    @torch.no_grad()
    def reassign(self) -> float:
        """The nearest template or pair for each kernel; the share of kernels that changed."""
        if self.latent is None:
            return 0.0
        return self._reassign_templates(self.latent) if self.old.pairs is None else self._reassign_pairs(self.latent)

    def _reassign_templates(self, latent: Tensor) -> float:
        kernels = codebook.assign(as_array(latent), as_array(self.book), codebook.Options())
        found = torch.from_numpy(kernels.index.astype(np.int64)).to(self.index.device)
        changed = found != self.index
        self.index.copy_(found)
        for mine, fitted in ((self.a, kernels.a), (self.b, kernels.b)):
            mine[changed] = as_tensor(fitted).to(mine.device)[changed]
        return float(changed.float().mean())

    def _reassign_pairs(self, latent: Tensor) -> float:
        points = latent / self.scales.abs()[:, None, None]
        # An error of b counts in every tap and adds up over the window, one of a with the template's size.
        sums = self.book.new_tensor(WINDOW * self.book[0].numel() ** 0.5)
        weight = torch.stack([self.book.flatten(1).norm(dim=1).mean(), sums])
        found = torch.cdist((points * weight).reshape(-1, 2), self.values * weight).argmin(1)
        changed = (found.reshape_as(self.pair_index) != self.pair_index).float().mean()
        self.pair_index.copy_(found.reshape_as(self.pair_index))
        return float(changed)

    def settle(self) -> None:
        self.latent = None

    def record(self) -> Templates:
        a, b = (as_array(part) for part in self.pairs())
        # The errors of the record speak of the weights that the layer was fitted to, not of the trained ones.
        kernels = replace(self.old.kernels, index=as_array(self.index).astype(np.int32), a=a, b=b)
        pairs = self.old.pairs
        if pairs is not None:
            pairs = Pairs(
                as_array(self.values), as_array(self.pair_index).astype(np.int32), as_array(self.scales.abs())
            )
        return replace(self.old, kernels=kernels, pairs=pairs, unclustered=None)


def _straight_through(compressed: Tensor, latent: Tensor | None) -> Tensor:
    """The compressed values; their gradient goes to the latent ones too, where there are any."""
    return compressed if latent is None else compressed + (latent - latent.detach())
