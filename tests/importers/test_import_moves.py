"""Operators that move values: what the importers make of float and int8 files is what TensorFlow Lite computes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import oracle
import pytest
from importing import import_tflite, import_tflite_float

from edgekc.emulate import imported, reference
from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.fuzzing import strides
from edgekc.fuzzing.layers import Builder, Layer
from edgekc.fuzzing.values import tensor
from edgekc.graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Tensor, constant, prune
from edgekc.graph.op import View
from edgekc.importers.tflite import file
from edgekc.importers.tflite.int8 import read_tflite
from edgekc.ops import legal
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare, quantize

ROUNDS = 12
Q = Quant((0.5,), (3,))
pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")


def networks(layer: Layer) -> Iterator[tuple[tuple[View, ...], Array]]:
    """Nodes that one layer of random networks makes, and int8 inputs of a few samples."""
    for i in range(ROUNDS):
        b = Builder(np.random.default_rng([i, *layer.__name__.encode()]), extreme=False)
        shape = [(1, 4, 6, 8), (1, 3, 5, 4), (1, 4, 9), (1, 12)][i % 4]
        x = tensor("input_0", shape, b.quant())
        b.live.append(x)
        if i % 3 == 2:  # rows in place of the batch
            x = b.emit("reshape", {}, [x], b.new("reshape", (math.prod(shape) // shape[-1], shape[-1]), x.q))
        layer(b, x)
        if len(b.views) > int(i % 3 == 2):
            yield tuple(b.views), b.rng.integers(-128, 128, (3, *shape[1:])).astype(np.int8)


def _file(views: Sequence[View]) -> bytes:
    read = {name for view in views for name in view.node.inputs}
    outputs = [t.name for view in views for t in view.outputs if t.name not in read]
    return oracle.network(views, ["input_0"], outputs)


def _real(view: View) -> View:
    def real(t: Tensor) -> Tensor:
        if t.data is None:
            return replace(t, dtype="float32", quant=None)
        return constant(t.name, t.value.astype(np.float32) / 16, t.role) if t.dtype == "int8" else t

    return replace(view, inputs=tuple(map(real, view.inputs)), outputs=tuple(map(real, view.outputs)))


def float_graphs(layer: Layer) -> Iterator[tuple[Graph, bytes, Array]]:
    for views, x in networks(layer):
        data = _file([_real(view) for view in views])
        graph = import_tflite_float(data, "net", "net.tflite")
        legal.check(graph)
        yield graph, data, x.astype(np.float32) / 16


@pytest.mark.parametrize("layer", strides.LAYERS, ids=lambda layer: layer.__name__)
def test_float(layer: Layer) -> None:
    found = 0
    for graph, data, x in float_graphs(layer):
        rows = [oracle.interpret(data, [x[k : k + 1]]) for k in range(len(x))]
        for i, got in enumerate(float_reference.outputs(graph, [x])):
            np.testing.assert_array_equal(got.reshape(len(x), -1), np.stack([row[i].ravel() for row in rows]))
        found += 1
    assert found


@pytest.mark.parametrize("layer", strides.LAYERS, ids=lambda layer: layer.__name__)
def test_int8(layer: Layer) -> None:
    for views, x in networks(layer):
        data = _file(views)
        graph = import_tflite(data, "net", "net.tflite")
        rows = [oracle.interpret(data, [x[k : k + 1]]) for k in range(len(x))]
        plain = imported.outputs(imported.prepare(graph), [x])
        for i, (a, b) in enumerate(zip(plain, reference.outputs(to_integer(graph, {}), [x]), strict=True)):
            wanted = np.stack([row[i].ravel() for row in rows])
            np.testing.assert_array_equal(a.reshape(len(x), -1), wanted)
            np.testing.assert_array_equal(b.reshape(len(x), -1), wanted)


@pytest.mark.parametrize("layer", strides.LAYERS, ids=lambda layer: layer.__name__)
def test_torch(layer: Layer) -> None:
    """PyTorch computes what numpy does, and gradients come through."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from edgekc.train.net import Net

    for graph, _, x in float_graphs(layer):
        for name in graph.outputs:
            one = prune(replace(graph, outputs=(name,)))
            given = torch.from_numpy(x).requires_grad_()
            got = Net(one)(given)
            np.testing.assert_array_equal(got.detach().numpy(), float_reference.outputs(one, [x])[0])
            got.sum().backward()
            assert given.grad is not None and given.grad.abs().sum() > 0


