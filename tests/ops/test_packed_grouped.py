"""Packed convolutions in groups: any geometry and code width, one group as the dense operator, the overflow proof."""

from __future__ import annotations

from dataclasses import replace

import host_kernels as host
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clustered import codes, requantisation
from test_packed_depthwise import PLAIN

from edgekc.errors import ModelError
from edgekc.graph.fixedpoint import INT32_MAX
from edgekc.graph.ir import Array
from edgekc.graph.op import Case
from edgekc.ops import OPS
from edgekc.ops.packed import template as tp

Geometry = tuple[
    dict[str, int], Array, tuple[int, int, int, int]
]  # attributes, input, weights (oc, kh, kw, ic / groups)
NAMES = ("clustered_grouped_conv2d", "template_grouped_conv2d", "template_pairs_grouped_conv2d")


@st.composite
def geometries(draw: st.DrawFn, groups_max: int = 5) -> Geometry:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    attrs: dict[str, int] = {}
    sizes, window = [], []
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        k, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        span = (k - 1) * dilation + 1
        attrs.update({f"dilation_{axis}": dilation, f"stride_{axis}": draw(st.integers(1, 3))})
        attrs[before], attrs[after] = draw(st.integers(0, span - 1)), draw(st.integers(0, span - 1))
        sizes.append(draw(st.integers(max(1, span - attrs[before] - attrs[after]), 9)))
        window.append(k)
    groups, reads, filters = draw(st.integers(1, groups_max)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    attrs.update(pad_value=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
    attrs.update(act_min=-128, act_max=127, rounding=draw(st.integers(0, 1)))
    x = rng.integers(-128, 128, (1, *sizes, groups * reads)).astype(np.int8)
    return attrs, x, (groups * filters, window[0], window[1], reads)


def template_case(rng: np.random.Generator, geometry: Geometry, counts: tuple[int, int]) -> Case:
    """A case of template_pairs_grouped_conv2d with so many templates and pairs."""
    attrs, x, (oc, k_h, k_w, reads) = geometry
    limit = tp.response_limit(k_h * k_w)
    largest = min(limit, 127)
    operands = (
        rng.integers(-largest, largest + 1, (counts[0], k_h, k_w)).astype(np.int8),
        rng.integers(0, counts[0], (oc, reads)).astype(np.uint8),
        rng.integers(-2048, 2049, (counts[1], 2)).astype(np.float16),
        rng.integers(0, counts[1], (oc, reads)).astype(np.uint8),
    )
    return Case("property", {**attrs, "ones": limit}, (x, *operands, *requantisation(rng, oc)))


def own_pairs(case: Case) -> Case:
    """The same layer as a template_grouped_conv2d, with a pair for each kernel."""
    x, templates, indices, pairs, pair_indices, *rest = case.inputs
    return replace(case, inputs=(x, templates, indices, pairs[pair_indices], *rest))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(geometries(), st.integers(1, 8), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_any_clustered(geometry: Geometry, bits: int, used: int, seed: int) -> None:
    attrs, x, weights = geometry
    rng = np.random.default_rng(seed)
    case = Case("property", attrs, (x, *codes(rng, bits, used, weights), *requantisation(rng, weights[0])))
    assert host.check(OPS["clustered_grouped_conv2d"], case)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(geometries(), st.integers(0, 8), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_any_template(geometry: Geometry, a: int, b: int, seed: int) -> None:
    case = template_case(np.random.default_rng(seed), geometry, (2**a, 2**b))
    assert host.check(OPS["template_pairs_grouped_conv2d"], case)
    assert host.check(OPS["template_grouped_conv2d"], own_pairs(case))
    expected = OPS["template_grouped_conv2d"].reference(case.attrs, own_pairs(case).inputs)[0]
    np.testing.assert_array_equal(OPS["template_pairs_grouped_conv2d"].reference(case.attrs, case.inputs)[0], expected)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(geometries(groups_max=1), st.integers(0, 2**32 - 1))
def test_one_group_is_the_dense_operator(geometry: Geometry, seed: int) -> None:
    """By operators that were written, and proved, apart from these."""
    attrs, x, weights = geometry
    rng = np.random.default_rng(seed)
    clustered = Case("one", attrs, (x, *codes(rng, 3, 0, weights), *requantisation(rng, weights[0])))
    for case, kind in ((clustered, "clustered"), (template_case(rng, geometry, (4, 8)), "template_pairs")):
        found, expected = (
            OPS[f"{kind}_{op}"].reference(case.attrs, case.inputs) for op in ("grouped_conv2d", "conv2d")
        )
        np.testing.assert_array_equal(found[0], expected[0])


def test_the_overflow_proof_at_its_bound() -> None:
    """2 * 9 weights of -32768 on inputs of -128; the largest allowed bias brings the sum to the last number."""
    op = OPS["clustered_grouped_conv2d"]
    for beyond in (0, 1):
        bias = np.array([0, INT32_MAX - 18 * 128 * 32768 + beyond], np.int32)
        stored = (np.zeros((2, 3, 3, 2), np.uint8), np.array([[-32768]], np.int16))
        requant = (np.array([2**30], np.int32), np.array([-24], np.int8))
        case = Case("edge", PLAIN, (np.full((1, 3, 3, 4), -128, np.int8), *stored, bias, *requant))
        if beyond:
            with pytest.raises(ModelError, match=f"channel 1 of 2 could reach {INT32_MAX + 1}"):
                op.validate(host.view_of(op, case, 1))
        else:
            op.validate(host.view_of(op, case, 1))
            assert host.check(op, case)


def test_the_template_proof_at_its_bound() -> None:
    size = 2 * 2048 * 128 * (9 * 28 + 9 * 28)  # of two kernels
    for beyond in (0, 1):
        case = Case(
            "edge",
            {**PLAIN, "ones": 28},
            (
                np.full((1, 3, 3, 4), -128, np.int8),
                np.full((1, 3, 3), -28, np.int8),
                np.zeros((2, 2), np.uint8),
                np.full((2, 2, 2), [2048, -2048]).astype(np.float16),
                np.array([INT32_MAX - size, INT32_MAX - size + beyond], np.int32),
                np.array([2**30], np.int32),
                np.array([-24], np.int8),
            ),
        )
        op = OPS["template_grouped_conv2d"]
        if beyond:
            with pytest.raises(ModelError, match=f"channel 1 could reach {INT32_MAX + 1}"):
                op.validate(host.view_of(op, case, 1))
        else:
            op.validate(host.view_of(op, case, 1))
            assert host.check(op, case)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_do_not_fit(name: str) -> None:
    case = OPS[name].cases(np.random.default_rng(0))[0]
    shapes = [x.shape for x in case.inputs]
    assert OPS[name].infer(case.attrs, shapes)
    place = 2 if "template" in name else 1
    with pytest.raises(ModelError, match=r"should be|not those of"):
        OPS[name].infer(case.attrs, [*shapes[:place], (*shapes[place], 2), *shapes[place + 1 :]])
    wider = (*shapes[0][:3], shapes[0][3] + 1)
    with pytest.raises(ModelError, match="not those of a grouped convolution"):
        OPS[name].infer(case.attrs, [wider, *shapes[1:]])
