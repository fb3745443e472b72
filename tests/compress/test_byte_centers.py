"""Centers that are whole multiples of a step are packed as bytes; others keep 16 bits."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe
from edgekc.compression.methods.steps import levels
from edgekc.compression.run import compress
from edgekc.compression.substitute import as_bytes
from edgekc.data import Dataset
from edgekc.graph.ir import Role, Tensor


def packed(step: str) -> tuple[Tensor, Tensor]:
    """Indices and centers of a convolution that one step clusters."""
    net = FloatNet(np.random.default_rng(0), (1, 6, 6, 8))
    samples = Dataset(np.random.default_rng(1).normal(size=(16, 6, 6, 8)).astype(np.float32), None, (), "test")
    steps = recipe.parse(f'[[compress]]\nmethod = "cluster"\n{step}')
    made = compress(net.graph(net.conv("input", 40)), steps, samples)
    found = {t.role: t for t in made.graph.tensors.values() if t.role in (Role.INDEX, Role.CENTERS)}
    return found[Role.INDEX], found[Role.CENTERS]


@pytest.mark.fast
@pytest.mark.parametrize("bits", [2, 4, 7])
def test_steps_are_bytes_with_as_many_bits_as_a_byte_has(bits: int) -> None:
    """Their real values are the levels: the scales of rows are the steps, and what a center stands for stays."""
    indices, centers = packed(f'bits = {bits}\ncenters = "steps"\n')
    found = centers.value[0].astype(np.int64)
    named = found[np.unique(indices.value)]
    assert 64 <= np.abs(named).max() <= 127
    assert (found * centers.q.scales[0] == levels(bits) + 0.5 * (bits == 2)).all()


@pytest.mark.fast
def test_eight_bits_stay_where_a_weight_is_the_lowest() -> None:
    """-128 is no weight that fast kernels take; where no index names it, all are bytes."""
    raw, used = levels(8) * 256, np.ones(256, np.bool_)
    assert as_bytes(raw, 8, used)[1] == 8
    used[0] = False
    found, point = as_bytes(raw, 8, used)
    assert point == 0 and (found == levels(8)).all()


@pytest.mark.fast
def test_a_center_that_would_lose_a_bit_keeps_them_all() -> None:
    raw = np.array([-(2**14), 129, 2**13])
    found, point = as_bytes(raw, 3, np.ones(3, np.bool_))
    assert point == 3 and (found == raw).all()


@pytest.mark.fast
def test_other_centers_keep_their_bits() -> None:
    _, centers = packed("bits = 4\n")
    assert np.abs(centers.value.astype(np.int64)).max() > 1000
