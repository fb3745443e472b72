"""What a retraining starts with is what the steps before packed, whatever made it."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.net import Net  # noqa: E402 - needs PyTorch


@pytest.mark.parametrize("more", ["", 'assignment = "second-order"\n'], ids=["nearest", "second-order"])
@pytest.mark.parametrize("behind", ["", '[[compress]]\nmethod = "statistics"\nsamples = 32\n'], ids=["", "statistics"])
@pytest.mark.fast
def test_the_net_that_is_trained_computes_what_the_steps_left(more: str, behind: str) -> None:
    made = FloatNet(np.random.default_rng(3), (1, 5, 5, 3), "relu")
    graph = prepare(made.graph(made.fully_connected(made.mean(made.conv(made.conv("input", 6), 6)), 3)))
    x = np.random.default_rng(4).normal(0.5, 1, (32, 5, 5, 3)).astype(np.float32)
    steps = f'[[compress]]\nmethod = "cluster"\nbits = 2\ncenters = "steps"\n{more}{behind}'
    model = compress(graph, rc.parse(steps), Dataset(x, None, (), "noise")).model
    assert any(record.steps for record in model.clusters.values())
    wanted = float_reference.outputs(model.graph, [x])[0]
    with torch.no_grad():
        np.testing.assert_allclose(Net(model)(torch.from_numpy(x)).numpy(), wanted, rtol=1e-4, atol=1e-5)
