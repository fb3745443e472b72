"""A trainable net that computes with the device's integers: quantisation-aware training without approximation.

In every step the net's present values are quantised, packed and lowered by the same functions that make the
packed model, and the forward pass is that INTEGER graph, bit for bit: what is trained is what will run. The
backward pass is that of the real function (straight-through, Bengio et al. 2013, arXiv 1308.3432), with no
gradient where an activation left its range.

Accumulators are computed by convolutions in float32 over digits of the weights, each so small that its sums are
exact; all other operators run their reference definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor

from ..compression.model import Model
from ..graph.fixedpoint import SINGLE
from ..graph.ir import Array, Graph, Node
from ..graph.op import View, int_attrs, view_of
from ..ops import OPS
from ..ops.shared.floats import padded
from .loop import Trainable
from .net import Net
from .windows import Inputs, Kept, Walk, Window

Integer = Callable[[Model], Graph]  # the INTEGER graph of a model, its activations' quantisation being fixed


class DeviceNet(Trainable):
    """`net` on the device's arithmetic.

    Integers are computed on the processor, wherever the net is: a GPU's convolutions need not be exact.

    Args:
        net: what is trained.
        integer: makes the INTEGER graph of the net's present values; all its tensors of activations must have
            the names of the FLOAT graph and a quantisation.
        words: activations that begin with numbers of 16 bits, see `wide_states.words`.
    """

    def __init__(
        self, net: Net, integer: Integer, words: Mapping[str, tuple[int, float]] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self.net = net
        self.integer = integer
        self._words = words
        self._walk = Walk()
        self._at = torch.device("cpu")  # where real numbers are

    def forward(self, x: Inputs) -> Tensor:
        """The scores (n, ...) that the device gives, as real numbers."""
        return self.activations(x, ())[self.scores]

    @property
    def scores(self) -> str:
        """The activation that `forward` returns."""
        return self.net.scores

    def activations(self, x: Inputs, keep: Iterable[str]) -> dict[str, Tensor]:
        """The activations of these names (n, ...) as the device has them, as real numbers, and the scores."""
        graph, wanted = self.integer(self.net.model()), {*keep, self.scores}
        self._at = (x.x if isinstance(x, Window) else x).device
        first = {s.start: torch.from_numpy(s.initial.copy()) for s in graph.states}
        kept = {name: (self._real(levels, graph, name), levels) for name, levels in first.items()}
        return self._walk.over(x, kept, lambda samples, kept: self._step(graph, samples, kept, wanted))

    def _step(self, graph: Graph, x: Tensor, kept: Kept, wanted: set[str]) -> tuple[dict[str, Tensor], Kept]:
        """One step; a state is kept as the real numbers that gradients go through, and as the device's integers."""
        float_nodes = {node.name: node for node in self.net.source.graph.nodes}
        first = graph.tensors[graph.inputs[0]]
        levels: dict[str, Tensor] = {first.name: to_levels(x.cpu(), first.q.scale, first.q.zero_point, first.dtype)}
        reals: dict[str, Tensor] = {first.name: self._real(levels[first.name], graph, first.name)}
        for name, (soft, exact) in kept.items():
            reals[name], levels[name] = soft, exact
        ends = {s.end for s in graph.states}
        for node in graph.nodes:
            out = node.outputs[0]
            levels[out] = run_integer(graph, node, levels)
            exact = self._real(levels[out], graph, out)
            inputs = [reals[n] for n in node.inputs if n in reals]
            same = float_nodes.get(node.name)  # None: a change of scale
            soft = inputs[0] if same is None else self.net.run_node(same, inputs).float()
            soft = self._within(soft, graph, out)
            reals[out] = soft + (exact - soft).detach()
            if wanted | ends <= reals.keys():
                break
        return {name: reals[name] for name in wanted}, {s.start: (reals[s.end], levels[s.end]) for s in graph.states}

    def _real(self, levels: Tensor, graph: Graph, name: str) -> Tensor:
        """What the device's numbers stand for; two bytes of a state of 16 bits are one number."""
        quant = graph.tensors[name].q
        count, scale = self._words.get(name, (0, 1.0))
        behind = (levels[:, 2 * count :] if count else levels).float()
        behind = (behind - quant.zero_point) * float(quant.scale)
        if not count:
            return behind.to(self._at)
        whole = torch.from_numpy(levels[:, : 2 * count].contiguous().numpy().view("<i2").astype(np.float32))
        return torch.cat([whole * scale, behind], 1).to(self._at)

    def _within(self, soft: Tensor, graph: Graph, name: str) -> Tensor:
        """Real numbers clipped to what the device can hold, with no gradient for what was outside."""
        t = graph.tensors[name]
        info = np.iinfo(t.dtype)
        low, high = ((end - t.q.zero_point) * float(t.q.scale) for end in (int(info.min), int(info.max)))
        count, scale = self._words.get(name, (0, 1.0))
        if not count:
            return soft.clamp(low, high)
        words = soft[:, :count].clamp(-32768 * scale, 32767 * scale)
        return torch.cat([words, soft[:, count:].clamp(low, high)], 1)

    def reassign(self) -> float:
        return self.net.reassign()

    def freeze_indices(self) -> None:
        self.net.freeze_indices()


