"""Networks as PyTorch's users have them: imported equal to torch, and int8 within 30 dB of their float outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("onnx", reason="the helpers of these tests need the package onnx")
from torch_nets import NETS, imported, int8_sqnr  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations


@pytest.mark.parametrize("name", NETS)
def test_networks(name):
    torch.manual_seed(3)
    make, shape = NETS[name]
    graph = imported(make(), shape)
    assert int8_sqnr(graph) >= 30
