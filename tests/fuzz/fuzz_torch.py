"""Small torch.export programs that have every operator of the importer between them, for the fuzzer to damage."""

from __future__ import annotations

import importlib
import io
import json
import random
from collections.abc import Callable
from typing import Any

import fuzz_mutations as mutations

IMAGE, ROWS = (1, 4, 6, 6), (1, 5, 8)
Values = list[Any]


def _functions(torch: Any, x: Any, k: Any) -> Values:
    a, f = torch.ops.aten, torch.nn.functional
    for way in (
        a.abs, a.cos, a.neg, a.sin, a.tanh, a.sigmoid, a.relu, a.alias, a.clone, a.detach, f.elu, f.celu, f.gelu,
        f.mish, f.silu, f.softplus, f.hardsigmoid, f.hardswish, f.hardtanh, f.leaky_relu, torch.square, a.exp,
        a.log, a.sqrt, a.rsqrt,
    ):  # fmt: skip
        x = way(x)
    x = torch.floor(x * 4) + torch.ceil(x * 4) + torch.round(x * 4)
    x = torch.log1p(x * x) + torch.log2(x.exp()) + torch.log10(x.exp()) + torch.expm1(x)
    x = a._to_copy(a.contiguous(a.dropout(x, 0.5, False)), dtype=torch.float32)
    return [f.prelu(a.clamp_min(a.clamp_max(a.clamp(x, -2, 2), 1.5), -1.5), k[:4])]


def _pairs(torch: Any, x: Any, k: Any) -> Values:
    a, row = torch.ops.aten, k[:6]
    x = a.sub(a.add(x, row), row, alpha=0.5) * row / (row + 9)
    return [torch.pow(torch.maximum(torch.minimum(x, row), x.flip(3)), 3)]


def _axes(torch: Any, x: Any, k: Any) -> Values:
    a = torch.ops.aten
    x = torch.log_softmax(torch.softmax(x, 2), 1)
    return [
        torch.cumsum(x, 1), torch.logsumexp(x, 2),
        x.amax(1), x.amin(2), x.argmax(1), a.argmin(x), *torch.max(x, 1), torch.min(x, 2)[0], x.max(), x.mean((2, 3)),
        x.sum(1), torch.var(x, 1), torch.linalg.vector_norm(x, 2, (1,)), torch.linalg.vector_norm(x, 1, (2,)),
    ]  # fmt: skip


def _layers(torch: Any, x: Any, k: Any) -> Values:
    f, a = torch.nn.functional, torch.ops.aten
    w = k.reshape(8, 8)
    x = f.conv2d(x, k[:36].reshape(4, 1, 3, 3), k[:4], padding=1, groups=4)
    x = f.conv_transpose2d(x, k[:16].reshape(4, 4, 1, 1), stride=1)
    x = f.batch_norm(x, k[:4] * 0, k[:4] * 0 + 1, k[:4], k[4:8])
    x = f.instance_norm(f.group_norm(x, 2, k[:4], k[4:8]))
    rows = f.linear(f.layer_norm(x.reshape(1, 18, 8), (8,), k[:8], k[8:16]), w, k[:8])
    flat = a.addmm(k[:8], a.mm(rows[0], w), w).reshape(1, 18, 8)
    flat = a.baddbmm(flat, flat, w.reshape(1, 8, 8))
    flat = torch.bmm(flat, flat.transpose(1, 2)) @ flat
    return [torch.einsum("abc,cd->abd", flat, w), f.scaled_dot_product_attention(rows, flat, rows)]


def _images(torch: Any, x: Any, k: Any) -> Values:
    f, a = torch.nn.functional, torch.ops.aten
    up = f.interpolate
    row = x.reshape(1, 24, 6)
    return [
        f.adaptive_avg_pool2d(x, 3), f.adaptive_max_pool2d(x, 2), f.avg_pool2d(x, 2), f.max_pool2d(x, 2, padding=1),
        f.local_response_norm(x, 3), a.channel_shuffle(x, 2), f.pixel_shuffle(x, 2), f.pixel_unshuffle(x, 2),
        up(x, scale_factor=2.0), up(x, size=(9, 9), mode="nearest-exact"), up(x, size=(12, 12), mode="bilinear"),
        up(row, scale_factor=2.0), up(row, size=9, mode="nearest-exact"), up(row, size=12, mode="linear"),
        f.adaptive_avg_pool1d(row, 3), f.avg_pool1d(row, 2), f.max_pool1d(row, 2),
    ]  # fmt: skip


