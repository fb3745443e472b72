"""Random packed layers: dense layers of an INTEGER graph replaced by clustered ones and by ones on templates.

Exact: the packed weights expand to the dense ones, so every output keeps its bytes, and LiteRT's answer to the dense
network is the oracle. Wide: centers and pairs of up to 16 bits, which no dense layer has; the numpy definition is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..compression.methods.steps import levels
from ..errors import ModelError
from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant, prune
from ..graph.op import View
from ..ops import OPS
from ..ops.packed.template import PAIR_MAX, response_limit
from .values import Rng

TEMPLATED = ("conv2d", "grouped_conv2d", "depthwise", "transpose_conv")  # operators that have forms on templates
CLUSTERED = (*TEMPLATED, "fully_connected")
LARGEST = (
    127,
    3640,
    3640,
    2**15 - 1,
)  # weights as dense layers have them, as Winograd's transform takes them, of 16 bits
TEMPLATES = (1, 2, 4, 8, 16, 23)  # of a layer: few are cheap as responses, many as Winograd's transform


def templated_filters(rng: Rng, kernels: tuple[int, int], window: tuple[int, int]) -> Array:
    """int8 weights (oc, ic, kh, kw) that templates and pairs can stand for, exactly."""
    parts = _parts(rng, kernels, window, 127)
    return np.clip(_expanded(*parts), -127, 127).astype(np.int8)


def pack_layers(graph: Graph, rng: Rng, exact: bool) -> Graph:
    """The graph with about four fifths of its layers with weights packed, each in a way of its own."""
    for node in graph.nodes:
        if node.op in CLUSTERED and rng.random() < 0.8:
            view = View(node, tuple(graph.of(node.inputs)), tuple(graph.of(node.outputs)))
            packed = (_exact if exact else _wide)(view, rng)
            if packed is not None:
                graph = _replaced(graph, node, *packed)
    return graph


Packed = tuple[str, dict[str, int], list[Tensor]]


def _exact(view: View, rng: Rng) -> Packed | None:
    kernels = _by_kernel(view)
    if kernels is not None and rng.random() < 0.55 and (found := factored(kernels, rng)) is not None:
        return _with_templates(view, rng, found, view.inputs[-3:])
    centers, index = np.unique(_by_filter(view), return_inverse=True)
    return _with_centers(view, centers, index.reshape(_by_filter(view).shape), view.inputs[-3:])


def _wide(view: View, rng: Rng) -> Packed | None:
    steps = rng.random() < 0.125
    shape, largest = _by_filter(view).shape, 127 if steps else int(rng.choice(LARGEST))
    bias, multiplier, shift = view.inputs[-3:]
    smaller = np.maximum(shift.value.astype(np.int64) - (largest // 128).bit_length(), -31).astype(np.int8)
    rest = (bias, multiplier, constant(shift.name, smaller, Role.REQUANT))
    if steps:
        return _with_centers(view, *_steps(rng, shape), rest)
    kernels = _by_kernel(view)
    if kernels is not None and rng.random() < 0.65:
        return _with_templates(view, rng, _parts(rng, kernels.shape[:2], kernels.shape[2:], largest), rest)
    count = int(rng.choice([1, 2, 3, 4, 7, 8, 16, 16, 16, 31, 64, 200, 256]))
    centers = np.append(rng.integers(-largest, largest + 1, count - 1), rng.choice([-largest, largest]))
    index = rng.integers(0, count, shape)
    index.flat[0] = count - 1  # the width of an index follows from the largest
    return _with_centers(view, centers, index, rest)


def _steps(rng: Rng, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Centers that are whole multiples of a step, and indices, as `centers = "steps"` packs them."""
    bits = int(rng.integers(2, 9))
    centers = levels(bits) << max(7 - bits, 0)
    index = rng.integers(0, 2**bits, shape)
    index.flat[0] = 2**bits - 1
    return centers, np.maximum(index, 1) if bits == 8 and rng.random() < 0.5 else index


def _by_filter(view: View) -> Array:
    """Weights with the output channels first, as indices lie."""
    w = view.inputs[1].value
    return w.transpose(2, 0, 1) if view.node.op == "depthwise" else w


def _by_kernel(view: View) -> Array | None:
    """Weights (oc, ic, kh, kw), None where the layer has no window."""
    w = view.inputs[1].value
    if view.node.op not in TEMPLATED:
        return None
    return w.transpose(2, 0, 1)[:, None] if view.node.op == "depthwise" else w.transpose(0, 3, 1, 2)


