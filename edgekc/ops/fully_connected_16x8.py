"""Fully connected layer of int16 activations and int8 weights: the definition, its lowering and its C kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import INT32_MAX
from ..graph.ir import Array, Role, Tensor, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Learned, Lowered, Op, Operand, Param, View
from ..graph.scratch import Region
from .shared import dense, int16
from .shared import linear as lin
from .shared.checks import known
from .shared.operands import DENSE

PART = 23  # bits of each half of a multiplier
LOWEST_SHIFT, HIGHEST_SHIFT = -31, 22
_HALF = Learned(0, (1 << PART) - 1)  # of a multiplier
BITS = 41  # of accumulators: times a half of a multiplier they fit 63 bits and a sign
ACCUMULATOR_LIMIT = 1 << BITS - 1
DOUBLE_BITS = 53  # of numbers that LiteRT's double precision holds


def split_multiplier(real: float) -> tuple[int, int, int]:
    """(multiplier, fraction, shift): the nearest (multiplier * 2**23 + fraction) * 2**(shift - 46), halves up.

    0, 0, 0 of what is below 2**-32.
    """
    mantissa, shift = math.frexp(real)
    whole = math.floor(math.ldexp(mantissa, 2 * PART) + 0.5)
    if whole == 1 << 2 * PART:
        whole, shift = whole // 2, shift + 1
    if shift < LOWEST_SHIFT:
        return 0, 0, 0
    return whole >> PART, whole & (1 << PART) - 1, shift


def requantize(acc: Array, multiplier: Array, fraction: Array, shift: Array) -> Array:
    """int64 accumulators below 2**40 times the multiplier, rounded to nearest, halves away from zero."""
    size = np.abs(acc.astype(np.int64))
    low = size * fraction.astype(np.int64)
    high = size * multiplier.astype(np.int64) + (low >> PART)
    right = PART - shift.astype(np.int64)  # one at least: what lies below `high` cannot change the rounding
    return np.asarray(np.sign(acc) * ((high + (np.int64(1) << right - 1)) >> right))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc = bias + x @ w.T over the last axis."""
    x, w, bias, multiplier, shift, fraction = inputs
    y = requantize(lin.exact_matmul(x, w.T) + int16.biases(bias), multiplier, fraction, shift)
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED fully connected node whose input is int16."""
    where = view.node.name
    int16.require_weights(view)
    if view.node.attrs.get("rounding") == "double":
        raise UnsupportedError(
            "fully_connected of int16, rounded twice",
            where=where,
            fix="compile without --rounding double: the layer then gives LiteRT's bits",
        )
    bias = int16.stated_bias(view, view.weights.shape[0])
    parts = [split_multiplier(view.x.q.scale * scale / view.out.q.scale) for scale in view.weights.q.scales]
    if any(shift > HIGHEST_SHIFT for *_, shift in parts):
        raise UnsupportedError(f"a multiplier of 2**{HIGHEST_SHIFT} or more", where=where)
    low, high = lin.activation_range(view)
    w, bias, parts = _settled(view, bias, parts)
    constants = (
        constant(f"{where}/weights", w, Role.WEIGHTS),
        int16.lower_bias(view, bias, BITS),
        constant(f"{where}/multiplier", np.array([p[0] for p in parts], np.int32), Role.REQUANT),
        constant(f"{where}/shift", np.array([p[2] for p in parts], np.int8), Role.REQUANT),
        constant(f"{where}/fraction", np.array([p[1] for p in parts], np.int32), Role.REQUANT),
    )
    return Lowered("fully_connected_16x8", dict(clamp_min=low, clamp_max=high), (view.x.name,), constants)


def _settled(
    view: View, bias: Array, parts: list[tuple[int, int, int]]
) -> tuple[Array, Array, list[tuple[int, int, int]]]:
    """(weights, bias, parts of multipliers): a channel whose bias has more than 32 bits, and that has one level
    whatever comes, as one without weights, is that level."""
    w = view.weights.value
    if not int16.leaves(bias, 32).any():
        return w, bias, parts
    parts = parts * (len(bias) // len(parts))
    spread = int16.reach(w, np.zeros_like(bias))
    w, bias, ends = w.copy(), bias.copy(), lin.activation_range(view)
    for c in np.flatnonzero(int16.leaves(bias, 32)).tolist():
        found = [_level(int(bias[c]) + side * int(spread[c]), parts[c]) for side in (-1, 1)]
        low, high = (None if y is None else min(max(y, ends[0]), ends[1]) for y in found)
        if low is not None and low == high:
            w[c], bias[c], parts[c] = 0, low, (1 << PART - 1, 0, 1)
    return w, bias, parts


def _level(acc: int, parts: tuple[int, int, int]) -> int | None:
    """`requantize` of an accumulator of any size; None where a double does not hold it, or 32 bits the result."""
    multiplier, fraction, shift = parts
    right = 2 * PART - shift
    size = (abs(acc) * ((multiplier << PART) + fraction) + (1 << right - 1)) >> right
    if abs(acc) >= 1 << DOUBLE_BITS or size > INT32_MAX:
        return None
    return size if acc >= 0 else -size


def validate(view: View) -> None:
    """Prove that no accumulator reaches 2**40, and that none leaves 32 bits when it is requantised."""
    int16.require_types(view)
    int16.require_clamp(view)
    multiplier, fraction, shift = (t.value.astype(np.int64) for t in _factors(view))
    if fraction.shape != multiplier.shape:
        raise ModelError(f"fraction {list(fraction.shape)} and multiplier {list(multiplier.shape)} differ in shape")
    if max(multiplier.max(), fraction.max()) >= 1 << PART or min(multiplier.min(), fraction.min()) < 0:
        raise ModelError(f"half of a multiplier is not in 0 to 2**{PART} - 1")
    if shift.max() > HIGHEST_SHIFT:
        raise ModelError(f"a shift is above {HIGHEST_SHIFT}")
    reach = int16.reach(view.weights.value, view.bias.value)
    result = requantize(np.minimum(reach, ACCUMULATOR_LIMIT - 1), multiplier, fraction, shift)
    if np.any(wrong := (reach >= ACCUMULATOR_LIMIT) | (result > INT32_MAX)):
        worst = int(np.argmax(wrong))
        raise ModelError(
            f"requantising channel {worst} could leave 32 bits: its accumulators reach {int(reach[worst])}"
        )


def _factors(view: View) -> tuple[Tensor, Tensor, Tensor]:
    return view.multiplier, view.operand("fraction"), view.shift


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Rounding is monotone, so the ends of the accumulator give those of the output."""
    low, high = lin.product_interval(view.weights.value, known(view.x, inputs[0]))
    bias = int16.biases(view.bias.value)
    ends = (requantize(end.sum(1) + bias, *(t.value for t in _factors(view))) for end in (low, high))
    return Interval(*(np.clip(end, view["clamp_min"], view["clamp_max"]) for end in ends))


