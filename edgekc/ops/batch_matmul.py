"""Matrix products of two activations, int8: the definition, its lowerings and its C kernels.

Matrices are the last two axes, and lie side by side along the others. A fully connected layer whose weights are
computed at run time is one too, with the rounding of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, INT32_MAX, SINGLE, clamp_int8, quantize_multiplier, requantize
from ..graph.ir import Array, Role, constant
from ..graph.op import MULTIPLIER, Case, IntAttrs, Kernel, Learned, Lowered, Op, Param, View
from ..graph.scratch import Region, Regions
from ..graph.source import FloatHalf, SourceOp
from . import batch_matmul_s16
from .shared import int16
from .shared import linear as lin
from .shared.checks import is_constant, require_int8
from .shared.matrices import FIELDS, OPERANDS, depth, infer, params, shapes, turn
from .shared.nearest import nearest_multipliers
from .shared.testing import fills

ATTRS = ("adj_x", "adj_y", "a_zero", "b_zero", "multiplier", "shift", *lin.OUTPUT)
MOST_DEPTH = 2**15 - 1  # four sums of so many products of bytes fit 32 bits


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc = sum over k of (a[i, k] - a_zero) * (b[k, j] - b_zero)."""
    a, b = (x.astype(np.float64) - attrs[zero] for x, zero in zip(inputs, ("a_zero", "b_zero"), strict=True))
    acc = np.matmul(turn(a, attrs["adj_x"]), turn(b, attrs["adj_y"]))  # exact: below 2**53
    value = requantize(acc.astype(np.int64), attrs["multiplier"], attrs["shift"], attrs["rounding"])
    return [clamp_int8(value, attrs["out_zero"], attrs["act_min"], attrs["act_max"])]


