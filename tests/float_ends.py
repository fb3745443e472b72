"""Int8 networks that end in float: detectors, with TFLite_Detection_PostProcess as files have it, and heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import oracle

from edgekc.fuzzing.values import quant
from edgekc.graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops.f32.detection_postprocess import anchors_of

Rng = np.random.Generator


def attrs(**changed: AttrValue) -> dict[str, AttrValue]:
    """Of the node: a small detector's options."""
    values: dict[str, AttrValue] = dict(classes=3, detections=5, categories=1, per_class=3, regular=0)
    values.update(least_score=0.1, most_overlap=0.5, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0)
    return {**values, **changed}


def in_file(boxes: Tensor, scores: Tensor, anchors: Tensor, given: dict[str, AttrValue]) -> View:
    """The operator with its four outputs, out0 to out3."""
    n = int(given["detections"]) * int(given["categories"])
    outputs = tuple(Tensor(f"out{k}", s, "float32") for k, s in enumerate(((1, n, 4), (1, n), (1, n), (1,))))
    inputs = (boxes, scores, anchors)
    names = tuple(t.name for t in inputs), tuple(t.name for t in outputs)
    return View(Node("detection_postprocess", "detections", *names, given), inputs, outputs)


def anchors(rng: Rng, boxes: int) -> Tensor:
    return constant("anchors", anchors_of(rng, boxes), Role.WEIGHTS)


def parts(packed: Array, detections: int) -> list[Array]:
    """Boxes, classes, scores and count of one sample's output."""
    n = detections
    flat = packed.ravel()
    return [flat[: 4 * n].reshape(1, n, 4), flat[4 * n : 5 * n][None], flat[5 * n : 6 * n][None], flat[6 * n :]]


def truncated(found: Sequence[Array]) -> list[Array]:
    """Without what is behind the last detection."""
    count = int(found[3][0])
    return [x[:, :count] for x in found[:3]] + [found[3]]


OUTPUTS = ["out0", "out1", "out2", "out3"]


def _step(op: str, inputs: Sequence[Tensor], out: Tensor, **given: AttrValue) -> View:
    return View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), given), tuple(inputs), (out,))


def _layer(rng: Rng, x: Tensor, out: Tensor, scale: float) -> View:
    weights = rng.integers(-127, 128, (out.shape[1], x.shape[1])).astype(np.int8)
    w = constant(f"{out.name}/w", weights, Role.WEIGHTS, quant(scale))
    return _step("fully_connected", [x, w], out, activation="none")


def _input() -> Tensor:
    return Tensor("x", (1, 20), "int8", quant(0.05, 3))


def detector(given: dict[str, AttrValue], boxes: int = 12) -> bytes:
    """Boxes and scores of layers in int8, DEQUANTIZE, and the operator with these attributes."""
    rng, x, reals = np.random.default_rng(3), _input(), []
    views: list[View] = []
    kinds: tuple[tuple[str, Quant, float], ...] = (("b", quant(0.1, 2), 0.02), ("c", quant(1 / 256, -128), 0.002))
    for name, q, scale in kinds:
        t, flat = Tensor(name, (1, boxes, 4), "int8", q), Tensor(f"{name}/flat", (1, 4 * boxes), "int8", q)
        reals.append(Tensor(f"{name}/real", t.shape, "float32"))
        views += [_layer(rng, x, flat, scale), _step("reshape", [flat], t), _step("dequantize", [t], reals[-1])]
    views.append(in_file(*reals, anchors(rng, boxes), given))
    return oracle.network(views, ["x"], OUTPUTS)


def middle() -> bytes:
    """An image in int8, and layers of every kind on it in float, between DEQUANTIZE and QUANTIZE."""
    rng = np.random.default_rng(6)
    views: list[View] = []

    def weights(name: str, *shape: int) -> Tensor:
        return constant(name, rng.normal(0, 0.4, shape).astype(np.float32), Role.WEIGHTS)

    def put(op: str, inputs: Sequence[Tensor], name: str, *shape: int, **given: AttrValue) -> Tensor:
        out = Tensor(name, shape, "float32")
        views.append(_step(op, inputs, out, **given))
        return out

    def window(stride: int, dilation: int = 1, pad: int = 0, **given: AttrValue) -> dict[str, AttrValue]:
        sides = ("pad_top", "pad_bottom", "pad_left", "pad_right")
        sizes = dict(stride_h=stride, stride_w=stride, dilation_h=dilation, dilation_w=dilation)
        return {**sizes, **dict.fromkeys(sides, pad), "activation": "none", **given}

    image = Tensor("x", (1, 8, 8, 3), "int8", quant(0.05, 3))
    x = put("dequantize", [image], "real", *image.shape)
    x = put("conv2d", [x, weights("w0", 4, 3, 3, 3), weights("b0", 4)], "c", 1, 8, 8, 4, **window(1, pad=1))
    x = put("prelu", [x, weights("slopes", 1, 1, 4)], "p", 1, 8, 8, 4)
    small = {"filter_h": 2, "filter_w": 2}
    x = put("max_pool", [x], "most", 1, 4, 4, 4, **window(2, **small))
    x = put("depthwise", [x, weights("w1", 1, 3, 3, 4), weights("b1", 4)], "d", 1, 4, 4, 4, **window(1, 2, 2))
    grouped = window(1, pad=1, activation="relu6")
    x = put("grouped_conv2d", [x, weights("w2", 6, 3, 3, 2), weights("b2", 6)], "g", 1, 4, 4, 6, **grouped)
    x = put("space_to_batch", [x], "dealt", 4, 4, 4, 6, blocks="2,2", pads="2,2,2,2")  # dilated, as older files have it
    x = put("conv2d", [x, weights("w5", 6, 3, 3, 6), weights("b5", 6)], "z", 4, 2, 2, 6, **window(1))
    x = put("batch_to_space", [x], "whole", 1, 4, 4, 6, blocks="2,2", crops="0,0,0,0")
    up: dict[str, AttrValue] = dict(stride_h=2, stride_w=2, pad_top=0, pad_left=0, activation="none")
    x = put("transpose_conv", [x, weights("w3", 3, 3, 3, 6)], "t", 1, 8, 8, 3, **up)
    x = put("resize_bilinear", [x], "r", 1, 8, 8, 3, align_corners=0, half_pixel_centers=1)
    x = put("average_pool", [x], "mean", 1, 4, 4, 3, **window(2, **small))
    a, b = (put("reshape", [x], name, 1, *shape) for name, shape in (("rows", (8, 6)), ("columns", (6, 8))))
    x = put("batch_matmul", [a, b], "product", 1, 8, 8, adj_x=0, adj_y=0)
    x = put("batch_matmul", [x, weights("w4", 8, 5)], "scores", 1, 8, 5, adj_x=0, adj_y=0)
    for name, op, given in (("e", "gelu", {"approximate": 0}), ("s", "sin", {}), ("f", "floor", {})):
        y = put(op, [x], name, *x.shape, **given)
        x = put("add", [x, y], f"{name}+", *x.shape, activation="none")
    out = Tensor("y", x.shape, "int8", quant(0.1, -3))
    return oracle.network([*views, _step("quantize", [x], out)], ["x"], ["y", "s", "scores"])