def _params(view: View) -> dict[str, Param]:
    names = ("weights", "bias", "multiplier", "fraction", "shift")
    values: dict[str, Param] = {name: view.operand(name).name for name in names}
    values.update(rows=dense.rows(view), in_c=view.x.shape[-1], out_c=view.out.shape[-1])
    values.update(clamp_min=view["clamp_min"], clamp_max=view["clamp_max"])
    return {**values, "step": int(view.multiplier.shape[0] > 1)}


def cases(rng: np.random.Generator) -> list[Case]:
    sizes = (("plain", 1, 12, 8), ("odd", 3, 7, 5), ("one", 1, 1, 1), ("blocks", 2, 600, 3), ("block", 1, 256, 2))
    fills = (("random", None, None), ("low", -(2**15), -128), ("high", 2**15 - 1, -128), ("ends", 2**15 - 1, 127))
    out = []
    for name, n, ic, oc in sizes:
        for fill, x_level, w_level in fills:
            x = rng.integers(-(2**15), 2**15, (n, ic)) if x_level is None else np.full((n, ic), x_level)
            w = rng.integers(-128, 128, (oc, ic)) if w_level is None else np.full((oc, ic), w_level)
            bias = rng.integers(-(2**31), 2**31, oc) if fill == "ends" else rng.integers(-(2**20), 2**20, oc)
            count = oc if fill != "low" else 1
            parts = [split_multiplier(float(r) / (128 * ic)) for r in np.exp(rng.uniform(-4, 1, count))]
            m, f, s = (np.array(column) for column in zip(*parts, strict=True))
            attrs = dict(clamp_min=-9000, clamp_max=8000) if fill == "high" else int16.FULL
            types = ((x, np.int16), (w, np.int8), (bias, np.int32), (m, np.int32), (s, np.int8), (f, np.int32))
            out.append(Case(f"{name}-{fill}", attrs, tuple(values.astype(kind) for values, kind in types)))
    return [*out, *(_deep(rng, *size) for size in sizes)] + [_ties(shift) for shift in (16, 0, -1, -8, LOWEST_SHIFT)]


