"""Packed depthwise convolutions: any geometry and code width, the overflow proof at its bound, dead channels."""

from __future__ import annotations

from dataclasses import replace

import host_kernels as host
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clustered import codes, requantisation

from edgekc.emulate import reference
from edgekc.errors import ModelError
from edgekc.format.pack import pack, unpack
from edgekc.graph.fixedpoint import INT32_MAX
from edgekc.graph.ir import Array, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case
from edgekc.ops import OPS
from edgekc.ops.packed import depthwise_on_templates as td
from edgekc.ops.packed import template as tp
from edgekc.passes import fold_channels

Geometry = tuple[dict[str, int], tuple[int, int], Array, int]  # attributes, window, input, output channels
NAMES = ("clustered_depthwise", "template_depthwise", "template_pairs_depthwise")


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
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
    ic = draw(st.integers(1, 13))
    attrs.update(pad_value=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
    attrs.update(act_min=-128, act_max=127, rounding=draw(st.integers(0, 1)))
    x = rng.integers(-128, 128, (1, *sizes, ic)).astype(np.int8)
    return attrs, (window[0], window[1]), x, ic * draw(st.sampled_from([1, 1, 1, 2, 3]))


def template_case(
    rng: np.random.Generator, attrs: dict[str, int], window: tuple[int, int], x: Array, oc: int, counts: tuple[int, int]
) -> Case:
    """A case of template_pairs_depthwise with so many templates and pairs."""
    limit = tp.response_limit(window[0] * window[1])
    largest = min(limit, 127)
    operands = (
        rng.integers(-largest, largest + 1, (counts[0], *window)).astype(np.int8),
        rng.integers(0, counts[0], (oc, 1)).astype(np.uint8),
        rng.integers(-2048, 2049, (counts[1], 2)).astype(np.float16),
        rng.integers(0, counts[1], (oc, 1)).astype(np.uint8),
    )
    return Case("property", {**attrs, "ones": limit}, (x, *operands, *requantisation(rng, oc)))


def own_pairs(case: Case) -> Case:
    """The same layer as a template_depthwise, with a pair for each kernel."""
    x, templates, indices, pairs, pair_indices, *rest = case.inputs
    return replace(case, inputs=(x, templates, indices, pairs[pair_indices], *rest))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(geometries(), st.integers(1, 8), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_any_clustered(geometry: Geometry, bits: int, used: int, seed: int) -> None:
    attrs, window, x, oc = geometry
    rng = np.random.default_rng(seed)
    stored = codes(rng, bits, used, (oc, *window))
    case = Case("property", attrs, (x, *stored, *requantisation(rng, oc)))
    assert host.check(OPS["clustered_depthwise"], case)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(geometries(), st.integers(0, 8), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_any_template(geometry: Geometry, a: int, b: int, seed: int) -> None:
    attrs, window, x, oc = geometry
    case = template_case(np.random.default_rng(seed), attrs, window, x, oc, (2**a, 2**b))
    assert host.check(OPS["template_pairs_depthwise"], case)
    assert host.check(OPS["template_depthwise"], own_pairs(case))
    expected = OPS["template_depthwise"].reference(case.attrs, own_pairs(case).inputs)[0]
    np.testing.assert_array_equal(OPS["template_pairs_depthwise"].reference(case.attrs, case.inputs)[0], expected)


def test_a_template_layer_by_its_definition() -> None:
    """w[ky, kx, c] = a[c] * template[index[c]][ky, kx] + b[c] * ones, written out."""
    rng = np.random.default_rng(0)
    templates = rng.integers(-9, 10, (3, 2, 3)).astype(np.int8)
    indices, pairs = np.array([[2], [0], [1], [2]], np.uint8), rng.integers(-50, 51, (4, 1, 2)).astype(np.float16)
    w = td.expand(7, templates, indices, pairs)
    for c in range(4):
        a, b = (int(v) for v in pairs[c, 0])
        np.testing.assert_array_equal(w[:, :, c], a * templates[indices[c, 0]].astype(int) + b * 7)


PLAIN = dict(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0,
             pad_value=0, out_zero=0, act_min=-128, act_max=127, rounding=1)  # fmt: skip


def test_the_overflow_proof_at_its_bound() -> None:
    """25 weights of -32768 on inputs of -128; the largest allowed bias brings the sum to the last number."""
    op = OPS["clustered_depthwise"]
    for beyond in (0, 1):
        bias = np.array([0, INT32_MAX - 25 * 128 * 32768 + beyond], np.int32)
        stored = (np.zeros((2, 5, 5), np.uint8), np.array([[-32768]], np.int16))
        requant = (np.array([2**30], np.int32), np.array([-24], np.int8))
        case = Case("edge", PLAIN, (np.full((1, 5, 5, 2), -128, np.int8), *stored, bias, *requant))
        if beyond:
            with pytest.raises(ModelError, match=f"channel 1 of 2 could reach {INT32_MAX + 1}"):
                op.validate(host.view_of(op, case, 1))
        else:
            op.validate(host.view_of(op, case, 1))
            assert host.check(op, case)


def test_the_template_proof_at_its_bound() -> None:
    size = 2048 * 128 * (9 * 28 + 9 * 28)
    for beyond in (0, 1):
        case = Case(
            "edge",
            {**PLAIN, "ones": 28},
            (
                np.full((1, 3, 3, 1), -128, np.int8),
                np.full((1, 3, 3), -28, np.int8),
                np.zeros((1, 1), np.uint8),
                np.array([[[2048, -2048]]], np.float16),
                np.array([INT32_MAX - size + beyond], np.int32),
                np.array([2**30], np.int32),
                np.array([-24], np.int8),
            ),
        )
        op = OPS["template_depthwise"]
        if beyond:
            with pytest.raises(ModelError, match=f"channel 0 could reach {INT32_MAX + 1}"):
                op.validate(host.view_of(op, case, 1))
        else:
            op.validate(host.view_of(op, case, 1))
            assert host.check(op, case)


def three_layers(name: str) -> Graph:
    """1x1 convolution to 6 channels, of which two are dead, the packed layer of as many centers as channels, 1x1."""
    rng = np.random.default_rng(4)
    attrs = {**PLAIN, "pad_top": 1, "pad_bottom": 1, "pad_left": 1, "pad_right": 1, "pad_value": -128}
    x = np.zeros((1, 5, 4, 6), np.int8)
    if name == "clustered_depthwise":
        stored = (*codes(rng, 3, 2, (6, 3, 3)), *requantisation(rng, 6))
    else:
        case = template_case(rng, attrs, (3, 3), x, 6, (6, 6))
        case = case if "pairs" in name else own_pairs(case)
        attrs, stored = case.attrs, case.inputs[1:]
    tensors = {"input": Tensor("input", (1, 5, 4, 3), "int8"), "a": Tensor("a", x.shape, "int8")}
    tensors |= {"b": Tensor("b", x.shape, "int8"), "out": Tensor("out", (1, 5, 4, 2), "int8")}
    nodes = []

    def add(op: str, layer: str, source: str, out: str, attrs: dict[str, int], values: tuple[Array, ...]) -> None:
        names = [f"{layer}/{operand.name}" for operand in OPS[op].operands[1:]]
        for full, operand, value in zip(names, OPS[op].operands[1:], values, strict=True):
            assert operand.role is not None
            quant = Quant((1.0,), (0,)) if operand.role is Role.CENTERS else None
            tensors[full] = constant(full, value, operand.role, quant)
        nodes.append(Node(op, layer, (source, *names), (out,), attrs))

    def pointwise(oc: int, ic: int, dead: tuple[int, ...]) -> tuple[Array, ...]:
        w = rng.integers(-128, 128, (oc, 1, 1, ic)).astype(np.int8)
        w[list(dead)] = 0
        bias = np.where(np.isin(np.arange(oc), dead), -(2**20), 0).astype(np.int32)
        return w, bias, np.full(oc, 2**30, np.int32), np.full(oc, -8, np.int8)

    add("conv2d", "first", "input", "a", PLAIN, pointwise(6, 3, (1, 4)))  # dead channels are always -128
    add(name, "packed", "a", "b", attrs, stored)
    add("conv2d", "last", "b", "out", PLAIN, pointwise(2, 6, ()))
    return Graph("net", Stage.INTEGER, tensors, tuple(nodes), ("input",), ("out",), {})


@pytest.mark.parametrize("name", NAMES)
def test_dead_channels_are_folded(name: str) -> None:
    """A constant channel of a padded layer stays constant where the padding has its value; codebooks stay whole."""
    graph = three_layers(name)
    folded, notes = fold_channels.run(graph)
    packed = next(node for node in folded.nodes if node.name == "packed")
    assert folded.tensors["b"].shape == (1, 5, 4, 4), notes
    shapes = {n.split("/")[1]: folded.tensors[n].shape for n in packed.inputs[1:]}
    assert shapes["indices"][0] == shapes["bias"][0] == 4
    assert shapes.get("centers", (1, 6)) == (1, 6) and shapes.get("templates", (6, 3, 3)) == (6, 3, 3)
    pairs = {"template_depthwise": (4, 1, 2), "template_pairs_depthwise": (6, 2)}
    assert shapes.get("pairs") == pairs.get(name)
    unpack(pack(folded), "net.ekc")
    x = np.random.default_rng(0).integers(-128, 128, (8, 5, 4, 3)).astype(np.int8)
    np.testing.assert_array_equal(reference.outputs(folded, [x])[0], reference.outputs(graph, [x])[0])


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_do_not_fit(name: str) -> None:
    case = OPS[name].cases(np.random.default_rng(0))[0]
    shapes = [x.shape for x in case.inputs]
    assert OPS[name].infer(case.attrs, shapes)
    place = 2 if "template" in name else 1
    with pytest.raises(ModelError, match=r"should be|must have 3 dimensions"):
        OPS[name].infer(case.attrs, [*shapes[:place], (*shapes[place], 2), *shapes[place + 1 :]])
    wider = (*shapes[0][:3], shapes[0][3] + 1)
    with pytest.raises(ModelError, match="not a multiple of"):
        OPS[name].infer(case.attrs, [wider, *shapes[1:]])
