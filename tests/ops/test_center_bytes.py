"""Clustered layers whose centers are bytes: what is accepted, at its bound, and how much is decoded at a time."""

from __future__ import annotations

import host_kernels as host
import numpy as np
import pytest

from edgekc.generate.choice import choose_kernel
from edgekc.graph.ir import Array
from edgekc.graph.op import Case
from edgekc.ops import OPS
from edgekc.ops.kernels import center_bytes as cb

CONV, MATRIX = OPS["clustered_conv2d"], OPS["clustered_fully_connected"]
SYMBOL = "ek_clustered_conv2d_bytes_s8_vec"
KERNEL = next(k for k in CONV.kernels if k.symbol == SYMBOL)
CORES = {
    "dotprod": frozenset({"aarch64", "fpu", "neon", "dotprod", "vector"}),
    "neon": frozenset({"aarch64", "fpu", "neon", "vector"}),
}


def case(centers: Array, indices: Array, x: Array, padding: int = 0, **more: int) -> Case:
    """A convolution of the given indices (oc, kh, kw, ic)."""
    attrs = dict.fromkeys(CONV.attrs, 0)
    attrs.update(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, act_min=-128, act_max=127, rounding=1)
    attrs.update(pad_top=padding, pad_bottom=padding, pad_left=padding, pad_right=padding, pad_value=-5, **more)
    oc = indices.shape[0]
    rng = np.random.default_rng(9)
    bias = rng.integers(-9999, 9999, oc).astype(np.int32)
    requant = bias, rng.integers(2**30, 2**31, oc).astype(np.int32), np.full(oc, -9, np.int8)
    return Case("bytes", attrs, (x, indices, np.asarray(centers, np.int16)[None], *requant))


def random_indices(count: int, shape: tuple[int, ...]) -> Array:
    found = np.random.default_rng(3).integers(0, count, shape).astype(np.uint8)
    found.flat[0] = count - 1
    return found


