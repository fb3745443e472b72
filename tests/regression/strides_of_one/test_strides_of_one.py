"""An axis of one element has no step, whatever its stride says: ConvNeXt's pooling behind a channels_last layer."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")

from edgekc.importers.torch.importer import import_torch  # noqa: E402
from edgekc.quantize import float_reference  # noqa: E402


@pytest.mark.filterwarnings("ignore")  # torch's own deprecations
def test_it_is_taken() -> None:
    class Pool(torch.nn.Module):
        def forward(self, x):
            x = x.mean((2, 3), keepdim=True)
            return x.as_strided((1, 3, 1, 1), (3, 1, 7, 9)).flatten(1)

    x = torch.randn(1, 3, 4, 5)
    graph = import_torch(Pool(), "net", (x,))
    assert [node.op for node in graph.nodes if node.op != "reshape"] == ["mean"]
    (got,) = float_reference.outputs(graph, [x.numpy().transpose(0, 2, 3, 1)])
    np.testing.assert_allclose(got.ravel(), x.mean((2, 3)).ravel(), rtol=1e-5)
