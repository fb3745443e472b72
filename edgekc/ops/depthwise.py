"""Depthwise 2-D convolution, int8: the definition, how a quantised layer becomes one, and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import ModelError
from ..graph.fixedpoint import DOUBLE
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Rows, Shape, View
from ..graph.scratch import Region, Regions
from ..graph.source import Filters, FloatHalf, Reads, SourceOp
from . import conv2d_16x8
from .kernels import vector as vec
from .shared import asymmetric, int16, ring
from .shared import floats as fl
from .shared import linear as lin
from .shared.channels import channelwise
from .shared.checks import is_unsigned
from .shared.operands import DENSE
from .shared.testing import linear_cases, with_far_zeros
from .shared.ties import repeated

ATTRS = (*lin.WINDOW, "pad_value", *lin.OUTPUT)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[0], shapes[1]
    if len(w) != 3:
        raise ModelError(f"weights must have 3 dimensions (kh, kw, oc), got {list(w)}")
    out_h, out_w = lin.window_out(attrs, x, w[0], w[1])
    if w[2] % x[3]:
        raise ModelError(f"{w[2]} output channels are not a multiple of {x[3]} input channels")
    return [(x[0], out_h, out_w, w[2])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over the window of x[o // m] * w[o], m being the depth multiplier."""
    x, w, bias, multiplier, shift = inputs
    k_h, k_w, oc = w.shape
    spread = np.repeat(x, oc // x.shape[3], axis=3)
    patches = lin.windows(attrs, spread, k_h, k_w, attrs["pad_value"])
    acc = np.einsum("nhwklc,klc->nhwc", patches.astype(np.int64), w.astype(np.int64)) + bias
    return [lin.requant_output(attrs, acc, multiplier, shift)]


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return conv2d_16x8.lower(view)
    w = view.weights.value
    if w.ndim != 4 or w.shape[0] != 1:
        raise ModelError(f"depthwise weights must have shape (1, kh, kw, oc), got {list(w.shape)}")
    if asymmetric.is_asymmetric(view):
        return asymmetric.lower(view, lower, lambda w: w[0].transpose(2, 0, 1))
    x = view.x
    wide = w[0].astype(np.int64)
    bias = lin.lower_bias(view, wide.sum((0, 1)), np.abs(wide).sum((0, 1)))
    multiplier, shift = lin.lower_requant(view, float32_product=is_unsigned(view))
    act_min, act_max = lin.activation_range(view)
    attrs = {name: view[name] for name in lin.WINDOW}
    attrs.update(pad_value=x.q.zero_point, out_zero=view.out.q.zero_point)
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    weights = constant(f"{view.node.name}/weights", w[0], Role.WEIGHTS)
    return Lowered("depthwise", attrs, (x.name,), (weights, bias, multiplier, shift))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    x = lin.input_interval(view, inputs[0])
    per_input = view.out.shape[3] // view.x.shape[3]
    spread = Interval(np.repeat(x.low, per_input), np.repeat(x.high, per_input))
    low, high = lin.product_interval(view.weights.value, spread)
    bias = view.bias.value
    return lin.output_interval(view, low.sum((0, 1)) + bias, high.sum((0, 1)) + bias)


def macs(view: View) -> int:
    _, out_h, out_w, _ = view.out.shape
    return out_h * out_w * int(np.prod(view.weights.shape))


def _k(view: View) -> tuple[int, int]:
    return view.weights.shape[0], view.weights.shape[1]


def _params(view: View) -> dict[str, Param]:
    return {**lin.window_params(view, *_k(view)), **lin.output_params(view), "pad_value": view["pad_value"]}


def decoded_regions(view: View, k_h: int, k_w: int) -> Regions:
    """Of the portable kernels for packed weights."""
    weights = 4 * min(4, view.out.shape[3]) * k_h * k_w
    return (Region("weights", weights, "int32 (4, k_h, k_w): of four channels"), *ring.regions(view, k_h, k_w))


def accepts_3x3(view: View) -> bool:
    channels = view.out.shape[3]
    plain = (*_k(view), view["dilation_h"], view["dilation_w"]) == (3, 3, 1, 1) and view["stride_w"] in (1, 2)
    return plain and channels == view.x.shape[3] and channels >= 4 and lin.short_requant(view)


def _accepts_3x3_dsp(stride: int, view: View) -> bool:
    return view["stride_w"] == stride and accepts_3x3(view)


def regions_3x3(view: View) -> Regions:
    """Of the kernels on cores with the DSP extension, which hold 16 channels at a time, or fewer in less room."""
    _, _, out_w, channels = view.out.shape
    pairs = out_w + 1 if view["stride_w"] == 2 else (out_w - 1) // 2 + 2
    most, each = min(channels, 16), 44 + 12 * pairs
    held = view.held(most * each) // each
    if held < most:  # what ek_planes_count wants
        held = held // 4 * 4 if held >= 8 else 4 if channels % 4 == 0 else min(most, 8)
    return (
        Region("channels", 44 * held, "ek_plane_channel (channels): weights, and what follows the sums"),
        Region("planes", 12 * pairs * held, "(channels, pairs of columns, 3 rows, 2) int16: what three rows hold"),
    )


def _regions_mve(view: View) -> Regions:
    k_h, k_w = _k(view)
    taps = Region("taps", 4 * k_h * k_w, "uint32 (k_h, k_w): where a window's taps lie in `rows`")
    return (taps, *ring.regions(view, k_h, k_w))


def _accepts_mve(view: View) -> bool:
    channels = view.out.shape[3]
    return 8 <= channels == view.x.shape[3] and view["rounding"] == DOUBLE and lin.vector_requant(view)


PLANES_BYTES = 4096  # EK_DEPTHWISE_PLANES_BYTES
LONGEST_STRIP = 8000  # bytes, so that eight planes are within reach of 16-bit offsets


def _strip(view: View) -> tuple[int, int]:
    """Output rows and bytes of a strip of ek_depthwise3x3_s8_mve."""
    rows = 3 if view["stride_h"] == 1 else 2
    return rows, 5 * ((view.out.shape[2] - 1) * view["stride_w"] + 3)


def _accepts_3x3_mve(view: View) -> bool:
    window = (*_k(view), view["dilation_h"], view["dilation_w"]) == (3, 3, 1, 1)
    strides = view["stride_h"] in (1, 2) and view["stride_w"] in (1, 2)
    if not window or not strides or view.out.shape[3] != view.x.shape[3] or _strip(view)[1] >= LONGEST_STRIP:
        return False
    offsets = view.out.shape[3] < 9000  # those of eight pixels have 16 bits
    return offsets and view["rounding"] == DOUBLE and lin.vector_requant(view)


def _regions_3x3_mve(view: View) -> Regions:
    _, out_h, out_w, _ = view.out.shape
    rows, strip = _strip(view)
    held = max(min(PLANES_BYTES // (8 * strip), -(-out_h // rows)), 1)
    return (
        Region("weights", 128 * rows, "int8 (8 channels, rows, 16): a vector for each output row of a strip"),
        Region("sums", 4 * (held * rows * out_w + 8), "int32 (output rows, out_w): of one channel; 32 bytes behind"),
        Region("planes", 8 * (held * strip + 16), "int8 (8 channels, strips, columns, 5 rows); 16 bytes behind each"),
    )


_kernel = partial(Kernel, header="ek_depthwise.h", struct="ek_depthwise_params", fields=lin.LINEAR_FIELDS)
KERNELS = (
    _kernel(
        symbol="ek_depthwise3x3_s8_mve",
        params=_params,
        needs=frozenset({"mve"}),
        accepts=_accepts_3x3_mve,
        scratch=_regions_3x3_mve,
        # Channel by channel as with the ring: bytes of a channel cover bytes of the same channel only.
        in_place=lambda view: ring.in_place(view, 3),
    ),
    _kernel(
        symbol="ek_depthwise_s8_mve",
        params=_params,
        needs=frozenset({"mve"}),
        accepts=_accepts_mve,
        scratch=_regions_mve,
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
    ),
    Kernel(
        symbol="ek_depthwise_s8_vec",
        header="ek_vector.h",
        struct="ek_vector_window_params",
        fields=vec.WINDOW_FIELDS,
        params=lambda view: vec.window_params(view, *_k(view)),
        needs=vec.VECTOR,
        accepts=lambda view: view.out.shape[3] == view.x.shape[3] and vec.accepts(view),
        scratch=lambda view: ring.regions(view, *_k(view), behind=vec.SLACK),
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        lays_out=lambda view: vec.channel_records(view, view.weights.value),
    ),
    *(
        _kernel(
            symbol=symbol,
            params=_params,
            needs=frozenset({"dsp"}),
            accepts=partial(_accepts_3x3_dsp, stride),
            scratch=regions_3x3,
            # Channel by channel as with the ring: bytes of a channel cover bytes of the same channel only.
            in_place=lambda view: ring.in_place(view, 3),
            sources=("ek_depthwise3x3_dsp",),
        )
        for stride, symbol in enumerate(("ek_depthwise3x3_s8_dsp", "ek_depthwise3x3_stride2_s8_dsp"), 1)
    ),
    _kernel(
        symbol="ek_depthwise3x3_s8",
        params=_params,
        needs=frozenset({"riscv"}),  # others have too few registers, or faster kernels
        accepts=accepts_3x3,
        scratch=lambda view: ring.regions(view, 3, 3),
        in_place=lambda view: ring.in_place(view, 3),
    ),
    _kernel(
        symbol="ek_depthwise_s8",
        params=_params,
        scratch=lambda view: ring.regions(view, *_k(view)),
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), depth multiplier, (kh, kw), stride, dilation, pads (top, bottom, left, right)
        ("3x3", (5, 6, 8), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("odd-channels", (4, 5, 7), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("multiplier-3", (4, 5, 2), 3, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 4), 1, (3, 3), (2, 2), (1, 1), (0, 1, 0, 1)),
        ("dilated", (9, 8, 3), 1, (3, 3), (1, 1), (2, 3), (2, 2, 3, 3)),
        ("one-pixel", (1, 1, 5), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("valid-leftover", (8, 7, 4), 1, (3, 2), (3, 2), (1, 1), (0, 0, 0, 0)),
        ("one-pixel-wide", (4, 1, 6), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("blocks", (3, 6, 18), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-blocks", (5, 9, 23), 1, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)),
        ("stride3", (7, 8, 4), 1, (3, 3), (3, 2), (1, 1), (0, 0, 2, 2)),
        ("wide-window", (6, 7, 9), 1, (5, 4), (1, 2), (1, 1), (2, 2, 1, 2)),
        ("dilated-blocks", (9, 8, 17), 1, (3, 3), (1, 1), (2, 3), (2, 2, 3, 3)),
        ("tall", (23, 20, 9), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),  # Helium holds some of its strips at a time
        ("tall-stride2", (33, 35, 5), 1, (3, 3), (2, 2), (1, 1), (0, 1, 0, 1)),
        ("one-strip", (7, 101, 3), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("one-strip-strides", (11, 111, 2), 1, (3, 3), (2, 1), (1, 1), (0, 1, 1, 1)),
        ("strides", (9, 12, 6), 1, (3, 3), (1, 2), (1, 1), (2, 2, 0, 3)),
        # Those of the DSP extension walk columns where they are twice as long as rows, if planes have room.
        ("columns", (13, 5, 22), 1, (3, 3), (1, 1), (1, 1), (2, 0, 0, 2)),
        ("columns-by-fours", (25, 5, 16), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("columns-without-room", (25, 5, 18), 1, (3, 3), (1, 1), (1, 1), (0, 2, 2, 0)),
        ("multiplier-on-one-channel", (5, 4, 1), 8, (3, 3), (2, 1), (1, 1), (1, 1, 1, 1)),
    ]
    out = []
    for name, x, times, kernel, stride, dilation, pads in shapes:
        attrs = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
        attrs.update(pad_top=pads[0], pad_bottom=pads[1], pad_left=pads[2], pad_right=pads[3])
        channels = x[2] * times
        out += linear_cases(rng, name, attrs, (1, *x), (*kernel, channels), channels, kernel[0] * kernel[1])
    return out


def real(view: View, operands: Sequence[Array]) -> Array:
    """Weights (1, kh, kw, oc); channel o reads input channel o // (oc / ic)."""
    x, w, bias = operands
    _, k_h, k_w, oc = w.shape
    times = oc // x.shape[3]
    out = np.zeros((x.shape[0], *view.out.shape[1:]), np.float32)
    for i, j, seen in fl.windows(view, x, k_h, k_w):
        out += (np.repeat(seen, times, axis=3) if times > 1 else seen) * w[0, i, j]
    out += bias
    return out


def in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, w, bias = operands
    groups = x.shape[3]
    if view["stride_h"] == view["stride_w"] == 1 or not torch.is_autocast_enabled("cpu"):
        return fl.convolved(torch, view, x, w.permute(3, 0, 1, 2), bias, groups)
    # With a stride, the gradients of PyTorch's bfloat16 kernel take several times as long as those of float32.
    with torch.autocast("cpu", enabled=False):
        return fl.convolved(torch, view, x.float(), w.permute(3, 0, 1, 2), bias, groups)


OP = Op(
    name="depthwise",
    code=2,
    attrs=ATTRS,
    operands=DENSE,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=lambda attrs, constants: constants[0],
    macs=macs,
    ranges=ranges,
    validate=lin.validate,
    channels=channelwise,
    cases=with_far_zeros(cases),
    far_zero=True,
)
SOURCE = SourceOp(
    "depthwise", lower, FloatHalf(real, in_torch, repeated), Filters(axis=3, reads=Reads.ONE, window=True)
)
