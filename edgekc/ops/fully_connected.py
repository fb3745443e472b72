"""Fully connected layer, int8: the definition, how a quantised layer becomes one, and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..graph.fixedpoint import DOUBLE, SINGLE
from ..graph.ir import Array, Role, Tensor, constant
from ..graph.op import LAID_OUT, Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, View
from ..graph.scratch import Region, Regions
from ..graph.source import Filters, FloatHalf, Reads, SourceOp
from . import fully_connected_16x8
from .kernels import fours
from .kernels import vector as vec
from .shared import asymmetric, dense
from .shared import linear as lin
from .shared.nearest import nearest_multipliers
from .shared.operands import DENSE
from .shared.testing import linear_cases, with_far_zeros
from .shared.ties import new_channels


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc = bias + x @ w.T over the last axis."""
    x, w, bias, multiplier, shift = inputs
    return [lin.requant_output(attrs, lin.exact_matmul(x, w.T) + bias, multiplier, shift)]


def lower(view: View) -> Lowered:
    if view.x.dtype == "int16":
        return fully_connected_16x8.lower(view)
    if asymmetric.is_asymmetric(view):
        return asymmetric.lower(view, lower, requant=_requant)
    w = view.weights.value
    x = view.x
    wide = w.astype(np.int64)
    bias = lin.lower_bias(view, wide.sum(1), np.abs(wide).sum(1))
    rounding = DOUBLE if view.node.attrs.get("rounding") == "double" else SINGLE
    multiplier, shift = _requant(view, bias.value.astype(np.int64), wide)
    act_min, act_max = lin.activation_range(view)
    attrs = dict(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max, rounding=rounding)
    weights = constant(f"{view.node.name}/weights", w, Role.WEIGHTS)
    return Lowered("fully_connected", attrs, (x.name,), (weights, bias, multiplier, shift))


def _requant(view: View, bias: Array, weights: Array) -> tuple[Tensor, Tensor]:
    """Of one output channel each, by the rounding that is asked for; weights (oc, ic)."""
    if view.node.attrs.get("rounding") == "double":
        return lin.lower_requant(view, float32_product=len(view.weights.q.scales) == 1)
    return _nearest_requant(view, bias, weights)


def _nearest_requant(view: View, bias: Array, weights: Array) -> tuple[Tensor, Tensor]:
    """Multipliers that round like LiteRT's fully connected kernel, which requantises in double precision.

    Its convolutions use integers and round twice (docs/numerics.md).
    """
    scales = view.weights.q.scales
    if len(scales) == 1:
        scales *= bias.shape[0]
    ends = np.sort(np.stack([-128 * weights, 127 * weights]), axis=0).sum(2) + bias  # (2, oc)
    reaches = [(int(low), int(high)) for low, high in ends.T]
    pairs = nearest_multipliers([view.x.q.scale * scale / view.out.q.scale for scale in scales], reaches)
    name = view.node.name
    multiplier = constant(f"{name}/multiplier", np.array([p[0] for p in pairs], np.int32), Role.REQUANT)
    return multiplier, constant(f"{name}/shift", np.array([p[1] for p in pairs], np.int8), Role.REQUANT)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    low, high = lin.product_interval(view.weights.value, lin.input_interval(view, inputs[0]))
    bias = view.bias.value
    return lin.output_interval(view, low.sum(1) + bias, high.sum(1) + bias)


def _params(view: View) -> dict[str, Param]:
    sizes = dict(rows=dense.rows(view), in_c=view.x.shape[-1], out_c=view.out.shape[-1])
    return {**sizes, **lin.output_params(view)}


def _vector_params(view: View) -> dict[str, Param]:
    values: dict[str, Param] = {"records": LAID_OUT, "rows": dense.rows(view)}
    values.update(in_c=view.x.shape[-1], out_c=view.out.shape[-1])
    return {**values, **lin.requant_params(view, laid_out=True)}


FIELDS = (
    *lin.MATRIX_FIELDS,
    ("uint32_t", "rows"),
    ("uint32_t", "in_c"),
    ("uint32_t", "out_c"),
)
_DSP = frozenset({"dsp"})


def _dsp_accepts(view: View) -> bool:
    return view.x.shape[-1] >= 4 and (lin.short_requant(view) or lin.shorter_requant(view))


