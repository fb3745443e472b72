"""Tables in a row become one, and no output byte changes."""

from __future__ import annotations

import numpy as np
from nets import Net
from test_passes import assert_same

from edgekc.graph.ir import Graph, Quant
from edgekc.passes import fuse_tables
from edgekc.passes.lower import lower


def tables_in_rows(seed: int) -> Graph:
    """Tables and reshapes in a row, some of them read twice or outputs of the graph."""
    rng = np.random.default_rng(seed)
    net = Net(rng, (1, 4, 5, 3))
    found, outputs = ["input"], []
    for _ in range(int(rng.integers(2, 9))):
        x = found[-1] if rng.random() < 0.8 else str(rng.choice(found))
        t = net.tensors[x]
        q = Quant((float(np.float32(rng.uniform(0.01, 0.2))),), (int(rng.integers(-128, 128)),))
        kind = int(rng.integers(5))
        if kind == 0:
            y = net.node("reshape", (x,), (1, 60), t.q, {})
        elif kind == 1:
            y = net.node("logistic", (x,), t.shape, Quant((1 / 256,), (-128,)), {})
        elif kind == 2:
            y = net.node("leaky_relu", (x,), t.shape, q, {"alpha": 0.1})
        elif kind == 3:
            y = net.node("quantize", (x,), t.shape, q, {})
        else:
            y = net.node("relu", (x,), t.shape, q, {"activation": "relu6"})
        found.append(y)
        outputs += [y] if rng.random() < 0.15 else []
    return net.graph(*dict.fromkeys([*outputs, found[-1]]))


def test_it_is_exact() -> None:
    fused = 0
    for seed in range(150):
        before = lower(tables_in_rows(seed))
        after, notes = fuse_tables.run(before)
        fused += len(notes)
        assert len(after.nodes) == len(before.nodes) - len(notes)
        assert_same(before, after)
        assert not fuse_tables.run(after)[1]
    assert fused > 100


def test_over_a_reshape_and_not_past_a_reader() -> None:
    net = Net(np.random.default_rng(0), (1, 4, 5, 3))
    q = Quant((0.05,), (3,))
    a = net.node("leaky_relu", ("input",), (1, 4, 5, 3), q, {"alpha": 0.1})
    b = net.node("reshape", (a,), (1, 60), q, {})
    c = net.node("hard_swish", (b,), (1, 60), q, {})
    d = net.node("abs", (c,), (1, 60), q, {})
    alone, read = lower(net.graph(d)), lower(net.graph(d, b))
    after, notes = fuse_tables.run(alone)
    assert [n.op for n in after.nodes] == ["lut", "reshape"] and len(notes) == 2
    assert_same(alone, after)
    assert [n.op for n in fuse_tables.run(read)[0].nodes] == ["lut", "reshape", "lut"]