def _with_centers(view: View, centers: Array, index: Array, rest: tuple[Tensor, ...]) -> Packed:
    name = view.node.name
    codes = [
        constant(f"{name}/indices", index.astype(np.uint8), Role.INDEX),
        constant(f"{name}/centers", centers[None].astype(np.int16), Role.CENTERS, Quant((1.0,), (0,))),
    ]
    return f"clustered_{view.node.op}", {}, [*codes, *rest]


Parts = tuple[int, Array, Array, Array]  # ones, templates (t, kh, kw), indices (oc, ic), pairs (oc, ic, 2)


def _expanded(ones: int, templates: Array, indices: Array, pairs: Array) -> Array:
    return np.asarray(pairs[..., 0, None, None] * templates[indices] + pairs[..., 1, None, None] * ones)


def _parts(rng: Rng, kernels: tuple[int, ...], window: tuple[int, ...], largest: int) -> Parts:
    """Templates and pairs whose weights are at most `largest`."""
    limit = min(response_limit(int(np.prod(window))), 127)
    limit = int(rng.integers(1, min(limit, largest) + 1))
    templates = rng.integers(-limit, limit + 1, (int(rng.choice(TEMPLATES)), *window))
    ones = int(rng.integers(1, response_limit(templates[0].size) + 1))
    ones = min(ones, max(largest // 2, 1))
    indices = rng.integers(0, len(templates), kernels)
    a = min(largest // (2 * limit), PAIR_MAX)
    b = min(largest // (2 * ones), PAIR_MAX)
    pool = np.stack([rng.integers(-a, a + 1, 40), rng.integers(-b, b + 1, 40)], axis=-1)
    return ones, templates, indices, pool[rng.integers(0, 40, kernels)]


def factored(kernels: Array, rng: Rng) -> Parts | None:
    """Templates and pairs of dense kernels: what is constant in one goes into b, a common factor into a."""
    wide = kernels.astype(np.int64)
    oc, ic, k_h, k_w = wide.shape
    flat = wide.reshape(oc * ic, k_h * k_w)
    base = {0: np.zeros(len(flat), np.int64), 1: flat.min(1), 2: np.round(flat.mean(1)).astype(np.int64)}
    b = base[int(rng.integers(3))]
    rest = flat - b[:, None]
    a = np.maximum(np.gcd.reduce(rest, axis=1), 1) * np.where(rng.random(len(flat)) < 0.5, -1, 1)
    templates, indices = np.unique(rest // a[:, None], axis=0, return_inverse=True)
    if len(templates) > 256 or 128 * np.abs(templates).sum(1).max() >= 2**15 or np.abs(templates).max() > 127:
        return None
    if 128 * k_h * k_w >= 2**15:
        return None
    pairs = np.stack([a, b], axis=-1).reshape(oc, ic, 2)
    return 1, templates.reshape(-1, k_h, k_w), indices.reshape(oc, ic), pairs


def _with_templates(view: View, rng: Rng, parts: Parts, rest: tuple[Tensor, ...]) -> Packed:
    ones, templates, indices, pairs = parts
    name, base = view.node.name, view.node.op
    codes = [
        constant(f"{name}/templates", templates.astype(np.int8), Role.CODEBOOK),
        constant(f"{name}/indices", indices.astype(np.uint8), Role.INDEX),
    ]
    book, pair_indices = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    if len(book) <= 256 and rng.random() < 0.5:
        codes.append(constant(f"{name}/pairs", book.astype(np.float16), Role.PAIRS))
        codes.append(constant(f"{name}/pair_indices", pair_indices.reshape(indices.shape).astype(np.uint8), Role.INDEX))
        return f"template_pairs_{base}", {"ones": ones}, [*codes, *rest]
    codes.append(constant(f"{name}/pairs", pairs.astype(np.float16), Role.PAIRS))
    return f"template_{base}", {"ones": ones}, [*codes, *rest]


def _replaced(graph: Graph, node: Node, op: str, more: dict[str, int], constants: list[Tensor]) -> Graph:
    """The graph with the packed node, or as it was where an accumulator or a response could overflow."""
    new = replace(node, op=op, inputs=(node.inputs[0], *(t.name for t in constants)), attrs={**node.attrs, **more})
    tensors = {**graph.tensors, **{t.name: t for t in constants}}
    after = prune(replace(graph, tensors=tensors, nodes=tuple(new if n is node else n for n in graph.nodes)))
    try:
        OPS[op].validate(View(new, tuple(after.of(new.inputs)), tuple(after.of(new.outputs))))
    except ModelError:
        return graph
    return after
