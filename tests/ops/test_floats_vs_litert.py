"""What an int8 model computes in float against LiteRT's reference kernels: the same bits, or near."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import lowering_cases
import numpy as np
import oracle
import pytest

from edgekc.emulate.near import TOLERANCE
from edgekc.errors import UnsupportedError
from edgekc.fuzzing.logic import as_bytes
from edgekc.graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import IN_FLOAT, OPS
from edgekc.ops.compare import RELATIONS
from edgekc.ops.shared import matrices, resize

Rng = np.random.Generator
Cases = Callable[[Rng], Iterator[tuple[View, list[Array]]]]
# Each operation of these is one that IEEE 754 rounds, in the order in which LiteRT has them.
SAME_BITS = frozenset(
    "add sub mul div maximum minimum squared_difference relu abs neg square leaky_relu hard_swish sqrt rsqrt quantize "
    "sum mean reduce_max reduce_min reduce_prod arg_max arg_min prelu floor ceil round relu_0_to_1 "
    "compare select top_k top_k_places "
    "average_pool max_pool resize_bilinear conv2d grouped_conv2d depthwise transpose_conv".split()
)

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def real(name: str, shape: Sequence[int]) -> Tensor:
    return Tensor(name, tuple(shape), "float32")


def numbers(rng: Rng, shape: Sequence[int], k: int) -> Array:
    """Ordinary ones, larger ones, or near 0."""
    return (rng.normal(0, (1, 20, 1e-4)[k % 3], tuple(shape))).astype(np.float32)


def view_of(op: str, inputs: Sequence[Tensor], shape: Sequence[int], **attrs: AttrValue) -> View:
    return View(Node(op, "y", tuple(t.name for t in inputs), ("y",), attrs), tuple(inputs), (real("y", shape),))


def curve(op: str, low: float = -12, high: float = 12, **attrs: AttrValue) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        x = np.linspace(low, high, 4001).astype(np.float32)[None]
        x[0, :500] = numbers(rng, (500,), 2) if low < 0 else np.abs(numbers(rng, (500,), 2)) + np.float32(1e-6)
        yield view_of(op, [real("x", x.shape)], x.shape, **attrs), [x]

    return cases


def gelu(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for approximate in (0, 1):
        yield from curve("gelu", approximate=approximate)(rng)


def relu(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for activation in ("relu", "relu6", "relu_n1_to_1"):
        yield from curve("relu", activation=activation)(rng)


SHAPES = (((1, 5, 7), (1, 5, 7)), ((1, 4, 1, 5), (1, 1, 3, 5)), ((1, 4, 3), (1, 1, 1)), ((1, 9), (1, 9)))


def pair(op: str, fused: bool) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        for k in range(24):
            first, second = SHAPES[k % 4]
            values = [numbers(rng, first, k), numbers(rng, second, k // 4)]
            operands = [real("a", first), real("b", second)]
            if k % 3 < 2:  # one of them a constant
                operands[k % 3] = constant(operands[k % 3].name, values.pop(k % 3), Role.WEIGHTS)
            attrs: dict[str, AttrValue] = {}
            if fused:
                attrs["activation"] = ("none", "relu", "none", "relu6", "relu_n1_to_1")[k % 5]
            yield view_of(op, operands, np.broadcast_shapes(first, second), **attrs), values

    return cases


def softmax(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(6):
        x = numbers(rng, (1, 3, 10), k)
        yield view_of("softmax", [real("x", x.shape)], x.shape, beta=(1.0, 0.3)[k % 2]), [x]


def log_softmax(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(6):
        x = numbers(rng, ((1, 3, 10), (1, 300))[k % 2], k)
        yield view_of("log_softmax", [real("x", x.shape)], x.shape), [x]


def compare(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, relation in enumerate(list(RELATIONS) * 3):
        first, second = SHAPES[k % 4]
        values = [np.round(numbers(rng, shape, k)) for shape in (first, second)]  # some are equal
        operands = [real("a", first), real("b", second)]
        if k % 3 < 2:
            operands[k % 3] = constant(operands[k % 3].name, values.pop(k % 3), Role.WEIGHTS)
        view = view_of("compare", operands, np.broadcast_shapes(first, second), relation=relation)
        yield replace(view, outputs=(Tensor("y", view.out.shape, "bool"),)), values


def select(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(12):
        first, second = SHAPES[k % 4]
        shape = np.broadcast_shapes(first, second)
        condition = Tensor("c", (shape, (1,) * len(shape))[k // 4 % 2], "bool")
        values = [rng.integers(0, 2, condition.shape).astype(bool), numbers(rng, first, k), numbers(rng, second, k)]
        operands = [condition, real("a", first), real("b", second)]
        if k % 3 < 2:
            operands[1 + k % 3] = constant(operands[1 + k % 3].name, values.pop(1 + k % 3), Role.WEIGHTS)
        yield view_of("select", operands, shape), values


def top_k(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, (shape, count) in enumerate((((1, 10), 3), ((1, 3, 7), 7), ((1, 200), 5), ((1, 1), 1))):
        x = np.round(numbers(rng, shape, k))  # ties
        view = view_of("top_k", [real("x", shape)], (*shape[:-1], count), count=count)
        places = Tensor("places", view.out.shape, "int32")
        yield replace(view, outputs=(view.out, places)), [x]


def quantize(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(12):
        q = Quant((float(np.float32(np.exp(rng.uniform(-6, 1)))),), (int(rng.integers(-128, 128)),))
        x = numbers(rng, (1, 200), k)
        x[0, :100] = (np.arange(100) / 2 - 25) * q.scale
        y = Tensor("y", x.shape, "int8", q)
        yield View(Node("quantize", "y", ("x",), ("y",), {}), (real("x", x.shape),), (y,)), [x]


def reduction(op: str) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        kinds = (((1, 5, 7, 3), "1,2"), ((1, 9, 4), "1"), ((1, 3, 4, 5), "2,3"), ((1, 40), "1"), ((1, 3, 4, 5), "1,3"))
        for k, (shape, axes) in enumerate(kinds):
            gone = {int(a) for a in axes.split(",")}
            out = [1 if i in gone else size for i, size in enumerate(shape) if k % 2 or i not in gone]
            yield view_of(op, [real("x", shape)], out, axes=axes, keep_dims=k % 2), [numbers(rng, shape, k)]

    return cases


def place(op: str) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        for k, (shape, axis) in enumerate((((1, 10), 1), ((1, 3, 4, 5), 3), ((1, 7, 5), 1), ((1, 200), 1))):
            x = np.round(numbers(rng, shape, k))  # ties
            y = Tensor("y", (*shape[:axis], *shape[axis + 1 :]), "int32")
            yield View(Node(op, "y", ("x",), ("y",), {"axis": axis}), (real("x", shape),), (y,)), [x]

    return cases


def l2_normalize(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(6):
        shape = ((1, 128), (1, 3, 4, 5))[k % 2]
        yield view_of("l2_normalize", [real("x", shape)], shape), [numbers(rng, shape, k)]


def fully_connected(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k in range(12):
        shape, units = ((1, 20), (1, 300), (1, 3, 7))[k % 3], 1 + k
        operands = [real("x", shape), constant("w", numbers(rng, (units, shape[-1]), 0), Role.WEIGHTS)]
        if k % 2:
            operands.append(constant("b", numbers(rng, (units,), k), Role.BIAS))
        attrs: dict[str, AttrValue] = {"activation": ("none", "relu", "relu6")[k % 3]}
        yield view_of("fully_connected", operands, (*shape[:-1], units), **attrs), [numbers(rng, shape, k)]


WINDOWS = (  # x (h, w, c), filters (oc, kh, kw), stride, dilation, SAME
    ((5, 6, 3), (4, 3, 3), (1, 1), (1, 1), True),
    ((7, 6, 2), (4, 2, 3), (2, 2), (1, 1), False),
    ((8, 7, 4), (4, 3, 2), (1, 1), (2, 3), True),
    ((4, 4, 6), (6, 1, 1), (1, 1), (1, 1), False),
    ((6, 5, 1), (2, 5, 4), (3, 2), (1, 1), True),
)


def window_of(x: Sequence[int], taps: Sequence[int], stride: Sequence[int], dilation: Sequence[int], same: bool) -> Any:
    """Attributes of a window, and the height and the width of what it makes."""
    attrs: dict[str, AttrValue] = {}
    size = []
    for i, (axis, ends) in enumerate((("h", ("pad_top", "pad_bottom")), ("w", ("pad_left", "pad_right")))):
        span = (taps[i] - 1) * dilation[i] + 1
        total = max((-(-x[i] // stride[i]) - 1) * stride[i] + span - x[i], 0) if same else 0
        attrs |= {f"stride_{axis}": stride[i], f"dilation_{axis}": dilation[i]}
        attrs |= {ends[0]: total // 2, ends[1]: total - total // 2}
        size.append((x[i] + total - span) // stride[i] + 1)
    return attrs, size


def convolution(op: str) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        for k, (x, (oc, *taps), stride, dilation, same) in enumerate(WINDOWS):
            attrs, size = window_of(x, taps, stride, dilation, same)
            shape = (oc, *taps, x[2])
            if op == "grouped_conv2d":
                shape = (oc, *taps, max(x[2] // 2, 1))
                if oc % (x[2] // shape[3]) or shape[3] == x[2]:
                    continue
            elif op == "depthwise":
                oc = x[2] * (1 + k % 2)
                shape = (1, *taps, oc)
            operands = [real("x", (1, *x)), constant("w", numbers(rng, shape, 0), Role.WEIGHTS)]
            operands.append(constant("b", numbers(rng, (oc,), k), Role.BIAS))
            attrs["activation"] = ("none", "relu", "relu6", "relu_n1_to_1")[k % 4]
            yield view_of(op, operands, (1, *size, oc), **attrs), [numbers(rng, (1, *x), k)]

    return cases


def transpose_conv(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, (x, (oc, k_h, k_w), stride, same) in enumerate(
        (
            ((3, 4, 5), (4, 3, 3), (2, 2), True),
            ((2, 3, 2), (3, 2, 2), (2, 2), False),
            ((3, 3, 1), (2, 4, 3), (3, 1), True),
        )
    ):
        out = [size * s + max(taps - s, 0) * (not same) for size, s, taps in zip(x, stride, (k_h, k_w), strict=False)]
        total = [
            max((size - 1) * s + taps - o, 0) for size, s, taps, o in zip(x, stride, (k_h, k_w), out, strict=False)
        ]
        attrs: dict[str, AttrValue] = dict(stride_h=stride[0], stride_w=stride[1], pad_top=total[0] // 2)
        attrs |= dict(pad_left=total[1] // 2, activation="none")
        operands = [real("x", (1, *x)), constant("w", numbers(rng, (oc, k_h, k_w, x[2]), 0), Role.WEIGHTS)]
        if k % 2 == 0:
            operands.append(constant("b", numbers(rng, (oc,), k), Role.BIAS))
        yield view_of("transpose_conv", operands, (1, *out, oc), **attrs), [numbers(rng, (1, *x), k)]


def pool(op: str) -> Cases:
    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        for k, (x, (_, *taps), stride, _, same) in enumerate(WINDOWS):
            attrs, size = window_of(x, taps, stride, (1, 1), same)
            attrs |= dict(filter_h=taps[0], filter_w=taps[1], activation=("none", "relu6")[k % 2])
            yield view_of(op, [real("x", (1, *x))], (1, *size, x[2]), **attrs), [numbers(rng, (1, *x), k)]

    return cases


def prelu(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, shape in enumerate(((5,), (3, 1, 5), (1, 1, 1), (3, 4, 5))):
        operands = [real("x", (1, 3, 4, 5)), constant("alpha", numbers(rng, shape, 0), Role.WEIGHTS)]
        yield view_of("prelu", operands, (1, 3, 4, 5)), [numbers(rng, (1, 3, 4, 5), k)]


def batch_matmul(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, (_, adj_x, adj_y, a, b, _) in enumerate(matrices.shapes()):
        if min(a[-1], a[-2], b[-1], b[-2]) > 1 and a[1:-2] == b[1:-2]:
            out = matrices.infer(dict(adj_x=adj_x, adj_y=adj_y), [a, b])[0]
            operands, values = [real("a", a), real("b", b)], [numbers(rng, a, k), numbers(rng, b, k)]
            yield view_of("batch_matmul", operands, out, adj_x=adj_x, adj_y=adj_y), values
    weights = constant("b", numbers(rng, (7, 4), 0), Role.WEIGHTS)
    yield (
        view_of("batch_matmul", [real("a", (1, 3, 7)), weights], (1, 3, 4), adj_x=0, adj_y=0),
        [numbers(rng, (1, 3, 7), 0)],
    )


def resize_bilinear(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    rules = ((0, 0), (1, 0), (0, 1))
    for k, ((_, shape, size), (align, half)) in enumerate(itertools.product(resize.shapes(), rules)):
        attrs: dict[str, AttrValue] = dict(align_corners=align, half_pixel_centers=half)
        yield view_of("resize_bilinear", [real("x", shape)], (1, *size, shape[3]), **attrs), [numbers(rng, shape, k)]


def dynamic_fully_connected(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
    for k, activation in enumerate(("none", "relu", "relu6")):
        operands = [real("a", (1, 3, 9)), real("b", (1, 5, 9))]
        values = [numbers(rng, t.shape, k) for t in operands]
        yield view_of("dynamic_fully_connected", operands, (1, 3, 5), activation=activation), values


MOVES = (
    "reshape pad mirror_pad resize_nearest concat concat_const take transpose strided_slice tile broadcast_to "
    "depth_to_space space_to_depth".split()
)


def moved(op: str) -> Cases:
    """The cases in int8, of numbers."""

    def in_float(t: Tensor) -> Tensor:
        data = None if t.data is None else t.data.astype(np.float32) / 7
        return replace(t, dtype="float32", quant=None, data=data) if t.dtype == "int8" else t

    def cases(rng: Rng) -> Iterator[tuple[View, list[Array]]]:
        for case in islice(lowering_cases.CASES[op](), 0, 36, 3):
            view = View(case.view.node, tuple(map(in_float, case.view.inputs)), tuple(map(in_float, case.view.outputs)))
            free = {t.name: t for t in view.inputs if t.data is None}
            yield view, [numbers(rng, t.shape, 1) for t in free.values()]

    return cases


CASES: dict[str, Cases] = {
    **{op: moved(op) for op in MOVES},
    "relu": relu,
    "leaky_relu": curve("leaky_relu", alpha=0.3),
    "gelu": gelu,
    "sin": curve("sin", -40, 40),
    "cos": curve("cos", -40, 40),
    **{op: curve(op) for op in ("floor", "ceil", "round", "relu_0_to_1")},
    **{op: convolution(op) for op in ("conv2d", "grouped_conv2d", "depthwise")},
    "transpose_conv": transpose_conv,
    **{op: pool(op) for op in ("average_pool", "max_pool")},
    "prelu": prelu,
    "batch_matmul": batch_matmul,
    "resize_bilinear": resize_bilinear,
    "dynamic_fully_connected": dynamic_fully_connected,
    **{op: curve(op) for op in ("abs", "neg", "square", "hard_swish", "logistic", "tanh", "elu")},
    "exp": curve("exp", -70, 10),
    **{op: curve(op, 0, 50) for op in ("log", "sqrt", "rsqrt")},
    **{op: pair(op, True) for op in ("add", "sub", "mul", "div")},
    **{op: pair(op, False) for op in ("maximum", "minimum", "squared_difference")},
    **{op: reduction(op) for op in ("sum", "mean", "reduce_max", "reduce_min", "reduce_prod")},
    **{op: place(op) for op in ("arg_max", "arg_min")},
    "l2_normalize": l2_normalize,
    "fully_connected": fully_connected,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "top_k": top_k,
    "top_k_places": top_k,
    "compare": compare,
    "select": select,
    "quantize": quantize,
}


def test_every_operator_has_cases() -> None:
    assert CASES.keys() | {"detection_postprocess"} == IN_FLOAT.keys()  # which has test_detection.py


def _matrices(view: View) -> View:
    """Its tensors without their first axis."""
    inputs, outputs = (tuple(replace(t, shape=t.shape[1:]) for t in ends) for ends in (view.inputs, view.outputs))
    return replace(view, inputs=inputs, outputs=outputs)


def in_graph(op: str, view: View) -> View:
    """As the importer makes it of the file's operator."""
    outputs = view.outputs[-1:] if op == "top_k_places" else view.outputs[:1]
    return View(view.node, tuple(map(as_bytes, view.inputs)), tuple(map(as_bytes, outputs)))


