"""Loops, scans and branches of ONNX: unrolled, they compute what onnxruntime does."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import close, floats, helper, model, nhwc, ort_outputs, save
from test_onnx_recurrent import gelu

from edgekc.errors import ModelError, UnsupportedError
from edgekc.importers.onnx.importer import import_onnx, read_onnx
from edgekc.ops import legal
from edgekc.quantize import float_reference

node, FLOAT, INT64, BOOL = helper.make_node, 1, 7, 9
RNG = np.random.default_rng(0)
WEIGHTS = {"w": floats(RNG, 3, 4) / 2, "r": floats(RNG, 4, 4) / 2, "h0": floats(RNG, 1, 4)}
ENDS = {"steps": np.int64(5), "go": np.array(True)}
# What a step makes of its row and of the state before it.
CELL = [node("MatMul", ["row", "w"], ["a"]), node("MatMul", ["h", "r"], ["b"]), node("Add", ["a", "b"], ["c"]),
        node("Tanh", ["c"], ["next"])]  # fmt: skip


def graph(nodes, inputs, outputs):
    """A graph inside of a node; nothing is said of shapes, but for counters."""
    kinds = {"i": INT64, "go_in": BOOL, "go_out": BOOL, "n": INT64, "m": INT64}
    ends = [
        [helper.make_tensor_value_info(n, kinds.get(n, FLOAT), [] if n in kinds else None) for n in part]
        for part in (inputs, outputs)
    ]
    return helper.make_graph(nodes, "inside", *ends)


def loop(body, ends=("steps", "go"), variables=("h0",), outputs=("last",), name="culprit"):
    return node("Loop", [*ends, *variables], list(outputs), body=body, name=name)


def turned(nodes=(), more=(), go=None):
    """The body of a loop over five rows, with the state as its variable."""
    go = go or [node("Identity", ["go_in"], ["go_out"])]
    inner = [node("Gather", ["x", "i"], ["row0"], axis=1), *nodes, *CELL, *go]
    inner[0].output[0] = inner[1].input[0] if nodes else "row"
    return graph(inner, ["i", "go_in", "h"], ["go_out", "next", *more])


def counted():
    """All rows and the last state."""
    return model([loop(turned(more=["next"]), outputs=["last", "y"])], {"x": (1, 5, 3)}, ["last", "y"],
                 {**WEIGHTS, **ENDS}, 14)  # fmt: skip


def conditional():
    """Without a trip count: a variable counts down, and a nested branch looks at it."""
    go = [node("Sub", ["n", "one"], ["m"]), node("Greater", ["m", "zero"], ["go_out"]),
          node("If", ["go_out"], ["out"], then_branch=graph([node("Neg", ["next"], ["t"])], [], ["t"]),
               else_branch=graph([node("Identity", ["next"], ["e"])], [], ["e"]))]  # fmt: skip
    inner = [node("Gather", ["x", "i"], ["row"], axis=1), *CELL, *go]
    body = graph(inner, ["i", "go_in", "h", "n"], ["go_out", "out", "m"])
    constants = {**WEIGHTS, "three": np.int64(3), "one": np.int64(1), "zero": np.int64(0)}
    nodes = [loop(body, ("", ""), ("h0", "three"), ("y", "unread"))]
    return model(nodes, {"x": (1, 5, 3)}, ["y"], constants, 16)


def scanned():
    """Two sequences, one from its end on, and one that is a constant; rows along another axis."""
    nodes = [*CELL[:2], node("Sum", ["a", "b", "k"], ["c"]), CELL[3], node("Mul", ["next", "back"], ["out"])]
    nodes.append(node("Identity", ["next"], ["copy"]))  # onnxruntime cannot name one output twice
    body = graph(nodes, ["h", "row", "back", "k"], ["next", "out", "copy"])
    attrs = dict(num_scan_inputs=3, scan_input_axes=[1, 1, 0], scan_input_directions=[0, 1, 0],
                 scan_output_axes=[1, 0], scan_output_directions=[0, 1])  # fmt: skip
    layer = node("Scan", ["h0", "x", "z", "ks"], ["last", "y", "u"], body=body, **attrs)
    return model([layer], {"x": (1, 5, 3), "z": (1, 5, 4)}, ["last", "y", "u"],
                 {**WEIGHTS, "ks": floats(RNG, 5, 1, 4)}, 13)  # fmt: skip


def images():
    """A convolution of an image three times, with weights of the outer graph, and a branch by its shape."""
    body = graph([node("Conv", ["h", "k"], ["a"], pads=[1] * 4), node("Relu", ["a"], ["next"])],
                 ["i", "go_in", "h"], ["go_in", "next", "next"])  # fmt: skip
    wide = graph([node("GlobalAveragePool", ["last"], ["p"])], [], ["p"])
    flat = graph([node("Identity", ["last"], ["q"])], [], ["q"])
    nodes = [loop(body, variables=["x"], outputs=["last", "all"]), node("Shape", ["last"], ["s"]),
             node("Gather", ["s", "two"], ["width"]), node("Greater", ["width", "two"], ["is_wide"]),
             node("If", ["is_wide"], ["y"], then_branch=wide, else_branch=flat),
             node("ReduceSum", ["all", "axes"], ["sum"], keepdims=0)]  # fmt: skip
    constants = {"k": floats(RNG, 2, 2, 3, 3) / 3, "two": np.int64(2), "axes": np.array([0, 1])}
    return model(nodes, {"x": (1, 2, 5, 6)}, ["y", "sum"], {**constants, **ENDS, "steps": np.int64(3)}, 13)


def with_gelu():
    """The written-out function inside of a loop, of constants of the outer graph."""
    inner = gelu(0)
    constants = {t.name: np.frombuffer(t.raw_data, np.float32).reshape(()) for t in inner.graph.initializer}
    body = graph([*inner.graph.node], ["n", "go_in", "x"], ["go_in", "y"])
    return model([loop(body, variables=["z"], outputs=["out"])], {"z": (1, 7)}, ["out"],
                 {**constants, **ENDS, "steps": np.int64(2)}, 13)  # fmt: skip


CASES = {"counted": counted, "conditional": conditional, "scanned": scanned, "images": images, "gelu": with_gelu}


@pytest.mark.parametrize("name", CASES)
def test_they_compute_what_onnxruntime_does(name, tmp_path):
    path = save(proto := CASES[name](), tmp_path)
    found = import_onnx(path, "net")
    legal.check(found)
    rng = np.random.default_rng(1)
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in proto.graph.input]
    inputs = [floats(rng, *shape) for shape in shapes]
    want = ort_outputs(path, inputs)
    for got, expected in zip(float_reference.outputs(found, [nhwc(x) for x in inputs]), want, strict=True):
        close(got.ravel(), nhwc(expected).ravel())
    assert name != "gelu" or [n.op for n in found.nodes] == ["gelu"] * 2


def refused(nodes, constants=(), opset=14, **inputs):
    constants = {**WEIGHTS, **ENDS, "one": np.int64(1), **dict(constants)}
    return model(nodes, {"x": (1, 5, 3), **inputs}, ["last"], constants, opset)


SEEN = [node("ReduceMax", ["next"], ["top"], keepdims=0), node("Greater", ["top", "half"], ["go_out"])]
BRANCHES = {k: graph([node("Relu", ["x"], [k])], [], [k]) for k in ("then_branch", "else_branch")}
REFUSED = {
    "computed-condition": (refused([loop(turned(go=SEEN))], {"half": np.float32(0.5)}), UnsupportedError,
                           "node 0 Loop 'culprit': a loop whose number of steps depends on what"),
    "computed-count": (
        refused([node("ArgMax", ["x"], ["n"], axis=1), loop(turned(), ("n", "go"))]), UnsupportedError,
        "node 1 Loop 'culprit': a loop whose number of steps depends on what"),
    "inside": (refused([loop(turned([node("Det", ["d"], ["row"])]))]), UnsupportedError,
               "node 0 Loop 'culprit': node 1 Det: this operator is not implemented"),
    "endless": (refused([loop(turned([node("Identity", ["d"], ["row"])]), ("", ""))]), ModelError, "do not fit 5"),
    "branch": (refused([node("ReduceSum", ["x"], ["s"], keepdims=0), node("Greater", ["s", "half"], ["b"]),
                        node("If", ["b"], ["last"], **BRANCHES)], {"half": np.float32(0)}), UnsupportedError,
               "node 2 If: a branch that depends on what the model computes"),
    "nothing": (refused([loop(turned(more=["next"]), ("none", "go"), outputs=["h1", "last"])], {"none": np.int64(0)}),
                UnsupportedError, "a sequence of no steps"),
    "variables": (refused([loop(turned(), variables=["h0", "h0"])]), ModelError,
                  "2 outputs for a condition and 2 variables"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_others_are_refused(name, tmp_path):
    proto, kind, message = REFUSED[name]
    path = save(proto, tmp_path)
    with pytest.raises(kind) as error:
        import_onnx(path, "net")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_loop_that_becomes_too_much(monkeypatch, tmp_path):
    monkeypatch.setattr("edgekc.importers.loops.MAX_OPERATORS", 12)
    with pytest.raises(UnsupportedError, match="Loop 'culprit': a loop that becomes more than 12 operators"):
        import_onnx(save(counted(), tmp_path), "net")


def test_obstacles_in_a_loop_are_listed_once(tmp_path):
    """Those of the first step, and what stands in the way behind the loop."""
    body = turned([node("Det", ["d"], ["row"]), node("Det", ["h"], ["other"])])
    path = save(refused([loop(body), node("Det", ["x"], ["z"])]), tmp_path)
    found = read_onnx(path, "net").refused
    assert [o.where.rsplit(": ", 1)[1] for o in found] == ["node 1 Det", "node 2 Det", "node 1 Det"]
    assert [o.operator for o in found] == [0, 0, 1]


def test_graphs_too_deep_within_each_other(tmp_path):
    inner = graph([node("Relu", ["x"], ["last"])], [], ["last"])
    for _ in range(6):
        inner = graph([node("If", ["go"], ["last"], then_branch=inner, else_branch=inner)], [], ["last"])
    path = save(model(list(inner.node), {"x": (1, 3)}, ["last"], ENDS, 14), tmp_path)
    with pytest.raises(UnsupportedError, match="4 loops and branches within another"):
        import_onnx(path, "net")
