"""Axes that are not padded are one with their neighbours, so that few are left."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")

from edgekc.data import Dataset  # noqa: E402
from edgekc.importers.torch.importer import import_torch  # noqa: E402
from edgekc.pipeline import to_integer  # noqa: E402
from edgekc.quantize import float_reference  # noqa: E402
from edgekc.quantize.post_training import post_training  # noqa: E402
from edgekc.quantize.settings import Quantize  # noqa: E402


@pytest.mark.filterwarnings("ignore")  # torch's own deprecations
def test_it_is_quantised() -> None:
    module = torch.nn.LocalResponseNorm(3)
    x = torch.randn(4, 5, 4, 3)
    graph = import_torch(module, "net", (x[:1],))
    samples = x.numpy().transpose(0, 2, 3, 1)
    (got,) = float_reference.outputs(graph, [samples])
    np.testing.assert_allclose(got, module(x).numpy().transpose(0, 2, 3, 1), rtol=1e-5)
    integer = to_integer(post_training(graph, Dataset(samples, None, (), ""), Quantize()), {})
    assert "pad" in [node.op for node in integer.nodes]


@pytest.mark.filterwarnings("ignore")  # torch's own deprecations
def test_padded_axes_keep_their_places() -> None:
    class Pad(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.pad(x.reshape(1, 2, 2, 3, 2), (0, 0, 1, 2))

    x = torch.randn(1, 24)
    graph = import_torch(Pad(), "net", (x,))
    assert all(
        len(t.shape) <= 4
        for t in graph.tensors.values()
        if t.name in {n.outputs[0] for n in graph.nodes if n.op == "pad"}
    )
    (got,) = float_reference.outputs(graph, [x.numpy()])
    np.testing.assert_array_equal(got, Pad()(x).numpy())
