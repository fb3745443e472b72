"""The kernel codebook against numpy's least squares, the closed form of its error, and planted templates."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.compress.methods import codebook
from edgekc.errors import ModelError, UsageError

OPTIONS = codebook.Options()


def weights(seed: int, oc: int = 8, k_h: int = 3, k_w: int = 3, ic: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((oc, k_h, k_w, ic)).astype(np.float32) + 0.2


def planted(seed: int, count: int, oc: int, ic: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Templates, index and weights that are exactly a * template + b, with a of both signs."""
    rng = np.random.default_rng(seed)
    t = rng.standard_normal((count, 3, 3))
    t -= t.mean((1, 2), keepdims=True)
    t /= np.linalg.norm(t, axis=(1, 2), keepdims=True)
    index = rng.integers(0, count, (oc, ic))
    a = rng.uniform(0.3, 2, (oc, ic)) * rng.choice([-1, 1], (oc, ic))
    w = a[..., None, None] * t[index] + rng.standard_normal((oc, ic))[..., None, None]
    return t, index, w.transpose(0, 2, 3, 1).astype(np.float32)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_pairs_are_least_squares(seed: int, k_h: int, k_w: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    w = weights(seed, 3, k_h, k_w, 2)
    templates = rng.standard_normal((count, k_h, k_w)).astype(np.float32)  # neither zero-mean nor of norm 1
    index = rng.integers(0, count, (3, 2))
    fit = codebook.fit_pairs(w, templates, index, offset=True)
    total = 0.0
    for o, i in np.ndindex(3, 2):
        columns = np.stack([templates[index[o, i]].ravel(), np.ones(k_h * k_w)], 1).astype(np.float64)
        expected, *_ = np.linalg.lstsq(columns, w[o, :, :, i].ravel().astype(np.float64), rcond=None)
        assert columns @ [fit.a[o, i], fit.b[o, i]] == pytest.approx(columns @ expected, rel=1e-4, abs=1e-4)
        total += float(np.square(columns @ expected - w[o, :, :, i].ravel()).sum())
    assert fit.relative_error == pytest.approx(total / float(np.square(w, dtype=np.float64).sum()), rel=1e-4, abs=1e-9)


def test_error_of_a_kernel_is_its_energy_times_one_minus_r_squared() -> None:
    w = weights(1)
    book = codebook.find([w], 5, OPTIONS)
    fit = book.layers[0]
    dense = codebook.reconstruct(fit, book.templates)
    error = energies = 0.0
    for o, i in np.ndindex(*fit.index.shape):
        k, t = w[o, :, :, i].ravel().astype(np.float64), book.templates[fit.index[o, i]].ravel()
        r = np.corrcoef(k, t)[0, 1]
        energy = np.square(k - k.mean()).sum()
        assert np.square(w[o, :, :, i] - dense[o, :, :, i]).sum() == pytest.approx(energy * (1 - r * r), rel=1e-3)
        assert fit.a[o, i] == pytest.approx(np.sqrt(energy) * r, rel=1e-4)
        assert all(np.corrcoef(k, other.ravel())[0, 1] ** 2 <= r * r + 1e-6 for other in book.templates)
        error, energies = error + energy * (1 - r * r), energies + energy
    assert fit.residual == pytest.approx(error / energies, rel=1e-5) == book.residual


def test_templates_are_zero_mean_unit_norm_top_singular_vectors() -> None:
    w = weights(2, 20, 3, 3, 20)
    book = codebook.find([w], 4, codebook.Options(iterations=500, tolerance=0))
    assert book.templates.dtype == np.float32 and book.templates.shape == (4, 3, 3)
    assert book.templates.mean((1, 2)) == pytest.approx(np.zeros(4), abs=1e-6)
    kernels = w.transpose(0, 3, 1, 2).reshape(-1, 9).astype(np.float64)
    kernels -= kernels.mean(1, keepdims=True)
    for c, t in enumerate(book.templates):
        top = np.linalg.svd(kernels[book.layers[0].index.ravel() == c])[2][0]
        assert abs(top @ t.ravel()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [1, 3, 8, 16])
def test_planted_templates_are_found_exactly(count: int) -> None:
    t, index, w = planted(count, count, 16, 12)
    book = codebook.find([w], count, OPTIONS)
    match = np.abs(book.templates.reshape(-1, 9) @ t.reshape(-1, 9).T)  # (found, planted)
    used = np.unique(index)
    assert match[:, used].max(0) == pytest.approx(np.ones(len(used)), abs=1e-5)
    assert book.residual < 1e-10
    assert np.abs(codebook.reconstruct(book.layers[0], book.templates) - w).max() < 1e-5
    assert codebook.find([w], count + 20, OPTIONS).templates.shape[0] == len(used)  # no more than are needed


def test_negated_kernels_share_their_template() -> None:
    w = weights(3)
    both = np.concatenate([w, -w])
    book = codebook.find([both], 6, OPTIONS)
    first, second = book.layers[0].index[:8], book.layers[0].index[8:]
    assert np.array_equal(first, second)
    assert np.array_equal(book.layers[0].a[:8], -book.layers[0].a[8:])
    assert book.residual == pytest.approx(codebook.find([w], 6, OPTIONS).residual, rel=0.05)


def test_same_seed_same_bits_other_seed_other_start() -> None:
    w = weights(4, 32, 3, 3, 32)
    one, two = (codebook.find([w], 8, codebook.Options(seed=5)) for _ in range(2))
    assert one.templates.tobytes() == two.templates.tobytes()
    assert one.layers[0].index.tobytes() == two.layers[0].index.tobytes()
    other = codebook.find([w], 8, codebook.Options(seed=6, restarts=1, iterations=1))
    assert other.templates.tobytes() != one.templates.tobytes()


def test_error_falls_with_templates() -> None:
    w = weights(5, 24, 3, 3, 24)
    residuals = [codebook.find([w], count, OPTIONS).residual for count in (1, 2, 4, 8, 16, 32, 64)]
    assert all(a > b for a, b in pairwise(residuals))


@pytest.mark.parametrize("target", [0.9, 0.5, 0.2, 0.05])
def test_error_target_is_met_with_few_templates(target: float) -> None:
    w = weights(6, 16, 3, 3, 16)
    book = codebook.find_to_error([w], target, 256, OPTIONS)
    assert book.residual <= target * (1 + 1e-5)
    if len(book.templates) > 2:
        assert codebook.find([w], len(book.templates) // 2, OPTIONS).residual > target


def test_error_target_out_of_reach_is_said() -> None:
    with pytest.raises(UsageError, match="4 templates leave a residual"):
        codebook.find_to_error([weights(7)], 0.001, 4, OPTIONS)


def test_constant_kernels_have_no_slope() -> None:
    w = weights(8)
    w[2], w[:, :, :, 3], w[0, :, :, 0] = 0.7, 0, -1e-3
    fit = codebook.find([w], 4, OPTIONS).layers[0]
    assert not fit.a[2].any() and not fit.a[:, 3].any() and fit.a[0, 0] == 0
    assert fit.b[2] == pytest.approx([0.7, 0.7, 0.7, 0, 0.7, 0.7])


def test_layers_share_a_codebook_and_can_count_alike() -> None:
    large, small = weights(9) * 100, weights(10, 4, 3, 3, 3)
    by_energy = codebook.find([large, small], 3, OPTIONS)
    alike = codebook.find([large, small], 3, codebook.Options(equal_layers=True))
    assert alike.layers[1].residual < by_energy.layers[1].residual
    assert [f.index.shape for f in by_energy.layers] == [(8, 6), (4, 3)]


def test_importance_moves_templates_to_what_matters() -> None:
    w = weights(11)
    importance = np.full((8, 6), 1e-6)
    importance[3, 2] = 1.0
    book = codebook.find([w], 1, OPTIONS, [importance])
    k = w[3, :, :, 2] - w[3, :, :, 2].mean()
    assert abs(float((book.templates[0] * k).sum())) == pytest.approx(float(np.linalg.norm(k)), rel=1e-4)


def test_without_offset_it_is_a_plain_multiple() -> None:
    w = weights(12)
    book = codebook.find([w], 4, codebook.Options(offset=False))
    assert not book.layers[0].b.any()
    assert np.abs(book.templates.mean((1, 2))).max() > 0.05
    assert book.layers[0].residual == pytest.approx(book.layers[0].relative_error)


def test_depthwise_weights_go_there_and_back() -> None:
    w = np.random.default_rng(13).standard_normal((1, 5, 3, 40)).astype(np.float32)
    kernels = codebook.from_depthwise(w)
    assert kernels.shape == (40, 5, 3, 1) and np.array_equal(kernels[7, :, :, 0], w[0, :, :, 7])
    assert np.array_equal(codebook.to_depthwise(kernels), w)
    assert codebook.find([kernels], 8, OPTIONS).templates.shape == (8, 5, 3)


def test_assignment_on_trained_templates_is_the_best_pair() -> None:
    w = weights(14)
    templates = np.random.default_rng(0).standard_normal((5, 3, 3)).astype(np.float32) + 1
    fit = codebook.assign(w, templates, OPTIONS)
    for t in range(5):
        assert fit.residual <= codebook.fit_pairs(w, templates, np.full((8, 6), t), offset=True).residual
    shuffled = codebook.fit_pairs(w, templates, (fit.index + 1) % 5, offset=True)
    assert fit.residual < shuffled.residual


def test_a_sample_is_nearly_as_good_as_everything() -> None:
    w = weights(15, 64, 3, 3, 64)
    every, part = (codebook.find([w], 16, codebook.Options(restarts=1, sample=n)).residual for n in (0, 1000))
    assert part < every * 1.05


def test_large_and_tiny_weights_do_not_matter() -> None:
    w = weights(16)
    book = codebook.find([w], 4, OPTIONS)
    for factor in (2.0**-40, 2.0**40):
        scaled = codebook.find([w * np.float32(factor)], 4, OPTIONS)
        assert np.array_equal(scaled.layers[0].index, book.layers[0].index)
        assert scaled.residual == pytest.approx(book.residual, rel=1e-6)


@pytest.mark.parametrize(
    ("layers", "count", "message"),
    [
        ([np.ones((4, 1, 1, 4), np.float32)], 2, "1x1 kernels"),
        ([weights(0), weights(0, 4, 5, 5, 2)], 2, "one codebook for kernels of sizes"),
        ([weights(0, 2, 3, 3, 2)], 5, "5 templates for 4 kernels"),
        ([weights(0)], 0, "0 templates"),
        ([np.ones((4, 3, 3, 4), np.float32)], 1, "1 templates for 0 kernels"),
        ([np.ones((4, 9), np.float32)], 1, "weights must have shape"),
    ],
)
def test_what_cannot_be_is_refused(layers: list[np.ndarray], count: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        codebook.find(layers, count, OPTIONS)


def test_nan_is_refused() -> None:
    w = weights(0)
    w[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        codebook.find([w], 2, OPTIONS)
