"""Weight clustering against brute force, scikit-learn and the 16-bit rounding of its centers."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.compression.methods import cluster, kmeans, steps
from edgekc.compression.methods.cluster import Options
from edgekc.errors import ModelError, UsageError
from edgekc.graph import bits


def weights(seed: int, shape: tuple[int, ...] = (8, 3, 3, 6)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * rng.uniform(0.2, 2, (shape[0], *[1] * (len(shape) - 1)))).astype(np.float32)


def brute_force(x: np.ndarray, w: np.ndarray, count: int) -> float:
    """Least weighted squared error over all ways to cut the sorted values."""
    order = np.argsort(x)
    x, w = x[order], w[order]
    best = np.inf
    for cuts in combinations(range(1, len(x)), count - 1):
        parts = [slice(a, b) for a, b in pairwise((0, *cuts, len(x)))]
        best = min(best, sum(float((w[p] * (x[p] - np.average(x[p], weights=w[p])) ** 2).sum()) for p in parts))
    return best


def error_of(x: np.ndarray, w: np.ndarray, centers: np.ndarray) -> float:
    return float((w * (x - centers[kmeans.nearest(x, centers)]) ** 2).sum())


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=9), st.integers(2, 5), st.integers(0, 1000), st.booleans())
@settings(max_examples=150, deadline=None)
def test_optimal_centers_are_those_of_brute_force(values: list[int], count: int, seed: int, far: bool) -> None:
    x = np.array(values, np.float64) + 1e4 * far
    w = np.random.default_rng(seed).uniform(0.1, 3, len(x))
    centers = kmeans.optimal(x, w, count)
    assert len(centers) == min(count, len(set(values))) and (np.diff(centers) > 0).all()
    expected = brute_force(x, w, count) if len(x) > count else 0.0
    assert error_of(x, w, centers) == pytest.approx(expected, rel=1e-6, abs=1e-4 if far else 1e-9)


@pytest.mark.parametrize("count", [4, 16, 64])
def test_optimal_is_not_worse_than_scikit_learn_and_linear(count: int) -> None:
    x = np.random.default_rng(1).standard_t(4, 3000)
    w = np.ones(3000)
    best = error_of(x, w, kmeans.optimal(x, w, count))
    pytest.importorskip("sklearn")
    assert best <= error_of(x, w, kmeans.sklearn_centers(x, w, count, 0, 2)) * (1 + 1e-9)
    assert best <= error_of(x, w, kmeans.linear_centers(x, w, count)) * (1 + 1e-9)


def test_binned_optimum_of_many_values_is_close() -> None:
    x, w = np.random.default_rng(2).standard_t(3, 4000), np.ones(4000)
    exact = error_of(x, w, kmeans.optimal(x, w, 16))
    many = np.concatenate([x, x * (1 + 1e-7), x * (1 - 1e-7)])  # 12,000 distinct values, practically the same set
    assert error_of(x, w, kmeans.optimal(many, np.ones(12000), 16)) <= exact * 1.02


def test_outliers_that_empty_the_bins() -> None:
    x = np.concatenate([np.linspace(0, 1, 5000), [1e9]])
    centers = kmeans.optimal(x, np.ones(5001), 4)
    assert len(centers) == 4 and centers[-1] == 1e9


@pytest.mark.parametrize("method", ["optimal", "sklearn", "linear"])
@pytest.mark.parametrize("row_scale", ["none", "rms", "max"])
@pytest.mark.parametrize("count", [2, 5, 16, 256])
def test_every_weight_has_its_nearest_stored_center(method: str, row_scale: str, count: int) -> None:
    if method == "sklearn":
        pytest.importorskip("sklearn")
    w = weights(3)
    out = cluster.cluster(w, count, Options(method=method, row_scale=row_scale))  # type: ignore[arg-type]
    assert out.index.dtype == np.uint8 and out.index.shape == w.shape
    assert out.centers.dtype == np.int16 and len(out.centers) <= count and (np.diff(out.centers.astype(int)) > 0).all()
    assert out.index_bits <= max(1, (count - 1).bit_length())
    scales = out.scales[:, None, None, None].astype(np.float64)
    each = np.abs(w[..., None] - scales[..., None] * out.real_centers)
    assert np.take_along_axis(each, out.index[..., None].astype(int), -1)[..., 0] == pytest.approx(each.min(-1))
    dense = cluster.reconstruct(out)
    assert dense.dtype == np.float32 and dense.shape == w.shape
    assert np.square(w - dense).sum() / np.square(w).sum() == pytest.approx(out.relative_error, rel=1e-3)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_centers_survive_16_bits(values: list[float]) -> None:
    real = np.array(values)
    raw, point = cluster.encode(real)
    step = 2.0**-point
    assert all(np.abs(cluster.decode(raw, point) - v).min() <= step / 2 for v in real)
    if real.any():  # one binary digit finer would not fit
        assert np.abs(np.rint(real * 2 / step)).max() > 32767 or point == 63
    assert np.array_equal(bits.encode_centers(cluster.decode(raw, point)[None])[0][0], raw)


def test_few_distinct_weights_are_exact() -> None:
    w = np.random.default_rng(4).choice([-0.5, 0.0, 0.25], (6, 10)).astype(np.float32)
    out = cluster.cluster(w, 16, Options())
    assert len(out.centers) == 3 and out.relative_error == 0 and np.array_equal(cluster.reconstruct(out), w)
    assert out.index_bits == 2


def test_row_scales_help_rows_of_different_size_and_rounds_do_not_hurt() -> None:
    w = weights(5, (16, 3, 3, 16)) * np.geomspace(0.1, 3, 16, dtype=np.float32)[:, None, None, None]
    errors = [
        cluster.cluster(w, 8, Options(row_scale=kind, scale_rounds=n)).relative_error  # type: ignore[arg-type]
        for kind, n in (("none", 0), ("max", 0), ("rms", 0), ("rms", 4))
    ]
    assert errors[0] > errors[1] and errors[0] > errors[2] >= errors[3]


def test_a_channel_of_zeros_has_scale_zero() -> None:
    w = weights(6)
    w[3] = 0
    out = cluster.cluster(w, 8, Options(row_scale="rms", scale_rounds=2))
    assert out.scales[3] == 0 and not cluster.reconstruct(out)[3].any()
    nothing = cluster.cluster(np.zeros_like(w), 8, Options(row_scale="rms"))
    assert not cluster.reconstruct(nothing).any() and nothing.relative_error == 0
    assert not cluster.reconstruct(cluster.cluster(np.zeros_like(w), 8, Options())).any()


def test_depthwise_channels_are_the_last_axis() -> None:
    w = weights(7, (12, 3, 3, 1))
    rows = cluster.cluster(w, 8, Options(row_scale="rms"))
    columns = cluster.cluster(np.moveaxis(w, 0, 3).reshape(1, 3, 3, 12), 8, Options(row_scale="rms", channel_axis=3))
    assert columns.index.shape == (1, 3, 3, 12)
    assert np.array_equal(columns.scales, rows.scales)
    assert np.array_equal(cluster.reconstruct(columns)[0].transpose(2, 0, 1), cluster.reconstruct(rows)[:, :, :, 0])


def test_importance_buys_accuracy_where_it_is() -> None:
    w, importance = weights(8), np.full((8, 3, 3, 6), 1e-3)
    importance[2] = 1
    plain, weighted = (cluster.cluster(w, 8, Options(), i) for i in (None, importance))
    errors = [np.square(w[2] - cluster.reconstruct(c)[2]).sum() for c in (plain, weighted)]
    assert errors[1] < errors[0] / 2


def test_error_falls_with_bits() -> None:
    w = weights(9, (16, 3, 3, 16))
    errors = [cluster.cluster(w, 2**b, Options()).relative_error for b in range(1, 9)]
    assert all(a > 2 * b for a, b in pairwise(errors))


def test_same_bits_twice() -> None:
    pytest.importorskip("sklearn")
    w = weights(10)
    one, two = (cluster.cluster(w, 16, Options(method="sklearn", seed=3)) for _ in range(2))
    assert one.index.tobytes() == two.index.tobytes() and one.centers.tobytes() == two.centers.tobytes()


def test_what_cannot_be_is_refused() -> None:
    w = weights(0)
    for count in (0, 1, 257):
        with pytest.raises(UsageError, match=f"{count} centers, expected 2 to 256"):
            cluster.cluster(w, count, Options())
    with pytest.raises(UsageError, match="importance"):
        cluster.cluster(w, 4, Options(), -np.ones_like(w))
    w[0] = np.inf
    with pytest.raises(ModelError, match="not finite"):
        cluster.cluster(w, 4, Options())


@pytest.mark.parametrize("axis", [0, 3])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_steps_are_those_of_least_error(bits: int, axis: int) -> None:
    w = np.random.default_rng(bits).normal(size=(6, 3, 3, 5)).astype(np.float32)
    record = steps.cluster_steps(w, bits, axis)
    levels = record.real_centers / np.diff(record.real_centers)[0]
    assert record.steps and np.array_equal(levels, steps.levels(bits) + 0.5 * (bits == 2))
    rows, scales = cluster.to_rows(w, axis), record.scales.astype(np.float64)
    least = np.square(rows - cluster.to_rows(cluster.reconstruct(record), axis)).sum(1)
    for share in np.linspace(0.5, 2, 31):
        tried = share * scales
        error = np.square(rows - tried[:, None] * levels[steps.nearest(rows, tried, levels)]).sum(1)
        assert (least <= error * (1.02 if bits < 8 else 1.5)).all()  # of 8 bits it has many dips


@pytest.mark.fast
@pytest.mark.parametrize(("sizes", "lowest"), [((0, 0, 1), -2), ((1, 3), -1.5)])
def test_two_bits_have_a_zero_where_weights_have(sizes: tuple[int, ...], lowest: float) -> None:
    rng = np.random.default_rng(7)
    w = rng.choice(sizes, (4, 3, 3, 8)) * rng.choice([-1, 1], (4, 3, 3, 8)) * rng.normal(1, 0.1, (4, 3, 3, 8))
    assert steps.cluster_steps(w.astype(np.float32), 2, 0).real_centers[0] == lowest
