"""Every pass, alone and with all others, over graphs with extreme scales: with it and without, every output byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from extreme_nets import extreme_graph
from extreme_wide_nets import extreme_wide_graph

from edgekc.emulate import imported, reference
from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Array, Graph, Node, Role, Stage, Tensor, constant, consumers
from edgekc.graph.op import Interval, View
from edgekc.ops import dequantize, legal, quantize
from edgekc.ops.shared import int16
from edgekc.ops.shared import linear as lin
from edgekc.passes import INTEGER_PASSES, QUANTIZED_PASSES, apply, fold_channels
from edgekc.passes.lower import lower
from edgekc.pipeline import to_integer

COUNT = 8  # samples
SEEDS_THAT_WRAP = (296, 297, 363)


def levels_of(graph: Graph, seed: int) -> Array:
    """Inputs as the device takes them: all lowest, all highest, random."""
    source = graph.tensors[graph.inputs[0]]
    levels = np.iinfo(np.int16 if source.dtype == "int16" else np.int8)
    x = np.random.default_rng(seed).integers(levels.min, levels.max + 1, (COUNT, *source.shape[1:]))
    x[0], x[1] = levels.min, levels.max
    return x.astype(levels.dtype)


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


def accepted(graph: Graph) -> tuple[Graph, Graph] | None:
    """The graph as it is and as it is packed; None where its numbers are refused."""
    legal.check(graph)
    try:
        imported.prepare(graph)
        return graph, to_integer(graph, {})
    except UnsupportedError:
        return None


def check(seed: int, done: Counter[str], make: Callable[[int], Graph] = extreme_graph) -> None:
    """Outputs of one graph with and without each pass, and with all of them; what the passes did goes to `done`."""
    pair = accepted(make(seed))
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
    for seed in range(1000, 1500):
        check(seed, done)
    assert done["graphs"] >= 375, done


@pytest.mark.parametrize("count", [60, pytest.param(250, marks=pytest.mark.slow)])
def test_passes_change_no_value_of_int16(count: int) -> None:
    done: Counter[str] = Counter()
    for seed in range(count):
        check(seed, done, extreme_wide_graph)
    assert done["graphs"] >= count // 2 and done["fold-channels"] >= count // 6, done


def _wide_layer(x: Tensor, weights: Array, bias: Array) -> tuple[Node, dict[str, Tensor]]:
    """A 1x1 convolution of int16 with a multiplier of 1/2."""
    name = f"{x.name}y"
    attrs = {key: int(key.startswith(("stride", "dilation"))) for key in lin.WINDOW} | int16.FULL
    inputs = (
        x,
        constant(f"{name}/w", weights[:, None, None].astype(np.int8), Role.WEIGHTS),
        constant(f"{name}/b", bias.astype(np.int32), Role.BIAS),
        constant(f"{name}/m", np.array([2**14], np.int32), Role.REQUANT),
        constant(f"{name}/s", np.array([-12], np.int8), Role.REQUANT),
    )
    out = Tensor(name, (*x.shape[:3], weights.shape[0]), "int16")
    return Node("conv2d_16x8", name, tuple(t.name for t in inputs), (name,), attrs), {t.name: t for t in (*inputs, out)}


@pytest.mark.parametrize(("bias", "left"), [(0, 2), (2**31 - 1, 3)])
def test_what_a_bias_of_int16_cannot_take_over_stays(bias: int, left: int) -> None:
    """A channel that always is the highest level, whose products would take a bias out of 32 bits."""
    x = Tensor("x", (1, 2, 2, 2), "int16")
    first, tensors = _wide_layer(x, np.array([[1, 2], [0, 0], [3, 4]]), np.array([5, 2**31 - 1, 7]))
    second, more = _wide_layer(tensors["xy"], np.array([[1, 127, 2], [3, 1, -1]]), np.array([bias, 9]))
    graph = Graph("net", Stage.INTEGER, {**tensors, **more}, (first, second), ("x",), ("xyy",), {})
    after, _ = fold_channels.run(graph)
    assert after.tensors["xy"].shape[3] == left
    legal.check(after)
    for a, b in zip(outputs(graph, levels_of(graph, 0)), outputs(after, levels_of(graph, 0)), strict=True):
        np.testing.assert_array_equal(a, b)


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
