"""Operators that compute a function of one byte become one table, and no output byte changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nets import Net
from test_passes import assert_same

from edgekc.graph.ir import Graph, Quant, Role, constant
from edgekc.ops import OPS
from edgekc.passes import tabulate_functions
from edgekc.passes.lower import lower

SHAPE = (1, 4, 5, 3)
PAIRS = ("add", "mul", "sub", "squared_difference")


def quant(rng: np.random.Generator) -> Quant:
    return Quant((float(np.float32(rng.uniform(0.02, 0.2))),), (int(rng.integers(-128, 128)),))


def functions(seed: int) -> Graph:
    """Tables, pairs of what is there, constants of one value or one a channel; some are outputs of the graph."""
    rng = np.random.default_rng(seed)
    net = Net(rng, SHAPE)
    found, outputs = ["input"], []
    for i in range(int(rng.integers(2, 9))):
        x, y = (found[-1] if rng.random() < 0.6 else str(rng.choice(found)) for _ in range(2))
        if rng.random() < 0.4:
            found.append(net.node("leaky_relu", (x,), SHAPE, quant(rng), {"alpha": 0.1}))
        else:
            if rng.random() < 0.4:
                shape = (1, 1, 1, 3) if rng.random() < 0.3 else ()
                y = f"constant_{i}"
                values = rng.integers(-128, 128, shape).astype(np.int8)
                net.tensors[y] = constant(y, values, Role.WEIGHTS, quant(rng))
            op = str(rng.choice(PAIRS))
            attrs = {"activation": "none"} if op != "squared_difference" else {}
            found.append(net.node(op, (x, y), SHAPE, quant(rng), dict(attrs)))
        outputs += [found[-1]] if rng.random() < 0.15 else []
    return net.graph(*dict.fromkeys([*outputs, found[-1]]))


def test_it_is_exact() -> None:
    fewer = 0
    for seed in range(80):
        before = lower(functions(seed))
        after, notes = tabulate_functions.run(before)
        fewer += len(before.nodes) - len(after.nodes)
        assert bool(notes) == (before != after)
        assert_same(before, after)
        assert not tabulate_functions.run(after)[1]
    assert fewer > 80


def gated(read_too: str = "") -> Graph:
    """A logistic between two other tables, times its own input."""
    net = Net(np.random.default_rng(0), SHAPE)
    a = net.node("leaky_relu", ("input",), SHAPE, Quant((0.05,), (3,)), {"alpha": 0.1})
    b = net.node("logistic", (a,), SHAPE, Quant((1 / 256,), (-128,)), {})
    c = net.binary("mul", a, b)
    d = net.node("abs", (c,), SHAPE, Quant((0.1,), (-128,)), {})
    return lower(net.graph(d, *[{"a": a, "b": b, "c": c}[read_too]] if read_too else []))


@pytest.mark.parametrize(
    ("read_too", "left"),
    [("", ["lut"]), ("a", ["lut", "lut"]), ("b", ["lut", "lut", "mul", "lut"]), ("c", ["lut", "lut"])],
)
def test_what_is_read_elsewhere_stays(read_too: str, left: list[str]) -> None:
    """A value inside keeps all that comes of it; one where functions end and begin costs a table."""
    after, _ = tabulate_functions.run(gated(read_too))
    assert [node.op for node in after.nodes] == left
    assert_same(gated(read_too), after)


def test_what_broadcasts_stays() -> None:
    net = Net(np.random.default_rng(0), SHAPE)
    mean = net.node("mean", ("input",), (1, 1, 1, 3), Quant((0.0625,), (-3,)), {"axes": "1,2", "keep_dims": 1})
    graph = lower(net.graph(net.binary("mul", "input", mean)))
    assert tabulate_functions.run(graph) == (graph, [])


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.elementwise])
def test_elementwise_operators_are(name: str) -> None:
    """Values in another order give the outputs in that order."""
    op, rng = OPS[name], np.random.default_rng(0)
    seen = 0
    for case in op.cases(rng):
        fixed = 1 if op.tabulates else len(case.inputs)
        arrays = case.inputs[:fixed]
        if len({x.shape for x in arrays}) > 1:
            continue
        order = rng.permutation(arrays[0].size)
        shape = (1, arrays[0].size)
        turned = [x.reshape(shape)[:, order] for x in arrays]
        straight = op.reference(case.attrs, [*(x.reshape(shape) for x in arrays), *case.inputs[fixed:]])[0]
        np.testing.assert_array_equal(
            op.reference(case.attrs, [*turned, *case.inputs[fixed:]])[0].reshape(shape),
            straight.reshape(shape)[:, order],
        )
        seen += 1
    assert seen > 2


def test_an_operator_that_is_not_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPS, "mean", replace(OPS["maximum"], reference=lambda attrs, xs: [np.sort(xs[0])]))
    with pytest.raises(AssertionError):
        test_elementwise_operators_are("mean")
