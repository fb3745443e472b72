"""Template convolutions: any geometry and code width, the overflow proof at its bound, codes that do not resolve."""

from __future__ import annotations

from dataclasses import replace

import host_kernels as host
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import Net

from edgekc.compress import substitute
from edgekc.compress.methods import codebook
from edgekc.emulate import reference
from edgekc.errors import ModelError
from edgekc.format.pack import pack, unpack
from edgekc.graph.fixedpoint import INT32_MAX
from edgekc.graph.ir import Array, Graph, Role, constant
from edgekc.graph.op import Case, View
from edgekc.ops import OPS
from edgekc.ops.packed import template as tp
from edgekc.passes import fold_channels
from edgekc.passes.lower import lower

NAMES = ["template_conv2d", "template_pairs_conv2d"]


@st.composite
def template_cases(draw: st.DrawFn) -> Case:
    """A case of template_pairs_conv2d with a random window, image, block and widths of both indices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    attrs: dict[str, int] = {}
    sizes, filters = [], []
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        k, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        span = (k - 1) * dilation + 1
        attrs.update({f"dilation_{axis}": dilation, f"stride_{axis}": draw(st.integers(1, 3))})
        attrs[before], attrs[after] = draw(st.integers(0, span - 1)), draw(st.integers(0, span - 1))
        sizes.append(draw(st.integers(max(1, span - attrs[before] - attrs[after]), 9)))
        filters.append(k)
    ic, oc = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 16, 24])), draw(st.integers(1, 9))
    count, pairs = 2 ** draw(st.integers(0, 8)), 2 ** draw(st.integers(0, 8))
    limit = tp.response_limit(filters[0] * filters[1])
    attrs.update(pad_value=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
    attrs.update(act_min=-128, act_max=127, rounding=draw(st.integers(0, 1)), ones=int(rng.integers(1, limit + 1)))
    return Case(
        "property",
        attrs,
        (
            rng.integers(-128, 128, (1, *sizes, ic)).astype(np.int8),
            rng.integers(-min(limit, 127), min(limit, 127) + 1, (count, *filters)).astype(np.int8),
            rng.integers(0, count, (oc, ic)).astype(np.uint8),
            rng.integers(-2048, 2049, (pairs, 2)).astype(np.float16),
            rng.integers(0, pairs, (oc, ic)).astype(np.uint8),
            rng.integers(-(2**18), 2**18, oc).astype(np.int32),
            rng.integers(2**30, 2**31, oc).astype(np.int32),
            rng.integers(-20, -8, oc).astype(np.int8),
        ),
    )


def own_pairs(case: Case) -> Case:
    """The same layer with a pair for each kernel."""
    x, templates, indices, pairs, pair_indices, *rest = case.inputs
    return replace(case, inputs=(x, templates, indices, pairs[pair_indices], *rest))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(template_cases())
def test_any_geometry_and_width(case: Case) -> None:
    assert host.check(OPS["template_pairs_conv2d"], case)
    assert host.check(OPS["template_conv2d"], own_pairs(case))
    expected = OPS["template_conv2d"].reference(case.attrs, own_pairs(case).inputs)[0]
    np.testing.assert_array_equal(OPS["template_pairs_conv2d"].reference(case.attrs, case.inputs)[0], expected)


def edge_case(bias: int) -> Case:
    """Responses of 32,512 = 128 * 254 and 32,256 = 128 * 252, times 2048: 15 kernels fill an accumulator."""
    ic = 15
    templates = np.full((1, 3, 3), -28, np.int8)
    templates[0, 0, 0] = -30  # magnitudes sum to 254
    return Case(
        "edge",
        dict(
            stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0,
            pad_value=0, out_zero=0, act_min=-128, act_max=127, rounding=1, ones=28,
        ),
        (
            np.full((1, 3, 3, ic), -128, np.int8),
            templates,
            np.zeros((1, ic), np.uint8),
            np.array([[2048, -2048]], np.float16),
            np.zeros((1, ic), np.uint8),
            np.array([bias], np.int32),
            np.array([2**30], np.int32),
            np.array([-23], np.int8),
        ),
    )  # fmt: skip


def test_the_overflow_proof_at_its_bound() -> None:
    """The largest bias that is allowed brings the accumulator to the last number that 32 bits hold."""
    op = OPS["template_pairs_conv2d"]
    largest = INT32_MAX - 15 * 2048 * 128 * (254 + 252)
    case = edge_case(largest)
    op.validate(host.view_of(op, case, 1))
    acc = tp.expand(28, *case.inputs[1:3], case.inputs[3][case.inputs[4]]).sum() * -128 + largest
    assert acc == INT32_MAX
    assert host.check(op, case)
    assert host.check(OPS["template_conv2d"], own_pairs(case))
    for name, beyond in (("template_pairs_conv2d", edge_case(largest + 1)),
                         ("template_conv2d", own_pairs(edge_case(largest + 1)))):  # fmt: skip
        with pytest.raises(ModelError, match=f"accumulator of channel 0 could reach {INT32_MAX + 1}"):
            OPS[name].validate(host.view_of(OPS[name], beyond, 1))


@pytest.mark.parametrize(
    ("operand", "value", "message"),
    [
        (1, np.full((1, 3, 3), 29, np.int8), "a template response could reach 33408, over 16 bits"),
        (2, np.ones((1, 15), np.uint8), "index 1 has no template among 1"),
        (3, np.array([[2050, 0]], np.float16), "pairs must be integers from -2048 to 2048"),
        (3, np.array([[0.5, 0]], np.float16), "pairs must be integers from -2048 to 2048"),
        (4, np.ones((1, 15), np.uint8), "index 1 has no pair among 1"),
    ],
)
def test_codes_that_no_kernel_may_get(operand: int, value: Array, message: str) -> None:
    case = edge_case(0)
    inputs = list(case.inputs)
    inputs[operand] = value
    op = OPS["template_pairs_conv2d"]
    view = host.view_of(op, case, 1)
    bad = replace(view, inputs=tuple(constant(t.name, v, t.role) if t.role is not Role.ACTIVATION else t
                                     for t, v in zip(view.inputs, inputs, strict=True)))  # fmt: skip
    with pytest.raises(ModelError, match=message):
        op.validate(bad)


def substituted(name: str, dead: int = 0) -> tuple[Graph, Graph]:
    """A dense QUANTIZED net whose middle layer has exactly three templates, and the same on template kernels."""
    rng = np.random.default_rng(7)
    net = Net(rng, (1, 6, 5, 4))
    shapes = np.array([[[1, 2, 1], [0, 0, 0], [-1, -2, -1]], [[1, 0, -1]] * 3, [[0, 1, 0], [1, -4, 1], [0, 1, 0]]])
    index = rng.integers(0, 3, (6, 8))
    a, b = rng.integers(-9, 10, (6, 8)), rng.integers(-3, 4, (6, 8))
    a[:dead], b[:dead] = 0, 0
    w = (a[..., None, None] * shapes[index] + b[..., None, None]).transpose(0, 2, 3, 1)
    first = net.conv("input", 8)
    middle = net.conv(first, 6, weights=w)
    dense = net.graph(net.conv(middle, 3, k=1))
    scales = np.array(dense.tensors[f"{middle}/weights"].q.scales) * np.ones(6)
    templates = shapes.astype(np.float32)
    if name == "template_conv2d":
        fit = codebook.LayerKernels(index, a * scales[:, None], b * scales[:, None], 0.0, 0.0)
        made = substitute.templated(dense, middle, fit, templates)
    else:
        table, pair_index = np.unique(np.stack([a, b], -1).reshape(-1, 2), axis=0, return_inverse=True)
        codes = substitute.PairCodes(index, pair_index.reshape(6, 8), table, scales)
        made = substitute.template_pairs(dense, middle, codes, templates)
    assert made is not None
    return lower(dense), lower(made)


@pytest.mark.parametrize("name", NAMES)
def test_substitution_keeps_what_the_layer_computes(name: str) -> None:
    """Exact templates and pairs: at most one level lost, to the rounding of templates and pairs to integers."""
    dense, made = substituted(name)
    assert [n.op for n in made.nodes] == ["conv2d", name, "conv2d"]
    unpack(pack(made), "net.ekc")
    x = np.random.default_rng(0).integers(-128, 128, (20, 6, 5, 4)).astype(np.int8)
    a, b = (reference.outputs(g, [x])[0].astype(int) for g in (dense, made))
    assert np.abs(a - b).max() <= 3
    assert np.abs(a - b).mean() < 0.2


@pytest.mark.parametrize("name", NAMES)
def test_dead_channels_are_folded(name: str) -> None:
    _, made = substituted(name, dead=2)
    folded, notes = fold_channels.run(made)
    node = next(n for n in folded.nodes if n.op == name)
    view = View(node, tuple(folded.of(node.inputs)), tuple(folded.of(node.outputs)))
    assert view.out.shape[3] == 4, notes
    assert view.inputs[2].shape == (4, 8)
    unpack(pack(folded), "net.ekc")
    x = np.random.default_rng(0).integers(-128, 128, (8, 6, 5, 4)).astype(np.int8)
    np.testing.assert_array_equal(reference.outputs(folded, [x])[0], reference.outputs(made, [x])[0])


def test_code_widths_are_what_the_file_holds() -> None:
    """Two indices a kernel: the pair codebook and both index streams have the bytes that the report shows."""
    from edgekc.compress.sizes import layer_sizes
    from edgekc.format.pack import read

    _, made = substituted("template_pairs_conv2d")
    sizes = {s.name: s for s in layer_sizes(read(pack(made), "net.ekc"))}["conv2d_1"]
    node = next(n for n in made.nodes if n.op == "template_pairs_conv2d")
    pairs, codes = made.of(node.inputs)[3:5]
    bits = int(codes.value.max()).bit_length()
    assert sizes.parts["pairs"] == 4 * len(pairs.value)
    assert sizes.parts["pair indices"] == 48 * bits // 8
    assert sizes.parts["indices"] == 48 * 2 // 8
    assert sizes.weights == 6 * 8 * 9
    assert sizes.packed == sum(sizes.parts[p] for p in ("codebook", "indices", "pairs", "pair indices"))
