"""Products of two activations and normalisations over what a model computes: what transformers are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...graph.ir import AttrValue
from ...ops.shared.floats import LOWEST
from .. import order as od
from ..builder import Builder
from ..value import Value, constant_value, real
from .elements import binary, broadcast, number, unary
from .layers import fully_connected
from .moves import axis_of, expand, reshape, transpose
from .reductions import mean, reduce, softmax


def matmul(b: Builder, x: Value, y: Value) -> Value:
    """numpy's matmul: of an activation and a constant matrix, of a constant matrix and an activation, or of two."""
    if len(x.shape) < 1 or len(y.shape) < 1:
        raise b.wrong(f"a matrix product of shapes {list(x.shape)} and {list(y.shape)}")
    if len(y.shape) == 1:
        out = matmul(b, x, reshape(b, y, (y.shape[0], 1)))
        return reshape(b, out, out.shape[:-1])
    if len(x.shape) == 1:
        out = matmul(b, reshape(b, x, (1, x.shape[0])), y)
        return reshape(b, out, (*out.shape[:-2], out.shape[-1]))
    if x.shape[-1] != y.shape[-2]:
        raise b.wrong(f"shapes {list(x.shape)} and {list(y.shape)} do not multiply")
    if y.data is not None and all(d == 1 for d in y.shape[:-2]):
        w = transpose(b, y if len(y.shape) == 2 else reshape(b, y, y.shape[-2:]), (1, 0))
        rank = max(len(x.shape), len(y.shape))
        return fully_connected(b, reshape(b, x, (*(1,) * (rank - len(x.shape)), *x.shape)), w, None)
    if x.data is not None and y.data is None and all(d == 1 for d in x.shape[:-2]):
        return _swapped(b, matmul(b, _swapped(b, y), _swapped(b, x)))
    if x.data is not None or y.data is not None:
        raise b.unsupported(
            f"a product of constants {list((x if x.data is not None else y).shape)} by a matrix for each row",
            "one matrix",
        )
    return _of_two(b, x, y)


