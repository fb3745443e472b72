"""More networks of PyTorch: imported equal to torch, and int8 near their float outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("onnx", reason="the helpers of these tests need the package onnx")
from torch_nets import imported, int8_sqnr  # noqa: E402
from torch_zoo import ZOO  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # torch's own deprecations
LEAST = {"style_transfer": 29.0, "x_vector": 27.0}  # dB, where not 30: roots and quotients of small numbers


@pytest.mark.parametrize("name", ZOO)
def test_network(name: str) -> None:
    torch.manual_seed(3)
    make, shape = ZOO[name]
    assert int8_sqnr(imported(make(), shape)) >= LEAST.get(name, 30.0)
