"""Template and pair chosen together: against its start, against exhaustive search, and with nothing to gain."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.compression.methods import codebook, moments, pairs
from edgekc.compression.methods.pair_assignment import Assignment, Options, compensate
from edgekc.errors import UsageError

Start = tuple[np.ndarray, np.ndarray, np.ndarray, pairs.Pairs]


def start(seed: int, oc: int, ic: int, templates: int, count: int) -> Start:
    """Weights (oc, 3, 3, ic), templates, their index, and nearest pairs."""
    w = np.random.default_rng(seed).standard_normal((oc, 3, 3, ic)).astype(np.float32)
    book = codebook.find([w], templates, codebook.Options(seed=seed))
    fit = pairs.canonical(book.layers[0], book.templates)
    return w, pairs.normalised(book.templates), fit.index, pairs.cluster(fit, 9, count, seed)


def inputs(ic: int, seed: int, like: float) -> np.ndarray:
    """Windows (n, 3, 3, ic) of positive values that share a part, as those behind a ReLU do."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((600, 1, 1, 1))
    return np.asarray(np.maximum(like * shared + (1 - like) * rng.standard_normal((600, 3, 3, ic)) + 0.5, 0))


def moment(x: np.ndarray) -> np.ndarray:
    return moments.of_rows([x.reshape(len(x), -1)]).second


def kernels(book: np.ndarray, found: Assignment) -> np.ndarray:
    a, b = found.pairs.expanded()
    return np.asarray((a[..., None, None] * book[found.index] + b[..., None, None]).transpose(0, 2, 3, 1))


def missed(w: np.ndarray, stored: np.ndarray, x: np.ndarray) -> float:
    """The squared error of the outputs on x, over their squared size."""
    off, all_ = (np.tensordot(x, each, ((1, 2, 3), (1, 2, 3))) for each in (w - stored, w))
    return float(np.square(off).sum() / np.square(all_).sum())


def test_loses_less_of_the_outputs_than_nearest_pairs_do() -> None:
    w, book, index, nearest = start(1, 12, 10, 8, 8)
    x = inputs(10, 1, 0.7)
    before = missed(w, kernels(book, Assignment(index, nearest, 0.0)), x)
    found = compensate(w, book, index, nearest, moment(x), Options())
    assert missed(w, kernels(book, found), x) == pytest.approx(found.output_error, rel=1e-3)
    assert found.output_error < 0.5 * before
    compensated = compensate(w, book, index, nearest, moment(x), Options(sweeps=0, rounds=0))
    assert found.output_error < compensated.output_error < 0.8 * before


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20), oc=st.integers(1, 5), ic=st.integers(1, 6), count=st.integers(2, 6),
    like=st.floats(0, 1),
)  # fmt: skip
def test_is_never_worse_than_its_start(seed: int, oc: int, ic: int, count: int, like: float) -> None:
    w, book, index, nearest = start(seed, oc, ic, 2, count) if oc * ic > 4 else start(seed, 5, 2, 2, count)
    x = inputs(w.shape[3], seed, like)
    found = compensate(w, book, index, nearest, moment(x), Options())
    before = compensate(w, book, index, nearest, moment(x), Options(sweeps=0, rounds=0))
    assert found.output_error <= before.output_error + 1e-9 * abs(before.output_error)  # 0 may come out as -3e-16
    at_first = missed(w, kernels(book, Assignment(index, nearest, 0)), x)
    assert missed(w, kernels(book, found), x) <= at_first * 1.0001 + 1e-12  # that of float32, where nothing is left
    assert found.index.max() < len(book) and found.pairs.index.max() < len(nearest.values)


def test_finds_what_trying_every_word_finds() -> None:
    w, book, index, nearest = start(3, 2, 2, 2, 2)
    x = inputs(2, 3, 0.5)
    found = compensate(w, book, index, nearest, moment(x), Options(sweeps=8, rounds=0))
    words = list(product(range(2), range(2)))
    for o in range(2):
        trials = [
            missed(
                w[o : o + 1],
                kernels(
                    book,
                    Assignment(
                        np.array([[t0, t1]], np.int32),
                        pairs.Pairs(nearest.values, np.array([[p0, p1]], np.int32), nearest.scales[o : o + 1]),
                        0.0,
                    ),
                ),
                x,
            )
            for (t0, p0), (t1, p1) in product(words, words)
        ]
        mine = missed(w[o : o + 1], kernels(book, found)[o : o + 1], x)
        assert mine == pytest.approx(min(trials), rel=1e-4)


def test_gives_back_kernels_that_are_words_already() -> None:
    _, book, index, nearest = start(4, 6, 5, 4, 4)
    w = kernels(book, Assignment(index, nearest, 0.0)).astype(np.float32)
    found = compensate(w, book, np.zeros_like(index), nearest, moment(inputs(5, 4, 0.7)), Options())
    assert found.output_error < 1e-9
    np.testing.assert_allclose(kernels(book, found), w, atol=1e-5)


def test_inputs_that_are_always_zero() -> None:
    w, book, index, nearest = start(5, 4, 4, 4, 4)
    found = compensate(w, book, index, nearest, np.zeros((36, 36)), Options())
    assert found.output_error == 0 and np.isfinite(found.pairs.values).all()


def test_moments_of_another_layer_are_refused() -> None:
    w, book, index, nearest = start(6, 4, 4, 4, 4)
    with pytest.raises(UsageError, match=r"second moments \[9, 9\] for kernels of 9 taps and 4 input channels"):
        compensate(w, book, index, nearest, np.eye(9), Options())