@pytest.mark.parametrize("layer", strides.LAYERS, ids=lambda layer: layer.__name__)
def test_quantised(layer: Layer) -> None:
    """Values of equal steps in front of a move and behind it: moved as they are."""
    for graph, _, x in float_graphs(layer):
        graph = prepare(graph)
        whole = quantize(graph, {name: (-8.0, 7.9375) for name in graph.tensors if graph.tensors[name].data is None})
        found = reference.outputs(to_integer(whole, {}), [np.round(x * 16).astype(np.int8)])
        for name, got, real in zip(graph.outputs, found, float_reference.outputs(graph, [x]), strict=True):
            q = whole.tensors[name].q
            levels = q.scale * (got.astype(np.float64) - q.zero_point)
            np.testing.assert_allclose(levels, np.clip(real, -8, 7.94), atol=0.04)


def one(op: str, shape: Sequence[int], out: Sequence[int], **attrs: int | str) -> bytes:
    view = View(Node(op, "y", ("x",), ("y",), attrs), (tensor("x", shape, Q),), (tensor("y", out, Q),))
    return oracle.model(view)


def _class_token() -> bytes:
    """A class token that is repeated for the batch, and joined to the patches."""
    x, token = (
        tensor("input_0", (1, 3, 4), Q),
        constant("k", np.arange(4, dtype=np.int8).reshape(1, 1, 4), Role.WEIGHTS, Q),
    )
    tiled, y = tensor("t", (1, 2, 4), Q), tensor("y", (1, 5, 4), Q)
    views = [
        View(Node("tile", "t", ("k",), ("t",), {"repeats": "1,2,1"}), (token,), (tiled,)),
        View(Node("concat_any", "y", ("t", "input_0"), ("y",), {"axis": 1}), (tiled, x), (y,)),
    ]
    return _file(views)


def test_a_moved_constant_of_an_unknown_type() -> None:
    """A damaged byte says that the moved token has type 32: that was a fault of ours, not one line."""
    model = file.read(_class_token(), "net.tflite")
    tensors = tuple(replace(t, dtype="type 32") if t.name == "t" else t for t in model.tensors)
    found = read_tflite(replace(model, tensors=tensors), "net", "net.tflite")
    with pytest.raises(UnsupportedError, match=r"TILE: an output \(tensor \d+\) of type type 32; supported: int8, "):
        found.sound()


def test_constants_are_moved_on_import() -> None:
    data = _class_token()
    graph = import_tflite(data, "net", "net.tflite")
    assert [node.op for node in graph.nodes] == ["concat_const"]
    values = np.random.default_rng(0).integers(-128, 128, (1, 3, 4)).astype(np.int8)
    found = reference.outputs(to_integer(graph, {}), [values])
    np.testing.assert_array_equal(found[0], oracle.interpret(data, [values])[0])


def test_a_squeeze_of_rows_whose_number_the_file_does_not_say() -> None:
    x, rows = tensor("input_0", (1, 3, 1, 4), Q), tensor("r", (3, 1, 4), Q)
    y = tensor("y", (1, 4), Q)  # a placeholder, as a free batch size leaves it
    views = [
        View(Node("reshape", "r", ("input_0",), ("r",), {}), (x,), (rows,)),
        View(Node("squeeze", "y", ("r",), ("y",), {"axes": "1"}), (rows,), (y,)),
    ]
    data = _file(views)
    values = np.random.default_rng(0).integers(-128, 128, (1, 3, 1, 4)).astype(np.int8)
    found = reference.outputs(to_integer(import_tflite(data, "net", "net.tflite"), {}), [values])
    np.testing.assert_array_equal(found[0][0], oracle.interpret(data, [values])[0])


