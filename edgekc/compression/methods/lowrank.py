"""Truncated SVD: a fully connected layer, or a 1x1 convolution, to a chain of smaller ones.

Hsiao et al. (2019, see cluster.py): one fully connected layer becomes two, y = A (B x) + bias, A (oc, r) and
B (r, ic) from the r largest singular values; the thesis behind it also studies the number of sub-layers. By
Eckart and Young no two factors of rank r leave less than the tail of the squared singular values. Choices of
ours: the singular values are spread evenly over the factors, so that all have weights of about one size and
quantise alike; a chain of more than two has inner factors (r, r), which start diagonal. Such a chain never has
fewer bytes for the same error, and is there for retraining.

With second moments H of the inputs the error of the outputs, tr(E H E^T), is made least in place of that of the
weights: W L = U S V^T with H = L L^T, then B = V^T L^-1 (Eckart and Young on the whitened inputs). H comes from
`moments`: the covariance where `bias_shift` goes into the bias, the second moments otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import ModelError, UsageError
from ...graph.ir import Array, Graph, Node, Role, Tensor, constant, prune
from ...ops import filters_of


@dataclass(frozen=True, slots=True)
class LowRank:
    """W ~ factors[-1] @ ... @ factors[0]."""

    factors: tuple[Array, ...]  # float32: (r, ic), (r, r) ..., (oc, r), in the order of execution
    rank: int
    relative_error: float  # squared error over the squared norm of the weights
    output_error: float | None  # the same of the outputs, where their second moments were given


def truncate(weights: Array, rank: int, layers: int = 2, moment: Array | None = None, damping: float = 1e-4) -> LowRank:
    """The best factors of a rank.

    Args:
        weights: (oc, ic), or (oc, 1, 1, ic); ModelError where not finite, UsageError for other shapes.
        rank: 1 to min(oc, ic); UsageError otherwise.
        layers: length of the chain, 2 or more.
        moment: H = E[x x^T] (ic, ic) of the inputs; None: every input alike.
        damping: added to H's diagonal, as a fraction of its mean: inputs never seen still count a little.
    """
    w = _matrix(weights)
    if not 1 <= rank <= min(w.shape):
        raise UsageError(f"rank {rank} of weights {list(w.shape)}, expected 1 to {min(w.shape)}")
    if layers < 2:
        raise UsageError(f"{layers} layers, expected 2 or more")
    if moment is None:
        u, s, vt = np.linalg.svd(w, full_matrices=False)
        u, s, vt = u[:, :rank], s[:rank], vt[:rank]
    else:
        # S^2 and U of W L are eigenvalues and vectors of W H W^T, and S V^T L^-1 = U^T W: no root, no inverse.
        values, vectors = np.linalg.eigh(w @ _damped(moment, w.shape[1], damping) @ w.T)
        u = vectors[:, ::-1][:, :rank]
        s = np.sqrt(np.maximum(values[::-1][:rank], max(float(values[-1]), 1e-300) * 1e-15))
        vt = (u.T @ w) / s[:, None]
    share = s ** (1 / layers)
    factors = [share[:, None] * vt, *[np.diag(share)] * (layers - 2), u * share]
    stored = tuple(np.ascontiguousarray(f, np.float32) for f in factors)
    error = w - product(stored)
    output = None
    if moment is not None:
        size = float(np.einsum("oi,ij,oj->", w, moment, w, optimize=True))
        output = float(np.einsum("oi,ij,oj->", error, moment, error, optimize=True)) / size if size > 0 else 0.0
    norm = float(np.square(w).sum())
    return LowRank(stored, rank, float(np.square(error).sum()) / norm if norm > 0 else 0.0, output)


def product(factors: tuple[Array, ...]) -> Array:
    """The matrix (oc, ic) float64 that a chain stands for."""
    out = factors[0].astype(np.float64)
    for factor in factors[1:]:
        out = factor.astype(np.float64) @ out
    return np.asarray(out)


def rank_for_energy(weights: Array, energy: float, moment: Array | None = None, damping: float = 1e-4) -> int:
    """The least rank whose singular values hold at least `energy` (0..1) of the sum of their squares."""
    w = _matrix(weights)
    if not 0 < energy <= 1:
        raise UsageError(f"energy {energy}, expected more than 0 and at most 1")
    s = np.linalg.svd(w if moment is None else w @ _root(moment, w.shape[1], damping), compute_uv=False) ** 2
    kept = np.cumsum(s)
    # Rounding can leave the last sum a little below the target of 1.
    return min(int(np.searchsorted(kept, energy * kept[-1] * (1 - 1e-12))) + 1, len(s))


def reduces(shape: tuple[int, int], rank: int) -> bool:
    """Whether two factors of this rank have fewer weights than the layer."""
    return rank * (shape[0] + shape[1]) < shape[0] * shape[1]


def rewrite(graph: Graph, layer: str, low: LowRank) -> Graph:
    """A FLOAT graph with one fully connected or 1x1 convolution node replaced by its chain.

    The first nodes are named <layer>_0, <layer>_1, ...; the last keeps name, bias and activation. A 1x1
    convolution's stride and padding go to the first.
    """
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if node.name != layer:
            nodes.append(node)
            continue
        nodes += _chain(node, low, tensors)
    if len(nodes) == len(graph.nodes):
        raise UsageError("the graph has no such layer", where=layer)
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))


def _chain(node: Node, low: LowRank, tensors: dict[str, Tensor]) -> list[Node]:
    filters = filters_of(node)
    pointwise = filters is not None and filters.dense_window and tensors[node.inputs[1]].shape[1:3] == (1, 1)
    if filters is None or (filters.window and not pointwise):
        raise UsageError("only fully connected layers and 1x1 convolutions can be factored", where=node.name)
    out, x, nodes, attrs = tensors[node.outputs[0]], node.inputs[0], [], dict(node.attrs)
    last = len(low.factors) - 1
    for i, factor in enumerate(low.factors):
        name = node.name if i == last else f"{node.name}_{i}"
        weights = factor[:, None, None, :] if pointwise else factor
        tensors[f"{name}/weights"] = constant(f"{name}/weights", weights, Role.WEIGHTS)
        bias = node.inputs[2] if i == last else f"{name}/bias"
        if i != last:
            tensors[bias] = constant(bias, np.zeros(len(factor), np.float32), Role.BIAS)
            tensors[name] = Tensor(name, (*out.shape[:-1], len(factor)), "float32")
        here = attrs | {"activation": attrs["activation"] if i == last else "none"}
        if pointwise and i:
            here |= {key: int(key[:3] != "pad") for key in here if key.startswith(("pad_", "stride_"))}
        y = out.name if i == last else name
        nodes.append(Node(node.op, name, (x, f"{name}/weights", bias), (y,), here))
        x = y
    return nodes


def _matrix(weights: Array) -> Array:
    if weights.ndim == 4 and weights.shape[1:3] == (1, 1):
        weights = weights[:, 0, 0, :]
    if weights.ndim != 2 or 0 in weights.shape:
        raise UsageError(f"weights of shape {list(weights.shape)}, expected (oc, ic) or (oc, 1, 1, ic)")
    if not np.isfinite(weights).all():
        raise ModelError("a weight is not finite")
    return weights.astype(np.float64)


def _root(moment: Array, taps: int, damping: float) -> Array:
    """Lower L with L L^T = H, damped."""
    return np.asarray(np.linalg.cholesky(_damped(moment, taps, damping)))


def _damped(moment: Array, taps: int, damping: float) -> Array:
    """H, its diagonal raised."""
    h = np.asarray(moment, np.float64)
    if h.shape != (taps, taps) or not np.isfinite(h).all():
        raise UsageError(f"second moments {list(h.shape)} for {taps} inputs, expected {[taps, taps]} finite values")
    mean = float(np.trace(h)) / taps
    return np.asarray(h + (max(damping, 1e-10) * mean if mean > 0 else 1.0) * np.eye(taps))
