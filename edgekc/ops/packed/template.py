"""What template convolutions share: weights[o, i] = a * template[index[o, i]] + b * ones, with (a, b) of the kernel.

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

from ...errors import ModelError
from ...graph.fixedpoint import DOUBLE, INT32_MAX, quantize_multiplier
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import Case, ChannelRule, IntAttrs, Interval, Lowered, Shape, View
from .. import conv2d
from ..kernels import winograd as wg
from ..shared import linear as lin
from ..shared.operands import DENSE
from ..shared.testing import linear_cases, winograd_cases
from .kept import Kept

ATTRS = (*conv2d.ATTRS, "ones")
PAIR_MAX = 2048  # integers up to here are exact in float16
RESPONSE_MAX = 2**15 - 1  # responses and window sums are held in 16 bits
_kept = Kept()


def check_pairs(shapes: Sequence[Shape], ic: str) -> None:
    """ModelError where a layer's templates, indices and pairs do not fit; `ic`: "ic", or "1" in a depthwise layer."""
    templates, indices, pairs = shapes
    if len(templates) != 3 or not _is_index(indices, ic) or pairs != (*indices, 2):
        raise ModelError(
            f"templates {list(templates)}, indices {list(indices)} and pairs {list(pairs)} should be "
            f"(count, kh, kw), (oc, {ic}) and (oc, {ic}, 2)"
        )


def check_coded_pairs(shapes: Sequence[Shape], ic: str) -> None:
    """As `check_pairs`, of a layer whose pairs are a codebook with indices of its own."""
    templates, indices, pairs, pair_indices = shapes
    fits = len(templates) == 3 and _is_index(indices, ic) and pair_indices == indices
    if not fits or len(pairs) != 2 or pairs[1] != 2 or not 1 <= pairs[0] <= 256:
        raise ModelError(
            f"templates {list(templates)}, indices {list(indices)}, pairs {list(pairs)} and pair_indices "
            f"{list(pair_indices)} should be (count, kh, kw), (oc, {ic}), (1..256, 2) and (oc, {ic})"
        )


def _is_index(shape: Shape, ic: str) -> bool:
    return len(shape) == 2 and (ic != "1" or shape[1] == 1)


def expand(ones: int, templates: Array, indices: Array, pairs: Array) -> Array:
    """Dense int64 weights (oc, kh, kw, ic); pairs (oc, ic, 2)."""
    a, b = (pairs[..., k].astype(np.int64)[:, :, None, None] for k in (0, 1))
    w = a * templates.astype(np.int64)[indices] + b * ones  # (oc, ic, kh, kw)
    return np.asarray(w.transpose(0, 2, 3, 1))


def weights(attrs: IntAttrs, constants: Sequence[Array]) -> Array:
    """`Op.weights` of convolutions; pairs of each kernel have three axes, a codebook of them has two."""
    templates, indices, pairs, pair_indices = constants[:4]
    return expand(attrs["ones"], templates, indices, pairs if pairs.ndim == 3 else pairs[pair_indices])


def kernel_pairs(view: View) -> Array:
    """The pair of every kernel, (oc, ic, 2); ModelError where an index has no pair."""
    pairs = view.pairs.value
    if not view.has("pair_indices"):
        return pairs
    pair_indices = view.operand("pair_indices").value
    if int(pair_indices.max(initial=0)) >= len(pairs):
        raise ModelError(f"index {int(pair_indices.max())} has no pair among {len(pairs)}", where=view.node.name)
    return np.asarray(pairs[pair_indices])


def _rest(view: View) -> tuple[Tensor, ...]:
    """The operands from the bias on."""
    return view.inputs[4 + view.has("pair_indices") :]


def dense(view: View) -> View:
    """The same node as a layer with dense weights."""

    def held() -> Tensor:
        check_values(view)
        w = expand(view["ones"], view.templates.value, view.indices.value, kernel_pairs(view))
        return constant(f"{view.node.name}/weights", w, Role.WEIGHTS)

    made = _kept(held, view.node.name, view["ones"], *codes(view))
    return replace(view, inputs=(view.x, made, *_rest(view)), operands=DENSE)