def test_layers_behind_a_placeholder_have_the_shape_that_follows() -> None:
    x, sizes = tensor("input_0", (1, 4, 4, 6), Q), (1, 1, 4, 6)
    tiled, clamped, pooled, sums = (tensor(name, sizes, Q) for name in ("t", "r", "p", "y"))
    window: dict[str, AttrValue] = dict.fromkeys(("stride_h", "stride_w", "filter_h", "filter_w"), 2)
    window |= dict.fromkeys(("dilation_h", "dilation_w"), 1)
    window |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    none: dict[str, AttrValue] = {"activation": "none"}
    views = [
        View(Node("tile", "t", ("input_0",), ("t",), {"repeats": "1,2,1,1"}), (x,), (tiled,)),
        View(Node("relu", "r", ("t",), ("r",), {"activation": "relu"}), (tiled,), (clamped,)),
        View(Node("max_pool", "p", ("r",), ("p",), {**window, **none}), (clamped,), (pooled,)),
        View(Node("add", "y", ("p", "p"), ("y",), none), (pooled, pooled), (sums,)),
    ]
    data = _file(views)
    graph = import_tflite(data, "net", "net.tflite")
    assert graph.tensors[graph.outputs[0]].shape == (1, 4, 2, 6)
    values = np.random.default_rng(0).integers(-128, 128, (1, 4, 4, 6)).astype(np.int8)
    found = reference.outputs(to_integer(graph, {}), [values])
    np.testing.assert_array_equal(found[0], oracle.interpret(data, [values])[0])


WRONG = {
    "perm": (dict(op="transpose", shape=(1, 2, 3), out=(1, 2, 3), perm="0,1,1"), "perm"),
    "axis": (dict(op="reverse", shape=(1, 2, 3), out=(1, 2, 3), axes="3"), "axis 3"),
    "slice": (dict(op="slice", shape=(1, 5), out=(1, 3), begins="0,3", sizes="1,3"), "slice"),
    "multiples": (dict(op="tile", shape=(1, 5), out=(1, 5), repeats="1"), "multiples"),
    "no-multiples": (dict(op="tile", shape=(1, 5), out=(1, 5), repeats="1,0"), "impossible shape"),
    "block": (dict(op="depth_to_space", shape=(1, 2, 2, 3), out=(1, 4, 4, 1), block=2), "blocks of 2"),
    "pixels": (dict(op="space_to_depth", shape=(1, 3, 2, 3), out=(1, 1, 1, 12), block=2), "blocks of 2"),
    "mirror": (dict(op="mirror_pad", shape=(1, 3), out=(1, 6), pads="0,0,3,0", mode="reflect"), "mirrored"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_one_error(case: str) -> None:
    given, text = WRONG[case]
    with pytest.raises((ModelError, UnsupportedError), match=text) as caught:
        to_integer(import_tflite(one(**given), "net", "net.tflite"), {})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_damaged_files() -> None:
    """Files of every move with other bytes in them: one error, or a graph that is legal."""
    rng = np.random.default_rng(0)
    for layer in strides.LAYERS:
        for views, _ in list(networks(layer))[:2]:
            data = _file(views)
            for _ in range(30):
                bad = bytearray(data)
                for _ in range(rng.integers(1, 5)):
                    bad[rng.integers(len(bad))] = rng.choice((0, 1, 2, 127, 128, 255))
                try:
                    legal.check(to_integer(import_tflite(bytes(bad), "net", "net.tflite"), {}))
                except EdgekcError as error:
                    assert "\n" not in str(error)  # noqa: PT017
