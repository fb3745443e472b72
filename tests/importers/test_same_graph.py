"""The same network by way of torch.export and of ONNX gives the same graph."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
from torch_nets import NETS, lively  # noqa: E402

from edgekc.importers.onnx.importer import import_onnx  # noqa: E402
from edgekc.importers.torch.importer import import_torch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations
# Exporters write attention and recurrence in too many ways for one graph.
NAMES = [name for name in NETS if name not in ("vit", "lstm", "gru")]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_graph(name, tmp_path):
    assert len(NAMES) >= 10
    torch.manual_seed(3)
    make, shape = NETS[name]
    module, x = lively(make()), torch.randn(1, *shape)
    path, exported = tmp_path / "net.onnx", tmp_path / "net.pt2"
    torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=17)
    torch.export.save(torch.export.export(module, (x,)), exported)
    ours, theirs = import_onnx(path, "net"), import_torch(exported, "net")
    assert [(n.op, dict(n.attrs)) for n in ours.nodes] == [(n.op, dict(n.attrs)) for n in theirs.nodes]
    for a, b in zip(ours.nodes, theirs.nodes, strict=True):
        for s, t in zip(a.inputs, b.inputs, strict=True):
            left, right = ours.tensors[s], theirs.tensors[t]
            assert left.shape == right.shape
            if left.data is not None:
                np.testing.assert_allclose(left.data, right.value, rtol=1e-5, atol=1e-6)