def lower(view: View) -> Lowered:
    """A QUANTIZED node (x, templates, indices, pairs[, pair_indices], bias).

    The quantisation of `pairs` holds the row scales, one for each output channel.
    """
    x, pairs = view.x, view.pairs
    as_dense = dense(view)
    name = view.node.name
    w = as_dense.weights.value.reshape(view.out.shape[-1], -1)
    if len(pairs.q.scales) != len(w):
        raise ModelError(f"{len(pairs.q.scales)} row scales for {len(w)} output channels", where=name)
    bias = lin.lower_bias(as_dense, w.sum(1), np.abs(w).sum(1))
    requant = [quantize_multiplier(x.q.scale * scale / view.out.q.scale) for scale in pairs.q.scales]
    act_min, act_max = lin.activation_range(view)
    attrs = {key: view[key] for key in lin.WINDOW}
    attrs.update(pad_value=x.q.zero_point, out_zero=view.out.q.zero_point, ones=view["ones"])
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    parts = ("templates", "indices", "pairs", "pair_indices")
    constants = (
        *(constant(f"{name}/{part}", t.value, t.role) for part, t in zip(parts, codes(view), strict=False)),
        bias,
        constant(f"{name}/multiplier", np.array([r[0] for r in requant], np.int32), Role.REQUANT),
        constant(f"{name}/shift", np.array([r[1] for r in requant], np.int8), Role.REQUANT),
    )
    return Lowered(view.node.op, attrs, (x.name,), constants)


def codes(view: View) -> tuple[Tensor, ...]:
    """The operands that stand for the weights."""
    return view.inputs[1 : len(view.inputs) - len(_rest(view))]


def check_values(view: View) -> None:
    """Indices have a template and a pair, pairs are integers that float16 holds, responses fit 16 bits."""
    templates, indices, pairs = (t.value for t in (view.templates, view.indices, view.pairs))
    if int(indices.max(initial=0)) >= templates.shape[0]:
        raise ModelError(f"index {int(indices.max())} has no template among {templates.shape[0]}", where=view.node.name)
    kernel_pairs(view)
    wide = pairs.astype(np.float64)
    if np.any(wide != np.rint(wide)) or np.any(np.abs(wide) > PAIR_MAX):
        raise ModelError(f"pairs must be integers from {-PAIR_MAX} to {PAIR_MAX}", where=view.node.name)
    taps = templates[0].size
    largest = max(int(np.abs(templates.astype(np.int64)).sum((1, 2)).max()), taps * view["ones"])
    if view["ones"] < 1 or 128 * largest > RESPONSE_MAX:
        raise ModelError(f"a template response could reach {128 * largest}, over 16 bits", where=view.node.name)