def furthest(op: str) -> tuple[float, float]:
    """How far the definition is from LiteRT, and how far it may be, where it is furthest by that measure."""
    found, compared = (0.0, TOLERANCE), 0
    for view, values in CASES[op](np.random.default_rng(0)):
        try:
            lowered = IN_FLOAT[op](in_graph(op, view))
        except UnsupportedError:  # of loops or channels that no kernel in float has
            continue
        compared += 1
        constants = [t.value for t in lowered.constants]
        free = dict(zip(dict.fromkeys(t.name for t in view.inputs if t.data is None), values, strict=True))
        (got,) = OPS[lowered.op].reference(lowered.attrs, [*(free[n] for n in lowered.activations), *constants])
        if op == "dynamic_fully_connected":  # without the batch of one, which files do not have
            view, values, got = _matrices(view), [value[0] for value in values], got[0]
        expected = oracle.run(view, values)[op == "top_k_places"]
        if expected.dtype == bool:
            expected = expected.astype(np.int8)
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        distance = float(np.abs(got.astype(float) - expected.astype(float)).max())
        found = max(found, (distance, allowed), key=lambda pair: pair[0] / pair[1])
    assert compared
    return found


@pytest.mark.parametrize("op", CASES)
def test_operator(op: str) -> None:
    distance, allowed = furthest(op)
    print(f"{op}: {distance:.1e} apart, {allowed:.1e} are allowed")
    assert distance <= (0 if op in SAME_BITS.union(MOVES) else allowed)