def image(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(4).integers(-128, 128, (1, *shape)).astype(np.int8)


@pytest.mark.fast
@pytest.mark.parametrize(("center", "accepted"), [(127, True), (128, False), (-127, True), (-128, False)])
def test_the_largest_center_is_one_that_dense_kernels_take(center: int, accepted: bool) -> None:
    for fill in (-128, 127):
        c = case(np.array([center, 0]), random_indices(2, (4, 3, 3, 4)), np.full((1, 4, 5, 4), fill, np.int8))
        assert (SYMBOL in host.check(CONV, c)) is accepted


@pytest.mark.fast
def test_a_center_that_no_index_names_may_be_any() -> None:
    c = case(np.array([-1, 0, 1, 3, 32767, -128]), random_indices(4, (4, 3, 3, 4)), image((4, 5, 4)))
    assert SYMBOL in host.check(CONV, c)


@pytest.mark.fast
@pytest.mark.parametrize(("centers", "ic", "accepted"), [
    (np.arange(1, 17), 4, True),  # taps are whole groups: nothing is filled up
    (np.arange(1, 17), 5, False),  # nothing that fills up
    (np.arange(1, 16), 5, True),  # an index behind the last center
    (np.arange(-8, 8), 5, True),  # a center of 0
])  # fmt: skip
def test_taps_that_fill_up_a_group_are_zero(centers: Array, ic: int, accepted: bool) -> None:
    c = case(centers, random_indices(len(centers), (4, 3, 3, ic)), image((4, 5, ic)))
    assert (SYMBOL in host.check(CONV, c)) is accepted


@pytest.mark.parametrize("oc", [5, 16, 17, 32, 45, 64, 83])
def test_every_number_of_filters_and_width_of_an_index(oc: int) -> None:
    """One block, several, two at a time; parts of runs and parts of a run; columns that no tile divides."""
    for bits in range(1, 9):
        count = min(2**bits, 254)
        centers = np.arange(count) - count // 2
        for window, ic, more in (((3, 3), 3, {}), ((1, 1), 20, {}), ((2, 3), 8, {"dilation_w": 2}), ((1, 1), 4, {})):
            indices = random_indices(count, (oc, *window, ic))
            done = host.check(CONV, case(centers, indices, image((7, 9, ic)), window[0] // 2, **more))
            assert SYMBOL in done or (oc <= 16 and window == (1, 1) and ic == 4)  # all weights would be decoded at once


def test_never_all_weights_are_decoded_at_a_time() -> None:
    """At most half of them, or four taps of each filter of a block; of depthwise layers 16 channels."""
    tried = 0
    for c in CONV.cases(np.random.default_rng(4)):
        view = host.view_of(CONV, c, 1)
        if KERNEL.accepts(view):
            filters, size = min(len(view.indices.value), cb.at_a_time(view)), view.indices.value.size
            decoded = filters * cb.taps_at_once(view)
            assert decoded < size and decoded <= max(size / 2, 4 * filters)
            tried += 1
    for c in MATRIX.cases(np.random.default_rng(4)):
        view = host.view_of(MATRIX, c, 1)
        if next(k for k in MATRIX.kernels if "_bytes_" in k.symbol).accepts(view):
            filters, size = min(len(view.indices.value), 16), view.indices.value.size
            decoded = filters * min(cb.matrix_part(view), view.indices.value.shape[1])
            assert decoded < size and decoded <= max(size / 2, 4 * filters)
            tried += 1
    assert tried > 50


@pytest.mark.fast
def test_passes_of_any_size() -> None:
    """Rows of outputs that a pass takes: one, some, and fewer in the last; with and without parts of filters."""
    for oc, more in ((20, {}), (40, {"stride_h": 2})):
        c = case(np.arange(16) - 8, random_indices(16, (oc, 3, 3, 5)), image((11, 6, 5)), 1, **more)
        view, blocks = host.view_of(CONV, c, 1), set()
        expected = CONV.reference(c.attrs, list(c.inputs))[0].tobytes()
        for room in range(1, 9000, 180):
            kernel = KERNEL.within(room)
            blocks.add(kernel.params(view)["block"])
            assert host.call(kernel, view, c.inputs, None) == expected
        assert len(blocks) >= 3 and 1 in blocks


@pytest.mark.fast
def test_the_choice_on_cores_with_and_without_dot_products() -> None:
    """3x3 layers of many channels are filtered by Winograd where a product of bytes is hardly cheaper."""
    centers = np.array([-64, -32, 0, 32])
    chosen = {}
    for name, window in (("3x3", 3), ("1x1", 1)):
        c = case(centers, random_indices(4, (64, window, window, 64)), image((8, 8, 64)), window // 2)
        view = host.view_of(CONV, c, 1)
        for core, features in CORES.items():
            chosen[name, core] = choose_kernel(view, features).symbol
    winograd = "ek_clustered_winograd_s8_vec"
    assert chosen == {
        ("3x3", "dotprod"): SYMBOL,
        ("3x3", "neon"): winograd,
        ("1x1", "dotprod"): SYMBOL,
        ("1x1", "neon"): SYMBOL,
    }


@pytest.mark.fast
@pytest.mark.parametrize(("bits", "group_bytes"), [(3, 32), (5, 64)])
def test_indices_lie_as_ek_bytes_vec_h_says(bits: int, group_bytes: int) -> None:
    """Groups of four taps of 16 filters, in halves of bytes or in bytes; what fills up a group is the index of 0."""
    indices = random_indices(2**bits, (19, 1, 1, 7))
    centers = np.arange(2**bits) - 2
    view = host.view_of(CONV, case(centers, indices, image((2, 2, 7))), 1)
    assert KERNEL.lays_out is not None
    data = KERNEL.lays_out(view).reshape(2, 256 + 2 * group_bytes)
    for f, tap in [(0, 0), (7, 3), (8, 6), (15, 1), (18, 5), (16, 7)]:
        group = data[f // 16, 256 + tap // 4 * group_bytes :][:group_bytes]
        at = 4 * (f % 16) + tap % 4
        found = group[at % 32] >> 4 * (at // 32) & 15 if bits < 5 else group[at]
        assert found == (indices[f, 0, 0, tap] if tap < 7 else 2)
    sums = data[0, 64:128].copy().view("<i4")
    assert (sums == 128 * centers[indices[:16, 0, 0]].sum(1)).all()