def _moves(torch: Any, x: Any, k: Any) -> Values:
    f, a = torch.nn.functional, torch.ops.aten
    x = a.slice_scatter(x, a.full_like(x[:, :2], 0.5), 1, 2, 4) + a.slice_scatter(a.zeros_like(x), x[:, 1:], 1, 0, 3)
    x = a.select_scatter(x, a.copy(x[:, 0], x[:, 1]), 1, 0)
    x = f.pad(torch.where(k[:6] < -0.9, x, k[0]), (1, 1, 0, 0), mode="circular")[..., 1:-1]
    left, right = x.split(2, 1)
    first, second = x.split_with_sizes([1, 3], 1)
    x = torch.cat([left, right.transpose(2, 3), first, second.permute(0, 1, 3, 2)], 1)
    x = a.reflection_pad2d(a.constant_pad_nd(x, (1, 0, 0, 1)), (1, 1, 1, 1))
    x = torch.as_strided(x, x.shape, x.contiguous().stride())
    x = x[:, [2, 0, 1]][:, :, 1:7:2].repeat(1, 2, 1, 1)
    row = a.reflection_pad1d(x.reshape(1, 18, -1), (2, 1))
    parts = torch.stack(list(x.unbind(1)), 1).index_select(1, torch.tensor([3, 1]))
    return [parts.unsqueeze(1).expand(1, 3, -1, -1, -1).squeeze(), parts.select(1, 0).view(1, -1), row.reshape(1, -1)]


def _logic(torch: Any, x: Any, k: Any) -> Values:
    a, row = torch.ops.aten, k[:6]
    truths = [x > row, x < row, x >= 0, x <= 0, x == row, x != row]
    both = (truths[0] & truths[2]) | ~truths[1]
    either = torch.logical_or(torch.logical_and(truths[3], truths[4]), torch.logical_not(truths[5]))
    x = torch.where(both, x, torch.ones_like(x)).masked_fill(either, -1.0)
    return [torch.sign(x) + a.zeros_like(x), *torch.topk(x, 2, 3), x.prod(3)]


def _looked_up(torch: Any, x: Any, k: Any) -> Values:
    return [torch.nn.functional.embedding(x.argmax(3), k.reshape(8, 8))]


def _quantised(torch: Any, x: Any, k: Any) -> Values:
    """A residual that is added in float, and a last layer whose output is float, as X86InductorQuantizer does it."""
    f, ops = torch.nn.functional, torch.ops.quantized_decomposed

    def act(x: Any, scale: float, zero: int) -> Any:
        levels = ops.quantize_per_tensor(x, scale, zero, -128, 127, torch.int8)
        return ops.dequantize_per_tensor(levels, scale, zero, -128, 127, torch.int8)

    def weights(w: Any) -> Any:
        scales, zeros = k[-w.shape[0] :].abs() / 64, torch.zeros(w.shape[0], dtype=torch.int64)
        levels = ops.quantize_per_channel(w, scales, zeros, 0, -127, 127, torch.int8)
        return ops.dequantize_per_channel(levels, scales, zeros, 0, -127, 127, torch.int8)

    x = act(x, 0.03, 3)
    x = act(torch.relu(f.conv2d(x, weights(k[:16].reshape(4, 4, 1, 1)), k[:4]) + x), 0.02, -128)
    x = act(x.mean((2, 3)), 0.02, -128)
    return [f.linear(x, weights(k[:32].reshape(8, 4)), k[:8])]


PARTS: tuple[tuple[Callable[[Any, Any, Any], Values], tuple[int, ...]], ...] = (
    (_functions, IMAGE), (_pairs, IMAGE), (_axes, IMAGE), (_layers, IMAGE), (_images, IMAGE), (_moves, IMAGE),
    (_logic, IMAGE), (_looked_up, IMAGE),
    (_quantised, IMAGE),
)  # fmt: skip


def programs() -> list[bytes]:
    """A file for each kind of operators."""
    import torch

    parts = PARTS
    try:
        importlib.import_module("torch.ao.quantization.fx._decomposed")
    except ImportError:  # of a torch that has them no more
        parts = PARTS[:-1]

    class Net(torch.nn.Module):
        def __init__(self, part: Callable[[Any, Any, Any], Values]) -> None:
            super().__init__()
            self.part = part
            self.register_buffer("k", torch.linspace(-1, 1, 64))

        def forward(self, x: Any) -> Any:
            return tuple(self.part(torch, x, self.k))

    found = []
    for part, shape in parts:
        buffer = io.BytesIO()
        torch.export.save(torch.export.export(Net(part).eval(), (torch.zeros(shape),)), buffer)
        found.append(buffer.getvalue())
    return found


def damaged(rng: random.Random, data: bytes) -> bytes:
    """A node of a torch.export program: an argument, its operator, its place, or the shape that is stated of it."""
    try:
        tree = json.loads(data)
        graph = tree["graph_module"]["graph"]
        nodes = graph["nodes"]
        node = rng.choice(nodes)
    except (ValueError, LookupError, TypeError):
        return mutations.js(rng, data)
    kind = rng.randrange(6)
    if kind == 0:
        node["target"] = rng.choice(nodes)["target"]
    elif kind == 1:
        nodes.insert(rng.randrange(len(nodes)), node)
    elif kind == 2:
        return mutations.js(rng, data)
    elif kind == 3 and graph["tensor_values"]:
        mutations.change_json(rng, {"": rng.choice(list(graph["tensor_values"].values()))})
    else:
        mutations.change_json(rng, {"": node["inputs"]})
    return json.dumps(tree).encode()