def _dsp_pairs(view: View) -> Regions:
    return (Region("pairs", 8 * (view.x.shape[-1] // 4), "int16: a row, as weights unpack"),)


_kernel = partial(Kernel, header="ek_fully_connected.h", struct="ek_fully_connected_params", fields=FIELDS)
KERNELS = (
    _kernel(
        symbol="ek_fully_connected_s8_mve",
        params=_params,
        needs=frozenset({"mve"}),
        accepts=lambda view: view.out.shape[-1] >= 4 and lin.vector_requant(view),
        scratch=lambda view: (Region("sums", 16 * min(view.out.shape[-1] // 4, 16), "int32: of 64 filters"),),
    ),
    Kernel(
        symbol="ek_fully_connected_s8_vec",
        header="ek_vector.h",
        struct="ek_vector_matrix_params",
        fields=vec.MATRIX_FIELDS,
        params=_vector_params,
        needs=vec.VECTOR,
        accepts=vec.accepts,
        scratch=vec.matrix_regions,
        lays_out=vec.matrix_records,
    ),
    _kernel(
        symbol="ek_fully_connected_joined_s8_dsp",
        params=_params,
        needs=_DSP,
        accepts=lambda view: _dsp_accepts(view) and fours.joins(view),
        scratch=_dsp_pairs,
        rewrites=lambda view: fours.interleaved(view, joined=True),
    ),
    _kernel(
        symbol="ek_fully_connected_s8_dsp",
        params=_params,
        needs=_DSP,
        accepts=_dsp_accepts,
        scratch=_dsp_pairs,
        rewrites=lambda view: fours.interleaved(view, joined=False),
    ),
    _kernel(
        symbol="ek_fully_connected_s8",
        params=_params,
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    sizes = [("plain", 1, 12, 8), ("odd", 3, 7, 5), ("one-output", 1, 9, 1), ("one-input", 2, 1, 6)]
    sizes += [("many", 2, 40, 9), ("one-row", 1, 68, 8), ("many-odd", 1, 35, 6)]
    sizes += [("eight", 2, 8, 4), ("eights", 2, 48, 7), ("more-eights", 1, 72, 2)]
    out = []
    for name, rows, ic, oc in sizes:
        out += linear_cases(rng, name, {}, (rows, ic), (oc, ic), oc, ic, padded=False)
    limits = (("bound", vec.ACCUMULATOR_LIMIT), ("joined", fours.SUM_LIMIT))
    bounds = [(*limit, rounding, sign) for limit in limits for rounding in (DOUBLE, SINGLE) for sign in (-1, 1)]
    return out + [_at_the_bound(rng, *bound) for bound in bounds]


def _at_the_bound(rng: np.random.Generator, name: str, limit: int, rounding: int, sign: int) -> Case:
    """Accumulators of limit - 1 under every kind of shift; of 2**30 - 1, vector kernels may still double them."""
    x = np.full((1, 16), -128, np.int8)
    w = np.full((9, 16), -127 * sign, np.int8)
    bias = np.full(9, sign * (limit - 1 - 128 * 127 * 16), np.int32)
    multiplier = rng.integers(2**30, 2**31, 9).astype(np.int32)
    multiplier[:2] = 2**31 - 1, 2**30
    shift = -np.array([1, 30, 2, 8, 15, 22, 23, 24, 29]).astype(np.int8)
    attrs = dict(out_zero=3, act_min=-128, act_max=127, rounding=rounding)
    return Case(f"{name}-{rounding}-{sign}", attrs, (x, w, bias, multiplier, shift))


def real(view: View, operands: Sequence[Array]) -> Array:
    x, w, bias = operands
    return np.asarray(x @ w.T + bias)


def in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.nn.functional.linear(*operands)


OP = Op(
    name="fully_connected",
    code=3,
    attrs=lin.OUTPUT,
    operands=DENSE,
    infer=dense.infer,
    reference=reference,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=lambda view: dense.rows(view) * math.prod(view.weights.shape),
    ranges=ranges,
    validate=lin.validate,
    channels=lambda view: lin.mixing_rule(channel_axis=1),
    cases=with_far_zeros(cases),
    far_zero=True,
)
SOURCE = SourceOp(
    "fully_connected",
    lower,
    FloatHalf(real, in_torch, new_channels),
    Filters(axis=0, reads=Reads.ALL, window=False),
    two_roundings=True,
)