def validate(view: View) -> None:
    """Prove that responses fit 16 bits, and sums of a * response and b * sum 32 bits in any order."""
    check_values(view)
    templates, indices, bias = (t.value for t in (view.templates, view.indices, view.bias))
    pairs = kernel_pairs(view)
    size = np.abs(templates.astype(np.int64)).sum((1, 2))
    a, b = (np.abs(pairs[..., k].astype(np.int64)) for k in (0, 1))
    bound = np.abs(bias.astype(np.int64)) + 128 * (a * size[indices] + b * templates[0].size * view["ones"]).sum(1)
    if np.any(bound > INT32_MAX):
        worst = int(np.argmax(bound))
        raise ModelError(f"the accumulator of channel {worst} could reach {int(bound[worst])}", where=view.node.name)
    lin.check_requant(dense(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return conv2d.ranges(dense(view), inputs)


def macs(view: View) -> int:
    """Of the dense layer that it stands for."""
    _, out_h, out_w, _ = view.out.shape
    _, k_h, k_w = view.templates.shape
    return out_h * out_w * k_h * k_w * int(np.prod(view.indices.shape))


def channel_rule(view: View, always_padded: bool = False) -> ChannelRule:
    """As for dense weights: indices and pairs of dropped channels go, the codebooks stay."""
    rule = lin.mixing_rule(channel_axis=3, always_padded=always_padded)

    def slice_(view: View, keep_in, keep_out, known):  # type: ignore[no-untyped-def]
        _, *rest = rule.slice(dense(view), keep_in, keep_out, known)

        def kept(t: Tensor) -> Tensor:
            per_kernel = t.shape[:2] == view.indices.shape and t.role is not Role.CODEBOOK
            return constant(t.name, t.value[keep_out][:, keep_in[0]], t.role) if per_kernel else t

        templates, indices, pairs, *coded = codes(view)
        return [templates, kept(indices), pairs if coded else kept(pairs), *map(kept, coded), *rest]

    return ChannelRule(lambda view, keep_out, known: rule.needs(dense(view), keep_out, known), slice_)


def response_limit(taps: int) -> int:
    """The largest value of a template whose response fits 16 bits whatever its other values are."""
    return max(RESPONSE_MAX // (128 * taps), 1)


def with_templates(
    rng: np.random.Generator,
    case: Case,
    shape: tuple[int, int, int],
    kernels: tuple[int, int],
    pair_count: int,
    limit_pairs: int = PAIR_MAX,
) -> tuple[Array, ...]:
    """Operands of a dense case with templates for its weights, in a "high" case the largest of everything."""
    x, _, bias, multiplier, shift = case.inputs
    limit, high = min(response_limit(shape[1] * shape[2]), 127), "high" in case.name
    pair_shape = (pair_count, 2) if pair_count else (*kernels, 2)
    templates = np.full(shape, -limit) if high else rng.integers(-limit, limit + 1, shape)
    largest = min(limit_pairs, 16 * PAIR_MAX // kernels[1])  # 16 channels of the largest fill an accumulator
    pairs = np.full(pair_shape, -largest) if high else rng.integers(-largest, largest + 1, pair_shape)

    def indices(count: int) -> Array:
        chosen = rng.integers(0, count, kernels).astype(np.uint8)
        chosen.flat[0] = count - 1  # the width of an index follows from the largest
        return chosen

    codes = [templates.astype(np.int8), indices(shape[0]), pairs.astype(np.float16)]
    codes += [indices(pair_count)] if pair_count else []
    # Weights are up to 2048 templates, so the output scale is larger too.
    smaller = (shift - max(largest // 8, 1).bit_length()).astype(np.int8)
    return x, *codes, bias, multiplier, smaller


def cases(rng: np.random.Generator, coded: bool) -> list[Case]:
    """Cases of the operator with a pair for each kernel, or with coded pairs."""
    shapes = [  # x (h, w, c), oc, (kh, kw), templates, pairs, stride, dilation, pads (top, bottom, left, right)
        ("3x3", (5, 6, 3), 4, (3, 3), 4, 5, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("one-template", (4, 5, 5), 7, (3, 3), 1, 1, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("blocks", (7, 7, 8), 9, (3, 3), 8, 32, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("wide", (3, 5, 16), 5, (3, 3), 16, 256, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("stride2-asymmetric", (6, 6, 4), 3, (3, 3), 8, 3, (2, 2), (1, 1), (0, 1, 0, 1)),
        ("dilated", (9, 8, 2), 3, (3, 3), 3, 7, (1, 1), (2, 3), (2, 2, 3, 3)),
        ("one-pixel", (1, 1, 3), 2, (3, 3), 5, 2, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("5x5", (6, 7, 2), 3, (5, 5), 16, 12, (1, 1), (1, 1), (2, 2, 2, 2)),
        ("even-3x2", (8, 7, 8), 2, (3, 2), 6, 20, (3, 2), (1, 1), (0, 0, 0, 0)),
        ("few-pixels", (3, 3, 40), 6, (3, 3), 40, 100, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("few-pixels-odd", (3, 5, 21), 7, (3, 3), 9, 30, (1, 1), (1, 1), (1, 1, 1, 1)),
        ("many-templates", (3, 3, 2), 200, (3, 3), 256, 200, (1, 1), (1, 1), (1, 1, 1, 1)),
    ]
    out = []
    for name, x_shape, oc, (k_h, k_w), count, pair_count, stride, dilation, pads in shapes:
        window = dict(stride_h=stride[0], stride_w=stride[1], dilation_h=dilation[0], dilation_w=dilation[1])
        window.update(pad_top=pads[0], pad_bottom=pads[1], pad_left=pads[2], pad_right=pads[3])
        ic = x_shape[2]
        for case in linear_cases(rng, name, window, (1, *x_shape), (oc, k_h, k_w, ic), oc, k_h * k_w * ic):
            attrs = {**case.attrs, "ones": response_limit(k_h * k_w)}
            operands = with_templates(rng, case, (count, k_h, k_w), (oc, ic), pair_count if coded else 0)
            if name.startswith("few-pixels"):  # weights of 16 bits
                x, templates, indices, pairs, *rest = operands
                operands = (x, templates, indices, np.rint(pairs / 8).astype(np.float16), *rest)
            out.append(Case(case.name, attrs, operands))
    # Expanded, weights of these are as large as fits 16 bits: as they are, and transformed.
    ones = response_limit(9)
    for largest, dense_cases in (
        ((2**15 - 1) // (2 * ones), conv2d.cases(rng)),
        (wg.LARGEST // (2 * ones), winograd_cases(rng)),
    ):
        for i, case in enumerate(c for c in dense_cases if c.inputs[1].shape[1:3] in ((3, 3), (1, 1))):
            oc, k_h, k_w, ic = case.inputs[1].shape
            count, pair_count = 1 + 7 * i % 64, 2 + 9 * i % 128
            operands = with_templates(
                rng,
                case,
                (count, k_h, k_w),
                (oc, ic),
                pair_count if coded else 0,
                largest if k_h == 3 else largest // 9,
            )
            out.append(Case(f"{case.name}-{largest}", {**case.attrs, "ones": response_limit(k_h * k_w)}, operands))
    return out