def _most_shift(view: View) -> int:
    """The most by which a sum of products may be shifted to the left, as `validate` has it."""
    return (INT32_MAX // 2 // (255 * 255 * depth(view))).bit_length() - 1


def validate(view: View) -> None:
    count, shift = depth(view), view["shift"]
    if count > MOST_DEPTH or (255 * 255 * count) << max(shift, 0) > INT32_MAX // 2:
        raise ModelError(f"a sum of {count} products with a shift of {shift} could leave 32 bits")
    if view["act_min"] > view["act_max"]:
        raise ModelError(f"act_min {view['act_min']} is above act_max {view['act_max']}")


def _attrs(view: View, adj_x: int, adj_y: int, multiplier: tuple[int, int], rounding: int) -> dict[str, int]:
    a, b = view.inputs
    act_min, act_max = lin.activation_range(view)
    attrs = dict(adj_x=adj_x, adj_y=adj_y, a_zero=a.q.zero_point, b_zero=b.q.zero_point)
    attrs.update(multiplier=multiplier[0], shift=multiplier[1], out_zero=view.out.q.zero_point)
    return {**attrs, "act_min": act_min, "act_max": act_max, "rounding": rounding}


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return batch_matmul_s16.lower(view)
    require_int8(view)
    a, b = view.inputs
    multiplier = quantize_multiplier(a.q.scale * b.q.scale / view.out.q.scale)
    if is_constant(a):
        raise UnsupportedError(f"a constant ({a.name}) times an activation", where=view.node.name)
    if is_constant(b):
        return _with_weights(view, multiplier)
    attrs = _attrs(view, view["adj_x"], view["adj_y"], multiplier, DOUBLE)
    return Lowered("batch_matmul", attrs, (a.name, b.name))


def _with_weights(view: View, multiplier: tuple[int, int]) -> Lowered:
    """A product with one constant matrix is a fully connected layer, with this operator's rounding."""
    a, b = view.inputs
    if view["adj_x"] or b.q.zero_point or len(b.q.scales) > 1 or math.prod(b.shape[:-2]) != 1:
        text = "a constant that has a zero point or several scales, is not one matrix, or a turned activation"
        raise UnsupportedError(f"a matrix product with {text}", where=view.node.name)
    matrix = b.value.reshape(b.shape[-2:])
    w = np.ascontiguousarray(matrix if view["adj_y"] else matrix.T)
    wide = w.astype(np.int64)
    bias = lin.lower_bias(view, wide.sum(1), np.abs(wide).sum(1))
    act_min, act_max = lin.activation_range(view)
    attrs = dict(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max, rounding=DOUBLE)
    name = view.node.name
    constants = (
        constant(f"{name}/weights", w, Role.WEIGHTS),
        bias,
        constant(f"{name}/multiplier", np.array(multiplier[:1], np.int32), Role.REQUANT),
        constant(f"{name}/shift", np.array(multiplier[1:], np.int8), Role.REQUANT),
    )
    return Lowered("fully_connected", attrs, (a.name,), constants)


def lower_fully_connected(view: View) -> Lowered:
    """Of weights (oc, ic) that are an activation; they round as constant ones do."""
    require_int8(view)
    a, b = view.inputs
    product = a.q.scale * b.q.scale
    if view.node.attrs.get("rounding") == "double":
        multiplier, rounding = quantize_multiplier(float(np.float32(product)) / view.out.q.scale), DOUBLE
    else:
        reach = 255 * 255 * a.shape[-1]
        (multiplier,), rounding = nearest_multipliers([product / view.out.q.scale], [(-reach, reach)]), SINGLE
    return Lowered("batch_matmul", _attrs(view, 0, 1, multiplier, rounding), (a.name, b.name))


def _params(view: View) -> dict[str, Param]:
    return {**params(view), **{name: view[name] for name in ATTRS[2:]}}


def _regions(view: View) -> Regions:
    count = depth(view)
    return (
        Region("sums", 4 * view.out.shape[-2], "int32 (rows): of a, of one matrix"),
        Region("rows", 2 * count if view["adj_x"] else 0, "int8 (2, depth): of a, where it is turned", align=1),
        Region("columns", 2 * count, "int8 (2, depth): of b", align=1),
    )


_kernel = partial(
    Kernel,
    header="ek_batch_matmul.h",
    struct="ek_batch_matmul_params",
    fields=(
        *FIELDS,
        *(("int32_t", name) for name in ("multiplier", "shift")),
        *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
        ("uint8_t", "rounding"),
    ),
    params=_params,
    scratch=_regions,
)
KERNELS = (
    _kernel(symbol="ek_batch_matmul_s8_mve", needs=frozenset({"mve"}), accepts=lambda view: depth(view) >= 8),
    _kernel(symbol="ek_batch_matmul_s8_dsp", needs=frozenset({"dsp"}), accepts=lambda view: depth(view) >= 4),
    _kernel(symbol="ek_batch_matmul_s8"),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, (name, adj_x, adj_y, a_shape, b_shape, count) in enumerate(shapes()):
        pairs = zip(fills(rng, a_shape), reversed(fills(rng, b_shape)), strict=True)
        for i, ((fill, a), (_, b)) in enumerate(pairs):
            pair = quantize_multiplier(float(rng.uniform(0.2, 3)) / (3000 * math.sqrt(count)))
            attrs = _case_attrs(rng, adj_x, adj_y, pair, (k // 4 + i) % 2)
            out.append(Case(f"{name}-{fill}", attrs, (a, b)))
    return out


def _case_attrs(rng: np.random.Generator, adj_x: int, adj_y: int, pair: tuple[int, int], odd: int) -> dict[str, int]:
    attrs = dict(adj_x=adj_x, adj_y=adj_y, multiplier=pair[0], shift=pair[1], rounding=odd)
    attrs.update({name: int(rng.integers(-128, 128)) for name in ("a_zero", "b_zero", "out_zero")})
    return {**attrs, "act_min": -100 if odd else -128, "act_max": 127}


def _real(view: View, operands: Sequence[Any]) -> Any:
    """Of numpy or PyTorch."""
    a, b = operands
    return turn(a, view["adj_x"]) @ turn(b, view["adj_y"])


OP = Op(
    name="batch_matmul",
    code=54,
    attrs=ATTRS,
    operands=OPERANDS,
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: math.prod(view.out.shape[1:]) * depth(view),
    validate=validate,
    learned=lambda view: dict(multiplier=MULTIPLIER, shift=Learned(-31, _most_shift(view))),
    cases=cases,
)
SOURCES = (
    SourceOp(
        "batch_matmul",
        lower,
        FloatHalf(_real, lambda torch, view, operands: _real(view, operands)),
        clamps=False,
    ),
    SourceOp(
        "dynamic_fully_connected",
        lower_fully_connected,
        FloatHalf(
            lambda view, operands: operands[0] @ operands[1].swapaxes(-1, -2),
            lambda torch, view, operands: operands[0] @ operands[1].swapaxes(-1, -2),
        ),
        two_roundings=True,
        becomes="batch_matmul",
        operands=OPERANDS,
    ),
)
