"""What operators on int16 activations share: their demands, biases of int64 and requantisation by 16 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.fixedpoint import INT32_MAX
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import Case, Interval, View
from . import linear as lin

CLAMP = ("clamp_min", "clamp_max")  # of the fused activation, in levels of the output
LOW, HIGH = -(2**15), 2**15 - 1
FULL = dict(clamp_min=LOW, clamp_max=HIGH)
REDUCED_LIMIT = 2**15  # of a multiplier with 15 bits
HIGHEST_SHIFT = 7  # with which LiteRT multiplies a 64-bit accumulator
BITS = 48  # of accumulators: times a multiplier they fit 63 bits and a sign
ACCUMULATOR_LIMIT = 1 << BITS - 1


def is_wide(view: View) -> bool:
    """Whether a QUANTIZED node is one of a 16x8 model: its input is int16."""
    return view.x.dtype == "int16"


def require_wide(view: View, *tensors: Tensor) -> None:
    """UnsupportedError unless `tensors`, or all of the node's, are int16 with a zero point of 0."""
    for t in tensors or (*view.inputs, *view.outputs):
        if t.dtype != "int16":
            what = f"{view.node.op} of int16 beside {t.dtype} ({t.name})"
            raise UnsupportedError(f"{what}; supported: int16 throughout", where=view.node.name)
        if t.q.zero_point:
            raise UnsupportedError("int16 with a zero point; supported: zero point 0", where=view.node.name)


def require_weights(view: View) -> None:
    """As `require_wide`, of a layer with weights."""
    if view.out.dtype != "int16" or view.weights.dtype != "int8":
        what = f"{view.node.op} of int16 with weights of {view.weights.dtype} to {view.out.dtype}"
        raise UnsupportedError(f"{what}; supported: int8 weights, int16 output", where=view.node.name)
    require_wide(view, view.x, view.out)
    if view.weights.quant is not None and any(view.weights.quant.zero_points):
        raise UnsupportedError("int16 activations, and weights with a zero point", where=view.node.name)


def stated_bias(view: View, channels: int) -> Array:
    """int64 (channels,): that of a QUANTIZED layer; zeros where it has none."""
    bias = view.bias.value.astype(np.int64) if view.has("bias") else np.zeros(channels, np.int64)
    if bias.shape != (channels,):
        raise ModelError(f"bias has shape {list(bias.shape)}, expected [{channels}]", where=view.node.name)
    return bias


def leaves(bias: Array, bits: int) -> Array:
    """bool (oc,): which biases have more bits."""
    return np.asarray((bias < -(1 << bits - 1)) | (bias >= 1 << bits - 1))


def lower_bias(view: View, bias: Array, bits: int) -> Tensor:
    """A bias as a constant: int32 (oc,), or where it leaves 32 bits low and high words (2, oc).

    Raises:
        UnsupportedError: it has more than `bits`, which kernels have room for.
    """
    name = f"{view.node.name}/bias"
    if not leaves(bias, 32).any():
        return constant(name, bias.astype(np.int32), Role.BIAS)
    if (wrong := leaves(bias, bits)).any():
        worst = int(np.argmax(wrong))
        raise UnsupportedError(
            f"the bias of channel {worst} is {int(bias[worst])}, which leaves {bits} bits",
            where=view.node.name,
            fix="requantise the model with a larger weight scale",
        )
    return constant(name, words(bias), Role.BIAS)


def words(bias: Array) -> Array:
    """int32 (2, oc): low and high words of biases int64 (oc,)."""
    high = (bias + (1 << 31)) >> 32
    return np.stack([bias - (high << 32), high]).astype(np.int32)


def is_deep(view: View) -> bool:
    """Whether the biases of a layer have two words each."""
    return view.bias.value.ndim == 2


def biases(bias: Array) -> Array:
    """int64 (oc,): those of a layer, of one word or two."""
    parts = bias.astype(np.int64)
    if parts.ndim == 1:
        return parts
    return np.asarray(parts[0] + (np.clip(parts[1], -(1 << 29), 1 << 29) << 32))  # far beyond what `validate` lets pass


def reach(weights: Array, bias: Array) -> Array:
    """int64 (oc,): what no accumulator of weights (oc, ...) on int16 exceeds in magnitude, in any order of its sum."""
    w = np.abs(weights.astype(np.int64)).reshape(weights.shape[0], -1)
    return np.asarray(np.abs(biases(bias)) + 2**15 * w.sum(1))


def require_clamp(view: View) -> None:
    """ModelError where the fused activation of an INTEGER node leaves no int16."""
    if not LOW <= view["clamp_min"] <= view["clamp_max"] <= HIGH:
        raise ModelError(f"clamp_min {view['clamp_min']} and clamp_max {view['clamp_max']} leave no int16")


def require_types(view: View, count: int = 1) -> None:
    """ModelError unless the output and the first `count` inputs of an INTEGER node are int16."""
    for t in (*view.inputs[:count], view.out):
        if t.dtype != "int16":
            raise ModelError(f"{view.node.op} of {t.dtype} ({t.name}), expected int16", where=view.node.name)


