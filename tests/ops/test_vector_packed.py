"""Packed layers for vector instructions: what is accepted, at its bound, and how much is decoded at a time."""

from __future__ import annotations

import host_kernels as host
import numpy as np
import pytest

from edgekc.generate.choice import choose_kernel
from edgekc.graph.ir import Array
from edgekc.graph.op import Case
from edgekc.ops import OPS
from edgekc.ops.kernels import codes, words
from edgekc.ops.packed import clustered as cl
from edgekc.ops.packed import template as tp

CONV, TEMPLATE = OPS["clustered_conv2d"], OPS["template_pairs_conv2d"]
SYMBOL = "ek_clustered_conv2d_s8_vec"


def case(centers: Array, indices: Array, x: Array, bias: int = 0, shift: int = -16) -> Case:
    """A layer of the given indices (oc, kh, kw, ic), unpadded."""
    attrs = dict.fromkeys(CONV.attrs, 0)
    attrs.update(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, act_min=-128, act_max=127, rounding=1)
    oc = indices.shape[0]
    requant = np.full(oc, bias, np.int32), np.full(oc, 2**30 + 1, np.int32), np.full(oc, shift, np.int8)
    return Case("bound", attrs, (x, indices, centers.astype(np.int16)[None], *requant))


@pytest.mark.parametrize(("weight", "accepted"), [(32639, True), (32640, False), (-32768, True)])
def test_the_largest_weight_is_one_whose_high_byte_is_a_byte(weight: int, accepted: bool) -> None:
    indices = np.zeros((2, 3, 3, 4), np.uint8)
    indices[1] = 1
    for fill in (-128, 127):
        c = case(np.array([weight, -weight // 2]), indices, np.full((1, 4, 5, 4), fill, np.int8))
        assert (SYMBOL in host.check(CONV, c)) is accepted


@pytest.mark.parametrize(("more", "accepted"), [(0, True), (1, False)])
def test_an_accumulator_at_the_bound(more: int, accepted: bool) -> None:
    """Requantisation doubles it in 32 bits."""
    indices = np.zeros((1, 3, 3, 4), np.uint8)
    used = 128 * 1000 * 36
    for sign, fill in ((1, 127), (-1, -128)):
        x = np.full((1, 4, 4, 4), -128, np.int8)
        c = case(np.array([-1000 if fill > 0 else 1000]), indices, x, sign * (2**30 - 1 - used + more), -23)
        assert (SYMBOL in host.check(CONV, c)) is accepted


def test_filters_longer_than_a_part() -> None:
    """More taps than are decoded at a time, several blocks of filters, and every width of an index."""
    rng = np.random.default_rng(3)
    for bits in range(1, 9):
        indices = rng.integers(0, 2**bits, (35, 1, 1, words.PART + 61)).astype(np.uint8)
        indices.flat[0] = 2**bits - 1
        centers = rng.integers(-3000, 3001, 2**bits)
        x = rng.integers(-128, 128, (1, 3, 7, indices.shape[3])).astype(np.int8)
        assert SYMBOL in host.check(CONV, case(centers, indices, x, shift=-14))


def test_never_all_weights_are_decoded_at_a_time() -> None:
    """At most half of them, or four taps of each filter."""
    tried = 0
    for op, dense_of in ((CONV, cl.dense), (TEMPLATE, tp.dense)):
        for c in op.cases(np.random.default_rng(4)):
            view = host.view_of(op, c, 1)
            dense = dense_of(view)
            kernel = next(k for k in op.kernels if k.symbol.endswith("_conv2d_s8_vec"))
            if kernel.accepts(view):
                part = codes.part(dense, words.PART) if op is CONV else words.part(dense)
                at_once, size = min(part, dense.inputs[1].value[0].size), dense.inputs[1].value.size
                filters = min(len(dense.inputs[1].value), words.BLOCK)
                assert filters * at_once < size
                assert filters * at_once <= max(size / 2, 4 * filters)
                tried += 1
    assert tried > 300


def test_the_cheaper_kernel_for_templates_follows_from_their_number() -> None:
    """Responses cost by template, expanded filters by kernel: few templates for many kernels are responses."""
    attrs = dict.fromkeys(TEMPLATE.attrs, 1)
    attrs.update(pad_value=0, out_zero=0, act_min=-128, act_max=127)
    pairs, codes = np.array([[1, 2], [3, 4]], np.float16), np.zeros((64, 32), np.uint8)
    requant = np.zeros(64, np.int32), np.full(64, 2**30, np.int32), np.full(64, -9, np.int8)
    chosen = []
    for count in (8, 128):
        templates = np.ones((count, 3, 3), np.int8)
        operands = (np.zeros((1, 8, 8, 32), np.int8), templates, codes, pairs, codes, *requant)
        view = host.view_of(TEMPLATE, Case("few", attrs, operands), 1)
        chosen.append(choose_kernel(view, frozenset({"aarch64", "fpu", "neon", "vector"})).symbol)
    assert chosen == ["ek_template_pixels_s8_vec", "ek_template_winograd_s8_vec"]


@pytest.mark.parametrize(("bits", "pair_bytes"), [(3, 16), (5, 32)])
def test_indices_lie_as_ek_codes_vec_h_says(bits: int, pair_bytes: int) -> None:
    """Pairs of taps of 16 filters up to whole groups of four taps, in halves of bytes or in bytes."""
    rng = np.random.default_rng(7)
    indices = rng.integers(0, 2**bits, (19, 1, 1, 7)).astype(np.uint8)
    indices.flat[0] = 2**bits - 1
    c = case(np.arange(2**bits), indices, np.zeros((1, 2, 2, 7), np.int8))
    data = codes.records(host.view_of(CONV, c, 1)).reshape(2, 256 + 4 * pair_bytes)
    for f, tap in [(0, 0), (7, 3), (8, 6), (15, 1), (18, 5)]:
        pair = data[f // 16, 256 + tap // 2 * pair_bytes :][:pair_bytes]
        at = f % 16
        found = pair[2 * (at % 8) + tap % 2] >> 4 * (at // 8) & 15 if bits < 5 else pair[2 * at + tap % 2]
        assert found == indices[f, 0, 0, tap]
    assert not data[1, 256:].reshape(4, -1)[3, 1::2].any()  # the eighth tap is of no filter
