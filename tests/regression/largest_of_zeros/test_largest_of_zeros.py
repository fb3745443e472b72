"""Maximum pooling in float takes the first of 0 and -0; numpy's own maximum takes either."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.ops.f32.pool_f32 import FUNCTIONS, reference
from edgekc.ops.shared import linear, single


@pytest.mark.fast
@pytest.mark.parametrize("first", [0.0, -0.0])
@pytest.mark.parametrize("width", [1, 4, 9, 16, 33])
def test_the_first_zero_is_the_largest(first: float, width: int) -> None:
    x = np.full((1, 3, 3, width), -first, np.float32)
    x[:, 0, 0] = first
    attrs = {**dict.fromkeys(linear.WINDOW, 0), "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1,
             "filter_h": 3, "filter_w": 3, "function": FUNCTIONS.index("max_pool")}  # fmt: skip
    (largest,) = reference(attrs | single.limits("none"), [x])
    assert np.array_equal(np.signbit(largest), np.full((1, 1, 1, width), np.signbit(first)))
