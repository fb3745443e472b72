"""2-D convolution of int16 activations and int8 weights: dense, grouped and depthwise ones are one operator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import ModelError
from ..graph.fixedpoint import INT32_MAX, quantize_multiplier
from ..graph.ir import Array
from ..graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Learned, Lowered, Op, Param, Shape, View
from ..graph.scratch import Region, Regions
from .shared import int16, ring
from .shared import linear as lin
from .shared.channels import channelwise_filters
from .shared.checks import known
from .shared.grouped import groups_of
from .shared.operands import DENSE

ATTRS = (*lin.WINDOW, *int16.CLAMP)
MOST_TAPS = 508  # whose products, of up to 2**22 each, fit 32 bits
_NARROW_SHIFT = -16  # the least that one multiplication does


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[0], shapes[1]
    groups_of(x, w)
    out_h, out_w = lin.window_out(attrs, x, w[1], w[2])
    return [(x[0], out_h, out_w, w[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over the window of the channels of o's group of x * w[o]; x is 0 outside the image."""
    x, w, bias, multiplier, shift = inputs
    groups = groups_of(x.shape, w.shape)
    oc, k_h, k_w, ic = w.shape
    patches = lin.windows(attrs, x, k_h, k_w, 0)
    n, out_h, out_w = patches.shape[:3]
    seen = patches.reshape(n * out_h * out_w, k_h * k_w, groups, ic).transpose(2, 0, 1, 3)
    filters = w.reshape(groups, oc // groups, -1).transpose(0, 2, 1)
    acc = lin.exact_matmul(seen.reshape(groups, -1, k_h * k_w * ic), filters)
    acc = acc.transpose(1, 0, 2).reshape(n, out_h, out_w, oc) + int16.biases(bias)
    y = int16.requantize(acc, multiplier, shift)
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED convolution whose input is int16; depthwise is one group for each channel of the input."""
    int16.require_weights(view)
    w = view.weights.value
    if view.node.op == "depthwise":
        if w.ndim != 4 or w.shape[0] != 1:
            raise ModelError(f"depthwise weights must have shape (1, kh, kw, oc), got {list(w.shape)}")
        w = np.ascontiguousarray(w.transpose(3, 1, 2, 0))
    low, high = lin.activation_range(view)
    attrs = {name: view[name] for name in lin.WINDOW}
    attrs.update(clamp_min=low, clamp_max=high)
    return Lowered("conv2d_16x8", attrs, (view.x.name,), int16.lower_layer(view, w, int16.BITS))


def validate(view: View) -> None:
    """The bounds on which the kernel's arithmetic rests."""
    int16.require_types(view)
    int16.require_clamp(view)
    int16.check_requant(view, int16.reach(view.weights.value, view.bias.value))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    oc, _, _, ic = view.weights.shape
    x = known(view.x, inputs[0])
    padded = any(view[p] for p in lin.WINDOW[-4:])
    ends = (np.minimum(x.low, 0), np.maximum(x.high, 0)) if padded else (x.low, x.high)
    # Of each filter the channels that it reads: (oc, 1, 1, ic).
    filters = oc // _groups(view)
    low, high = (np.repeat(end.reshape(-1, ic), filters, axis=0)[:, None, None] for end in ends)
    products = lin.product_interval(view.weights.value, Interval(low, high))
    bias = int16.biases(view.bias.value)
    return int16.output_interval(view, [end.sum((1, 2, 3)) + bias for end in products])


def _channels(view: View) -> ChannelRule | None:
    """Dense layers mix channels, depthwise ones of a filter each keep them apart; None of other groups.

    Biases of two words take nothing over.
    """
    if int16.is_deep(view):
        return None
    if _groups(view) == 1:
        return lin.mixing_rule(channel_axis=3)
    return channelwise_filters(view) if _groups(view) == view.out.shape[3] else None


def learned(view: View) -> dict[str, Learned]:
    """A `narrow` layer takes its shifts from words: ek_wide_requant_narrow."""
    lowest = _NARROW_SHIFT if output_params(view)["narrow"] else -31
    return dict(multiplier=Learned(0, int16.REDUCED_LIMIT - 1), shift=Learned(lowest, int16.HIGHEST_SHIFT))


def output_params(view: View) -> dict[str, Param]:
    """Values for FIELDS, but for the window and the groups."""
    values: dict[str, Param] = {name: view.operand(name).name for name in ("weights", "bias", "multiplier", "shift")}
    values.update({name: view[name] for name in int16.CLAMP}, step=int(view.multiplier.shape[0] > 1))
    reaches = int16.reach(view.weights.value, view.bias.value)
    return {**values, "narrow": int(reaches.max() <= INT32_MAX and int(view.shift.value.min()) >= _NARROW_SHIFT)}


def _params(view: View) -> dict[str, Param]:
    _, k_h, k_w, _ = view.weights.shape
    return {**output_params(view), **lin.window_params(view, k_h, k_w), "groups": _groups(view)}


def _groups(view: View) -> int:
    return groups_of(view.x.shape, view.weights.shape)


def _is_dense(view: View, least: int) -> bool:
    """Whether kernels of extensions can do it: one group, of windows of so many values."""
    return _groups(view) == 1 and _taps(view) >= least and not int16.is_deep(view)


def _is_depthwise(view: View) -> bool:
    return not int16.is_deep(view) and view.weights.shape[3] == 1 and _taps(view) <= MOST_TAPS


def _taps(view: View) -> int:
    """That an output reads."""
    return int(np.prod(view.weights.shape[1:]))


def vector_requant(view: View) -> bool:
    """Whether the high word of an accumulator of 32 bits, times 2**16 * multiplier, is rounded to the right level."""
    reaches = int16.reach(view.weights.value, view.bias.value)
    return bool(reaches.max() <= INT32_MAX and view.shift.value.max() <= -2)


def _accepts_depthwise(view: View, least: int) -> bool:
    channels = view.x.shape[3]
    return _is_depthwise(view) and least <= channels == view.out.shape[3] < 2**15 and vector_requant(view)


def _wide_ring(view: View) -> Regions:
    starts, rows = ring.regions(view, *view.weights.shape[1:3])
    return starts, Region("rows", 2 * rows.bytes, "int16 (rows, row values): the ring of padded input rows")


def _depthwise_mve_regions(view: View) -> Regions:
    taps = Region("taps", 4 * _taps(view), "uint32 (k_h, k_w): where a window's taps lie in `rows`")
    return (taps, *_wide_ring(view))


def _filters(view: View) -> Region:
    pairs = -(-view.out.shape[3] // 2)
    return Region("filters", 32 * pairs, "ek_wide_filters (out_c / 2): what follows the accumulators of two channels")


def _depthwise_dsp_regions(view: View) -> Regions:
    pairs = -(-view.x.shape[3] // 2)
    return (
        Region("weights", 4 * _taps(view) * pairs, "int16 (channels / 2, taps, 2): in pairs"),
        _filters(view),
        *_wide_ring(view),
    )


def _pixels_in_place(view: View) -> tuple[int, ...]:
    """What two pixels see, each of one pixel, is copied before their outputs are written.

    Growing channels (stride 1 only) are walked from the last pixel back.
    """
    _, k_h, k_w, ic = view.weights.shape
    alone = (k_h, k_w) == (1, 1) and not any(view[p] for p in lin.WINDOW[-4:])
    return (0,) if alone and (view.out.shape[3] <= ic or view["stride_h"] == view["stride_w"] == 1) else ()


def _ring_in_place(view: View) -> tuple[int, ...]:
    return ring.in_place(view, view.weights.shape[1])


def _mve_regions(view: View) -> Regions:
    room = 16 * -(-_taps(view) // 8)
    return (
        Region("first", room, "int16 (taps to a multiple of 8): what a pixel sees"),
        Region("second", room + 16, "int16: what the next one sees; 16 bytes behind it are read"),
        Region("sums", 16 * -(-view.out.shape[3] // 2), "int32 (2, out_c to a multiple of 2): of both pixels"),
    )


def _dsp_regions(view: View) -> Regions:
    fours = -(-_taps(view) // 4)
    return (
        Region("pairs", 16 * fours, "what two pixels see, as pairs of int16"),
        Region("window", 8 * fours, "int16 (taps): what one sees"),
        _filters(view),
    )


FIELDS = (
    ("const int8_t *", "weights"),
    *(("const int32_t *", name) for name in ("bias", "multiplier")),
    ("const int8_t *", "shift"),
    lin.WINDOW_FIELD,
    ("uint16_t", "groups"),
    *(("int16_t", name) for name in int16.CLAMP),
    ("uint8_t", "step"),
    ("uint8_t", "narrow"),
)
_kernel = partial(Kernel, header="ek_conv2d_s16.h", struct="ek_conv2d_s16_params", fields=FIELDS, params=_params)
KERNELS = (
    _kernel(
        symbol="ek_conv2d_s16_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: _is_dense(view, 8),
        scratch=_mve_regions,
        in_place=_pixels_in_place,
    ),
    _kernel(
        symbol="ek_conv2d_s16_dsp",
        needs=frozenset({"dsp"}),
        accepts=lambda view: _is_dense(view, 4),
        scratch=_dsp_regions,
        in_place=_pixels_in_place,
    ),
    _kernel(
        symbol="ek_depthwise_s16_mve",
        needs=frozenset({"mve"}),
        accepts=lambda view: _accepts_depthwise(view, least=8),
        scratch=_depthwise_mve_regions,
        in_place=_ring_in_place,
        rewrites=lambda view: {view.weights.name: np.ascontiguousarray(view.weights.value.transpose(1, 2, 0, 3))},
    ),
    _kernel(
        symbol="ek_depthwise_s16_dsp",
        needs=frozenset({"dsp"}),
        accepts=lambda view: _accepts_depthwise(view, least=2),
        scratch=_depthwise_dsp_regions,
        in_place=_ring_in_place,
    ),
    _kernel(symbol="ek_depthwise_s16", accepts=_is_depthwise),
    _kernel(symbol="ek_conv2d_s16", accepts=lambda view: not int16.is_deep(view)),
    _kernel(symbol="ek_conv2d_s16_deep", accepts=int16.is_deep),
)


def _macs(view: View) -> int:
    _, out_h, out_w, _ = view.out.shape
    return out_h * out_w * int(np.prod(view.weights.shape))


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), w (oc, kh, kw), groups, stride, dilation, pads (top, bottom, left, right)
        ("3x3", (5, 6, 3), (4, 3, 3), 1, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("odd-channels", (4, 5, 5), (7, 3, 3), 1, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 4), (3, 3, 3), 1, (2, 2), (1, 1), (0, 1, 0, 1)),
        ("dilated", (9, 8, 2), (3, 3, 3), 1, (1, 1), (2, 3), (2, 2, 3, 3)),
        ("one-pixel", (1, 1, 3), (2, 3, 3), 1, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("one-value", (1, 1, 1), (1, 1, 1), 1, (1, 1), (1, 1), (0, 0, 0, 0)),
        ("valid-leftover", (8, 7, 2), (2, 3, 2), 1, (3, 2), (1, 1), (0, 0, 0, 0)),
        ("1x1", (3, 5, 6), (5, 1, 1), 1, (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-stride2", (5, 6, 8), (4, 1, 1), 1, (2, 2), (1, 1), (0, 0, 0, 0)),
        ("1x1-growing", (3, 5, 8), (13, 1, 1), 1, (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-fewer", (3, 3, 10), (3, 1, 1), 1, (1, 1), (1, 1), (0, 0, 0, 0)),
        ("many-taps", (2, 3, 70), (3, 2, 3), 1, (1, 1), (1, 1), (0, 1, 1, 1)),
        ("window-in-padding", (2, 2, 2), (3, 5, 5), 1, (1, 1), (1, 1), (2, 2, 2, 2)),
        ("grouped", (4, 5, 6), (9, 3, 3), 3, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("depthwise", (5, 6, 8), (8, 3, 3), 8, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("depthwise-stride2", (6, 7, 5), (5, 3, 3), 5, (2, 2), (1, 1), (0, 1, 1, 1)),
        ("depthwise-multiplier", (4, 5, 2), (6, 3, 2), 2, (1, 1), (1, 2), (1, 1, 1, 1)),
        ("depthwise-eights", (4, 5, 21), (21, 3, 3), 21, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("depthwise-eights-tall", (9, 6, 9), (9, 5, 2), 9, (2, 1), (1, 3), (2, 2, 0, 1)),
        ("depthwise-eights-one-pixel", (1, 1, 8), (8, 3, 3), 8, (1, 1), (1, 1), (1, 1, 1, 1)),
    ]  # fmt: skip
    out = []
    for name, x_shape, (oc, k_h, k_w), groups, stride, dilation, pads in shapes:
        attrs = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
        attrs.update(zip(lin.WINDOW[-4:], pads, strict=True))
        shape = (oc, k_h, k_w, x_shape[2] // groups)
        for i, (fill, x) in enumerate(int16.fills(rng, (1, *x_shape))):
            clamp = dict(clamp_min=-9000, clamp_max=8000) if i == 2 else int16.FULL
            operands = weights(rng, shape, fill, 1 if i == 1 else oc)
            out.append(Case(f"{name}-{fill}", {**attrs, **clamp}, (x, *operands)))
            if fill == "random" and name in ("3x3", "one-value", "grouped", "depthwise-multiplier"):
                out.append(Case(f"{name}-deep", {**attrs, **clamp}, (x, *deep(rng, operands))))
            if fill == "high":
                out.append(Case(f"{name}-narrow", {**attrs, **clamp}, (~x, *_narrow(operands))))
    return out + [_ties(groups, shift) for groups in (1, 8) for shift in (-1, -2, -3, -16, -17)]


def _narrow(operands: tuple[Array, ...]) -> tuple[Array, ...]:
    """With the largest biases that leave every accumulator of the lowest inputs just in 32 bits."""
    w, bias, *rest = operands
    room = INT32_MAX - int16.reach(w, np.zeros_like(bias))
    return w, np.where(bias < 0, -room, room).astype(np.int32), *rest


def deep(rng: np.random.Generator, operands: tuple[Array, ...]) -> tuple[Array, ...]:
    """With biases around what 32 bits hold and far beyond it; multipliers bring them into the output's range."""
    w, _, *_ = operands
    bias = np.resize([2**31, -(2**31) - 1, 2**31 - 1, -(2**40) + 77, 2**46 - 2**31], w.shape[0])
    bias = bias + np.sign(bias) * rng.integers(0, 3, bias.size)
    factors = [
        quantize_multiplier(2.0**14 * r / abs(b)) for b, r in zip(bias, rng.uniform(0.5, 2, bias.size), strict=True)
    ]
    multiplier = int16.reduced(np.array([m for m, _ in factors])).astype(np.int32)
    return w, int16.words(bias), multiplier, np.array([s for _, s in factors], np.int8)


def _ties(groups: int, shift: int) -> Case:
    """Accumulators beside a half, of both signs, and far ones: a multiplier of one half, shifted."""
    near = np.arange(-24, 24).reshape(1, 2, 3, 8) * (1 if shift > -16 else 2**10) + (shift < -16)
    w = np.ones((8, 1, 1, 8 // groups), np.int8)
    w[1::3], w[2::3] = 4, -128
    attrs = {key: int(key.startswith(("stride", "dilation"))) for key in lin.WINDOW} | int16.FULL
    factors = (np.array([2**14], np.int32), np.array([shift], np.int8))
    bias = np.array([0, 1, -2, 4, 2**29, -(2**29), 2**29 + 1, 2], np.int32)
    return Case(f"ties{shift}-{groups}", attrs, (near.astype(np.int16), w, bias, *factors))


def weights(rng: np.random.Generator, shape: tuple[int, ...], fill: str, count: int) -> tuple[Array, ...]:
    """Operands (weights, bias, multiplier, shift) of a case, `count` multipliers; extremes where `fill` is "high"."""
    w = rng.integers(-128, 128, shape).astype(np.int8) if fill != "high" else np.full(shape, -128, np.int8)
    bias = rng.integers(-(2**31), 2**31, shape[0]) >> (0 if fill == "high" else 8)
    taps = int(np.prod(shape[1:]))
    pairs = [quantize_multiplier(float(r) / (40 * np.sqrt(taps))) for r in np.exp(rng.uniform(-4, 1, count))]
    multiplier = int16.reduced(np.array([m for m, _ in pairs])).astype(np.int32)
    return w, bias.astype(np.int32), multiplier, np.array([s for _, s in pairs], np.int8)


OP = Op(
    name="conv2d_16x8",
    code=81,
    attrs=ATTRS,
    operands=DENSE,
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=_macs,
    ranges=ranges,
    validate=validate,
    wide=True,
    deep=True,
    channels=_channels,
    learned=learned,
    cases=cases,
)