@torch.no_grad()
def run_integer(graph: Graph, node: Node, levels: dict[str, Tensor]) -> Tensor:
    """One node of an INTEGER graph on a batch, as its reference defines it."""
    op = OPS[node.op]
    constants = {n: graph.tensors[n].value for n in node.inputs if n not in levels}
    attrs = int_attrs(node)
    # A transposed convolution pads no image: it runs by its definition, as whatever has no weights.
    if op.weights is not None and ("pad_bottom" in attrs or "pad_top" not in attrs):
        view = view_of(graph, node)
        weights = op.weights(attrs, list(constants.values()))
        last = (view.bias, view.multiplier, view.shift)
        bias, multiplier, shift = (torch.from_numpy(t.value.copy()) for t in last)
        acc = _accumulators(view, levels[node.inputs[0]], weights)
        acc += bias
        return _requantised(acc, multiplier, shift, attrs)
    operands = [levels[n].numpy() if n in levels else constants[n] for n in node.inputs]
    batch = len(next(iter(levels.values())))
    if op.view:
        return torch.from_numpy(operands[0].reshape(batch, *graph.tensors[node.outputs[0]].shape[1:]))
    return torch.from_numpy(np.ascontiguousarray(op.reference(attrs, operands)[0]))


def _accumulators(view: View, x: Tensor, weights: Array) -> Tensor:
    """int64 (n, ..., oc), without bias."""
    if weights.ndim == 2:
        product = x.reshape(-1, weights.shape[1]).double() @ torch.from_numpy(weights.astype(np.float64)).T
        return product.reshape(len(x), *view.out.shape[1:]).long()
    image: Tensor = padded(torch, view, x.float(), float(view["pad_value"]))
    depthwise = weights.ndim == 3
    w = weights.transpose(2, 0, 1)[:, None] if depthwise else weights.transpose(0, 3, 1, 2)
    stride, dilation = (view["stride_h"], view["stride_w"]), (view["dilation_h"], view["dilation_w"])
    acc: Tensor | None = None
    for shift, digits in _digits(w.astype(np.int64)):
        filters = torch.from_numpy(digits.astype(np.float32))
        part = F.conv2d(
            image, filters, stride=stride, dilation=dilation, groups=x.shape[3] // w.shape[1]
        )  # (n, oc, h, w)
        whole = part.permute(0, 2, 3, 1).long() << shift
        acc = whole if acc is None else acc.add_(whole)
    assert acc is not None
    return acc


def _digits(w: Array) -> Iterator[tuple[int, Array]]:
    """(shift, d) with w = sum of d << shift, so small that float32 sums of int8 times d are exact: below 2**24."""
    limit = 2**24 // (128 * w[0].size)
    bits = max(limit.bit_length() - 1, 1)  # digits of this many bits are at most 2**bits / 2
    shift = 0
    while np.abs(w).max(initial=0) > limit:
        digit = ((w + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))
        yield shift, digit
        w, shift = (w - digit) >> bits, shift + bits
    yield shift, w


def _requantised(acc: Tensor, multiplier: Tensor, shift: Tensor, attrs: dict[str, int]) -> Tensor:
    """fixedpoint.requantize and clamp_int8 on tensors; acc int64 is used up."""
    m, s = multiplier.long(), shift.long()
    if attrs["rounding"] == SINGLE:
        acc *= m
        right = 31 - s
    else:
        acc <<= s.clamp_min(0)
        acc *= m
        acc += 1 << 30
        acc >>= 31
        right = (-s).clamp_min(0)
    half = torch.where(right > 0, torch.ones_like(right) << (right - 1).clamp_min(0), 0)
    acc += half - ((acc < 0) & (right > 0)).long()
    acc >>= right
    acc += attrs["out_zero"]
    return acc.clamp_(attrs["act_min"], attrs["act_max"]).to(torch.int8)


def to_levels(x: Tensor, scale: float, zero_point: int, dtype: str) -> Tensor:
    """Real samples to the input's integers, halves away from zero, as `evaluate.input_levels` makes them."""
    info = np.iinfo(dtype)
    scaled = (x.float() / torch.tensor(scale, dtype=torch.float32)).double()  # float32 makes 1 of 0.49999997 + 0.5
    rounded = torch.trunc(scaled + torch.copysign(torch.tensor(0.5, dtype=torch.float64), scaled))
    return (rounded + zero_point).clamp(int(info.min), int(info.max)).to(getattr(torch, dtype))
