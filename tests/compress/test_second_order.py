"""Error-compensating assignment: against nearest assignment, against exhaustive search, and its second moments."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from edgekc.compression.methods import cluster, moments, second_order
from edgekc.compression.methods.second_order import Options
from edgekc.errors import ModelError, UsageError

PLAIN = Options(sweeps=0, rounds=0)  # compensation alone


def correlated(taps: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((4 * taps, taps))
    return moments.of_rows(
        [x @ np.linalg.cholesky(0.9 ** np.abs(np.subtract.outer(range(taps), range(taps)))).T]
    ).second


def layer(seed: int, shape: tuple[int, ...] = (12, 40), centers: int = 4, row_scale: str = "none", axis: int = 0):
    w = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    options = cluster.Options(row_scale=row_scale, channel_axis=axis)  # type: ignore[arg-type]
    return w, cluster.cluster(w, centers, options)


def measured(w: np.ndarray, dense: np.ndarray, x: np.ndarray) -> float:
    return float(np.square(x @ (w - dense).T).sum() / np.square(x @ w.T).sum())


@pytest.mark.parametrize("order", ["given", "activation"])
@pytest.mark.parametrize("row_scale", ["none", "rms"])
@pytest.mark.parametrize("block", [1, 7, 64])
def test_beats_nearest_on_correlated_inputs(order: str, row_scale: str, block: int) -> None:
    w, start = layer(1, row_scale=row_scale)
    h = correlated(40)
    plain = second_order.compensate(w, start, h, replace(PLAIN, order=order, block=block))  # type: ignore[arg-type]
    nearest = second_order.output_error(w.astype(np.float64), start, h)
    assert plain.output_error is not None and plain.output_error < 0.6 * nearest
    assert plain.relative_error > start.relative_error  # it pays with the weights' own error
    assert np.array_equal(plain.centers, start.centers) and np.array_equal(plain.scales, start.scales)
    full = second_order.compensate(w, start, h, Options(block=block, order=order))  # type: ignore[arg-type]
    assert full.output_error is not None and full.output_error < plain.output_error


def test_the_block_size_does_not_matter() -> None:
    w, start = layer(2)
    one, two = (second_order.compensate(w, start, correlated(40), Options(block=b)) for b in (3, 40))
    assert one.output_error == pytest.approx(two.output_error, rel=0.05)
    first, second = (second_order.compensate(w, start, correlated(40), replace(PLAIN, block=b)) for b in (3, 40))
    assert np.array_equal(first.index, second.index)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_equals_nearest_where_inputs_are_independent(scale: float) -> None:
    w, start = layer(3, row_scale="rms")
    out = second_order.compensate(w, start, scale * np.eye(40), replace(PLAIN, sweeps=5))
    assert np.array_equal(out.index, start.index)
    assert out.output_error == pytest.approx(out.relative_error)


def test_output_error_is_that_of_the_outputs() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 40)) @ rng.standard_normal((40, 40))
    w, start = layer(4, row_scale="rms")
    out = second_order.compensate(w, start, moments.of_rows([x]).second, Options())
    assert out.output_error == pytest.approx(measured(w, cluster.reconstruct(out), x), rel=1e-4)
    assert out.output_error < measured(w, cluster.reconstruct(start), x)


def test_sweeps_come_close_to_exhaustive_search() -> None:
    h = correlated(6, seed=5)
    ratios = []
    for seed in range(20):
        w, start = layer(seed, (1, 6), 3)
        every = np.array(list(product(start.real_centers, repeat=6)))
        error = w.astype(np.float64) - every
        best = np.einsum("nt,tu,nu->n", error, h, error).min() / (w @ h @ w.T).item()
        out = second_order.compensate(w, start, h, Options(rounds=0))
        assert out.output_error is not None and out.output_error >= best * (1 - 1e-9)
        ratios.append(out.output_error / best)
    assert np.median(ratios) < 1.25


def test_refitted_centers_only_help() -> None:
    w, start = layer(6, (20, 40), 8, "rms")
    errors = [second_order.compensate(w, start, correlated(40), Options(rounds=n)).output_error for n in (0, 1, 3)]
    assert errors[0] > errors[1] >= errors[2]  # type: ignore[operator]


def test_depthwise_channels_have_inputs_of_their_own() -> None:
    w, start = layer(7, (1, 3, 3, 10), 4, "rms", axis=3)
    h = np.stack([correlated(9, seed=c) for c in range(10)])
    out = second_order.compensate(w, start, h, PLAIN)
    assert out.index.shape == (1, 3, 3, 10)
    assert out.output_error is not None
    assert out.output_error < second_order.output_error(cluster.to_rows(w, 3), start, h)
    same = np.broadcast_to(correlated(9), (10, 9, 9))
    one, two = (second_order.compensate(w, start, m, Options()) for m in (same, same[0]))
    assert np.array_equal(one.index, two.index) and one.output_error == pytest.approx(two.output_error)


def test_dead_inputs_and_dead_channels() -> None:
    w, _ = layer(8)
    w[5] = 0
    start = cluster.cluster(w, 4, cluster.Options(row_scale="rms"))
    h = correlated(40)
    h[:, 7] = h[7] = 0
    out = second_order.compensate(w, start, h, replace(Options(), damping=0.0))
    assert not cluster.reconstruct(out)[5].any()
    nothing = second_order.compensate(w, start, np.zeros((40, 40)), Options())
    assert nothing.output_error == 0


def test_what_cannot_be_is_refused() -> None:
    w, start = layer(13)
    with pytest.raises(UsageError, match="second moments"):
        second_order.compensate(w, start, np.eye(39), Options())
    with pytest.raises(ModelError, match="not finite"):
        second_order.compensate(w, start, np.full((40, 40), np.nan), Options())
