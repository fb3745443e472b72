"""Two models on the same samples: counts, interval and McNemar's p, against hand calculation and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekc.paired import compare, interval, mcnemar


def test_counts_and_words() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    base = np.array([0, 0, 1, 1, 2, 0, 0, 1])  # the first five right
    model = np.array([0, 1, 0, 1, 2, 2, 0, 0])  # loses two, wins one, and once both are wrong in different ways
    found = compare(model, base, labels, "float", "test")
    assert (found.right, found.base_right, found.lost, found.won, found.disagree) == (4, 5, 2, 1, 4)
    assert found.points == -12.5 and found.low < -12.5 < found.high
    assert found.p == 1.0
    for words in ("-12.50 points (95% ", "2 lost, 1 won, McNemar p = 1, 50.0% answered differently"):
        assert words in str(found)
    assert found.as_json()["points"] == -12.5


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [(0, 0, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (4, 2, 2 * (1 + 6 + 15) / 64), (3, 3, 1.0), (143, 120, 0.1748008301)],
)
def test_mcnemar_is_a_fair_coin(lost: int, won: int, p: float) -> None:
    assert mcnemar(lost, won) == pytest.approx(p, rel=1e-8)


def test_many_samples_are_no_overflow() -> None:
    assert 0 < mcnemar(3000, 2500) < 1e-9 and mcnemar(20_000, 0) == 0.0


def test_the_interval_is_agresti_s_and_min_s() -> None:
    low, high = interval(143, 120, 5000)
    half = 1.959964 * math.sqrt(264 - 23**2 / 5002) / 5002
    assert (low, high) == pytest.approx((100 * (-23 / 5002 - half), 100 * (-23 / 5002 + half)))
    assert interval(0, 0, 500)[1] == -interval(0, 0, 500)[0] > 0.3  # 500 samples do not show that nothing is lost
    assert interval(3, 0, 3)[0] >= -100


def test_it_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    shares = (0.02, 0.01, 0.97)  # lost, won, alike
    draws = rng.multinomial(400, shares, 4000)
    inside = [low <= -1.0 <= high for low, high in (interval(int(b), int(c), 400) for b, c, _ in draws)]
    assert 0.94 < np.mean(inside) < 0.98