def _deep(rng: np.random.Generator, name: str, n: int, ic: int, oc: int) -> Case:
    """Biases around what 32 bits hold and far beyond it; multipliers bring them into the output's range."""
    bias = np.resize([2**31, -(2**31) - 1, 2**31 - 1, -(2**36) + 77, 2**39], oc)
    bias = bias + np.sign(bias) * rng.integers(0, 3, oc)
    parts = [split_multiplier(2.0**14 * r / abs(b)) for b, r in zip(bias, rng.uniform(0.5, 2, oc), strict=True)]
    m, f, s = (np.array(column) for column in zip(*parts, strict=True))
    x, w = rng.integers(-(2**15), 2**15, (n, ic)), rng.integers(-128, 128, (oc, ic))
    types = ((x, np.int16), (w, np.int8), (int16.words(bias), np.int32), (m, np.int32), (s, np.int8), (f, np.int32))
    return Case(f"{name}-deep", int16.FULL, tuple(values.astype(kind) for values, kind in types))


def _ties(shift: int) -> Case:
    """Accumulators beside a half, of both signs: a multiplier of one half, shifted."""
    near = np.arange(-8, 9).reshape(17, 1)
    x = near if shift > -8 else near * 128 + 1
    types = ((x, np.int16), ([[1], [-1]], np.int8), ([0, 1], np.int32))
    inputs = [np.asarray(values).astype(kind) for values, kind in types]
    factors = (np.array([1 << PART - 1], np.int32), np.array([shift], np.int8), np.array([0], np.int32))
    return Case(f"ties{shift}", int16.FULL, (*inputs, *factors))


_kernel = partial(
    Kernel,
    header="ek_fully_connected_s16.h",
    struct="ek_fully_connected_s16_params",
    fields=(
        ("const int8_t *", "weights"),
        *(("const int32_t *", name) for name in ("bias", "multiplier", "fraction")),
        ("const int8_t *", "shift"),
        *(("uint32_t", name) for name in ("rows", "in_c", "out_c")),
        *(("int16_t", name) for name in int16.CLAMP),
        ("uint8_t", "step"),
    ),
    params=_params,
)
KERNELS = (
    _kernel(
        symbol="ek_fully_connected_s16_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: view.x.shape[-1] >= 8 and not int16.is_deep(view),
        scratch=lambda view: (Region("row", 16 * -(-view.x.shape[-1] // 8), "int16 (in_c to a multiple of 8)"),),
    ),
    _kernel(
        symbol="ek_fully_connected_s16_dsp",
        needs=frozenset({"dsp"}),
        accepts=lambda view: view.x.shape[-1] >= 4 and not int16.is_deep(view),
        scratch=lambda view: (Region("pairs", 8 * -(-view.x.shape[-1] // 4), "a row, as pairs of int16"),),
    ),
    _kernel(symbol="ek_fully_connected_s16", accepts=lambda view: not int16.is_deep(view)),
    _kernel(symbol="ek_fully_connected_s16_deep", accepts=int16.is_deep),
)
OP = Op(
    name="fully_connected_16x8",
    code=80,
    attrs=int16.CLAMP,
    operands=(*DENSE, Operand("fraction", DENSE[-1].constant, Role.REQUANT)),
    infer=dense.infer,
    reference=reference,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=lambda view: dense.rows(view) * math.prod(view.weights.shape),
    ranges=ranges,
    validate=validate,
    wide=True,
    deep=True,
    channels=lambda view: None if int16.is_deep(view) else lin.mixing_rule(channel_axis=1),
    learned=lambda view: dict(multiplier=_HALF, fraction=_HALF, shift=Learned(LOWEST_SHIFT, HIGHEST_SHIFT)),
    cases=cases,
)
