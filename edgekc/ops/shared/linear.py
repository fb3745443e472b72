"""What convolution, depthwise convolution and fully connected share: geometry, accumulators, requantisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.fixedpoint import DOUBLE, INT32_MAX, INT32_MIN, SINGLE, clamp_int8, quantize_multiplier, requantize
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import ChannelRule, Field, IntAttrs, Interval, Number, Param, Struct, View
from .channels import keep_channels, taken_over

# Attributes of every operator that slides a window, in .ekc order.
WINDOW = (
    "stride_h",
    "stride_w",
    "dilation_h",
    "dilation_w",
    "pad_top",
    "pad_bottom",
    "pad_left",
    "pad_right",
)
# What follows the accumulator, in .ekc order.
OUTPUT = ("out_zero", "act_min", "act_max", "rounding")
_WINDOW_STRUCT = Struct(
    "ek_window_params",
    (
        *(("uint16_t", name) for name in ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "k_h", "k_w")),
        *(("uint16_t", name) for name in ("stride_h", "stride_w", "dilation_h", "dilation_w")),
        *(("uint16_t", name) for name in ("pad_top", "pad_left")),
    ),
)
_REQUANT_STRUCT = Struct(
    "ek_requant_params",
    (
        ("const int32_t *", "multiplier"),
        ("const int8_t *", "shift"),
        *(("int16_t", name) for name in ("out_zero", "act_min", "act_max")),
        ("uint8_t", "rounding"),
        ("uint8_t", "step"),
    ),
)
WINDOW_FIELD: Field = (_WINDOW_STRUCT, "window")
REQUANT_FIELD: Field = (_REQUANT_STRUCT, "requant")
BIAS_FIELD: Field = ("const int32_t *", "bias")
MATRIX_FIELDS: tuple[Field, ...] = (("const int8_t *", "weights"), BIAS_FIELD, REQUANT_FIELD)
LINEAR_FIELDS: tuple[Field, ...] = (*MATRIX_FIELDS, WINDOW_FIELD, ("int8_t", "pad_value"))


def out_size(size: int, kernel: int, stride: int, dilation: int, pad_total: int, what: str) -> int:
    """Number of window positions along one axis; ModelError where there is none."""
    span = (kernel - 1) * dilation + 1
    if min(kernel, stride, dilation) < 1 or size + pad_total < span:
        raise ModelError(f"window of {span} does not fit into {what} of {size} plus {pad_total} padding")
    return (size + pad_total - span) // stride + 1


def window_out(attrs: IntAttrs, x: tuple[int, ...], k_h: int, k_w: int) -> tuple[int, int]:
    """(out_h, out_w) of a window over x (n, h, w, c)."""
    if len(x) != 4:
        raise ModelError(f"expected a 4-dimensional NHWC input, got shape {list(x)}")
    h = out_size(x[1], k_h, attrs["stride_h"], attrs["dilation_h"], attrs["pad_top"] + attrs["pad_bottom"], "height")
    w = out_size(x[2], k_w, attrs["stride_w"], attrs["dilation_w"], attrs["pad_left"] + attrs["pad_right"], "width")
    return h, w


def bordered(x: Array, pads: Sequence[tuple[int, int]], fill: float) -> Array:
    """x with so much before and behind each axis: np.pad of a constant, in an eighth of its time for small arrays."""
    if not any(map(any, pads)):
        return x
    shape = [before + size + behind for size, (before, behind) in zip(x.shape, pads, strict=True)]
    out = np.full(shape, fill, x.dtype)
    out[tuple(slice(before, before + size) for size, (before, _) in zip(x.shape, pads, strict=True))] = x
    return out


def windows(attrs: IntAttrs, x: Array, k_h: int, k_w: int, fill: float) -> Array:
    """All windows of x (n, h, w, c), as a read-only view (n, out_h, out_w, k_h, k_w, c)."""
    pads = ((0, 0), (attrs["pad_top"], attrs["pad_bottom"]), (attrs["pad_left"], attrs["pad_right"]), (0, 0))
    span = ((k_h - 1) * attrs["dilation_h"] + 1, (k_w - 1) * attrs["dilation_w"] + 1)
    image = bordered(x, pads, fill)
    view = np.lib.stride_tricks.sliding_window_view(image, span, axis=(1, 2))  # (n, h, w, c, span_h, span_w)
    view = view[:, :: attrs["stride_h"], :: attrs["stride_w"], :, :: attrs["dilation_h"], :: attrs["dilation_w"]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def exact_matmul(a: Array, b: Array) -> Array:
    """a @ b of integers through float64, exact because every partial sum stays below 2**53."""
    return np.asarray((a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64))


def requant_output(attrs: IntAttrs, acc: Array, multiplier: Array, shift: Array) -> Array:
    """Accumulators (..., channels) to int8; multiplier and shift of shape (channels,) or (1,)."""
    value = requantize(acc, multiplier, shift, attrs["rounding"])
    return clamp_int8(value, attrs["out_zero"], attrs["act_min"], attrs["act_max"])


def output_interval(view: View, acc_low: Array, acc_high: Array) -> Interval:
    """Multipliers are never negative, so the ends map to the ends wherever requantisation is monotone.

    It is not where a left shift takes an accumulator between the ends out of 32 bits and wraps: such a channel can
    take any value that the activation allows, unless its accumulator is always the same.
    """
    multiplier, shift = view.multiplier.value, view.shift.value
    attrs = {k: view[k] for k in OUTPUT}
    low, high = (requant_output(attrs, a, multiplier, shift).astype(np.int64) for a in (acc_low, acc_high))
    if attrs["rounding"] == DOUBLE:
        left = np.maximum(shift.astype(np.int64), 0)
        wraps = ((acc_low << left) < INT32_MIN) | ((acc_high << left) > INT32_MAX)
        anything = wraps & (acc_low != acc_high)
        low, high = np.where(anything, attrs["act_min"], low), np.where(anything, attrs["act_max"], high)
    return Interval(low, high)


def input_interval(view: View, interval: Interval | None) -> Interval:
    """The channel intervals of the activation, widened by the padding value where the window is padded."""
    channels = view.x.shape[-1]
    if interval is None:
        low, high = np.full(channels, -128, np.int64), np.full(channels, 127, np.int64)
    else:
        low, high = interval.low, interval.high
    if any(view.node.attrs.get(p, 0) for p in ("pad_top", "pad_bottom", "pad_left", "pad_right")):
        pad = view["pad_value"]
        low, high = np.minimum(low, pad), np.maximum(high, pad)
    return Interval(low, high)


def mixing_rule(channel_axis: int, always_padded: bool = False) -> ChannelRule:
    """The channel rule of layers that sum over all input channels; weights (oc, ..., ic), ic at `channel_axis`.

    An input channel can go if no kept filter reads it, or if it always has one value: then it adds the same
    amount to every accumulator, which the bias takes over. With padding that holds only if the value is the
    padding value, which is 0 for int16. `always_padded`: some taps see padding whatever the attributes say.
    """

    def foldable(view: View, keep_out: Array, known: Interval | None) -> Array:
        if known is None:
            return np.zeros(view.x.shape[-1], bool)
        padded = always_padded or any(view.node.attrs.get(p, 0) for p in WINDOW[-4:])
        found = known.constant & ((known.low == view.node.attrs.get("pad_value", 0)) if padded else True)
        return taken_over(view, np.where(found, known.low, 0), keep_out, channel_axis) & found

    def needs(view: View, keep_out: Array, known: Sequence[Interval | None]) -> list[Array]:
        w = view.weights.value[keep_out]
        read = np.any(w != 0, axis=tuple(a for a in range(w.ndim) if a != channel_axis))
        return [read & ~foldable(view, keep_out, known[0])]

    def slice_(view: View, keep_in: Sequence[Array], keep_out: Array, known: Sequence[Interval | None]) -> list[Tensor]:
        weights, bias = view.weights, view.bias
        w = weights.value[keep_out]
        new_bias = bias.value[keep_out].astype(np.int64)
        interval = known[0]
        if interval is not None:
            value = np.where(keep_in[0], 0, interval.low)  # dropped, unread channels have weights of zero
            folded = np.moveaxis(w.astype(np.int64), channel_axis, -1) @ value
            new_bias += folded.reshape(folded.shape[0], -1).sum(1)
        return [
            constant(weights.name, np.compress(keep_in[0], w, axis=channel_axis), Role.WEIGHTS),
            constant(bias.name, new_bias.astype(np.int32), Role.BIAS),
            *(keep_channels(t, keep_out) for t in view.inputs[3:]),  # what requantises
        ]

    return ChannelRule(needs, slice_)


def product_interval(weights: Array, x: Interval) -> tuple[Array, Array]:
    """Ends of weights * x, elementwise; x broadcasts against the last axis of weights."""
    w = weights.astype(np.int64)
    a, b = w * x.low, w * x.high
    return np.minimum(a, b), np.maximum(a, b)


def activation_range(view: View) -> tuple[int, int]:
    """(act_min, act_max) of the fused activation in the output's quantisation.

    As TFLite's CalculateActivationRangeQuantized: bounds are rounded half away from zero in float32.
    """
    info = np.iinfo(view.out.dtype)
    low, high = int(info.min), int(info.max)
    scale, zero = np.float32(view.out.q.scale), view.out.q.zero_point

    def level(real: float) -> int:
        with np.errstate(over="ignore"):  # of a scale that float32 hardly holds: infinite, and refused below
            ratio = np.float32(real) / scale
        if abs(float(ratio)) > INT32_MAX - 128:  # TensorFlow Lite holds levels in 32 bits
            raise UnsupportedError(
                f"an output scale of {float(scale):.6g}, in which the activation's bound {real:g} leaves 32 bits",
                where=view.node.name,
            )
        return zero + int(np.trunc(float(ratio) + np.copysign(0.5, float(ratio))))

    activation = view.node.attrs.get("activation", "none")
    if activation in ("relu", "relu6"):
        low = max(low, level(0.0))
    if activation == "relu6":
        high = min(high, level(6.0))
    if activation == "relu_n1_to_1":
        low, high = max(low, level(-1.0)), min(high, level(1.0))
    return low, high


def lower_requant(view: View, float32_product: bool) -> tuple[Tensor, Tensor]:
    """(multiplier, shift) constants, one entry per filter scale.

    `float32_product`: TFLite multiplies input and weight scale in float32 for uint8 convolutions, older runtimes also
    for per-tensor fully connected layers, and in double everywhere else; the multiplier's last bit depends on it.
    """
    x, w, out = view.x, view.weights, view.out
    pairs = []
    for scale in w.q.scales:
        product = float(np.float32(x.q.scale) * np.float32(scale)) if float32_product else x.q.scale * scale
        pairs.append(quantize_multiplier(product / out.q.scale))
    name = view.node.name
    multipliers = constant(f"{name}/multiplier", np.array([p[0] for p in pairs], np.int32), Role.REQUANT)
    shifts = constant(f"{name}/shift", np.array([p[1] for p in pairs], np.int8), Role.REQUANT)
    return multipliers, shifts


def lower_bias(view: View, weight_sums: Array, weight_abs_sums: Array) -> Tensor:
    """The bias with the input's zero point folded in, proved not to overflow.

    Sum over (x - zero) * w equals sum over x * w minus zero * sum(w), padding being `zero` itself. Every
    partial sum lies within |bias| + (128 + |zero|) * sum|w|, in whatever order a kernel adds.
    """
    x = view.x
    zero = x.q.zero_point
    channels = weight_sums.shape[0]
    bias = view.bias.value.astype(np.int64) if view.has("bias") else np.zeros(channels, np.int64)
    if bias.shape != (channels,):
        raise ModelError(f"bias has shape {list(bias.shape)}, expected [{channels}]", where=view.node.name)
    bound = np.abs(bias) + (128 + abs(zero)) * weight_abs_sums
    if np.any(bound > INT32_MAX):
        worst = int(np.argmax(bound))
        raise UnsupportedError(
            f"the 32-bit accumulator of channel {worst} could reach {int(bound[worst])}",
            where=view.node.name,
            fix="requantise the model with a larger bias scale",
        )
    return constant(f"{view.node.name}/bias", (bias - zero * weight_sums).astype(np.int32), Role.BIAS)


def _weight_sums(view: View) -> tuple[Array, Array]:
    """int64 (oc,): of the positive weights of each filter, and of the negative ones."""
    w = view.weights.value
    axes = tuple(a for a in range(w.ndim) if a != _filter_axis(view))
    return np.maximum(w, 0).sum(axes, dtype=np.int64), np.minimum(w, 0).sum(axes, dtype=np.int64)


def accumulator_bound(view: View) -> Array:
    """int64 (oc,): what no partial sum of bias and weights times int8 exceeds in magnitude, in any order."""
    positive, negative = _weight_sums(view)
    return np.asarray(np.abs(view.bias.value.astype(np.int64)) + 128 * (positive - negative))


def accumulator_reach(view: View) -> Array:
    """int64 (oc,): the largest magnitude of an accumulator, over every int8 input; `accumulator_bound` is looser."""
    positive, negative = _weight_sums(view)
    bias = view.bias.value.astype(np.int64)
    low, high = bias - 128 * positive + 127 * negative, bias + 127 * positive - 128 * negative
    return np.asarray(np.maximum(np.abs(low), np.abs(high)))


def check_requant(view: View) -> None:
    """Prove that a requantised accumulator and its sum with the zero point stay within 32 bits.

    What left them would not be defined in C, nor in TensorFlow Lite, whose kernels then differ between processors. A
    left shift that wraps before the multiplication is defined (docs/numerics.md), and allowed.
    """
    multiplier, shift = (np.asarray(t.value, np.int64) for t in (view.multiplier, view.shift))
    reach = accumulator_reach(view)
    if view["rounding"] == DOUBLE:
        shifted = reach << np.maximum(shift, 0)
        shifted = np.where(shifted > INT32_MAX, 2**31, shifted)  # what wraps can be anything
        result = (shifted * multiplier >> 31 + np.maximum(-shift, 0)) + 1
        # Larger real multipliers end as this pair too; TensorFlow Lite shifts by more than 31 bits then.
        largest = (multiplier == INT32_MAX) & (shift == 30) & (reach > 0)
    else:
        result = (reach * multiplier >> 31 - shift) + 1
        largest = np.zeros(1, bool)
    wrong = (result + max(abs(view["out_zero"]), 128) > INT32_MAX) | largest
    if np.any(wrong):
        worst = int(np.argmax(wrong))
        factor = float(multiplier[worst % multiplier.size]) * 2.0 ** (float(shift[worst % shift.size]) - 31)
        raise ModelError(
            f"requantising channel {worst} could leave 32 bits: its accumulators reach {int(reach[worst])} and are "
            f"multiplied by {factor:.6g}"
        )


def validate(view: View) -> None:
    """Prove that no accumulator of a layer (bias, sums of weights times int8) leaves 32 bits, in any order.

    And that none leaves them while it is requantised.
    """
    bound = accumulator_bound(view)
    if np.any(bound > INT32_MAX):
        worst = int(np.argmax(bound))
        raise ModelError(f"the accumulator of channel {worst} of {bound.shape[0]} could reach {int(bound[worst])}")
    check_requant(view)
    if view["act_min"] > view["act_max"]:
        raise ModelError(f"act_min {view['act_min']} is above act_max {view['act_max']}")


def fits_int16(weights: Array) -> bool:
    """Whether all are numbers of 16 bits."""
    return int(weights.min()) >= -(2**15) and int(weights.max()) < 2**15


def short_requant(view: View) -> bool:
    """Whether ek_requant_short (ek_dsp.h) gives the bits of the double rounding for every accumulator of the layer.

    It wants the clamp to be int8's own, one right shift at least, headroom for one doubling, and an offset in 32 bits.
    """
    if (view["rounding"], view["act_min"], view["act_max"]) != (DOUBLE, -128, 127):
        return False
    shift = view.shift.value
    usual = np.all((shift >= -20) & (shift <= -1)) and np.all(accumulator_bound(view) < 2**30)
    return bool(usual) and _offset_fits(view, -1 - shift)


def vector_requant(view: View) -> bool:
    """Whether ek_voutput (ek_mve.h) gives the reference's bits for every accumulator of the layer.

    It shifts right only, once at least, and of a single rounding no product may be half way.
    """
    multiplier, shift = (t.value for t in (view.multiplier, view.shift))
    if view["rounding"] == DOUBLE:
        return bool(np.all((shift <= -1) | (multiplier == 0)))
    return bool(np.all(shift <= -2)) and _no_product_half_way(view)


def shorter_requant(view: View) -> bool:
    """Whether ek_requant_shorter (ek_dsp.h) gives the bits of the single rounding for every accumulator of the layer.

    It rounds halves up, the definition away from zero: so no product may be half way. With a shift of -24 its offset
    reaches 255 * 2^22, and the product's upper half 2^30: together they still fit.
    """
    if (view["rounding"], view["act_min"], view["act_max"]) != (SINGLE, -128, 127):
        return False
    shift = view.shift.value
    usual = np.all((shift >= -24) & (shift <= -2))
    return bool(usual) and _offset_fits(view, -2 - shift) and _no_product_half_way(view)


def _offset_fits(view: View, right: Array) -> bool:
    """Whether ek_requant_offset(out_zero, right) and the product's upper half together stay within 32 bits."""
    return bool(np.all(abs(2 * view["out_zero"] + 1) * np.exp2(right.astype(float)) <= 2**30))


