"""Every lowering and reference against LiteRT's reference kernels, byte for byte, over random one-operator models."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import oracle
import pytest
from importing import import_tflite
from lowered import compare

from edgekc.errors import ModelError, UnsupportedError
from edgekc.fuzzing.values import ACTIVATIONS, Rng, f32, fill, quant, random_quant, tensor, view_of, window
from edgekc.graph.ir import Array, AttrValue, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())

# (input scale, output scale) pairs whose ratio in float32 and in double gives other int8 values somewhere.
SCALE_PAIRS = (
    (0.1641729772090912, 0.30803588032722473, -26),
    (0.07820010930299759, 0.15105320513248444, -96),
    (0.054887838661670685, 0.1250777393579483, -113),
    (0.03252413496375084, 0.07967635244131088, -97),
    (0.17453782260417938, 0.40054792165756226, -96),
    (0.02109551429748535, 0.057851456105709076, -57),
    (0.09560870379209518, 0.18818220496177673, -86),
    (0.07556965947151184, 0.2057526856660843, -120),
    (0.27869054675102234, 0.42297714948654175, -2),
    (0.03851911425590515, 0.06056464463472366, -62),
)


UNIT_WINDOW: dict[str, AttrValue] = {
    **dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1),
    **dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0),
    "activation": "none",
}


def weights(rng: Rng, shape: tuple[int, ...], axis: int, per_channel: bool) -> Tensor:
    data = rng.integers(-127, 128, shape).astype(np.int8)
    scales = tuple(f32(s) for s in np.exp(rng.uniform(-8, -2, shape[axis] if per_channel else 1)))
    return constant("w", data, Role.WEIGHTS, Quant(scales, (0,) * len(scales), axis))


def bias_of(x: Tensor, w: Tensor, data: Array) -> Tensor:
    scales = tuple(f32(x.q.scale * s) for s in w.q.scales)
    return constant("b", data.astype(np.int32), Role.BIAS, Quant(scales, (0,) * len(scales)))


def output_quant(rng: Rng, x: Tensor, w: Tensor, taps: int) -> Quant:
    spread = x.q.scale * float(np.mean(w.q.scales)) * 70 * np.sqrt(taps)
    return quant(spread * float(rng.uniform(0.2, 3.0)), int(rng.integers(-128, 128)))


@pytest.mark.parametrize("op", ["conv2d", "grouped_conv2d", "depthwise"])
@pytest.mark.parametrize("part", range(4))
def test_convolutions(op: str, part: int) -> None:
    rng = np.random.default_rng([part, len(op)])
    for i in range(60):
        kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
        size = tuple(int(s) for s in rng.integers(10, 14, 2)) if i % 3 else (kernel[0], kernel[1])
        attrs, out_size = window(rng, kernel, size, dilated=i % 4 == 1 and min(size) >= 10)
        in_c = int(rng.integers(1, 7))
        times = int(rng.integers(1, 4))
        out_c = int(rng.integers(1, 9)) if op == "conv2d" else in_c * times
        reads = in_c  # input channels of a filter
        if op == "grouped_conv2d":
            in_c, out_c = in_c * (i % 3 + 2), times * (i % 3 + 2)
        x = tensor("x", (1, *size, in_c), random_quant(rng))
        w_shape = (1, *kernel, out_c) if op == "depthwise" else (out_c, *kernel, reads)
        w = weights(rng, w_shape, 3 if op == "depthwise" else 0, per_channel=bool(rng.integers(2)))
        # LiteRT's convolutions of int8 demand a bias.
        inputs = [x, w, bias_of(x, w, rng.integers(-3000, 3000, out_c) * int(i % 5 != 0))]
        taps = kernel[0] * kernel[1] * (1 if op == "depthwise" else reads)
        out = tensor("y", (1, *out_size, out_c), output_quant(rng, x, w, taps))
        view = view_of(op, {**attrs, "activation": ACTIVATIONS[i % 4]}, inputs, out)
        compare(view, {"x": fill(rng, x.shape, i)})


def grouped_view(channels: int, reads: int, filters: int) -> View:
    rng = np.random.default_rng(0)
    x, w = tensor("x", (1, 5, 5, channels), quant(0.1)), weights(rng, (filters, 3, 3, reads), 0, True)
    out = tensor("y", (1, 3, 3, filters), quant(0.1))
    return view_of("conv2d", UNIT_WINDOW, [x, w, bias_of(x, w, np.zeros(filters))], out)


def test_the_importer_knows_groups_by_the_filters() -> None:
    (node,) = import_tflite(oracle.model(grouped_view(6, 2, 9)), "net", "net.tflite").nodes
    assert node.op == "grouped_conv2d"
    for channels, reads, filters in ((6, 4, 9), (6, 2, 8)):
        with pytest.raises(ModelError, match=f"{filters} filters of {reads} channels on 6 channels"):
            import_tflite(oracle.model(grouped_view(channels, reads, filters)), "net", "net.tflite")


def _fully_connected_attrs(activation: str = "none") -> dict[str, AttrValue]:
    return {"rounding": oracle.fully_connected_rounding(), "activation": activation}


def test_fully_connected() -> None:
    rng = np.random.default_rng(2)
    for i in range(150):
        shape = (int(rng.integers(1, 4)), int(rng.integers(1, 60))) if i % 2 else (1, 3, int(rng.integers(1, 9)))
        out_c = int(rng.integers(1, 12))
        x = tensor("x", shape, random_quant(rng))
        # tflite-runtime 2.14 gets layers with a scale per channel wrong if they have three axes or no bias.
        sound = oracle.fully_connected_rounding() != "double" or (len(shape) == 2 and i % 5 != 0)
        w = weights(rng, (out_c, shape[-1]), 0, per_channel=bool(rng.integers(2)) and sound)
        inputs = [x, w]
        if i % 5:
            inputs.append(bias_of(x, w, rng.integers(-3000, 3000, out_c)))
        out = tensor("y", (*shape[:-1], out_c), output_quant(rng, x, w, shape[-1]))
        view = view_of("fully_connected", _fully_connected_attrs(ACTIVATIONS[i % 4]), inputs, out)
        compare(view, {"x": fill(rng, shape, i)})


@pytest.mark.parametrize("op", ["conv2d", "depthwise", "fully_connected"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_accumulators_at_ties(op: str, per_channel: bool) -> None:
    """The bias brings accumulators to within a few units of a rounding tie, where every last bit counts."""
    rng = np.random.default_rng([5, len(op), per_channel])
    channels = 254
    for _ in range(40):
        spatial = () if op == "fully_connected" else (1, 1)
        x = tensor("x", (1, *spatial, 1), random_quant(rng))
        axis = 3 if op == "depthwise" else 0
        shape = {"conv2d": (channels, 1, 1, 1), "depthwise": (1, 1, 1, channels), "fully_connected": (channels, 1)}[op]
        w = weights(rng, shape, axis, per_channel)
        real = float(np.exp(rng.uniform(-15, -3)))
        out = tensor("y", (1, *spatial, channels), quant(x.q.scale * w.q.scales[0] / real))
        ratio = np.array([x.q.scale * s / out.q.scale for s in w.q.scales])
        level = np.arange(channels) - channels // 2 + 0.5
        data = np.round(level / ratio) + rng.integers(-1, 2, channels)
        data = np.clip(data, -(2**30), 2**30)
        attrs: dict[str, AttrValue] = _fully_connected_attrs() if op == "fully_connected" else dict(UNIT_WINDOW)
        view = view_of(op, attrs, [x, w, bias_of(x, w, data)], out)
        compare(view, {"x": np.full(x.shape, x.q.zero_point, np.int8)})


EVERY = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
GRID = np.stack([np.repeat(EVERY, 256), np.tile(EVERY[0], 256)]).reshape(2, 1, 64, 1024)  # all pairs of values


@pytest.mark.parametrize("op", ["add", "mul"])
@pytest.mark.parametrize("part", range(2))
def test_elementwise_on_all_pairs(op: str, part: int) -> None:
    rng = np.random.default_rng([part, len(op), 1])
    for i in range(60):
        a, b = (tensor(name, GRID[0].shape, random_quant(rng)) for name in "ab")
        if i % 5 == 0:
            b = tensor("b", b.shape, a.q)
        spread = a.q.scale + b.q.scale if op == "add" else a.q.scale * b.q.scale * 128
        out = tensor("y", a.shape, quant(spread * float(rng.uniform(0.05, 3)), int(rng.integers(-128, 128))))
        if i % 6 == 0:  # powers of two make exact halves
            a, b, out = (
                replace(t, quant=quant(2.0**-k, t.q.zero_point)) for t, k in ((a, 4), (b, 2 + i % 4), (out, 2))
            )
        view = view_of(op, {"activation": ACTIVATIONS[i % 4]}, [a, b], out)
        compare(view, {"a": GRID[0], "b": GRID[1]})


@pytest.mark.parametrize("op", ["add", "mul"])
@pytest.mark.parametrize("constant_operand", [None, 0, 1])
def test_elementwise_broadcasts(op: str, constant_operand: int | None) -> None:
    rng = np.random.default_rng([len(op), constant_operand or 7])
    shapes = [(1, 5, 6, 7), (1, 1, 1, 7), (7,), (1,), (), (1, 5, 6, 1), (1, 1, 6, 1), (1, 7)]
    for small in shapes:
        if constant_operand is None and len(small) not in (2, 4):
            continue
        for swap in (False, True):
            order = [small, shapes[0]] if swap else [shapes[0], small]
            if constant_operand is not None and math.prod(order[1 - constant_operand]) < 210:
                continue  # a small activation against a full constant of higher rank
            a, b = (tensor(name, shape, random_quant(rng)) for name, shape in zip("ab", order, strict=True))
            values = {t.name: fill(rng, t.shape, int(rng.integers(7))) for t in (a, b)}
            inputs = [a, b]
            if constant_operand is not None:
                t = inputs[constant_operand]
                inputs[constant_operand] = constant(t.name, values[t.name], Role.WEIGHTS, t.quant)
            scale = a.q.scale + b.q.scale if op == "add" else a.q.scale * b.q.scale * 128
            out = tensor("y", shapes[0], quant(scale, int(rng.integers(-128, 128))))
            compare(view_of(op, {"activation": "none"}, inputs, out), values, f"{order}")


def test_an_operand_used_twice() -> None:
    x = tensor("x", (1, 256), quant(0.05, 3))
    for op, scale in (("add", 0.09), ("mul", 0.3)):
        compare(view_of(op, {"activation": "none"}, [x, x], tensor("y", x.shape, quant(scale, -5))), {"x": EVERY})


@pytest.mark.parametrize("op", ["average_pool", "max_pool"])
def test_pools(op: str) -> None:
    rng = np.random.default_rng(len(op))
    for i in range(150):
        kernel = tuple(int(k) for k in rng.integers(1, 6, 2))
        size = tuple(int(s) for s in rng.integers(5, 12, 2)) if i % 4 else kernel
        attrs, out_size = window(rng, kernel, size, dilated=False)
        channels, q = int(rng.integers(1, 9)), random_quant(rng)
        attrs.update(filter_h=kernel[0], filter_w=kernel[1])
        x = tensor("x", (1, *size, channels), q)
        view = view_of(op, {**attrs, "activation": ACTIVATIONS[i % 4]}, [x], tensor("y", (1, *out_size, channels), q))
        compare(view, {"x": fill(rng, x.shape, i)})


# (input scale, output scale, count, sum of the values): the first four tell a ratio in double from one in
# float32, the others a multiplier divided by the count with truncation from a rounded one.
MEANS = (
    (0.34556668996810913, 0.4527840316295624, 3, 284),
    (0.8414743542671204, 1.554619312286377, 3, 212),
    (0.6567862033843994, 0.8653206825256348, 3, 333),
    (0.06439641863107681, 0.09642095863819122, 3, 347),
    (0.026310594752430916, 0.0305929072201252, 1924, 157718),
    (0.032328154891729355, 0.04405578598380089, 1769, 131384),
    (0.30780693888664246, 0.3766535222530365, 1969, 75895),
)


@pytest.mark.parametrize("means", MEANS)
def test_means_beside_a_half(means: tuple[float, float, int, int]) -> None:
    scale, out_scale, count, total = means
    x = np.full((1, count, 1), total // count, np.int8)
    x[0, : total % count] += 1
    out = tensor("y", (1, 1), quant(out_scale))
    view = view_of("mean", {"axes": "1", "keep_dims": 0}, [tensor("x", x.shape, quant(scale))], out)
    compare(view, {"x": x})


def test_mean() -> None:
    rng = np.random.default_rng(8)
    shapes = [((1, 5, 7, 9), "1,2"), ((1, 8, 8, 3), "2,1"), ((1, 3, 5, 4), "1"), ((1, 3, 5, 4), "2"), ((1, 11, 6), "1")]
    for i in range(200):
        shape, axes = shapes[i % len(shapes)]
        if i % 3 == 0:
            shape = (1, *(int(d) for d in rng.integers(1, 20, len(shape) - 1)))
        reduced = {int(a) for a in axes.split(",")}
        keep = int(rng.integers(2))
        out_shape = tuple(1 if a in reduced else d for a, d in enumerate(shape) if keep or a not in reduced)
        x = tensor("x", shape, random_quant(rng))
        q = x.q if i % 4 == 0 else quant(x.q.scale * float(np.exp(rng.uniform(-3, 2))), int(rng.integers(-128, 128)))
        view = view_of("mean", {"axes": axes, "keep_dims": keep}, [x], tensor("y", out_shape, q))
        compare(view, {"x": fill(rng, shape, i)})


def test_softmax() -> None:
    rng = np.random.default_rng(9)
    for i in range(200):
        shape = (int(rng.integers(1, 5)), int(rng.choice([1, 2, 3, 10, 100, 1000])))
        scale, beta = float(np.exp(rng.uniform(-9, 1))), float(rng.choice([1.0, 0.5, 2.5]))
        x = fill(rng, shape, i) // int(rng.choice([1, 1, 16]))
        x = x.astype(np.int8)
        exps = np.exp((x.astype(float) - x.max(-1, keepdims=True)) * scale * beta)
        if exps.sum(-1).max() > 500:
            continue  # LiteRT's kernel aborts the process where the sum of exponentials reaches 512
        q = quant(scale, int(rng.integers(-128, 128)))
        view = view_of(
            "softmax", {"beta": f32(beta)}, [tensor("x", shape, q)], tensor("y", shape, quant(1 / 256, -128))
        )
        compare(view, {"x": x})


def test_pad() -> None:
    rng = np.random.default_rng(10)
    for i in range(60):
        rank = int(rng.integers(2, 5))
        shape = (1, *(int(d) for d in rng.integers(1, 7, rank - 1)))
        pads = [(0, 0)] + [tuple(int(p) for p in rng.integers(0, 4, 2)) for _ in shape[1:]]
        q = random_quant(rng)
        out = tensor("y", [d + a + b for d, (a, b) in zip(shape, pads, strict=True)], q)
        attrs = {"pads": ",".join(str(v) for pair in pads for v in pair)}
        compare(view_of("pad", attrs, [tensor("x", shape, q)], out), {"x": fill(rng, shape, i)})


@pytest.mark.parametrize("activation", ["relu", "relu6", "relu_n1_to_1"])
def test_relu(activation: str) -> None:
    rng = np.random.default_rng(len(activation))
    for i in range(150):
        q, out = random_quant(rng), random_quant(rng)
        if i < len(SCALE_PAIRS):
            q, out = quant(SCALE_PAIRS[i][0], SCALE_PAIRS[i][2]), quant(SCALE_PAIRS[i][1], 0)
        elif i % 2:
            out = quant(q.scale * float(rng.uniform(0.4, 2)), out.zero_point)
        elif i % 3 == 0:
            out = q
        view = view_of("relu", {"activation": activation}, [tensor("x", EVERY.shape, q)], tensor("y", EVERY.shape, out))
        compare(view, {"x": EVERY})


@pytest.mark.parametrize("dtypes", ["int8 int8", "int8 uint8", "uint8 int8"])
def test_quantize(dtypes: str) -> None:
    rng = np.random.default_rng(11)
    source, target = dtypes.split()
    x = np.arange(256, dtype=np.uint8).reshape(1, 256).view(source)
    for i in range(150):
        q, out = random_quant(rng), random_quant(rng)
        if i < len(SCALE_PAIRS) and dtypes == "int8 int8":
            q, out = quant(SCALE_PAIRS[i][0], SCALE_PAIRS[i][2]), quant(SCALE_PAIRS[i][1], 0)
        elif i % 2:
            out = quant(q.scale if i % 4 == 1 else q.scale * float(rng.uniform(0.4, 2)), out.zero_point)
        q = Quant(q.scales, (q.zero_point + 128 * (source == "uint8"),))
        out = Quant(out.scales, (out.zero_point + 128 * (target == "uint8"),))
        view = view_of("quantize", {}, [tensor("x", x.shape, q, source)], tensor("y", x.shape, out, target))
        compare(view, {"x": x})


# (scale, zero point) for which numpy's float32 exp is off by the bit that matters.
LOGISTIC = (
    (0.02541242726147175, 65),
    (0.025727147236466408, -104),
    (0.01006440818309784, -6),
    (0.007115660235285759, -20),
    (0.01721581630408764, -3),
    (0.010631231591105461, -71),
)


def test_logistic() -> None:
    rng = np.random.default_rng(12)
    for i in range(300):
        q = quant(*LOGISTIC[i]) if i < len(LOGISTIC) else random_quant(rng)
        out = tensor("y", EVERY.shape, quant(1 / 256, -128))
        compare(view_of("logistic", {}, [tensor("x", EVERY.shape, q)], out), {"x": EVERY})


def test_concat_and_reshape() -> None:
    rng = np.random.default_rng(13)
    for i in range(60):
        axis, count, q = int(rng.integers(1, 4)), int(rng.integers(1, 5)), random_quant(rng)
        shape = [1, *(int(d) for d in rng.integers(1, 6, 3))]
        shapes = [[*shape[:axis], int(rng.integers(1, 6)), *shape[axis + 1 :]] for _ in range(count)]
        inputs = [tensor(f"x{k}", s, q) for k, s in enumerate(shapes)]
        out = tensor("y", [*shape[:axis], sum(s[axis] for s in shapes), *shape[axis + 1 :]], q)
        attrs = {"axis": axis if i % 2 else axis - 4, "activation": "none"}
        compare(view_of("concat", attrs, inputs, out), {t.name: fill(rng, t.shape, i) for t in inputs})
    for old, new in (((1, 3, 4, 5), (1, 60)), ((1, 60), (1, 5, 4, 3)), ((1, 8, 2), (8, 2)), ((1, 1, 1, 7), (1, 7))):
        q = random_quant(rng)
        view = view_of("reshape", {}, [tensor("x", old, q)], tensor("y", new, q))
        compare(view, {"x": fill(rng, old, 0)})


def _refused() -> dict[str, list[View]]:
    """Nodes that cannot be lowered, by operator."""
    x, y = tensor("x", (1, 4, 4, 2), quant(0.1, 1)), tensor("y", (1, 4, 4, 2), quant(0.2, 1))
    pool = {**UNIT_WINDOW, "filter_h": 1, "filter_w": 1}
    c = constant("c", np.zeros((1, 4, 4, 2), np.int8), Role.WEIGHTS, x.quant)
    long = tensor("y", (1, 4096), quant(1 / 256, -128))
    column = tensor("x", (1, 4, 1, 2), quant(0.1, 1))
    deep = tensor("x", (1, 2, 2, 2, 2, 2), x.q)
    corners: dict[str, AttrValue] = {"align_corners": 1, "half_pixel_centers": 1}
    return {
        "add": [
            view_of("add", {"activation": "none"}, [c, c], y),
            view_of("add", {"activation": "none"}, [x, x], tensor("y", x.shape, quant(1e-8))),
            view_of("add", {"activation": "none"}, [x, tensor("z", (4, 2), quant(0.1))], y),
        ],
        "mul": [view_of("mul", {"activation": "none"}, [x, Tensor("z", (1,), "int16", quant(0.1))], y)],
        "average_pool": [view_of("average_pool", pool, [x], y)],
        "max_pool": [
            view_of("max_pool", pool, [x], y),
            view_of("max_pool", {**pool, "dilation_h": 2}, [x], x),
        ],
        **{
            op: [view_of(op, {"axes": axes, "keep_dims": 1}, [t], x) for axes, t in (("0", x), ("1,3,5", deep))]
            for op in ("mean", "sum", "reduce_max", "reduce_min", "reduce_prod")
        },
        "resize_bilinear": [view_of("resize_bilinear", corners, [t], x) for t in (x, y)],
        "resize_nearest": [view_of("resize_nearest", corners, [y], x)],
        "softmax": [
            view_of("softmax", {"beta": 1.0}, [x], y),
            view_of("softmax", {"beta": 1e-9}, [x], tensor("y", x.shape, quant(1 / 256, -128))),
            view_of("softmax", {"beta": 1.0}, [tensor("x", (1, 4096), x.q)], long),
        ],
        "pad": [
            view_of("pad", {"pads": "0,0,1,1,1,1,0,0"}, [x], tensor("y", (1, 6, 6, 2), quant(0.2))),
            view_of("pad", {"pads": "1,0,0,0,0,0,0,0"}, [x], tensor("y", (2, 4, 4, 2), x.q)),
        ],
        "relu": [view_of("relu", {"activation": "relu"}, [x], tensor("y", x.shape, quant(1e-9)))],
        "quantize": [view_of("quantize", {}, [Tensor("x", (1, 2), "float32")], tensor("y", (1, 2), x.q))],
        "logistic": [view_of("logistic", {}, [x], y)],
        "concat": [
            view_of("concat", {"axis": 3, "activation": "none"}, [x, y], tensor("z", (1, 4, 4, 4), x.q)),
            view_of("concat", {"axis": 0, "activation": "none"}, [x, x], tensor("z", (2, 4, 4, 2), x.q)),
            view_of("concat", {"axis": 3, "activation": "relu"}, [x, x], tensor("z", (1, 4, 4, 4), x.q)),
        ],
        "reshape": [view_of("reshape", {}, [x], y), view_of("reshape", {}, [c], column)],
    }


REFUSED = _refused()


@pytest.mark.parametrize("op", REFUSED)
def test_what_is_not_supported_says_so(op: str) -> None:
    for view in REFUSED[op]:
        with pytest.raises(UnsupportedError):
            LOWER[op](view)
