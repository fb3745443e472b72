"""The compiler's choice between kernels of packed convolutions, against instructions counted on an emulated core."""

from __future__ import annotations

import kernel_costs as costs
import pytest

from edgekc.errors import ToolError

NEAR = 1.03  # estimates this close to each other say nothing
ESTIMATE = 0.1


@pytest.fixture(scope="module")
def counted() -> list[costs.Row]:
    try:
        return costs.rows([*costs.template_shapes(), *costs.clustered_shapes()])
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(str(error))
        raise


def test_the_choice_is_the_counted_winner(counted: list[costs.Row]) -> None:
    wrong = []
    for shape in {row.shape for row in counted}:
        rows = [row for row in counted if row.shape == shape]
        (chosen,) = (row for row in rows if row.chosen)
        best = min(row.count for row in rows)
        if chosen.count > NEAR * best:
            wrong.append((shape, chosen, best))
    assert not wrong


def test_estimates_are_near_the_counts(counted: list[costs.Row]) -> None:
    far = [row for row in counted if abs(row.estimate / row.count - 1) > ESTIMATE]
    assert not far


def test_every_kernel_wins_somewhere(counted: list[costs.Row]) -> None:
    """Else it would not be worth its code."""
    assert {row.kernel for row in counted if row.chosen} == {row.kernel for row in counted}