def reduced(multiplier: Array) -> Array:
    """Multipliers of 31 bits rounded to 15, as LiteRT's multiplication of a 64-bit accumulator takes them."""
    m = multiplier.astype(np.int64)
    return np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)


def requantize(acc: Array, multiplier: Array, shift: Array) -> Array:
    """int64 accumulators times multiplier * 2**(shift - 15), rounded to nearest, halves up; broadcasts."""
    right = 15 - shift.astype(np.int64)
    return np.asarray((acc * multiplier.astype(np.int64) + (np.int64(1) << right - 1)) >> right)


def lower_requant(view: View) -> tuple[Tensor, Tensor]:
    """(multiplier, shift) constants for `requantize`, one entry per filter scale."""
    multiplier, shift = lin.lower_requant(view, float32_product=False)
    if int(shift.value.max()) > HIGHEST_SHIFT:
        raise UnsupportedError(f"a multiplier of 2**{HIGHEST_SHIFT} or more", where=view.node.name)
    return constant(multiplier.name, reduced(multiplier.value).astype(np.int32), Role.REQUANT), shift


def lower_layer(view: View, w: Array, bits: int) -> tuple[Tensor, ...]:
    """The constants (weights, bias, multiplier, shift) of a layer with weights (oc, ...); raises as `lower_bias`.

    A channel that has one level whatever comes, as one without weights, is that level: its bias has one word.
    """
    channels, where = w.shape[0], view.node.name
    bias = stated_bias(view, channels)
    multiplier, shift = lower_requant(view)
    if leaves(bias, 32).any():
        m, s = (np.broadcast_to(t.value, channels) for t in (multiplier, shift))
        reaches = reach(w, bias)
        within = np.minimum(reaches, ACCUMULATOR_LIMIT - 1)
        defined = (reaches < ACCUMULATOR_LIMIT) & (requantize(within, m, s) <= INT32_MAX)
        spread = np.where(defined, reaches - np.abs(bias), 0)
        low, high = (
            np.clip(requantize(np.where(defined, end, 0), m, s), *lin.activation_range(view))
            for end in (bias - spread, bias + spread)
        )
        settled = leaves(bias, 32) & defined & (low == high)
        w = np.where(settled.reshape(-1, *(1,) * (w.ndim - 1)), 0, w).astype(w.dtype)
        bias = np.where(settled, low, bias)
        multiplier = constant(multiplier.name, np.where(settled, 2**14, m).astype(np.int32), Role.REQUANT)
        shift = constant(shift.name, np.where(settled, 1, s).astype(np.int8), Role.REQUANT)
    return constant(f"{where}/weights", w, Role.WEIGHTS), lower_bias(view, bias, bits), multiplier, shift


def check_requant(view: View, reaches: Array) -> None:
    """Prove that no accumulator reaches 2**47, and that none leaves 32 bits when it is requantised."""
    multiplier, shift = view.multiplier.value.astype(np.int64), view.shift.value.astype(np.int64)
    if multiplier.max() >= REDUCED_LIMIT or shift.max() > HIGHEST_SHIFT:
        raise ModelError(f"a multiplier is {REDUCED_LIMIT} or more, or a shift above {HIGHEST_SHIFT}")
    result = requantize(np.minimum(reaches, ACCUMULATOR_LIMIT - 1), multiplier, shift)
    if np.any(wrong := (reaches >= ACCUMULATOR_LIMIT) | (result > INT32_MAX)):
        worst = int(np.argmax(wrong))
        raise ModelError(
            f"requantising channel {worst} could leave 32 bits: its accumulators reach {int(reaches[worst])}"
        )


def output_interval(view: View, ends: Sequence[Array]) -> Interval:
    """Of the ends of the accumulators: rounding is monotone."""
    parts = (requantize(end, view.multiplier.value, view.shift.value) for end in ends)
    return Interval(*(np.clip(end, view["clamp_min"], view["clamp_max"]) for end in parts))


def fills(rng: np.random.Generator, shape: tuple[int, ...]) -> list[tuple[str, Array]]:
    """An int16 input of each kind: random, all -2**15, all 2**15 - 1."""
    random = rng.integers(LOW, HIGH + 1, shape).astype(np.int16)
    ends = (("low", LOW), ("high", HIGH))
    return [("random", random), *((name, np.full(shape, level, np.int16)) for name, level in ends)]


def widened(x: Array, rng: np.random.Generator) -> Array:
    """int8 to int16 for cases: the ends stay ends, and what lies between gets a low byte of its own."""
    low = np.where(x == -128, 0, np.where(x == 127, 255, rng.integers(0, 256, x.shape)))
    return (x.astype(np.int64) * 256 + low).astype(np.int16)


def twins(rng: np.random.Generator, cases: Sequence[Case]) -> list[Case]:
    """The random ones of an operator that moves bytes, of int16; what they are filled with is 0."""
    out = []
    for case in cases:
        if case.name.endswith("-random"):
            attrs = {**case.attrs, **({"pad_value": 0} if "pad_value" in case.attrs else {})}
            inputs = tuple(widened(x, rng) if x.dtype == np.int8 else x for x in case.inputs)
            out.append(Case(f"{case.name}-wide", attrs, inputs))
    return out
