"""What looks at samples of a large network looks at fewer: counts of samples and bytes, never seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import affordable, evaluate
from edgekc import recipe as rc
from edgekc.assets import RECIPES
from edgekc.compression import front, run, walk
from edgekc.compression.methods import cluster, moments, second_order
from edgekc.data import Dataset
from edgekc.graph.ir import Graph
from edgekc.quantize import calibrate, float_reference, post_training


def resnet18(image: int) -> Graph:
    """The graph of He et al. 2016 (arXiv 1512.03385), table 1, batch norms folded, with weights of zero."""
    made = FloatNet(np.random.default_rng(0), (1, image, image, 3), "relu")
    made._weights = lambda shape, taps: np.zeros(shape, np.float32)  # type: ignore[method-assign]
    x = made.pool("max_pool", made.conv("input", 64, k=7, stride=2), k=3)
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        skip = x if made.shape_of(x)[-1] == width else made.conv(x, width, k=1, stride=stride, activation="none")
        y = made.conv(made.conv(x, width, stride=stride), width, activation="none")
        x = made.binary("add", y, skip, "relu")
    return made.graph(made.fully_connected(made.mean(x), 1000))


def small() -> Graph:
    made = FloatNet(np.random.default_rng(1), (1, 8, 8, 3), "relu")
    x = made.conv(made.conv("input", 8), 8, stride=2)
    return made.graph(made.fully_connected(made.mean(x), 5))


def test_resnet18_at_224_has_some_fifty_samples_a_pass() -> None:
    graph = resnet18(224)
    assert affordable.macs(graph) == pytest.approx(1.814e9, rel=0.001)  # of the literature: 1.8 billion
    count = affordable.samples(graph, 2048)
    assert 40 < count < 60
    assert count * affordable.macs(graph) <= affordable.MACS
    assert count * affordable.alive_bytes(graph) <= affordable.BYTES
    assert affordable.batch(graph, 64) * affordable.activation_bytes(graph) <= affordable.BYTES // 2
    assert affordable.samples(resnet18(32), 2048) == 2048  # of a small image all are looked at


def test_a_network_of_any_size_has_some_samples() -> None:
    graph = resnet18(1024)
    assert affordable.samples(graph, 512) == affordable.LEAST and affordable.samples(graph, 3) == 3
    assert affordable.batch(graph, 64) == 1


@pytest.mark.parametrize("bound", ["MACS", "BYTES"])
@pytest.mark.parametrize("data", [False, True])
def test_every_part_keeps_the_bound(monkeypatch: pytest.MonkeyPatch, bound: str, data: bool) -> None:
    """A network that is large by a bound of 80 samples: nothing is made, calibrated, run or compared more often."""
    graph, seen = small(), dict[str, int]()
    one = affordable.macs(graph) if bound == "MACS" else affordable.alive_bytes(graph)
    monkeypatch.setattr(affordable, bound, 80 * one)

    def count(where: Any, name: str, of: Any) -> None:
        real = getattr(where, name)

        def counted(*args: Any, **more: Any) -> Any:
            found = real(*args, **more)
            seen[name] = max(seen.get(name, 0), of(args, found))
            return found

        monkeypatch.setattr(where, name, counted)

    count(run, "synthetic", lambda args, found: len(found))
    count(front, "start", lambda args, found: len(args[1]))
    count(post_training, "walk", lambda args, found: len(args[2]))
    count(calibrate, "observe", lambda args, found: sum(map(len, args[1]())))
    count(evaluate, "host_outputs", lambda args, found: len(args[1]))
    given = [np.random.default_rng(0).normal(0, 1, (600, 8, 8, 3)).astype(np.float32)] if data else None
    lines: list[str] = []
    walk.run(graph, "net", rc.load(RECIPES / "cluster4.toml"), given, None, lines.append)
    assert seen.pop("walk") == (20 if bound == "BYTES" else 80)  # which holds four of each activation
    assert seen == {
        name: 80 for name in ("synthetic", "start", "observe", "host_outputs") if not data or name != "synthetic"
    }
    told = "\n".join(lines)
    for part in ("cluster layer 2 of 3", "80 calibration samples", "run the packed model, 0 of 80 samples"):
        assert part in told


def test_a_recipe_that_says_how_many_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, lines = small(), list[str]()
    monkeypatch.setattr(affordable, "MACS", 40 * affordable.macs(graph))
    walk.run(graph, "net", rc.parse("[quantize]\nsamples = 100\n"), None, None, lines.append)
    assert any("ranges come from 100 samples" in line for line in lines)


def test_wide_layers_are_given_nearest_centers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their second moments would not fit in memory: of 25,088 taps, as in a VGG, they take 5 GB."""
    monkeypatch.setattr(affordable, "MOST_TAPS", 40)
    lines: list[str] = []
    walk.run(small(), "net", rc.load(RECIPES / "cluster4.toml"), None, None, lines.append)
    assert [line for line in lines if "72 taps" in line] == [
        "note: conv2d_1: nearest centers, 72 taps are too many for second-order assignment"
    ]


def test_less_is_done_for_a_large_layer_and_it_is_still_better_than_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (400, 40)) @ rng.normal(0, 1, (40, 40))
    w = rng.normal(0, 1, (12, 40))
    known = moments.of_rows([x]).covariance
    layer = cluster.cluster(w, 8, cluster.Options())
    full = second_order.compensate(w, layer, known, second_order.Options())
    monkeypatch.setattr(second_order, "_WORK", 1)
    monkeypatch.setattr(second_order, "_FITTED", 40 * 40 * 8 * 3)  # centers are fitted to three rows
    spared = second_order.compensate(w, layer, known, second_order.Options())
    start = second_order.output_error(w, layer, known)
    assert full.output_error is not None and spared.output_error is not None
    assert full.output_error <= spared.output_error * 1.05 and spared.output_error < 0.5 * start


def test_parts_of_the_samples_give_what_all_give() -> None:
    x = np.arange(22.0).reshape(11, 2)
    for size in (1, 4, 11, 20):
        assert np.array_equal(float_reference.in_parts(lambda part: x[part] + 1, 11, size), x + 1)


@pytest.mark.slow  # compiles kernels that the other tests here do not need
def test_many_samples_run_with_the_kernels_for_vectors_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ekc, _ = walk.run(small(), "net", rc.Recipe(), None, None, lambda text: None)
    x = np.random.default_rng(0).integers(-128, 128, (37, 8, 8, 3)).astype(np.int8)
    told: list[int] = []
    before = evaluate.host_outputs(ekc, x)[0]
    monkeypatch.setattr(evaluate, "_MANY_MACS", 1)
    after = evaluate.host_outputs(ekc, x, progress=lambda what, done, total: told.append(done))[0]
    assert np.array_equal(before, after)
    assert told[0] == 0 and told[-1] == 35 and len(told) == 17  # compiling, and sixteen slices


def test_samples_are_drawn_as_at_once() -> None:
    """Made-up samples are drawn a few at a time, and are those of one draw."""
    graph = small()
    made = run.synthetic(graph, 50, 3, None)
    assert isinstance(made, Dataset)
    assert np.array_equal(made.x, np.random.default_rng(3).standard_normal((50, 8, 8, 3)).astype(np.float32))
