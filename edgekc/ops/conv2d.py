"""2-D convolution, int8: the definition, how a quantised layer becomes one, and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Rows, Shape, View
from ..graph.scratch import Region, Regions
from ..graph.source import Filters, FloatHalf, Reads, SourceOp
from . import conv2d_16x8
from .kernels import columns as col
from .kernels import expand as ex
from .kernels import sums
from .kernels import vector as vec
from .kernels import winograd as wg
from .kernels.cost import Cost
from .shared import asymmetric, int16, ring
from .shared import floats as fl
from .shared import linear as lin
from .shared.checks import is_unsigned
from .shared.operands import DENSE
from .shared.testing import linear_cases, winograd_cases, with_far_zeros
from .shared.ties import new_channels

ATTRS = (*lin.WINDOW, "pad_value", *lin.OUTPUT)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[0], shapes[1]
    if len(w) != 4:
        raise ModelError(f"weights must have 4 dimensions (oc, kh, kw, ic), got {list(w)}")
    out_h, out_w = lin.window_out(attrs, x, w[1], w[2])
    if x[3] != w[3]:
        raise UnsupportedError(f"grouped convolution: input has {x[3]} channels, filters have {w[3]}")
    return [(x[0], out_h, out_w, w[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """acc[o] = bias[o] + sum over the window of x * w[o], x being `pad_value` outside the image."""
    x, w, bias, multiplier, shift = inputs
    oc, k_h, k_w, _ = w.shape
    patches = lin.windows(attrs, x, k_h, k_w, attrs["pad_value"])
    n, out_h, out_w = patches.shape[:3]
    acc = lin.exact_matmul(patches.reshape(n * out_h * out_w, -1), w.reshape(oc, -1).T) + bias
    return [lin.requant_output(attrs, acc.reshape(n, out_h, out_w, oc), multiplier, shift)]


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return conv2d_16x8.lower(view)
    if asymmetric.is_asymmetric(view):
        return asymmetric.lower(view, lower)
    w = view.weights.value
    x = view.x
    wide = w.astype(np.int64).reshape(w.shape[0], -1)
    bias = lin.lower_bias(view, wide.sum(1), np.abs(wide).sum(1))
    multiplier, shift = lin.lower_requant(view, float32_product=is_unsigned(view))
    act_min, act_max = lin.activation_range(view)
    attrs = {name: view[name] for name in lin.WINDOW}
    attrs.update(pad_value=x.q.zero_point, out_zero=view.out.q.zero_point)
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    weights = constant(f"{view.node.name}/weights", w, Role.WEIGHTS)
    return Lowered("conv2d", attrs, (x.name,), (weights, bias, multiplier, shift))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    low, high = lin.product_interval(view.weights.value, lin.input_interval(view, inputs[0]))
    bias = view.bias.value
    return lin.output_interval(view, low.sum((1, 2, 3)) + bias, high.sum((1, 2, 3)) + bias)


def macs(view: View) -> int:
    _, out_h, out_w, _ = view.out.shape
    return out_h * out_w * int(np.prod(view.weights.shape))


def _k(view: View) -> tuple[int, int]:
    return view.weights.shape[1], view.weights.shape[2]


def _params(view: View) -> dict[str, Param]:
    return {**lin.window_params(view, *_k(view)), **lin.output_params(view), "pad_value": view["pad_value"]}


_kernel = partial(Kernel, header="ek_conv2d.h", struct="ek_conv2d_params", fields=lin.LINEAR_FIELDS)


def _regions(view: View) -> Regions:
    return (*ring.regions(view, *_k(view)), Region("windows", 2 * _taps(view), "int8 (2, taps): unrolled", align=1))


def _is_pointwise(view: View) -> bool:
    unpadded = not any(view[p] for p in ("pad_top", "pad_bottom", "pad_left", "pad_right"))
    return _k(view) == (1, 1) and unpadded


def _pointwise_in_place(view: View) -> tuple[int, ...]:
    """Pixels are copied to scratch, two or more at a time, before their outputs are written.

    Growing channels (stride 1 only) are walked from the last pixel back.
    """
    ic, oc = view.x.shape[3], view.out.shape[3]
    if oc <= ic:
        return (0,)
    return (0,) if view["stride_h"] == view["stride_w"] == 1 else ()


def _taps(view: View) -> int:
    return int(np.prod(view.weights.shape[1:]))


def _dsp_accepts(view: View) -> bool:
    return _taps(view) >= 4 and lin.short_requant(view)


def _filters(view: View) -> Region:
    return Region("filters", 16 * view.out.shape[3], "ek_filter (out_c): what follows each accumulator")


def _dsp_regions(view: View) -> Regions:
    return (*col.regions(view), col.places(view), *ring.regions(view, *_k(view)))


def _dsp_work(view: View) -> tuple[float, ...]:
    """How often the kernel does what `CYCLES` (`kernels/cycles.py`) says.

    Pairs of taps of two filters against four columns, and those four for themselves; values and runs of windows that
    are gathered four windows at a time, and one by one; values whose runs are no words; and those of the image.
    """
    _, in_h, in_w, in_c = view.x.shape
    _, out_h, out_w, out_c = view.out.shape
    taps, (rows, columns) = _taps(view), _k(view)
    fours = -(-out_h * out_w // 4) * -(-out_c // 2)
    runs = rows * (columns if view["dilation_w"] != 1 else 1)
    together, alone = ex.gathers(view)
    bytewise = out_h * out_w * taps if taps // runs % 4 else 0
    gathered = together * taps, together * runs, alone * taps, alone * runs, bytewise
    return fours * -(-taps // 2), fours, *gathered, in_h * in_w * in_c


def _winograd_work(view: View) -> tuple[float, ...]:
    """That of every kernel by Winograd's filtering, and how often a filter's nine taps of a channel become sixteen."""
    return *wg.work(view), wg.passes(view) * view.out.shape[3] * view.x.shape[3]


def _winograd_regions(view: View) -> Regions:
    taps = Region("taps", 4 * 9 * view.x.shape[3], "int16 (9, in_c / 2, 2, 2): of one filter, words apart")
    return (taps, *wg.regions(view, taps.name))


def parts_of_16_bits(view: View) -> bool:
    """Whether the products of each two taps (0 and 1, 2 and 3, ...) of a filter add up to int16, for every int8 input.

    Only -128 twice can do more: -128 * -128 * 2 is 2**15.
    """
    w = view.weights.value.reshape(view.out.shape[3], -1)
    even = w.shape[1] // 2 * 2
    return not bool(np.any((w[:, 0:even:2] == -128) & (w[:, 1:even:2] == -128)))


def _mul2_accepts(view: View) -> bool:
    return lin.short_requant(view) and parts_of_16_bits(view)


def _mul2_pixels(view: View) -> Regions:
    return _filters(view), Region("pixels", 16 * -(-_taps(view) // 2), "what four pixels see, as ek_mul2.h has it")


_DSP = frozenset({"dsp"})
_RING_COST = Cost("ek_conv2d_s8_dsp", _dsp_work)
# Portable C, but for cores without SIMD only: others multiply more than two bytes by one instruction.
_MUL2 = tuple(
    kernel
    for needs in (frozenset({"thumb1"}), frozenset({"thumb2"}), frozenset({"riscv"}))
    for kernel in (
        _kernel(
            symbol="ek_conv1x1_s8_mul2",
            params=_params,
            needs=needs,
            accepts=lambda view: _is_pointwise(view) and _mul2_accepts(view),
            scratch=_mul2_pixels,
            in_place=_pointwise_in_place,
            sources=("ek_pixels_mul2",),
        ),
        _kernel(
            symbol="ek_conv2d_s8_mul2",
            params=_params,
            needs=needs,
            accepts=_mul2_accepts,
            scratch=lambda view: (*_mul2_pixels(view), *ring.regions(view, *_k(view))),
            in_place=lambda view: ring.in_place(view, _k(view)[0]),
            sources=("ek_pixels_mul2",),
        ),
    )
)


_MVE = frozenset({"mve"})
KERNELS = (
    _kernel(
        symbol="ek_conv1x1_s8_mve",
        params=_params,
        needs=_MVE,
        accepts=lambda view: _is_pointwise(view) and sums.accepts(view),
        scratch=sums.pixels,
        in_place=_pointwise_in_place,
        rewrites=sums.interleaved,
        sources=sums.SOURCES,
    ),
    _kernel(
        symbol="ek_conv2d_s8_mve",
        params=_params,
        needs=_MVE,
        accepts=sums.accepts,
        scratch=sums.regions,
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        rewrites=sums.interleaved,
        sources=(*sums.SOURCES, "ek_unroll_mve"),
    ),
    Kernel(
        symbol="ek_conv1x1_s8_vec",
        header="ek_vector.h",
        struct="ek_vector_window_params",
        fields=vec.WINDOW_FIELDS,
        params=lambda view: vec.window_params(view, 1, 1),
        needs=vec.VECTOR,
        accepts=lambda view: _is_pointwise(view) and vec.accepts(view),
        scratch=vec.matrix_regions,
        in_place=_pointwise_in_place,
        lays_out=vec.matrix_records,
    ),
    Kernel(
        symbol="ek_conv2d_s8_vec",
        header="ek_vector.h",
        struct="ek_vector_window_params",
        fields=vec.WINDOW_FIELDS,
        params=lambda view: vec.window_params(view, *_k(view)),
        needs=vec.VECTOR,
        accepts=vec.accepts,
        scratch=vec.conv2d_regions,
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        lays_out=vec.conv2d_records,
    ),
    _kernel(
        symbol="ek_conv1x1_s8_dsp",
        params=_params,
        needs=_DSP,
        accepts=lambda view: _is_pointwise(view) and _dsp_accepts(view),
        scratch=col.regions,
        in_place=_pointwise_in_place,
        sources=("ek_columns_dsp", "ek_columns_put_dsp"),
        rewrites=col.interleaved,
    ),
    Kernel(
        symbol="ek_winograd_s8_dsp",
        header="ek_conv2d.h",
        struct="ek_winograd_params",
        fields=(*lin.LINEAR_FIELDS, ("uint16_t", "block")),
        params=lambda view: {**_params(view), "block": wg.block(view)},
        needs=_DSP,
        accepts=wg.accepts,
        scratch=_winograd_regions,
        in_place=wg.in_place,
        sources=wg.SOURCES,
        counted_cost=Cost("ek_winograd_s8_dsp", _winograd_work),
    ),
    _kernel(
        symbol="ek_conv2d_s8_dsp",
        params=_params,
        needs=_DSP,
        accepts=_dsp_accepts,
        scratch=_dsp_regions,
        counted_cost=_RING_COST,
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        sources=("ek_columns_dsp", "ek_columns_windows_dsp"),
        rewrites=col.interleaved,
    ),
    _kernel(
        symbol="ek_conv2d_direct_s8_dsp",
        params=_params,
        needs=_DSP,
        accepts=lambda view: view.x.shape[3] % 4 == 0 and _dsp_accepts(view),
        scratch=lambda view: (*col.regions(view), col.places(view)),
        counted_cost=lambda view: 1.05 * _RING_COST(view),  # more at edges; and it needs room for its output
        sources=("ek_columns_dsp", "ek_columns_windows_dsp"),
        rewrites=col.interleaved,
    ),
    *_MUL2,
    _kernel(
        symbol="ek_conv1x1_s8",
        params=_params,
        accepts=_is_pointwise,
        scratch=lambda view: (Region("pixels", 2 * view.x.shape[3], "int8 (2, in_c)", align=1),),
        in_place=_pointwise_in_place,
        sources=("ek_output_s8",),
    ),
    _kernel(
        symbol="ek_conv2d_s8",
        params=_params,
        scratch=_regions,
        in_place=lambda view: ring.in_place(view, _k(view)[0]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), w (oc, kh, kw), stride, dilation, pads (top, bottom, left, right)
        ("3x3", (5, 6, 3), (4, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("odd-channels", (4, 5, 5), (7, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 4), (3, 3, 3), (2, 2), (1, 1), (0, 1, 0, 1)),
        ("dilated", (9, 8, 2), (3, 3, 3), (1, 1), (2, 3), (2, 2, 3, 3)),
        ("one-pixel", (1, 1, 3), (2, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("valid-leftover", (8, 7, 2), (2, 3, 2), (3, 2), (1, 1), (0, 0, 0, 0)),
        ("tall-10x4", (12, 10, 1), (5, 10, 4), (2, 2), (1, 1), (4, 5, 1, 1)),
        ("1x1", (3, 5, 6), (4, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-growing", (3, 3, 3), (8, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-stride2", (5, 6, 3), (2, 1, 1), (2, 2), (1, 1), (0, 0, 0, 0)),
        ("1x1-padded", (2, 3, 3), (2, 1, 1), (1, 1), (1, 1), (1, 0, 0, 1)),
        ("1x1-many", (3, 3, 21), (9, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-many-growing", (3, 3, 7), (10, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-many-stride2", (5, 6, 20), (8, 1, 1), (2, 2), (1, 1), (0, 0, 0, 0)),
        ("1x1-eight", (3, 3, 8), (5, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-eights", (2, 4, 24), (3, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-more-eights", (1, 5, 56), (2, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-one-filter", (2, 3, 10), (1, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-fifteen", (3, 2, 15), (5, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("3x3-eights", (2, 5, 8), (3, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("3x3-many", (3, 5, 12), (5, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        ("window-in-padding", (2, 2, 2), (3, 5, 5), (1, 1), (1, 1), (2, 2, 2, 2)),
    ]
    sixteens = [  # numbers of whole vectors that a window is, and a row of it
        ("1x1-sixteen", (3, 3, 16), (4, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("3x1-sixteen", (3, 3, 16), (5, 3, 1), (1, 1), (1, 1), (1, 1, 0, 0)),
        ("1x1-four-sixteens", (1, 3, 67), (4, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("1x1-five-sixteens", (1, 3, 80), (6, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
        ("dilated-sixteen", (4, 5, 16), (4, 3, 3), (1, 1), (2, 2), (2, 2, 2, 2)),
    ]
    out = _cases_of(rng, shapes)
    bounds = [_at_the_bound_of_pairs(case) for case in out if case.name.endswith("double")]
    return out + winograd_cases(rng) + bounds + _cases_of(rng, sixteens)


_Shape = tuple[str, tuple[int, ...], tuple[int, int, int], tuple[int, int], tuple[int, int], tuple[int, ...]]


def _cases_of(rng: np.random.Generator, shapes: Sequence[_Shape]) -> list[Case]:
    out = []
    for name, x, (oc, k_h, k_w), stride, dilation, pads in shapes:
        attrs = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
        attrs.update(pad_top=pads[0], pad_bottom=pads[1], pad_left=pads[2], pad_right=pads[3])
        out += linear_cases(rng, name, attrs, (1, *x), (oc, k_h, k_w, x[2]), oc, k_h * k_w * x[2])
    return out


def _at_the_bound_of_pairs(case: Case) -> Case:
    """The largest weights that `parts_of_16_bits` accepts, and next to each column of one extreme one of the other."""
    x, w, *rest = case.inputs
    taps = np.where(np.arange(w[0].size) % 2 == 0, -128, -127).astype(np.int8)
    x = np.where(np.arange(x.shape[2])[:, None] % 2 == 0, x, ~x).astype(np.int8)
    return Case(f"{case.name}-pairs", case.attrs, (x, np.broadcast_to(taps.reshape(w[0].shape), w.shape).copy(), *rest))


def real(view: View, operands: Sequence[Array]) -> Array:
    return fl.by_patches(view, *operands)


def in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, w, bias = operands
    return fl.convolved(torch, view, x, w.permute(0, 3, 1, 2), bias, x.shape[3] // w.shape[3])


OP = Op(
    name="conv2d",
    code=1,
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
    channels=lambda view: lin.mixing_rule(channel_axis=3),
    cases=with_far_zeros(cases),
    far_zero=True,
)
SOURCE = SourceOp(
    "conv2d", lower, FloatHalf(real, in_torch, new_channels), Filters(axis=0, reads=Reads.ALL, window=True)
)