def _no_product_half_way(view: View) -> bool:
    """acc * multiplier is an odd multiple of 2**(30 - shift) only if both together have that many factors of two."""
    multiplier, shift = (t.value.astype(np.int64) for t in (view.multiplier, view.shift))
    twos = np.log2(np.maximum(multiplier & -multiplier, 1)) + np.floor(np.log2(np.maximum(accumulator_bound(view), 1)))
    return bool(np.all(twos < 30 - shift))


def _filter_axis(view: View) -> int:
    """The axis of the weights that counts output channels: last in (kh, kw, oc), first everywhere else."""
    return 2 if view.weights.value.ndim == 3 else 0


def window_params(view: View, k_h: int, k_w: int) -> dict[str, Param]:
    """A value for WINDOW_FIELD."""
    _, in_h, in_w, in_c = view.x.shape
    _, out_h, out_w, out_c = view.out.shape
    values: dict[str, Number] = dict(in_h=in_h, in_w=in_w, in_c=in_c, out_h=out_h, out_w=out_w, out_c=out_c)
    values.update(k_h=k_h, k_w=k_w)
    for name in ("stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left"):
        values[name] = view[name]
    return {"window": values}


def requant_params(view: View, laid_out: bool = False) -> dict[str, Param]:
    """A value for REQUANT_FIELD; `laid_out`: multiplier and shift lie with the weights that the kernel lays out."""
    values: dict[str, Number] = {name: view[name] for name in OUTPUT}
    values.update(multiplier=0, shift=0, step=0)
    if not laid_out:
        values.update(multiplier=view.multiplier.name, shift=view.shift.name, step=int(view.multiplier.shape[0] > 1))
    return {"requant": values}


def output_params(view: View, constants: Sequence[str] = ("weights",)) -> dict[str, Param]:
    """Values for the operands that the struct points to, BIAS_FIELD and REQUANT_FIELD."""
    return {**{name: view.operand(name).name for name in (*constants, "bias")}, **requant_params(view)}
