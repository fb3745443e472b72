"""2-D convolution on template kernels, int8: weights[o, i] = a[o, i] * template[index[o, i]] + b[o, i] * ones.

Source: the linear representation of kernels, Chen, Chen and Su, ICMV 2018 (SPIE 11041 110412N). On the device
every template's response and the window's sum are computed once per pixel and input channel; a kernel is then
two multiply-accumulates whatever its size.

a and b are held as float16 and are integers of at most 11 bits, so the device reads them without floating point
and the arithmetic is exact. `ones` is the integer value of the constant template that b scales: it brings b to
the size of a. The scale of an output channel is part of its requantisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..bits import index_bits
from ..errors import ModelError
from ..fixedpoint import DOUBLE, INT32_MAX, quantize_multiplier
from ..ir import Array, Role, constant
from ..op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Shape, View
from . import _linear as lin
from . import conv2d
from ._testing import linear_cases

ATTRS = (*conv2d.ATTRS, "ones")
PAIR_MAX = 2048  # integers up to here are exact in float16
RESPONSE_MAX = 2**15 - 1  # responses and window sums are held in 16 bits


def expand(attrs: IntAttrs, templates: Array, indices: Array, pairs: Array) -> Array:
    """Dense int64 weights (oc, kh, kw, ic)."""
    a, b = (pairs[..., k].astype(np.int64)[:, :, None, None] for k in (0, 1))
    w = a * templates.astype(np.int64)[indices] + b * attrs["ones"]  # (oc, ic, kh, kw)
    return np.asarray(w.transpose(0, 2, 3, 1))


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, templates, indices, pairs = shapes[:4]
    if len(templates) != 3 or len(indices) != 2 or pairs != (*indices, 2):
        raise ModelError(
            f"templates {list(templates)}, indices {list(indices)} and pairs {list(pairs)} should be "
            "(count, kh, kw), (oc, ic) and (oc, ic, 2)"
        )
    return conv2d.infer(attrs, (x, (indices[0], templates[1], templates[2], indices[1])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As conv2d with the expanded weights: integer arithmetic makes the two the same."""
    x, templates, indices, pairs, *rest = inputs
    return conv2d.reference(attrs, (x, expand(attrs, templates, indices, pairs), *rest))


def _dense(view: View) -> View:
    x, templates, indices, pairs, *rest = view.inputs
    attrs = {"ones": view["ones"]}
    w = expand(attrs, templates.value, indices.value, pairs.value)
    return replace(view, inputs=(x, constant(f"{view.node.name}/weights", w, Role.WEIGHTS), *rest))


def lower(view: View) -> Lowered:
    """A QUANTIZED node (x, templates, indices, pairs, bias); the quantisation of `pairs` holds the row scales."""
    x, templates, indices, pairs = view.inputs[:4]
    _check_values(view)
    name = view.node.name
    w = expand({"ones": view["ones"]}, templates.value, indices.value, pairs.value).reshape(indices.shape[0], -1)
    bias = lin.lower_bias(replace(view, inputs=(x, templates, *view.inputs[4:])), w.sum(1), np.abs(w).sum(1))
    requant = [quantize_multiplier(x.q.scale * scale / view.out.q.scale) for scale in pairs.q.scales]
    act_min, act_max = lin.activation_range(view)
    attrs = {key: view[key] for key in lin.WINDOW}
    attrs.update(pad_value=x.q.zero_point, out_zero=view.out.q.zero_point, ones=view["ones"])
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    constants = (
        constant(f"{name}/templates", templates.value, Role.CODEBOOK),
        constant(f"{name}/indices", indices.value, Role.INDEX),
        constant(f"{name}/pairs", pairs.value, Role.PAIRS),
        bias,
        constant(f"{name}/multiplier", np.array([r[0] for r in requant], np.int32), Role.REQUANT),
        constant(f"{name}/shift", np.array([r[1] for r in requant], np.int8), Role.REQUANT),
    )
    return Lowered("template_conv2d", attrs, (x.name,), constants)


def _check_values(view: View) -> None:
    templates, indices, pairs = (t.value for t in view.inputs[1:4])
    if int(indices.max(initial=0)) >= templates.shape[0]:
        raise ModelError(f"index {int(indices.max())} has no template among {templates.shape[0]}", where=view.node.name)
    wide = pairs.astype(np.float64)
    if np.any(wide != np.rint(wide)) or np.any(np.abs(wide) > PAIR_MAX):
        raise ModelError(f"pairs must be integers from {-PAIR_MAX} to {PAIR_MAX}", where=view.node.name)
    taps = templates[0].size
    largest = max(int(np.abs(templates.astype(np.int64)).sum((1, 2)).max()), taps * view["ones"])
    if view["ones"] < 1 or 128 * largest > RESPONSE_MAX:
        raise ModelError(f"a template response could reach {128 * largest}, over 16 bits", where=view.node.name)