def log_sum_exp(b: Builder, x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
    """log of the sum of exp(x), with the maximum taken out first."""
    highest = reduce(b, "reduce_max", x, axes, True)
    scaled = unary(b, "exp", binary(b, "sub", x, highest))
    out = binary(b, "add", unary(b, "log", reduce(b, "sum", scaled, axes, True)), highest)
    gone = {i % len(x.shape) for i in axes}
    return out if keep_dims else reshape(b, out, [d for i, d in enumerate(x.shape) if i not in gone])


def cumulative(b: Builder, x: Value, axis: int, exclusive: bool = False, reverse: bool = False) -> Value:
    """A running sum along an axis: a product with a triangle of ones."""
    rank = len(x.shape)
    axis = axis_of(b, rank, axis)
    size = x.shape[axis]
    b.count_made(4 * size * size)
    ones = np.triu(np.ones((size, size), np.float32), int(exclusive))
    to_last = [*(i for i in range(rank) if i != axis), axis]
    out = matmul(b, transpose(b, x, to_last), constant_value(ones.T if reverse else ones, ""))
    return transpose(b, out, np.argsort(to_last).tolist())


def _swapped(b: Builder, x: Value) -> Value:
    rank = len(x.shape)
    return transpose(b, x, (*range(rank - 2), rank - 1, rank - 2))


def _of_two(b: Builder, x: Value, y: Value) -> Value:
    rank = max(len(x.shape), len(y.shape), 3)
    x, y = (reshape(b, v, (*(1,) * (rank - len(v.shape)), *v.shape)) for v in (x, y))
    lead = broadcast(b, x.shape[:-2], y.shape[:-2])
    x, y = (expand(b, v, (*lead, *v.shape[-2:])) for v in (x, y))
    m, n = x.shape[-2], y.shape[-1]
    adjoint = []
    names = []
    for v in (x, y):
        swapped = not v.order.plain and _swapped(b, v).order.plain  # a transpose that need not be made
        v = b.plain(_swapped(b, v) if swapped else v)
        adjoint.append(int(swapped))
        names.append(b.stored(v, v.shape if v.shape[0] == 1 else (1, *v.shape)))
    attrs: dict[str, AttrValue] = {"adj_x": adjoint[0], "adj_y": adjoint[1]}
    shape = (*lead, m, n)
    stored = shape if shape[0] == 1 else (1, *shape)
    return b.emit("batch_matmul", (names[0], names[1]), attrs, stored, shape, od.plain(shape))


def attention(
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    scale: float | None = None,
    mask: Value | None = None,
    causal: bool = False,
) -> Value:
    """softmax(q k^T * scale + mask) v; fewer heads of k and v serve several of q each."""
    heads = q.shape[-3] if len(q.shape) > 2 else 1
    if len(k.shape) > 3 and k.shape[-3] != heads and heads % k.shape[-3] == 0:
        k, v = (_repeated(b, part, heads // part.shape[-3]) for part in (k, v))
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    scores = matmul(b, binary(b, "mul", q, number(factor)), _swapped(b, k))
    if causal:
        rows, columns = scores.shape[-2:]
        seen = np.tril(np.ones((rows, columns), bool))
        scores = binary(b, "add", scores, constant_value(np.where(seen, 0.0, LOWEST), ""))
    if mask is not None:
        if mask.data is not None:
            values = np.where(mask.data, 0.0, LOWEST) if mask.data.dtype == bool else np.maximum(real(mask), LOWEST)
            mask = constant_value(values, mask.source)
        scores = binary(b, "add", scores, mask)
    return matmul(b, softmax(b, scores, -1), v)


def _repeated(b: Builder, x: Value, times: int) -> Value:
    """Each head several times, one behind the other."""
    *lead, heads, rows, columns = x.shape
    x = expand(b, reshape(b, x, (*lead, heads, 1, rows, columns)), (*lead, heads, times, rows, columns))
    return reshape(b, x, (*lead, heads * times, rows, columns))


def normalized(b: Builder, x: Value, axes: Sequence[int], eps: float) -> Value:
    """(x - mean) / sqrt(variance + eps), both over the same axes."""
    centred = binary(b, "sub", x, mean(b, x, axes, True))
    variance = mean(b, binary(b, "mul", centred, centred), axes, True)
    return binary(b, "mul", centred, unary(b, "rsqrt", binary(b, "add", variance, number(eps))))


def layer_norm(
    b: Builder, x: Value, axes: Sequence[int], scale: Value | None, shift: Value | None, eps: float
) -> Value:
    """A normalised tensor times a scale, plus a shift, which broadcast against its last axes."""
    out = normalized(b, x, axes, eps)
    for op, value in (("mul", scale), ("add", shift)):
        if value is not None:
            out = binary(b, op, out, value)
    return out


def einsum(b: Builder, equation: str, operands: Sequence[Value]) -> Value:
    """A sum of products over named axes: of one tensor, or of two as one matrix product."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not arrow:
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    fit = len(terms) == len(operands) and all(len(t) == len(v.shape) for t, v in zip(terms, operands, strict=True))
    if "." in equation or not fit or any(len(set(t)) != len(t) for t in (*terms, right)) or len(terms) > 2:
        raise b.unsupported(f"the equation {equation[:40]!r}", "one or two operands, each letter once in a term")
    values = []
    for i, (term, value) in enumerate(zip(terms, operands, strict=True)):
        others = right + "".join(t for k, t in enumerate(terms) if k != i)
        alone = [a for a, c in enumerate(term) if c not in others]
        if alone:
            value = reduce(b, "sum", value, alone, False)
        values.append(("".join(c for c in term if c in others), value))
    if len(values) == 1:
        term, value = values[0]
        return transpose(b, value, [term.index(c) for c in right])
    (s, x), (t, y) = values
    size = dict(zip(s + t, (*x.shape, *y.shape), strict=True))
    batch = [c for c in s if c in t and c in right]
    summed = [c for c in s if c in t and c not in right]
    own = [c for c in s if c not in t], [c for c in t if c not in s]
    lead = [size[c] for c in batch]
    rows, inner, columns = (math.prod(size[c] for c in group) for group in (own[0], summed, own[1]))
    x = reshape(b, transpose(b, x, [s.index(c) for c in (*batch, *own[0], *summed)]), (*lead, rows, inner))
    y = reshape(b, transpose(b, y, [t.index(c) for c in (*batch, *summed, *own[1])]), (*lead, inner, columns))
    made = [*batch, *own[0], *own[1]]
    out = reshape(b, matmul(b, x, y), [size[c] for c in made])
    return transpose(b, out, [made.index(c) for c in right])
