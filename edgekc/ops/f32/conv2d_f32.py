"""Convolutions of every kind in single precision, one definition and one C kernel for all.

Plain, grouped and depthwise ones differ in how many channels a filter reads. A transposed one is a plain one with
filters turned round, of an image with `spread - 1` pixels of 0 between its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ModelError
from ...graph import bounds
from ...graph.ir import Array, Role, constant
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, Shape, View
from ..shared import linear as lin
from ..shared import single
from ..shared.grouped import groups_of
from ..shared.operands import WEIGHTS, X
from ..shared.transposed import GEOMETRY, ONES, SHAPES
from .fully_connected_f32 import BIAS

SPREAD = ("spread_h", "spread_w")
ATTRS = (*lin.WINDOW, *SPREAD, "low", "high")


def _spread_shape(attrs: IntAttrs, x: Shape) -> Shape:
    """Of an image (n, h, w, c) with what is between its pixels."""
    n, h, w, c = x
    return n, (h - 1) * attrs["spread_h"] + 1, (w - 1) * attrs["spread_w"] + 1, c


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w, bias = shapes
    groups_of(x, w)
    if bias != w[:1]:
        raise ModelError(f"a bias of shape {list(bias)} for {w[0]} filters")
    out_h, out_w = lin.window_out(attrs, _spread_shape(attrs, x), w[1], w[2])
    return [(x[0], out_h, out_w, w[0])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Sums of products, row by row of a filter, channels fastest, and then the bias. What is outside adds nothing."""
    x, w, bias = inputs
    oc, k_h, k_w, reads = w.shape
    seen = np.zeros(_spread_shape(attrs, x.shape), np.float32)
    seen[:, :: attrs["spread_h"], :: attrs["spread_w"]] = x
    patches = lin.windows(attrs, seen, k_h, k_w, 0)  # (n, out_h, out_w, k_h, k_w, c)
    first = np.arange(oc) // (oc * reads // x.shape[3]) * reads  # of the channels that each filter reads
    total = np.zeros((*patches.shape[:3], oc), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for i, j, c in np.ndindex(k_h, k_w, reads):
            total = total + patches[:, :, :, i, j, first + c] * w[:, i, j, c]
        return [single.clamped(total + bias, single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def _lowered(view: View, w: Array, attrs: dict[str, int]) -> Lowered:
    """`w`: (oc, kh, kw, channels that a filter reads)."""
    name = view.node.name
    bias = view.bias.value.ravel() if view.has("bias") else np.zeros(len(w), np.float32)
    weights = constant(f"{name}/weights", np.ascontiguousarray(w), Role.WEIGHTS)
    attrs = {**attrs, **single.limits(str(view.node.attrs["activation"]))}
    return Lowered("conv2d_f32", attrs, (view.x.name,), (weights, constant(f"{name}/bias", bias, Role.BIAS)))


def _window(view: View) -> dict[str, int]:
    return {**{name: view[name] for name in lin.WINDOW}, **dict.fromkeys(SPREAD, 1)}


def lower(view: View) -> Lowered:
    single.require_single(view)
    return _lowered(view, view.weights.value, _window(view))


def lower_depthwise(view: View) -> Lowered:
    """Of weights (1, kh, kw, oc): a filter reads one channel."""
    single.require_single(view)
    w = view.weights.value
    if w.ndim != 4 or w.shape[0] != 1:
        raise ModelError(f"depthwise weights must have shape (1, kh, kw, oc), got {list(w.shape)}")
    return _lowered(view, w.transpose(3, 1, 2, 0), _window(view))


def lower_transposed(view: View) -> Lowered:
    single.require_single(view)
    w = view.weights.value
    pads: dict[str, int] = {}
    for axis, size, stride, ends in zip(
        (1, 2), w.shape[1:3], GEOMETRY[:2], (("pad_top", "pad_bottom"), ("pad_left", "pad_right")), strict=True
    ):
        before = size - 1 - view[ends[0]]
        after = view.out.shape[axis] - 1 - (view.x.shape[axis] - 1) * view[stride] + view[ends[0]]
        if min(before, after) < 0:
            raise single.unsupported(view, f"a transposed convolution of padding {view[ends[0]]} with {size} taps")
        pads |= dict(zip(ends, (before, after), strict=True))
    spread = dict(zip(SPREAD, (view["stride_h"], view["stride_w"]), strict=True))
    return _lowered(view, w[:, ::-1, ::-1], {**ONES, **pads, **spread})


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)
    for axis, spread in zip("hw", SPREAD, strict=True):
        if not 1 <= view[spread] <= bounds.MAX_ACTIVATION_DIM:
            raise ModelError(f"{spread} is {view[spread]}, expected 1 to {bounds.MAX_ACTIVATION_DIM}")
        if view[spread] > 1 and max(view[f"stride_{axis}"], view[f"dilation_{axis}"]) > 1:
            raise ModelError(f"{spread} above 1 with a stride or a dilation above 1")


def _params(view: View) -> dict[str, Param]:
    oc, k_h, k_w, reads = view.weights.shape
    values = {name: view[name] for name in (*SPREAD, "low", "high")}
    groups = groups_of(view.x.shape, view.weights.shape)
    constants: dict[str, Param] = dict(weights=view.weights.name, bias=view.bias.name)
    return {**constants, **lin.window_params(view, k_h, k_w), **values, "reads": reads, "filters": oc // groups}


def macs(view: View) -> int:
    _, out_h, out_w, _ = view.out.shape
    taps = int(np.prod(view.weights.shape))
    spread = view["spread_h"] * view["spread_w"]
    return taps * (out_h * out_w if spread == 1 else int(np.prod(view.x.shape[1:3])))


_WINDOWS = (  # x (h, w, c), w (oc, kh, kw, reads), stride, dilation, pads (top, bottom, left, right)
    ("plain", (5, 4, 3), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    ("strided", (7, 6, 2), (3, 3, 2, 2), (2, 3), (1, 1), (0, 1, 1, 0)),
    ("dilated", (9, 8, 2), (2, 3, 3, 2), (1, 1), (3, 2), (3, 3, 2, 2)),
    ("pointwise", (3, 3, 5), (7, 1, 1, 5), (1, 1), (1, 1), (0, 0, 0, 0)),
    ("depthwise", (5, 5, 4), (4, 3, 3, 1), (1, 1), (1, 1), (1, 1, 1, 1)),
    ("multiplied", (4, 5, 2), (6, 2, 3, 1), (2, 1), (1, 2), (1, 0, 2, 2)),
    ("grouped", (4, 4, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    ("far", (2, 2, 1), (2, 3, 3, 1), (1, 1), (4, 4), (5, 5, 6, 6)),
    ("one", (1, 1, 1), (1, 1, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    ("outside", (1, 1, 3), (2, 3, 3, 3), (2, 2), (1, 1), (2, 2, 3, 3)),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, (name, x, w, stride, dilation, pads) in enumerate(_WINDOWS):
        window = (*stride, *dilation, *pads)
        attrs = dict(zip((*lin.WINDOW, *SPREAD), (*window, 1, 1), strict=True))
        out += _filled(rng, name, attrs, x, w, k)
    for k, (name, image, filters, apart, (top, left), size) in enumerate(SHAPES):
        before = [filters[1] - 1 - top, filters[2] - 1 - left]
        after = [size[a] - 1 - (image[a] - 1) * apart[a] + pad for a, pad in enumerate((top, left))]
        if min(before + after) < 0:
            continue
        sides = dict(pad_top=before[0], pad_bottom=after[0], pad_left=before[1], pad_right=after[1])
        attrs = {**ONES, **sides, "spread_h": apart[0], "spread_w": apart[1]}
        out += _filled(rng, f"spread-{name}", attrs, image, (*filters, image[2]), k)
    return out


def _filled(rng: np.random.Generator, name: str, attrs: dict[str, int], x: Shape, w: Shape, k: int) -> list[Case]:
    limits = single.limits(("none", "relu", "relu6", "relu_n1_to_1")[k % 4])
    found = []
    for fill, values in single.reals(rng, (1, *x)):
        weights, bias = (rng.normal(0, size, shape).astype(np.float32) for size, shape in ((0.5, w), (1, w[:1])))
        found.append(Case(f"{name}-{fill}", {**attrs, **limits}, (values, weights, bias)))
    return found


OP = Op(
    name="conv2d_f32",
    code=110,
    attrs=ATTRS,
    operands=(X, WEIGHTS, BIAS),
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_conv2d_f32",
            header="ek_conv2d_f32.h",
            struct="ek_conv2d_f32_params",
            fields=(
                *(("const float *", name) for name in ("weights", "bias")),
                lin.WINDOW_FIELD,
                *(("uint32_t", name) for name in ("reads", "filters", *SPREAD)),
                *(("int32_t", name) for name in ("low", "high")),
            ),
            params=_params,
        ),
    ),
    macs=macs,
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT: dict[str, Callable[[View], Lowered]] = {
    "conv2d": lower,
    "grouped_conv2d": lower,
    "depthwise": lower_depthwise,
    "transpose_conv": lower_transposed,
}