def validate(view: View) -> None:
    """Prove that responses fit 16 bits, and sums of a * response and b * sum 32 bits in any order."""
    _check_values(view)
    templates, indices, pairs, bias = (t.value for t in view.inputs[1:5])
    size = np.abs(templates.astype(np.int64)).sum((1, 2))
    a, b = (np.abs(pairs[..., k].astype(np.int64)) for k in (0, 1))
    bound = np.abs(bias.astype(np.int64)) + 128 * (a * size[indices] + b * templates[0].size * view["ones"]).sum(1)
    if np.any(bound > INT32_MAX):
        worst = int(np.argmax(bound))
        raise ModelError(f"the accumulator of channel {worst} could reach {int(bound[worst])}", where=view.node.name)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return conv2d.ranges(_dense(view), inputs)


def macs(view: View) -> int:
    """Of the dense layer that it stands for."""
    return conv2d.macs(_dense(view))


def _params(view: View) -> dict[str, int | str]:
    count, k_h, k_w = view.inputs[1].shape
    names = ("templates", "indices", "pairs", "bias", "multiplier", "shift")
    values = {**lin.window_params(view, k_h, k_w), **lin.output_params(view, names)}
    values.update(count=count, ones=view["ones"], bits=index_bits(view.inputs[2].value), pad_value=view["pad_value"])
    return values


def _scratch(view: View) -> int:
    """Two tables of responses, the ring, and one unrolled window."""
    count, k_h, k_w = view.inputs[1].shape
    in_c = view.x.shape[3]
    return 2 * 2 * in_c * (count + 1) + lin.ring_bytes(view, k_h, k_w) + k_h * k_w * in_c


KERNELS = (
    Kernel(
        symbol="ek_template_conv2d_s8",
        header="ek_template.h",
        struct="ek_template_conv2d_params",
        fields=(
            ("const int8_t *", "templates"),
            ("const uint8_t *", "indices"),
            ("const ek_u16 *", "pairs"),
            *lin.REQUANT_FIELDS[1:],
            *lin.WINDOW_FIELDS,
            *lin.OUTPUT_FIELDS,
            ("int8_t", "pad_value"),
            ("uint8_t", "bits"),
            ("uint16_t", "count"),
            ("uint16_t", "ones"),
        ),
        params=_params,
        accepts=lambda view: view.inputs[1].shape[0] <= 256,
        scratch=_scratch,
        in_place=lambda view: lin.ring_in_place(view, view.inputs[1].shape[1]),
        sources=("ek_output_s8",),
    ),
)


def _limit(taps: int) -> int:
    """The largest value of a template whose response fits 16 bits whatever its other values are."""
    return max(RESPONSE_MAX // (128 * taps), 1)


def _with_templates(
    rng: np.random.Generator, case: Case, shape: tuple[int, int, int], kernels: tuple[int, int]
) -> tuple[Array, ...]:
    """Operands of a dense case with templates for its weights, in a "high" case the largest of everything."""
    x, _, bias, multiplier, shift = case.inputs
    limit, high = _limit(shape[1] * shape[2]), case.name.endswith("high")
    templates = np.full(shape, -limit) if high else rng.integers(-limit, limit + 1, shape)
    pairs = np.full((*kernels, 2), -PAIR_MAX) if high else rng.integers(-PAIR_MAX, PAIR_MAX + 1, (*kernels, 2))
    indices = rng.integers(0, shape[0], kernels).astype(np.uint8)
    indices.flat[0] = shape[0] - 1
    # Weights are up to 2048 templates, so the output scale is larger too.
    smaller = (shift - 8).astype(np.int8)
    return x, templates.astype(np.int8), indices, pairs.astype(np.float16), bias, multiplier, smaller


def cases(rng: np.random.Generator) -> list[Case]:
    shapes = [  # x (h, w, c), oc, (kh, kw), templates, stride, pads (top, bottom, left, right)
        ("3x3", (5, 6, 3), 4, (3, 3), 4, (1, 1), (1, 1, 1, 1)),
        ("one-template", (4, 5, 5), 7, (3, 3), 1, (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 4), 3, (3, 3), 8, (2, 2), (0, 1, 0, 1)),
        ("one-pixel", (1, 1, 3), 2, (3, 3), 5, (1, 1), (1, 1, 1, 1)),
        ("5x5", (6, 7, 2), 3, (5, 5), 16, (1, 1), (2, 2, 2, 2)),
        ("many-templates", (3, 3, 2), 200, (3, 3), 256, (1, 1), (1, 1, 1, 1)),
    ]
    out = []
    for name, x_shape, oc, (k_h, k_w), count, stride, pads in shapes:
        window = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=1, dilation_w=1)
        window.update(pad_top=pads[0], pad_bottom=pads[1], pad_left=pads[2], pad_right=pads[3])
        ic = x_shape[2]
        for case in linear_cases(rng, name, window, (1, *x_shape), (oc, k_h, k_w, ic), oc, k_h * k_w * ic):
            attrs = {**case.attrs, "ones": _limit(k_h * k_w)}
            out.append(Case(case.name, attrs, _with_templates(rng, case, (count, k_h, k_w), (oc, ic))))
    return out


OP = Op(
    name="template_conv2d",
    code=16,
    attrs=ATTRS,
    operands=("x", "templates", "indices", "pairs", "bias", "multiplier", "shift"),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    lowers={"template_conv2d": lower},
    macs=macs,
    ranges=ranges,
    validate=validate,
    cases=cases,
)
