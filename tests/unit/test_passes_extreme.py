"""Every pass, alone and with all others, over graphs with extreme scales: with it and without, every output byte."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from extreme_nets import extreme_graph

from edgekc.emulate import imported, reference
from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Array, Graph, consumers
from edgekc.graph.op import Interval, View
from edgekc.ops import dequantize, legal, quantize
from edgekc.ops.shared import linear as lin
from edgekc.passes import INTEGER_PASSES, QUANTIZED_PASSES, apply
from edgekc.passes.lower import lower
from edgekc.pipeline import to_integer

COUNT = 8  # samples
SEEDS_THAT_WRAP = (296, 297, 363)


def levels_of(graph: Graph, seed: int) -> Array:
    """Inputs as the device takes them: all lowest, all highest, random."""
    shape = graph.tensors[graph.inputs[0]].shape
    x = np.random.default_rng(seed).integers(-128, 128, (COUNT, *shape[1:])).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def outputs(graph: Graph, levels: Array) -> list[Array]:
    """Outputs of a graph in either stage as levels, whether or not it still has its casts."""
    if graph.stage.value == "integer":
        return reference.outputs(graph, [levels])
    source, x = graph.tensors[graph.inputs[0]], levels
    if source.dtype == "float32":
        cast = graph.tensors[consumers(graph)[source.name][0].outputs[0]]
        x = dequantize.reals_of(levels, cast.q.scale, cast.q.zero_point)
    found = imported.outputs(imported.prepare(graph), [x])
    casts = {n.outputs[0]: graph.tensors[n.inputs[0]].q for n in graph.nodes if n.op == "dequantize"}
    return [
        quantize.levels_of(y, casts[name].scale, casts[name].zero_point, "int8") if name in casts else y
        for name, y in zip(graph.outputs, found, strict=True)
    ]


def accepted(seed: int) -> tuple[Graph, Graph] | None:
    """The graph of a seed as it is and as it is packed; None where its numbers are refused."""
    graph = extreme_graph(seed)
    legal.check(graph)
    try:
        imported.prepare(graph)
        return graph, to_integer(graph, {})
    except UnsupportedError:
        return None


def check(seed: int, done: Counter[str]) -> None:
    """Outputs of one graph with and without each pass, and with all of them; what the passes did goes to `done`."""
    pair = accepted(seed)
    done["graphs" if pair else "refused"] += 1
    if pair is None:
        return
    graph, packed = pair
    levels = levels_of(graph, seed)
    expected = outputs(graph, levels)

    def same(after: Graph, what: str) -> None:
        for a, b in zip(expected, outputs(after, levels), strict=True):
            assert np.array_equal(a, b), f"seed {seed}: {what} changed {np.count_nonzero(a != b)} of {a.size} outputs"

    for name, run in QUANTIZED_PASSES:
        try:
            after, notes = run(graph)
        except UnsupportedError:  # it needs another pass before it
            continue
        done[name] += bool(notes)
        if notes:
            same(after, f"{name}, alone,")
    before = lower(apply(graph, QUANTIZED_PASSES, lambda note: None))
    same(before, "the quantised passes together, or lowering,")
    for name, run in INTEGER_PASSES:
        after, notes = run(before)
        done[name] += bool(notes)
        if notes:
            same(after, f"{name}, alone,")
    same(packed, "all passes together")


def test_passes_change_no_byte() -> None:
    done: Counter[str] = Counter()
    for seed in range(80):
        check(seed, done)
    assert done["graphs"] >= 60, done  # else the generator has gone astray
    for name, _ in (*QUANTIZED_PASSES, *INTEGER_PASSES):
        assert done[name] >= 1, (name, done)


@pytest.mark.slow
def test_passes_change_no_byte_of_many_graphs() -> None:
    done: Counter[str] = Counter()
    for seed in range(1000, 3000):
        check(seed, done)
    assert done["graphs"] >= 1500, done


def test_the_old_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """These graphs tell a rule that takes the ends of every interval for the whole of it, as if nothing wrapped."""

    def ends_only(view: View, low: Array, high: Array) -> Interval:
        multiplier, shift = (t.value for t in view.inputs[-2:])
        attrs = {key: view[key] for key in lin.OUTPUT}
        a, b = (lin.requant_output(attrs, end, multiplier, shift).astype(np.int64) for end in (low, high))
        return Interval(np.minimum(a, b), np.maximum(a, b))

    monkeypatch.setattr(lin, "output_interval", ends_only)
    for seed in SEEDS_THAT_WRAP:
        with pytest.raises(AssertionError, match="fold-channels, alone, changed"):
            check(seed, Counter())