def head() -> bytes:
    """Scores of a layer in int8, and on them a curve, a layer and a function of two tensors in float."""
    rng, scores = np.random.default_rng(4), Tensor("s", (1, 10), "int8", quant(0.06, -4))
    real, curve, out = (Tensor(n, (1, k), "float32") for n, k in (("real", 10), ("curve", 10), ("logits", 3)))
    w = constant("head", rng.normal(0, 1, (3, 10)).astype(np.float32), Role.WEIGHTS)
    half = constant("half", np.float32([[0.5, 0.25, 2]]), Role.WEIGHTS)
    views = [
        _layer(rng, _input(), scores, 0.01),
        _step("dequantize", [scores], real),
        _step("tanh", [real], curve),
        _step("fully_connected", [curve, w], out, activation="relu"),
        _step("mul", [out, half], Tensor("y", (1, 3), "float32"), activation="none"),
    ]
    return oracle.network(views, ["x"], ["y"])


def choices() -> bytes:
    """What converters leave in float of rarer operators: comparisons, choices, orders, powers."""
    x = Tensor("x", (1, 4, 6), "int8", quant(0.05, 3))
    views: list[View] = []

    def put(op: str, inputs: Sequence[Tensor], name: str, dtype: str = "float32", **given: AttrValue) -> Tensor:
        out = Tensor(name, x.shape, dtype)
        views.append(_step(op, inputs, out, **given))
        return out

    def number(name: str, *values: float) -> Tensor:
        return constant(name, np.array(values, np.float32), Role.WEIGHTS)

    r = put("dequantize", [x], "real")
    above = put("compare", [r, number("limits", 1, 0.5, 0, -1, 2, -6)], "above", "bool", relation="greater")
    kept = put("select", [above, r, number("low", -0.75)], "kept")
    log = put("log_softmax", [kept], "log")
    put("compare", [log, r], "less", "bool", relation="less_equal")
    put("select", [views[-1].out, kept, log], "either")
    causal = Tensor("causal", (4, 6), "bool", data=np.tri(4, 6, dtype=bool))
    put("select", [causal, r, number("mask", -1e9)], "masked")
    # What becomes other operators on import: |x|, 1 / (1 + x^2), x^3 and x^7; and a constant of zeros.
    squares = put("pow", [r, number("two", 2)], "squares")
    sizes = put("pow", [squares, number("half", 0.5)], "sizes")
    more = put("add", [squares, number("one", 1)], "more", activation="none")
    less = put("pow", [more, number("inverse", -1)], "inverses")
    steep = put("pow", [less, number("seven", 7)], "steep")
    cubes = put("pow", [r, number("three", 3)], "cubes")
    zeros = put("zeros_like", [r], "zeros")
    positive = put("maximum", [cubes, zeros], "positive")
    total = put("add_n", [sizes, less, steep, positive], "total")
    # And signs, and sums along each axis.
    axes = [Tensor(f"axis{k}", (), "int32", data=np.array(k - 2, np.int32)) for k in range(2)]
    down = put("cumsum", [put("sign", [r], "signs"), axes[0]], "down", exclusive=1, reverse=0)
    put("cumsum", [put("mul", [down, r], "signed", activation="none"), axes[1]], "sums", exclusive=0, reverse=1)
    put("pow", [total, number("first", 1)], "same")
    best = tuple(Tensor(name, (1, 4, 3), dtype) for name, dtype in (("most", "float32"), ("places", "int32")))
    views.append(View(Node("top_k", "best", ("log",), ("most", "places"), {"count": 3}), (log,), best))
    return oracle.network(views, ["x"], ["either", "masked", "most", "places", "total", "same", "sums"])
