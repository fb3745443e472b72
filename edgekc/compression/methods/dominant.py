"""Dominant kernels: a k x k convolution to a depthwise one (extraction) and a 1x1 one (combination).

DK2PNet (Wang et al., dominant convolutional kernel and knowledge pre-regression, ECCV 2016, doi
10.1007/978-3-319-46484-8_32) splits a convolution into feature extraction by dominant kernels within each channel
and feature combination, starting from a low-rank decomposition. The layer's exact form is not known to us; read
here as W[o, i] ~ sum over r of p[o, i, r] * D[i, r]: r kernels for each input channel. Of input channel i the best
D are the top r right singular vectors of its slice of W, (oc, k*k), and p the projections on them; the squared
error is the tail of the squared singular values. With r = 1 this is the kernel codebook with one template per
input channel, index i and b = 0.

Rank 1 misses more than half of a trained layer's energy, and what several layers miss adds up. `fit_responses` chooses
the combination by what the layer answers instead: with the kernels given, p and the bias are the linear least-squares
fit of the layer's responses before its activation, from the activations that the layers before it, decomposed already,
give it; this is the asymmetric response approximation of Zhang, Zou, Ming, He, Sun (CVPR 2015, arXiv 1411.4229) for a
combination of full rank, without their step for the activation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import ModelError, UsageError
from ...graph.ir import Array, Graph, Node, Role, Tensor, constant, prune
from ...ops import filters_of
from ...quantize import float_reference


@dataclass(frozen=True, slots=True)
class Dominant:
    """Channel i * r + j of the depthwise output is input channel i under its j-th kernel, strongest first."""

    depthwise: Array  # (1, kh, kw, ic * r) float32; each kernel of norm 1
    pointwise: Array  # (oc, 1, 1, ic * r) float32
    rank: int
    relative_error: float  # squared error over the squared norm of the weights


def decompose(weights: Array, rank: int) -> Dominant:
    """Weights (oc, kh, kw, ic) with `rank` kernels for each input channel, 1 to min(oc, kh * kw)."""
    if weights.ndim != 4 or 0 in weights.shape or weights.shape[1] * weights.shape[2] == 1:
        raise UsageError(f"weights of shape {list(weights.shape)}, expected (oc, kh, kw, ic) with kh * kw > 1")
    if not np.isfinite(weights).all():
        raise ModelError("a weight is not finite")
    oc, k_h, k_w, ic = weights.shape
    if not 1 <= rank <= min(oc, k_h * k_w):
        raise UsageError(f"{rank} kernels per channel, expected 1 to {min(oc, k_h * k_w)}")
    slices = weights.transpose(3, 0, 1, 2).reshape(ic, oc, k_h * k_w).astype(np.float64)
    u, s, vt = np.linalg.svd(slices, full_matrices=False)
    kernels, mixing = vt[:, :rank], u[:, :, :rank] * s[:, None, :rank]  # (ic, r, k*k), (ic, oc, r)
    strongest = np.abs(kernels).argmax(-1)[..., None]
    sign = np.sign(np.take_along_axis(kernels, strongest, -1))  # the SVD's own sign is arbitrary
    kernels, mixing = kernels * sign, mixing * sign.transpose(0, 2, 1)
    total, kept = float(np.square(s).sum()), float(np.square(s[:, :rank]).sum())
    return Dominant(
        np.ascontiguousarray(kernels.reshape(1, ic * rank, k_h, k_w).transpose(0, 2, 3, 1), np.float32),
        np.ascontiguousarray(mixing.transpose(1, 0, 2).reshape(oc, 1, 1, ic * rank), np.float32),
        rank,
        max(1 - kept / total, 0.0) if total > 0 else 0.0,
    )


def reconstruct(dominant: Dominant) -> Array:
    """The dense weights (oc, kh, kw, ic) float32 that the pair stands for."""
    r, (_, k_h, k_w, channels) = dominant.rank, dominant.depthwise.shape
    kernels = dominant.depthwise[0].reshape(k_h, k_w, channels // r, r)
    mixing = dominant.pointwise[:, 0, 0].reshape(-1, channels // r, r)
    return np.ascontiguousarray(np.einsum("hwir,oir->ohwi", kernels, mixing), np.float32)


def rewrite(graph: Graph, layer: str, dominant: Dominant) -> Graph:
    """A FLOAT graph with one conv2d node replaced by depthwise <layer>_dk, then the 1x1 convolution `layer`."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if node.name != layer:
            nodes.append(node)
            continue
        filters = filters_of(node)
        if filters is None or not filters.dense_window:
            raise UsageError(f"{node.op} cannot be replaced by dominant kernels", where=layer)
        out, name = tensors[node.outputs[0]], f"{layer}_dk"
        channels = dominant.depthwise.shape[-1]
        tensors[f"{name}/weights"] = constant(f"{name}/weights", dominant.depthwise, Role.WEIGHTS)
        tensors[f"{name}/bias"] = constant(f"{name}/bias", np.zeros(channels, np.float32), Role.BIAS)
        tensors[name] = Tensor(name, (*out.shape[:-1], channels), "float32")
        tensors[f"{layer}/weights"] = constant(f"{layer}/weights", dominant.pointwise, Role.WEIGHTS)
        first = dict(node.attrs) | {"activation": "none"}
        second = dict(node.attrs) | {key: int(key[:3] != "pad") for key in node.attrs if key != "activation"}
        nodes += [
            Node("depthwise", name, (node.inputs[0], f"{name}/weights", f"{name}/bias"), (name,), first),
            Node("conv2d", layer, (name, f"{layer}/weights", node.inputs[2]), node.outputs, second),
        ]
    if len(nodes) == len(graph.nodes):
        raise UsageError("the graph has no such layer", where=layer)
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def fit_responses(graph: Graph, layer: str, wanted: Array, x: Array) -> tuple[Graph, float]:
    """A graph whose 1x1 convolution of a rewritten layer answers as the layer once did.

    Args:
        graph: FLOAT, with `layer` rewritten.
        wanted: (n, h, w, oc) what the layer gave before its activation, see `responses`.
        x: (n, *input shape) real numbers, the same samples.

    Returns:
        The graph, and the squared error of the responses over their squared distance from their mean.
    """
    node = next(node for node in graph.nodes if node.name == layer)
    seen = _upto(graph, node.inputs[0], x).astype(np.float64)
    features, targets = seen.reshape(-1, seen.shape[-1]), wanted.reshape(-1, wanted.shape[-1]).astype(np.float64)
    mean, middle = features.mean(0), targets.mean(0)
    features, targets = features - mean, targets - middle
    gram = features.T @ features
    # Kernels that never answer have no weight; the ridge keeps those that nearly never do from large ones.
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram) + 1e-30
    weights = np.linalg.solve(gram, features.T @ targets)  # (ic * r, oc)
    error = float(np.square(targets - features @ weights).sum() / max(np.square(targets).sum(), 1e-30))
    tensors = dict(graph.tensors)
    for name, value, role in (
        (node.inputs[1], weights.T[:, None, None, :], Role.WEIGHTS),
        (node.inputs[2], middle - mean @ weights, Role.BIAS),
    ):
        tensors[name] = constant(name, np.ascontiguousarray(value, np.float32), role)
    return replace(graph, tensors=tensors), error


def responses(graph: Graph, layer: str, x: Array) -> Array:
    """What a layer of a FLOAT graph gives before its activation, (n, h, w, oc) float32."""
    bare = [
        replace(node, attrs=dict(node.attrs) | {"activation": "none"}) if node.name == layer else node
        for node in graph.nodes
    ]
    output = next(node.outputs[0] for node in bare if node.name == layer)
    return _upto(replace(graph, nodes=tuple(bare)), output, x)


def _upto(graph: Graph, name: str, x: Array) -> Array:
    """One activation; nothing behind it is computed."""
    count = next(i for i, node in enumerate(graph.nodes) if name in node.outputs) + 1
    return float_reference.outputs(replace(graph, nodes=graph.nodes[:count], outputs=(name,)), [x])[0]
